// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tiers, fixed-size tables of remembered results.
 *
 * The fingerprint picks a bucket of a u16 index, and the index names a slot.
 * The index is a hint and no more: a slot that moved on does not match, and
 * that is a miss. Readers take no lock and write nothing but a reference bit;
 * each slot has a sequence count that is odd while a writer is at work.
 *
 * Memory ordering, by the names used below:
 *
 * (R) A reader loads the sequence with acquire, then the contents, then after
 *     smp_rmb() the sequence again. Pairs with (W).
 * (W) A writer makes the sequence odd with a fully ordered cmpxchg, then
 *     stores the contents, then the next even sequence with release. Acquire
 *     alone would let the stores rise above the odd mark.
 * (S) A writer loads the owner's stamp after the cmpxchg; whoever invalidates
 *     exchanges the stamp (fully ordered) before it looks at the sequences.
 *     Either the writer sees the new stamp and drops its result, or the sweep
 *     sees the odd sequence, waits, and then sees the entry.
 *
 * A writer keeps interrupts off while its slot is odd, so that a sweep from
 * whatever context never waits for the context that it interrupted.
 */
#include <linux/kcr.h>
#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/slab.h>

#include "kcr_private.h"
#include "tier.h"

/**
 * kcr_tier_create() - allocate an empty tier
 * @nr_slots: number of entries, a power of two, at most 4096
 * @level: 2 or 3
 * @node: memory node
 * @blob_budget: bytes for out-of-line entries, 0 for none
 *
 * Context: may sleep.
 * Return: the tier, or NULL if there is no memory.
 */
struct kcr_tier *kcr_tier_create(u32 nr_slots, u8 level, int node,
				 long blob_budget)
{
	u32 buckets = nr_slots * KCR_INDEX_FACTOR;
	struct kcr_tier *tier;
	u32 i;

	tier = kzalloc_node(sizeof(*tier), GFP_KERNEL, node);
	if (!tier)
		return NULL;
	tier->nr_slots = nr_slots;
	tier->bucket_mask = buckets - 1;
	tier->level = level;
	tier->node = node;
	kcr_tier_number(tier);
	tier->blob_budget = blob_budget;
	tier->slots = kvzalloc_node(array_size(nr_slots, sizeof(*tier->slots)),
				    GFP_KERNEL, node);
	tier->index = kvzalloc_node(array_size(buckets, sizeof(u16)),
				    GFP_KERNEL, node);
	tier->tags = kvzalloc_node(array_size(buckets, sizeof(u16)),
				   GFP_KERNEL, node);
	if (level == 3)
		tier->shares = kvzalloc_node(sizeof(*tier->shares) << KCR_SHARES_SHIFT,
					     GFP_KERNEL, node);
	if (!tier->slots || !tier->index || !tier->tags ||
	    (level == 3 && !tier->shares)) {
		kcr_tier_destroy(tier);
		return NULL;
	}
	for (i = 0; i < nr_slots; i++)
		tier->slots[i].bucket = KCR_NO_BUCKET;
	return tier;
}

/**
 * kcr_tier_destroy() - zero and free a tier that nobody uses any more
 * @tier: the tier or NULL
 *
 * Context: may sleep; no lookup or store may be under way or follow.
 */
void kcr_tier_destroy(struct kcr_tier *tier)
{
	if (!tier)
		return;
	if (tier->slots)
		kcr_tier_sweep(tier, KCR_ANY_STAMP);
	kvfree(tier->slots);
	kvfree(tier->index);
	kvfree(tier->tags);
	kvfree(tier->shares);
	kfree(tier);
}

/*
 * The sequence is re-checked before the pointer is followed: a slot that is
 * changing its class may hold data where the pointer was. And again after the
 * blob was read: whoever removes it zeroes it first.
 */
