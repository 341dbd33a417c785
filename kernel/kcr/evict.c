// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what is kept, and what goes to make room.
 *
 * An entry that nobody has read yet goes first, whoever it belongs to. What
 * was read goes only for a key that is seen for the second time, and only if
 * its owner holds more than its fair share and the other less, or both are one.
 * So whoever floods a tier displaces what he brought himself.
 * Documentation/core-api/kcr-policies.rst has the measurements.
 *
 * Everything here looks at slots without owning them: a slot may change at any
 * moment, and then a search has found one that is not the best.
 */
#include <linux/kcr.h>

#include "kcr_private.h"
#include "tier.h"

/* How many slots a search looks at, at most */
#define KCR_SEARCH_STEPS	16
#define KCR_SEARCH_BLOB_STEPS	64
/* How often a search may find an entry read before that counts no more */
#define KCR_LIVES		2
/* One search in vain in this many ages other owners' entries, too */
#define KCR_AGE_OTHERS		1024

/**
 * struct kcr_search - a search for an entry to displace
 * @tier: where
 * @stamp: of the owner that needs room
 * @fingerprint: of the key that needs room
 * @seen: the key was seen before, so that it may displace what was read
 * @blobs: only out-of-line entries will do; shares are counted in bytes
 * @alone: nobody else holds anything
 * @hungry: the owner holds less than @share
 * @poor: and even less than @reserve
 * @share: what each owner may hold if all want as much as possible
 * @reserve: what an owner keeps of entries that nobody has read
 */
struct kcr_search {
	struct kcr_tier *tier;
	u64 stamp;
	u64 fingerprint;
	bool seen;
	bool blobs;
	bool alone;
	bool hungry;
	bool poor;
	long share;
	long reserve;
};

static struct kcr_share *kcr_share(const struct kcr_tier *tier, u64 stamp)
{
	/* Stamps are consecutive; the golden ratio keeps those apart */
	return &tier->shares[stamp * 0x9e3779b97f4a7c15ULL >>
			     (64 - KCR_SHARES_SHIFT)];
}

static long kcr_held(const struct kcr_tier *tier, u64 stamp, bool bytes)
{
	struct kcr_share *share = kcr_share(tier, stamp);

	return atomic_long_read(bytes ? &share->bytes : &share->slots);
}

/**
 * kcr_tier_charge() - account that a slot changes hands
 * @tier: the tier
 * @old: the stamp of what it held, 0 if nothing
 * @old_blob: the out-of-line entry that it held, or NULL
 * @stamp: the stamp of what it holds now, 0 if nothing
 * @blob: the out-of-line entry that it holds now, or NULL
 *
 * Context: any; the caller has claimed the slot.
 */
void kcr_tier_charge(struct kcr_tier *tier, u64 old,
		     const struct kcr_blob *old_blob, u64 stamp,
		     const struct kcr_blob *blob)
{
	struct kcr_share *from, *to;

	if (!old != !stamp)
		atomic_long_add_return(stamp ? 1 : -1, &tier->nr_used);
	if (!tier->shares)
		return;
	from = old ? kcr_share(tier, old) : NULL;
	to = stamp ? kcr_share(tier, stamp) : NULL;
	if (from && old_blob)
		atomic_long_sub(old_blob->bytes, &from->bytes);
	if (to && blob)
		atomic_long_add_return(blob->bytes, &to->bytes);
	if (from == to)
		return;
	if (to && atomic_long_add_return(1, &to->slots) == 1)
		atomic_long_inc(&tier->nr_owners);
	if (from && !atomic_long_add_return(-1, &from->slots))
		atomic_long_dec(&tier->nr_owners);
}

static void kcr_search_init(struct kcr_search *s, struct kcr_tier *tier,
			    const struct kcr_query *q, bool blobs)
{
	long owners = 1, held = 0;

	s->tier = tier;
	s->stamp = q->stamp;
	s->fingerprint = q->fingerprint;
	s->seen = !tier->shares || kcr_tier_noted(tier, q);
	s->blobs = blobs;
	if (tier->shares) {
		held = kcr_held(tier, q->stamp, blobs);
		owners = atomic_long_read(&tier->nr_owners) +
			 !kcr_held(tier, q->stamp, false);
		/* While others come and go it may be anything */
		owners = max(owners, 1L);
	}
	s->alone = owners == 1;
	s->share = (blobs ? tier->blob_budget : tier->nr_slots) / owners;
	s->reserve = min(s->share, 2 * s->share / owners);
	s->hungry = held < s->share;
	s->poor = held < s->reserve;
}

/* 0 if nobody has read it, more the better it has proven itself */
static unsigned int kcr_slot_rank(const struct kcr_slot *slot)
{
	return READ_ONCE(slot->life) +
	       (READ_ONCE(slot->ref) ? 2 * KCR_LIVES : 0);
}

