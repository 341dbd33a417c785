/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: encrypted entries.
 */
#ifndef _KCR_ENCRYPT_H
#define _KCR_ENCRYPT_H

#include <linux/kcr.h>

struct kcr_blob;
struct kcr_slot;
struct kcr_tier;

#ifdef CONFIG_KCR_ENCRYPTION
static __always_inline bool kcr_encrypted(const struct kcr_query *q)
{
	return q->cipher;
}

static __always_inline u64 kcr_query_tag(const struct kcr_query *q)
{
	return q->cipher ? q->cipher->tag : 0;
}

void kcr_encrypt_init(void);
u32 kcr_encrypt_serial(void);
bool kcr_slot_decrypt(const struct kcr_tier *tier, const struct kcr_slot *slot,
		      struct kcr_query *q, unsigned int words);
void kcr_slot_encrypt(const struct kcr_tier *tier, struct kcr_slot *slot,
		      const struct kcr_query *q, unsigned int words);
void kcr_blob_encrypt(struct kcr_blob *blob, const struct kcr_query *q);
void kcr_blob_decrypt(const struct kcr_blob *blob, struct kcr_query *q);
bool kcr_slot_encrypted_key(const struct kcr_tier *tier,
			    const struct kcr_slot *slot,
			    const struct kcr_query *q, unsigned int words);

/* Whether an entry is of the same process */
#define kcr_blob_mine(blob, q)	((blob)->tag == kcr_query_tag(q))
/* What tells one tier's key stream from another's */
#define kcr_tier_number(tier)	((tier)->serial = kcr_encrypt_serial())
#else
static __always_inline bool kcr_encrypted(const struct kcr_query *q)
{
	return false;
}

static __always_inline u64 kcr_query_tag(const struct kcr_query *q)
{
	return 0;
}

static inline void kcr_encrypt_init(void) { }

static inline bool kcr_slot_decrypt(const struct kcr_tier *tier,
				    const struct kcr_slot *slot,
				    struct kcr_query *q, unsigned int words)
{
	return false;
}

static inline void kcr_slot_encrypt(const struct kcr_tier *tier,
				    struct kcr_slot *slot,
				    const struct kcr_query *q,
				    unsigned int words)
{
}

static inline void kcr_blob_encrypt(struct kcr_blob *blob,
				    const struct kcr_query *q)
{
}

static inline void kcr_blob_decrypt(const struct kcr_blob *blob,
				    struct kcr_query *q)
{
}

static inline bool kcr_slot_encrypted_key(const struct kcr_tier *tier,
					  const struct kcr_slot *slot,
					  const struct kcr_query *q,
					  unsigned int words)
{
	return false;
}

static inline bool kcr_blob_mine(const struct kcr_blob *blob,
				 const struct kcr_query *q)
{
	return true;
}

static inline void kcr_tier_number(struct kcr_tier *tier) { }
#endif

#endif /* _KCR_ENCRYPT_H */
