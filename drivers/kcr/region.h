/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: the memory of a domain that user space sees.
 *
 * See the comments in uapi/linux/kcr.h for its layout and how it is read.
 */
#ifndef _KCR_REGION_H
#define _KCR_REGION_H

#include <linux/kcr.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <uapi/linux/kcr.h>

#define KCR_REGION_MIN		SZ_64K
#define KCR_REGION_MAX		SZ_1G

/**
 * struct kcr_region - a region, and what the kernel alone knows of it
 * @base: the memory; user space has it mapped read-only
 * @size: bytes of it
 * @secrets: for fingerprints
 * @functions: what lookups need to know of functions
 * @index: bucket to slot number, a hint only
 * @slots: the entries
 * @blobs: ring of keys and results that do not fit into slots
 * @index_mask: number of buckets - 1
 * @nr_slots: number of slots, a power of two, at most 65536
 * @blobs_size: bytes of ring
 * @blobs_head: where the next blob goes
 * @blobs_tail: where the oldest blob is
 * @blobs_used: bytes from tail to head
 * @next_stamp: the next function's or flush's stamp
 * @buckets: slot number to the bucket that led there
 * @tags: bucket to the upper bits of the fingerprint that came last
 * @life: slot number to how often a search for room passes it over
 * @hand: where to look for an empty slot next
 * @entries_of: function to the number of its entries
 * @entries: number of entries
 * @blob_bytes: bytes of blobs that entries point to
 * @evicted: entries that made room for others
 *
 * All that decides is in the kernel's memory; @index, @slots and @blobs are
 * read back only to find and compare what was stored. Whoever writes holds the
 * domain's lock; readers in user space take none.
 */
struct kcr_region {
	void *base;
	u64 size;
	u64 secrets[KCR_REGION_SECRETS];
	struct kcr_region_function *functions;
	u16 *index;
	struct kcr_region_slot *slots;
	u8 *blobs;
	u32 index_mask;
	u32 nr_slots;
	u32 blobs_size;
	u32 blobs_head;
	u32 blobs_tail;
	u32 blobs_used;
	u64 next_stamp;
	u32 *buckets;
	u16 *tags;
	u8 *life;
	u32 hand;
	u32 entries_of[KCR_FUNCTIONS_MAX];
	u64 entries;
	u64 blob_bytes;
	u64 evicted;
};

/**
 * struct kcr_region_item - a result on its way into a region
 * @key: the key, padded to 8 bytes with zeroes
 * @result: the result, likewise
 * @stamp: the function's stamp when computing began
 * @function: the function's number
 * @key_len: bytes of key
 * @result_len: bytes of result
 * @result_max: most bytes that the function's results have
 * @max_entries: most entries that the function may have, 0 for no limit
 * @set_stamps: the stamps of the tracked sets of who stores it, or NULL
 */
struct kcr_region_item {
	const u64 *key;
	const u64 *result;
	u64 stamp;
	u32 function;
	u32 key_len;
	u32 result_len;
	u32 result_max;
	u32 max_entries;
	const u64 *set_stamps;
};

bool kcr_region_size_valid(u64 size);
int kcr_region_init(struct kcr_region *r, void *base, u64 size);
void kcr_region_kill(struct kcr_region *r);
void kcr_region_free(struct kcr_region *r);
void kcr_region_set_clock(struct kcr_region *r, u64 ms);
void kcr_region_set_function(struct kcr_region *r, u32 function,
			     enum kcr_state state, u32 expiry_ms);
void kcr_region_flush(struct kcr_region *r, u32 function);
int kcr_region_store(struct kcr_region *r, const struct kcr_region_item *item);

/* Shared by region.c and region_slot.c */
struct kcr_region_key {
	u64 head;
	u64 fingerprint;
	u32 bucket;
	u32 words;
};

static inline u32 kcr_slot_function(const struct kcr_region_slot *slot)
{
	return slot->head >> 16 & (KCR_FUNCTIONS_MAX - 1);
}

void kcr_region_key(const struct kcr_region *r,
		    const struct kcr_region_item *item,
		    struct kcr_region_key *key);
bool kcr_region_same_key(const struct kcr_region *r, u32 nr,
			 const struct kcr_region_item *item,
			 const struct kcr_region_key *key);
bool kcr_region_same_result(const struct kcr_region *r, u32 nr,
			    const struct kcr_region_item *item,
			    const struct kcr_region_key *key);
bool kcr_region_slot_current(const struct kcr_region *r, u32 nr);
void kcr_region_wipe(struct kcr_region *r, u32 nr);
void kcr_region_fill(struct kcr_region *r, u32 nr,
		     const struct kcr_region_item *item,
		     const struct kcr_region_key *key, u32 blob);
int kcr_region_alloc_blob(struct kcr_region *r, u32 nr,
			  const struct kcr_region_item *item, u32 *blob);

#endif /* _KCR_REGION_H */
