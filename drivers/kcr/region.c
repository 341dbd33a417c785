// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what a region keeps, and what goes to make room.
 *
 * Readers are in user space and cannot say what they have read. What is known is
 * what they missed: a key that comes again although it was stored before was
 * worth keeping, and is passed over twice by searches for room. So is one that
 * was computed again and compared, which happens to a share of the hits.
 */
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/kcr.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "region.h"

/* Buckets per slot, as in the kernel's own tiers */
#define KCR_REGION_BUCKETS	8
/* How many slots a search for room looks at */
#define KCR_REGION_STEPS	16
/* How often a search passes over what was missed before, and what was compared */
#define KCR_LIVES_MISSED	2
#define KCR_LIVES_COMPARED	1

/**
 * kcr_region_size_valid() - whether a region may have a size
 * @size: bytes
 *
 * Context: any.
 * Return: true if it is a power of two from 64 KiB to 1 GiB.
 */
bool kcr_region_size_valid(u64 size)
{
	return is_power_of_2(size) && size >= KCR_REGION_MIN &&
	       size <= KCR_REGION_MAX;
}

/* Half of the region for slots and index, most of the rest for blobs */
static void kcr_region_layout(struct kcr_region *r)
{
	u64 per_slot = sizeof(struct kcr_region_slot) +
		       KCR_REGION_BUCKETS * sizeof(u16);
	struct kcr_region_header *header = r->base;
	u32 at = 4096;

	r->nr_slots = min(rounddown_pow_of_two(r->size / 2 / per_slot), 65536UL);
	r->index_mask = r->nr_slots * KCR_REGION_BUCKETS - 1;
	header->abi = KCR_REGION_ABI;
	header->header_size = sizeof(*header);
	header->size = r->size;
	header->functions_offset = at;
	header->nr_functions = KCR_FUNCTIONS_MAX;
	r->functions = r->base + at;
	at += KCR_FUNCTIONS_MAX * sizeof(*r->functions);
	header->index_offset = at;
	header->index_mask = r->index_mask;
	r->index = r->base + at;
	at += (r->index_mask + 1) * sizeof(u16);
	header->slots_offset = at;
	header->nr_slots = r->nr_slots;
	r->slots = r->base + at;
	at += r->nr_slots * sizeof(struct kcr_region_slot);
	header->blobs_offset = at;
	header->blobs_size = r->size - at;
	r->blobs = r->base + at;
	r->blobs_size = header->blobs_size;
}

/**
 * kcr_region_init() - make an empty region of zeroed memory
 * @r: the region
 * @base: the memory, of which the region does not become the owner
 * @size: its length, kcr_region_size_valid()
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kcr_region_init(struct kcr_region *r, void *base, u64 size)
{
	struct kcr_region_header *header = base;
	u32 i;

	memset(r, 0, sizeof(*r));
	r->base = base;
	r->size = size;
	/* A stamp of another domain's is none here, if descriptors get mixed up */
	get_random_bytes(&r->next_stamp, sizeof(r->next_stamp));
	r->next_stamp = r->next_stamp >> 2 | 1;
	get_random_bytes(r->secrets, sizeof(r->secrets));
	r->secrets[1] |= 1;
	r->secrets[KCR_REGION_SECRETS - 1] |= 1;
	kcr_region_layout(r);
	r->buckets = kvcalloc(r->nr_slots, sizeof(*r->buckets), GFP_KERNEL_ACCOUNT);
	r->tags = kvcalloc(r->index_mask + 1, sizeof(*r->tags), GFP_KERNEL_ACCOUNT);
	r->life = kvcalloc(r->nr_slots, sizeof(*r->life), GFP_KERNEL_ACCOUNT);
	if (!r->buckets || !r->tags || !r->life) {
		kcr_region_free(r);
		return -ENOMEM;
	}
	for (i = 0; i < r->nr_slots; i++)
		r->buckets[i] = U32_MAX;
	memcpy(header->secrets, r->secrets, sizeof(header->secrets));
	header->magic = KCR_REGION_MAGIC;
	return 0;
}

/**
 * kcr_region_kill() - zero a region
 * @r: the region
 *
 * Lookups find nothing from now on. Nothing may be stored any more.
 *
 * Context: may sleep; the domain's lock is held.
 */
void kcr_region_kill(struct kcr_region *r)
{
	u64 *word = r->base, *end = r->base + r->size;
	u32 nr;

	/* Readers may be looking: they see the sequence change, then all is zeroed */
	for (nr = 0; nr < r->nr_slots && r->entries; nr++)
		kcr_region_wipe(r, nr);
	smp_wmb();					/* (W) in region_slot.c */
	while (word < end) {
		WRITE_ONCE(*word++, 0);
		if (!((unsigned long)word % SZ_1M))
			cond_resched();
	}
	memzero_explicit(r->secrets, sizeof(r->secrets));
}

/**
 * kcr_region_free() - free what the kernel knows of a region
 * @r: the region; its memory stays
 *
 * Context: may sleep.
 */
void kcr_region_free(struct kcr_region *r)
{
	kvfree(r->buckets);
	kvfree(r->tags);
	kvfree(r->life);
	r->buckets = NULL;
	r->tags = NULL;
	r->life = NULL;
}

/**
 * kcr_region_set_clock() - set what entries' ages are measured by
 * @r: the region
 * @ms: milliseconds; never less than before
 *
 * Context: any; the domain's lock is held.
 */
void kcr_region_set_clock(struct kcr_region *r, u64 ms)
{
	struct kcr_region_header *header = r->base;

	WRITE_ONCE(header->clock, ms);
}