static bool kcr_slot_read_blob(struct kcr_slot *slot, struct kcr_query *q)
{
	const struct kcr_blob *blob;
	bool hit = false;
	u64 seq, diff;

	rcu_read_lock();
	seq = smp_load_acquire(&slot->seq) & ~1ULL;	/* (R) */
	diff = READ_ONCE(slot->stamp) ^ q->stamp;
	diff |= READ_ONCE(slot->head) ^ q->head;
	diff |= READ_ONCE(slot->data[KCR_BLOB_FINGERPRINT]) ^ q->fingerprint;
	diff |= kcr_expired(q->site, READ_ONCE(slot->born));
	blob = (void *)READ_ONCE(slot->data[KCR_BLOB_PTR]);
	smp_rmb();					/* (R) */
	diff |= READ_ONCE(slot->seq) ^ seq;
	if (!diff && kcr_blob_read(blob, q)) {
		smp_rmb();				/* (R) */
		hit = READ_ONCE(slot->seq) == seq;
		if (hit && q->object)
			hit = refcount_inc_not_zero(&q->object->refs);
	}
	if (!hit)
		q->object = NULL;
	rcu_read_unlock();
	return hit;
}

/* Apart, so that the registers it needs do not cost the others anything */
static noinline bool kcr_tier_lookup_blob(struct kcr_tier *tier,
					  struct kcr_query *q)
{
	u16 nr = READ_ONCE(tier->index[kcr_bucket(tier, q)]);
	struct kcr_slot *slot = &tier->slots[nr];

	if (!kcr_slot_read_blob(slot, q))
		return false;
	kcr_slot_mark(slot);
	return true;
}

/**
 * kcr_tier_lookup() - look a key up in a tier
 * @tier: the tier
 * @q: the query, with key and fingerprint; on a hit its @res and @bulk hold
 *	the result, otherwise they are undefined
 *
 * Context: any short of NMI; takes no lock.
 * Return: true on a hit.
 */
bool kcr_tier_lookup(struct kcr_tier *tier, struct kcr_query *q)
{
	switch (q->size_class) {
	case KCR_CLASS_16:
		return kcr_tier_lookup_inline(tier, q, 2, true, true);
	case KCR_CLASS_32:
		return kcr_tier_lookup_inline(tier, q, 4, true, true);
	case KCR_CLASS_64:
		return kcr_tier_lookup_inline(tier, q, KCR_INLINE_WORDS,
					      true, true);
	default:
		return kcr_tier_lookup_blob(tier, q);
	}
}

/* 0 says that nothing was ever stored */
static u16 kcr_tag(const struct kcr_query *q)
{
	return q->fingerprint >> 48 | 1;
}

/**
 * kcr_tier_miss_reason() - guess why a lookup missed
 * @tier: the tier
 * @q: the query that missed
 *
 * Compares heads and fingerprint tags, not keys: good enough for statistics.
 *
 * Context: any short of NMI.
 * Return: one of the KCR_MISS_ counters.
 */
enum kcr_counter kcr_tier_miss_reason(struct kcr_tier *tier,
				      const struct kcr_query *q)
{
	u32 bucket = kcr_bucket(tier, q);
	u16 nr = READ_ONCE(tier->index[bucket]);
	struct kcr_slot *slot = &tier->slots[nr];

	if (READ_ONCE(tier->tags[bucket]) != kcr_tag(q))
		return KCR_MISS_COLD;
	if (READ_ONCE(slot->bucket) != bucket ||
	    READ_ONCE(slot->head) != q->head)
		return KCR_MISS_EVICTED;
	if (READ_ONCE(slot->stamp) != q->stamp)
		return KCR_MISS_STALE;
	if (kcr_expired(q->site, READ_ONCE(slot->born)))
		return KCR_MISS_EXPIRED;
	return KCR_MISS_EVICTED;
}

/**
 * kcr_tier_noted() - whether a key was stored or noted before
 * @tier: the tier
 * @q: the query
 *
 * Context: any.
 * Return: true if it was, as far as its bucket's tag remembers.
 */
bool kcr_tier_noted(const struct kcr_tier *tier, const struct kcr_query *q)
{
	return READ_ONCE(tier->tags[kcr_bucket(tier, q)]) == kcr_tag(q);
}

/**
 * kcr_tier_seen() - whether a key was stored or noted before, and note it
 * @tier: the tier
 * @q: the query
 *
 * By the tag that its bucket keeps; good enough for guessing what will repeat.
 *
 * Context: any short of NMI.
 * Return: true if it was.
 */
bool kcr_tier_seen(struct kcr_tier *tier, const struct kcr_query *q)
{
	if (kcr_tier_noted(tier, q))
		return true;
	WRITE_ONCE(tier->tags[kcr_bucket(tier, q)], kcr_tag(q));
	return false;
}

