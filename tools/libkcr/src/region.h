/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: reading a region, see uapi/linux/kcr.h.
 */
#ifndef KCR_REGION_H
#define KCR_REGION_H

#include "internal.h"

#include <string.h>

static kcr_inline uint64_t kcr_load_word(const void *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* 1 to 7 bytes, padded with zeroes; where they overlap they are the same */
static kcr_inline uint64_t kcr_load_part(const unsigned char *from, size_t len)
{
	uint32_t low, high;
	unsigned int i;
	uint64_t word = 0;

	if (len >= 4 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
		memcpy(&low, from, sizeof(low));
		memcpy(&high, from + len - 4, sizeof(high));
		return low | (uint64_t)high << (8 * (len - 4));
	}
	for (i = 0; i < len; i++)
		word |= (uint64_t)from[i] << (8 * i);
	return word;
}

/* A key as words, padded with zeroes */
static kcr_inline void kcr_load_key(uint64_t *w, const void *key, size_t len,
				       unsigned int words)
{
	const unsigned char *from = key;
	unsigned int i;

#pragma GCC unroll 10
	for (i = 0; i < words; i++) {
		if (likely(len >= 8 * (i + 1)))
			w[i] = kcr_load_word(from + 8 * i);
		else if (len > 8 * i)
			w[i] = kcr_load_part(from + 8 * i, len - 8 * i);
		else
			w[i] = 0;
	}
}

static kcr_inline uint64_t kcr_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static kcr_inline uint64_t kcr_fingerprint(const uint64_t *s, uint64_t head, const uint64_t *w,
					      unsigned int words)
{
	uint64_t h = (head ^ s[0]) * s[1];
	unsigned int i;

#pragma GCC unroll 5
	for (i = 0; i < words; i += 2)
		h ^= kcr_fold(w[i] ^ s[2 + i], w[i + 1] ^ s[3 + i]);
	return h * s[KCR_REGION_SECRETS - 1];
}

/* Whatever the index says, it is a slot's number */
static kcr_inline const struct kcr_region_slot *kcr_slot(const struct kcr_function *f,
							     uint64_t fingerprint)
{
	uint32_t nr = READ_ONCE(f->index[fingerprint >> 32 & f->index_mask]);

	return &f->slots[nr & f->slot_mask];
}

static kcr_inline bool kcr_expired(const struct kcr_function *f,
				      const struct kcr_region_slot *slot)
{
	const struct kcr_region_header *header = (const void *)f->region;
	uint32_t expiry = READ_ONCE(load_relaxed(&f->shared)->expiry_ms);

	return expiry && (uint32_t)READ_ONCE(header->clock) - READ_ONCE(slot->born) > expiry;
}

/* What a slot must hold for a key that is asked for */
static kcr_inline uint64_t kcr_differs(const struct kcr_region_slot *slot,
					  const struct kcr_probe *p, const uint64_t *w,
					  unsigned int words)
{
	uint64_t diff = READ_ONCE(slot->stamp) ^ p->stamp;
	unsigned int i;

	diff |= READ_ONCE(slot->head) ^ p->head;
#pragma GCC unroll 10
	for (i = 0; i < words; i++)
		diff |= READ_ONCE(slot->data[words + i]) ^ w[i];
	return diff;
}

/* Whether it is reused and does not expire: both halves of a word at once */
static kcr_inline bool kcr_is_reused(const struct kcr_region_function *shared)
{
	static const struct kcr_region_function reused = { .state = KCR_STATE_REUSE };
	typedef uint64_t __attribute__((may_alias)) word;

	return READ_ONCE(*(const word *)&shared->state) == *(const word *)&reused.state;
}

/* Words that the class of a key of @key_len bytes has; 0 for blobs */
static kcr_inline unsigned int kcr_class_words(const struct kcr_function *f, size_t key_len)
{
	size_t n = key_len > f->result_max ? key_len : f->result_max;

	return n <= 16 ? 2 : n <= 32 ? 4 : n <= 80 ? KCR_REGION_WORDS : 0;
}

static kcr_inline uint64_t kcr_head(const struct kcr_function *f, size_t key_len,
				       unsigned int words)
{
	enum kcr_region_class class = words == 2 ? KCR_REGION_16 :
				      words == 4 ? KCR_REGION_32 :
				      words ? KCR_REGION_80 : KCR_REGION_BLOB;

	return f->head | (uint64_t)key_len << 32 | class;
}

/* A result where it lies, good as long as the slot's sequence stays @seq */
struct kcr_found {
	const struct kcr_region_slot *slot;
	uint64_t seq;
	const unsigned char *data;
	uint32_t len;
};

void kcr_probe(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p);
bool kcr_find(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p,
	      struct kcr_found *found);
bool kcr_bytes_equal(const unsigned char *region, const void *other, size_t len);
void kcr_bytes_copy(void *to, const unsigned char *region, size_t len);

static kcr_inline bool kcr_still(const struct kcr_region_slot *slot, uint64_t seq)
{
	smp_rmb();					/* (R) */
	return READ_ONCE(slot->seq) == seq;
}

#endif /* KCR_REGION_H */