/**
 * kcr_region_set_function() - set what lookups know of a function
 * @r: the region
 * @function: its number
 * @state: what may be done with its entries
 * @expiry_ms: how long, 0 for ever
 *
 * Its entries are as good as before, unless @state is KCR_STATE_REJECTED: then
 * there are none until it is something else.
 *
 * Context: the domain's lock is held.
 */
void kcr_region_set_function(struct kcr_region *r, u32 function,
			     enum kcr_state state, u32 expiry_ms)
{
	struct kcr_region_function *f = &r->functions[function];
	u64 stamp;

	WRITE_ONCE(f->expiry_ms, expiry_ms);
	WRITE_ONCE(f->state, state);
	stamp = state == KCR_STATE_REJECTED ? 0 : f->stamp ?: r->next_stamp++;
	/* Pairs with user space's acquire, which loads the stamp first */
	smp_store_release(&f->stamp, stamp);
}

/**
 * kcr_region_flush() - forget a function's results
 * @r: the region
 * @function: its number
 *
 * Context: may sleep; the domain's lock is held.
 */
void kcr_region_flush(struct kcr_region *r, u32 function)
{
	struct kcr_region_function *f = &r->functions[function];
	u32 nr;

	/* A store that began before is stale from now on */
	if (f->stamp)
		WRITE_ONCE(f->stamp, r->next_stamp++);
	for (nr = 0; nr < r->nr_slots && r->entries_of[function]; nr++) {
		if (r->slots[nr].stamp &&
		    kcr_slot_function(&r->slots[nr]) == function)
			kcr_region_wipe(r, nr);
	}
}

static u16 kcr_region_tag(const struct kcr_region_key *key)
{
	return key->fingerprint >> 48 | 1;
}

/* The number of an empty slot, or -1: one next to the other, for readers' caches */
static int kcr_region_empty(struct kcr_region *r)
{
	u32 i, nr;

	for (i = 0; i < KCR_REGION_STEPS && r->entries < r->nr_slots; i++) {
		nr = r->hand++ & (r->nr_slots - 1);
		if (!r->slots[nr].stamp)
			return nr;
	}
	return -1;
}

/* The number of a slot whose entry may go, or -1 */
static int kcr_region_victim(struct kcr_region *r, const struct kcr_region_key *key)
{
	u32 i, nr;

	for (i = 0; i < KCR_REGION_STEPS; i++) {
		nr = ((key->fingerprint >> 48) + i) & (r->nr_slots - 1);
		if (!r->life[nr] || !kcr_region_slot_current(r, nr))
			return nr;
	}
	for (i = 0; i < KCR_REGION_STEPS; i++) {
		nr = ((key->fingerprint >> 48) + i) & (r->nr_slots - 1);
		r->life[nr]--;
	}
	return -1;
}

/* The slot for a key that is not there, or -1 if what is there is worth more */
static int kcr_region_place(struct kcr_region *r, const struct kcr_region_key *key,
			    bool noted)
{
	u32 nr = r->index[key->bucket];
	int found;

	if (r->buckets[nr] == key->bucket) {
		if (noted || !kcr_region_slot_current(r, nr))
			return nr;
		return -1;
	}
	found = kcr_region_empty(r);
	return found >= 0 ? found : kcr_region_victim(r, key);
}

static int kcr_region_replace(struct kcr_region *r, u32 nr,
			      const struct kcr_region_item *item,
			      const struct kcr_region_key *key)
{
	const struct kcr_region_slot *slot = &r->slots[nr];
	bool had = slot->stamp;
	u32 blob = 0;
	int err;

	if (item->max_entries &&
	    r->entries_of[item->function] >= item->max_entries &&
	    !(had && kcr_slot_function(slot) == item->function))
		return -EDQUOT;
	/* Of the same key it is here only if it is not current */
	if (had && kcr_region_slot_current(r, nr))
		r->evicted++;
	kcr_region_wipe(r, nr);
	if (!key->words) {
		err = kcr_region_alloc_blob(r, nr, item, &blob);
		if (err)
			return err;
	}
	kcr_region_fill(r, nr, item, key, blob);
	return KCR_STORED_NEW;
}

/**
 * kcr_region_store() - remember a result, or compare it with what is remembered
 * @r: the region
 * @item: the item; the function's stamp is what it says
 *
 * Context: the domain's lock is held.
 * Return: &enum kcr_stored; -EBADMSG if the same key had another result; -EDQUOT
 * if the function has as many entries as it may have; -E2BIG if the item is too
 * large for this region.
 */
int kcr_region_store(struct kcr_region *r, const struct kcr_region_item *item)
{
	struct kcr_region_key key;
	bool noted;
	int nr, ret;

	kcr_region_key(r, item, &key);
	nr = r->index[key.bucket];
	if (r->buckets[nr] == key.bucket &&
	    kcr_region_same_key(r, nr, item, &key)) {
		if (!kcr_region_slot_current(r, nr))
			return kcr_region_replace(r, nr, item, &key);
		if (!kcr_region_same_result(r, nr, item, &key))
			return -EBADMSG;
		r->life[nr] = max_t(u8, r->life[nr], KCR_LIVES_COMPARED);
		return KCR_STORED_EQUAL;
	}
	noted = r->tags[key.bucket] == kcr_region_tag(&key);
	r->tags[key.bucket] = kcr_region_tag(&key);
	nr = kcr_region_place(r, &key, noted);
	if (nr < 0)
		return KCR_STORED_REFUSED;
	ret = kcr_region_replace(r, nr, item, &key);
	if (ret == KCR_STORED_NEW && noted)
		r->life[nr] = KCR_LIVES_MISSED;
	return ret;
}
