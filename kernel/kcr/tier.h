/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: lookup of an inline entry, for inlining.
 *
 * tier.c says what the comments (R) and (W) refer to.
 */
#ifndef _KCR_TIER_H
#define _KCR_TIER_H

#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/kcr.h>

#include "encrypt.h"
#include "fingerprint.h"
#include "kcr_private.h"

static __always_inline bool kcr_expired(const struct kcr_site *site, u32 born)
{
	unsigned long ttl = READ_ONCE(site->ttl);

	return unlikely(ttl) && (u32)jiffies - born > ttl;
}

/* Set only if clear, so that a hit does not write to a shared line */
static __always_inline void kcr_slot_mark(struct kcr_slot *slot)
{
	/* Any answer will do: another's mark, or one that is being cleared */
	if (unlikely(!data_race(slot->ref)))
		WRITE_ONCE(slot->ref, 1);
}

/*
 * Copy the result, compare the key, and only then decide: one branch, well
 * predicted. What ends up in q->res may be another owner's until it has.
 */
static __always_inline bool kcr_slot_read(struct kcr_slot *slot,
					  struct kcr_query *q,
					  unsigned int words, bool expiry)
{
	/* An odd one will not be found again: it only grows */
	u64 seq = smp_load_acquire(&slot->seq) & ~1ULL;	/* (R) */
	u64 diff = READ_ONCE(slot->stamp) ^ q->stamp;
	unsigned int i;

	diff |= READ_ONCE(slot->head) ^ q->head;
#pragma GCC unroll 10
	for (i = 0; i < words; i++) {
		q->res[i] = READ_ONCE(slot->data[i]);
		diff |= READ_ONCE(slot->data[words + i]) ^ q->key[i];
	}
	if (expiry)
		diff |= kcr_expired(q->site, READ_ONCE(slot->born));
	smp_rmb();					/* (R) */
	diff |= READ_ONCE(slot->seq) ^ seq;
	return !diff;
}

/* The upper half of a fingerprint is the better one, see fingerprint.h */
static __always_inline u32 kcr_bucket(const struct kcr_tier *tier,
				      const struct kcr_query *q)
{
	return q->fingerprint >> 32 & tier->bucket_mask;
}

/* The slot that a key gets if it is to be had */
static __always_inline u32 kcr_home(const struct kcr_tier *tier,
				    const struct kcr_query *q)
{
	return q->fingerprint >> 48 & (tier->nr_slots - 1);
}

/*
 * @expiry: whether to look at the age; it need not be while kcr_rare_key is off.
 * @fetch: whether to fetch the key's home.
 * A bucket that nothing was stored in leads to slot 0, which will not
 * match.
 *
 * The index decides; but by the time that it is there, the key's home may be,
 * too. Not by prefetch(), which on x86 is for what is used once.
 */
static __always_inline bool kcr_tier_lookup_inline(struct kcr_tier *tier,
						   struct kcr_query *q,
						   unsigned int words,
						   bool expiry, bool fetch)
{
	struct kcr_slot *slot;
	u16 nr;

	if (fetch)
		__builtin_prefetch(&tier->slots[kcr_home(tier, q)]);
	nr = READ_ONCE(tier->index[kcr_bucket(tier, q)]);
	slot = &tier->slots[nr];
	if (kcr_encrypted(q)) {
		if (kcr_expired(q->site, READ_ONCE(slot->born)) ||
		    !kcr_slot_decrypt(tier, slot, q, words))
			return false;
	} else if (unlikely(!kcr_slot_read(slot, q, words, expiry))) {
		return false;
	}
	kcr_slot_mark(slot);
	return true;
}

/* @x ^ *@p, read once: of volatile loads the compiler makes two instructions */
static __always_inline u64 kcr_xor_once(u64 x, const u64 *p)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	asm("xorq %[p], %[x]" : [x] "+r" (x) : [p] "m" (*p) : "cc");
	return x;
#else
	return x ^ READ_ONCE(*p);
#endif
}

/*
 * A CPU's tier alone, for a key of two words and a result of one, with
 * everything in registers: the first words of kcr_lookup_16(), for where every
 * instruction counts. Whoever misses goes the long way, and is counted there.
 */
static __always_inline bool kcr_l2_lookup_word(const struct kcr_owner *owner,
					       u64 stamp, u64 head,
					       const u64 *key, u64 *res)
{
	struct kcr_tier *l2 = raw_cpu_read(kcr_l2);
	struct kcr_slot *slot;
	u64 fp, seq, diff;
	u16 nr;

	if (unlikely(!l2))
		return false;
	fp = kcr_fp_words((unsigned long)owner, head, key, 2);
	nr = READ_ONCE(l2->index[fp >> 32 & l2->bucket_mask]);
	slot = &l2->slots[nr];
	seq = smp_load_acquire(&slot->seq) & ~1ULL;	/* (R) */
	diff = kcr_xor_once(stamp, &slot->stamp);
	diff |= kcr_xor_once(head, &slot->head);
	diff |= kcr_xor_once(key[0], &slot->data[2]);
	diff |= kcr_xor_once(key[1], &slot->data[3]);
	*res = READ_ONCE(slot->data[0]);
	smp_rmb();					/* (R) */
	diff |= kcr_xor_once(seq, &slot->seq);
	if (unlikely(diff))
		return false;
	kcr_slot_mark(slot);
	return true;
}

#endif /* _KCR_TIER_H */