/**
 * kcr_slot_claim() - make a slot's sequence odd
 * @slot: the slot
 *
 * Context: interrupts off until kcr_slot_release().
 * Return: false if somebody else has it.
 */
bool kcr_slot_claim(struct kcr_slot *slot)
{
	u64 seq = READ_ONCE(slot->seq);

	return !(seq & 1) && try_cmpxchg(&slot->seq, &seq, seq + 1);	/* (W) */
}

/**
 * kcr_slot_release() - make a claimed slot's sequence even again
 * @slot: the slot
 *
 * Context: the caller has claimed it.
 */
void kcr_slot_release(struct kcr_slot *slot)
{
	/* Others may be trying to claim it: a failed cmpxchg() writes nothing */
	smp_store_release(&slot->seq, READ_ONCE(slot->seq) + 1);	/* (W) */
}

/**
 * kcr_slot_has_blob() - whether a slot's entry is out of line
 * @slot: the slot
 *
 * Context: any; a guess, unless the caller has claimed the slot.
 * Return: true if it is.
 */
bool kcr_slot_has_blob(const struct kcr_slot *slot)
{
	return READ_ONCE(slot->stamp) &&
	       ((READ_ONCE(slot->head) >> KCR_HEAD_CLASS_SHIFT) & 3) ==
	       KCR_CLASS_BLOB;
}

/* Zero a claimed slot from word @from on; detach and zero its blob, if any */
static struct kcr_blob *kcr_slot_wipe(struct kcr_slot *slot, unsigned int from)
{
	struct kcr_blob *blob = NULL;
	unsigned int i, words = 0;

	if (slot->stamp)
		words = 2 * kcr_class_words((slot->head >> KCR_HEAD_CLASS_SHIFT) & 3);
	if (kcr_slot_has_blob(slot)) {
		blob = (void *)slot->data[KCR_BLOB_PTR];
		kcr_blob_discard(blob);
	}
	for (i = from; i < words; i++)
		WRITE_ONCE(slot->data[i], 0);
	WRITE_ONCE(slot->stamp, 0);
	return blob;
}

/**
 * kcr_slot_evict() - remove what a slot holds
 * @tier: the tier
 * @slot: the slot
 * @stamp: only if it has this stamp; or KCR_ANY_STAMP
 * @wait: for a writer that has claimed the slot; else leave it to that one
 *
 * Context: any short of NMI.
 * Return: true if something was removed.
 */
bool kcr_slot_evict(struct kcr_tier *tier, struct kcr_slot *slot, u64 stamp,
		    bool wait)
{
	struct kcr_blob *blob = NULL;
	unsigned long flags;
	bool evicted = false;

	local_irq_save(flags);
	while (!kcr_slot_claim(slot)) {
		if (!wait)
			goto out;
		cpu_relax();
	}
	if (slot->stamp && (stamp == KCR_ANY_STAMP || slot->stamp == stamp)) {
		u64 old = slot->stamp;

		blob = kcr_slot_wipe(slot, 0);
		kcr_tier_charge(tier, old, blob, 0, NULL);
		WRITE_ONCE(slot->head, 0);
		WRITE_ONCE(slot->bucket, KCR_NO_BUCKET);
		WRITE_ONCE(slot->ref, 0);
		WRITE_ONCE(slot->life, 0);
		evicted = true;
	}
	kcr_slot_release(slot);
out:
	local_irq_restore(flags);
	if (blob)
		kcr_blob_retire(tier, blob);
	return evicted;
}

static void kcr_slot_fill(struct kcr_tier *tier, struct kcr_slot *slot,
			  const struct kcr_query *q, struct kcr_blob *blob,
			  u16 bucket)
{
	unsigned int i, words = kcr_class_words(q->size_class);

	if (blob) {
		WRITE_ONCE(slot->data[KCR_BLOB_PTR], (unsigned long)blob);
		WRITE_ONCE(slot->data[KCR_BLOB_FINGERPRINT], q->fingerprint);
	} else if (kcr_encrypted(q)) {
		kcr_slot_encrypt(tier, slot, q, words);
	} else {
		for (i = 0; i < words; i++) {
			WRITE_ONCE(slot->data[i], q->res[i]);
			WRITE_ONCE(slot->data[words + i], q->key[i]);
		}
	}
	WRITE_ONCE(slot->head, q->head);
	WRITE_ONCE(slot->bucket, bucket);
	WRITE_ONCE(slot->ref, 0);
	WRITE_ONCE(slot->life, 0);
	WRITE_ONCE(slot->born, (u32)jiffies);
	WRITE_ONCE(slot->stamp, q->stamp);
}