/* Turn a mark into a life, or take one if there is no mark */
static void kcr_slot_pass(struct kcr_slot *slot, bool age)
{
	u8 life = READ_ONCE(slot->life);

	if (READ_ONCE(slot->ref)) {
		WRITE_ONCE(slot->ref, 0);
		if (life < KCR_LIVES)
			WRITE_ONCE(slot->life, life + 1);
	} else if (age && life) {
		WRITE_ONCE(slot->life, life - 1);
	}
}

static bool kcr_may_take(const struct kcr_search *s, u64 stamp,
			 unsigned int rank)
{
	long held;

	if (!stamp || stamp == s->stamp || !s->tier->shares)
		return !rank || (s->seen && (s->alone || s->hungry));
	held = kcr_held(s->tier, stamp, s->blobs);
	if (!rank)
		return held > s->reserve;
	return s->seen && s->poor && held > s->share;
}

/*
 * Everything here has been read. The owner's entries count for less from now on,
 * all of them if it may displace some, else the one that has proven itself
 * least. So do once in a while those of others, who may have forgotten theirs.
 */
static void kcr_search_age(const struct kcr_search *s, u32 start, u32 steps,
			   struct kcr_slot *least, bool others)
{
	struct kcr_slot *slot;

	if (least && !s->hungry)
		kcr_slot_pass(least, true);
	while (steps-- && (others || s->hungry)) {
		slot = &s->tier->slots[start++ & (s->tier->nr_slots - 1)];
		if (others || READ_ONCE(slot->stamp) == s->stamp)
			kcr_slot_pass(slot, true);
	}
}

/* The number of a slot whose entry may go, or -1 */
static int kcr_search(const struct kcr_search *s, u32 start, u32 steps)
{
	unsigned int rank, cost, best_cost = -1U, least_rank = -1U;
	struct kcr_slot *slot, *least = NULL;
	int best = -1;
	u64 stamp;
	u32 i, nr;

	for (i = 0; i < steps; i++) {
		nr = (start + i) & (s->tier->nr_slots - 1);
		slot = &s->tier->slots[nr];
		if (s->blobs && !kcr_slot_has_blob(slot))
			continue;
		stamp = READ_ONCE(slot->stamp);
		rank = kcr_slot_rank(slot);
		/* Of equals rather one's own than another's */
		cost = 2 * rank + (stamp != s->stamp);
		if (cost < best_cost && kcr_may_take(s, stamp, rank)) {
			if (!rank)
				return nr;
			best = nr;
			best_cost = cost;
		}
		if (stamp == s->stamp && rank < least_rank) {
			least = slot;
			least_rank = rank;
		}
		if (s->alone || stamp != s->stamp)
			kcr_slot_pass(slot, s->alone);
	}
	if (!s->alone)
		kcr_search_age(s, start, steps, least, best < 0 &&
			       !(s->fingerprint % KCR_AGE_OTHERS));
	return best;
}

static bool kcr_tier_full(const struct kcr_tier *tier)
{
	return atomic_long_read(&tier->nr_used) >= tier->nr_slots;
}

/* The number of an empty slot, the key's home or one that lies next, or -1 */
static int kcr_tier_empty(struct kcr_tier *tier, const struct kcr_query *q)
{
	u32 i, nr = kcr_home(tier, q), hand = READ_ONCE(tier->hand);

	if (kcr_tier_full(tier))
		return -1;
	if (!READ_ONCE(tier->slots[nr].stamp))
		return nr;
	for (i = 0; i < KCR_SEARCH_STEPS; i++) {
		nr = (hand + i) & (tier->nr_slots - 1);
		if (!READ_ONCE(tier->slots[nr].stamp)) {
			WRITE_ONCE(tier->hand, nr + 1);
			return nr;
		}
	}
	WRITE_ONCE(tier->hand, hand + KCR_SEARCH_STEPS);
	return -1;
}

/* Whether what a slot holds is for the same key, even if it is stale */
static bool kcr_slot_same_key(const struct kcr_tier *tier,
			      const struct kcr_slot *slot,
			      const struct kcr_query *q)
{
	unsigned int i, words = kcr_class_words(q->size_class);
	u64 diff = READ_ONCE(slot->head) ^ q->head;

	if (q->size_class == KCR_CLASS_BLOB)
		return !diff && READ_ONCE(slot->data[KCR_BLOB_FINGERPRINT]) ==
				q->fingerprint;
	if (kcr_encrypted(q))
		return kcr_slot_encrypted_key(tier, slot, q, words);
	for (i = 0; i < words; i++)
		diff |= READ_ONCE(slot->data[words + i]) ^ q->key[i];
	return !diff;
}

/**
 * kcr_tier_place() - choose the slot for a result
 * @tier: the tier
 * @q: the query
 *
 * Starts to search at the key's home: as good as random, which a working set
 * somewhat too large needs, without memory that CPUs share, and where lookups
 * hope to find it.
 *
 * Context: any short of NMI.
 * Return: the slot's number, or -1 if nothing there may be displaced.
 */
int kcr_tier_place(struct kcr_tier *tier, const struct kcr_query *q)
{
	u32 bucket = kcr_bucket(tier, q);
	u16 nr = READ_ONCE(tier->index[bucket]);
	struct kcr_slot *slot = &tier->slots[nr];
	struct kcr_search s;
	u64 stamp;
	int found;

	if (READ_ONCE(slot->bucket) == bucket) {
		stamp = READ_ONCE(slot->stamp);
		if (!tier->shares || stamp == q->stamp ||
		    kcr_slot_same_key(tier, slot, q))
			return nr;
		/* Another owner's, and the index has room for one of the two */
		kcr_search_init(&s, tier, q, false);
		return !kcr_slot_rank(slot) && kcr_may_take(&s, stamp, 0) ?
		       nr : -1;
	}
	found = kcr_tier_empty(tier, q);
	if (found >= 0)
		return found;
	kcr_search_init(&s, tier, q, false);
	found = kcr_search(&s, kcr_home(tier, q), KCR_SEARCH_STEPS);
	/* kcr_tier_admits() may have hoped for room: next time it is seen again */
	if (found < 0)
		kcr_tier_seen(tier, q);
	return found;
}

/* Whether an entry for @q displaces nothing that is worth more than a guess */
static bool kcr_tier_has_room(struct kcr_tier *tier, const struct kcr_query *q)
{
	bool blob = q->size_class == KCR_CLASS_BLOB;
	struct kcr_search s;

	if (!kcr_tier_full(tier) &&
	    (!blob || atomic_long_read(&tier->blob_bytes) + kcr_body_len(q) +
		      q->bulk_len <= tier->blob_budget))
		return true;
	if (!tier->shares)
		return false;
	kcr_search_init(&s, tier, q, blob);
	return !s.alone && kcr_held(tier, q->stamp, blob) < s.reserve;
}

/**
 * kcr_tier_admits() - whether a result is worth storing
 * @tier: the tier
 * @q: the query that missed
 *
 * At once while there is room or the owner has a reserve that it does not use,
 * else when the key is seen for the second time. Of two keys in one bucket the
 * one that was read since the other was last seen stays.
 *
 * Context: any short of NMI.
 * Return: true if it is; if not, the key is noted.
 */
bool kcr_tier_admits(struct kcr_tier *tier, const struct kcr_query *q)
{
	u32 bucket = kcr_bucket(tier, q);
	u16 nr = READ_ONCE(tier->index[bucket]);
	struct kcr_slot *slot = &tier->slots[nr];
	bool seen;

	if (READ_ONCE(slot->bucket) != bucket)
		return kcr_tier_has_room(tier, q) || kcr_tier_seen(tier, q);
	if (kcr_slot_same_key(tier, slot, q))
		return true;
	seen = kcr_tier_seen(tier, q);
	if (READ_ONCE(slot->stamp) != q->stamp || !kcr_slot_rank(slot))
		return seen;
	WRITE_ONCE(slot->ref, 0);
	WRITE_ONCE(slot->life, 0);
	return false;
}

/**
 * kcr_tier_evict_blob() - remove an out-of-line entry to make room for another
 * @tier: the tier
 * @q: the query whose result needs room
 *
 * Context: any short of NMI.
 * Return: false if none was found that may go.
 */
bool kcr_tier_evict_blob(struct kcr_tier *tier, const struct kcr_query *q)
{
	u32 hand = READ_ONCE(tier->blob_hand);
	struct kcr_search s;
	int nr;

	kcr_search_init(&s, tier, q, true);
	nr = kcr_search(&s, hand, KCR_SEARCH_BLOB_STEPS);
	WRITE_ONCE(tier->blob_hand, nr < 0 ? hand + KCR_SEARCH_BLOB_STEPS : nr + 1);
	return nr >= 0 && kcr_slot_evict(tier, &tier->slots[nr], KCR_ANY_STAMP, false);
}

/**
 * kcr_tier_evict_blobs() - remove out-of-line entries
 * @tier: the tier
 * @want: how many
 * @steps: how many slots to look at, at most
 *
 * For the shrinker: takes the first that were not read since it last passed.
 *
 * Context: any short of NMI.
 * Return: how many were removed.
 */
u32 kcr_tier_evict_blobs(struct kcr_tier *tier, u32 want, u32 steps)
{
	u32 done = 0;

	while (done < want && steps--) {
		u32 nr = READ_ONCE(tier->blob_hand) & (tier->nr_slots - 1);
		struct kcr_slot *slot = &tier->slots[nr];

		WRITE_ONCE(tier->blob_hand, nr + 1);
		if (!kcr_slot_has_blob(slot))
			continue;
		if (READ_ONCE(slot->ref))
			WRITE_ONCE(slot->ref, 0);
		else if (kcr_slot_evict(tier, slot, KCR_ANY_STAMP, false))
			done++;
	}
	return done;
}