/**
 * kcr_tier_store() - store a result, or drop it
 * @tier: the tier
 * @q: the query, with key, fingerprint and, if inline, result
 * @blob: the entry if it is out of line; the tier owns it on success
 *
 * Overwrites what the bucket led to, or else what kcr_tier_place() finds.
 *
 * Context: any short of NMI. Never waits.
 * Return: 0, -EBUSY if somebody else writes to the slot or nothing may be
 * displaced, -ESTALE if the owner was invalidated since the query began, -ENODEV
 * if entries expire and @tier is a CPU's.
 */
int kcr_tier_store(struct kcr_tier *tier, struct kcr_query *q,
		   struct kcr_blob *blob)
{
	u32 bucket = kcr_bucket(tier, q);
	struct kcr_blob *old = NULL;
	struct kcr_slot *slot;
	unsigned long flags;
	int err = -EBUSY;
	u64 old_stamp;
	int nr;

	/* It would begin a new life there: a CPU's tier has copies only */
	if (tier->level == 2 && READ_ONCE(q->site->ttl))
		return -ENODEV;
	nr = kcr_tier_place(tier, q);
	if (nr < 0)
		return err;
	slot = &tier->slots[nr];

	if (!READ_ONCE(q->owner->stored))
		WRITE_ONCE(q->owner->stored, 1);	/* before the claim: (S) */

	local_irq_save(flags);
	if (!kcr_slot_claim(slot))
		goto out;
	err = -ESTALE;
	if (READ_ONCE(q->owner->stamp) == q->stamp) {	/* (S) */
		old_stamp = slot->stamp;
		old = kcr_slot_wipe(slot, blob ? 2 : 2 * kcr_class_words(q->size_class));
		kcr_slot_fill(tier, slot, q, blob, bucket);
		kcr_tier_charge(tier, old_stamp, old, q->stamp, blob);
		WRITE_ONCE(tier->index[bucket], nr);
		WRITE_ONCE(tier->tags[bucket], kcr_tag(q));
		err = 0;
	}
	kcr_slot_release(slot);
out:
	local_irq_restore(flags);
	if (old)
		kcr_blob_retire(tier, old);
	return err;
}

/**
 * kcr_tier_sweep() - zero all entries of a stamp
 * @tier: the tier
 * @stamp: the stamp, no longer its owner's, or KCR_ANY_STAMP
 *
 * Waits for writers, which takes them no longer than an entry takes to write.
 * With KCR_ANY_STAMP, what was noted is forgotten, too.
 *
 * Context: any short of NMI.
 */
void kcr_tier_sweep(struct kcr_tier *tier, u64 stamp)
{
	struct kcr_slot *slot;
	u32 i;

	for (slot = tier->slots; slot < tier->slots + tier->nr_slots; slot++) {
		/* An odd slot may be about to get this stamp: wait for it */
		u64 seq = smp_load_acquire(&slot->seq);		/* (S) */
		u64 found = READ_ONCE(slot->stamp);

		if (!(seq & 1) && (stamp == KCR_ANY_STAMP ? !found : found != stamp))
			continue;
		kcr_slot_evict(tier, slot, stamp, true);
	}
	for (i = 0; stamp == KCR_ANY_STAMP && i <= tier->bucket_mask; i++)
		WRITE_ONCE(tier->tags[i], 0);
}

/**
 * kcr_tier_used() - count the entries of a tier
 * @tier: the tier
 *
 * Context: any; the count is a snapshot.
 * Return: the number of slots that hold something.
 */
u32 kcr_tier_used(const struct kcr_tier *tier)
{
	u32 i, used = 0;

	for (i = 0; i < tier->nr_slots; i++)
		used += !!READ_ONCE(tier->slots[i].stamp);
	return used;
}
