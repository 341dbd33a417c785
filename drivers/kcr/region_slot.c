// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: entries of a region.
 *
 * User space reads slots without a lock while they are written here. By the
 * names used below:
 *
 * (R) A reader loads the sequence with acquire, then the contents, then after a
 *     read barrier the sequence again.
 * (W) The writer, of which the domain's lock lets there be one, makes the
 *     sequence odd, and after smp_wmb() stores the contents, and then the even
 *     sequence with release. Pairs with (R).
 * (B) A blob's memory is used again only after the slot that pointed there was
 *     wiped and smp_wmb(): whoever reads the new bytes sees, by (R), that the
 *     sequence is another.
 */
#include <linux/kcr.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "region.h"

/* The blob's slot, or that it has none; and its length with this and padding */
struct kcr_region_blob {
	u32 slot;
	u32 bytes;
	u64 data[];
};

#define KCR_NO_SLOT	U32_MAX

static struct kcr_region_blob *kcr_blob_at(const struct kcr_region *r, u32 at)
{
	return (struct kcr_region_blob *)(r->blobs + at);
}

/* The blob that a slot's first word leads to; that is an offset of its key */
static u32 kcr_slot_blob(const struct kcr_region *r,
			 const struct kcr_region_slot *slot)
{
	return slot->data[0] - (r->blobs - (u8 *)r->base) -
	       sizeof(struct kcr_region_blob);
}

static u32 kcr_slot_class(const struct kcr_region_slot *slot)
{
	return slot->head & 0xffff;
}

/* Readers may be looking: word by word, so that none is torn */
static void kcr_copy_words(u64 *to, const u64 *from, u32 bytes)
{
	u32 i;

	for (i = 0; i < DIV_ROUND_UP(bytes, 8); i++)
		WRITE_ONCE(to[i], from[i]);
}

static void kcr_zero_words(u64 *to, u32 bytes)
{
	u32 i;

	for (i = 0; i < DIV_ROUND_UP(bytes, 8); i++)
		WRITE_ONCE(to[i], 0);
}

static u64 kcr_region_fold(u64 a, u64 b)
{
	u128 product = (u128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/**
 * kcr_region_key() - where an item's key belongs
 * @r: the region
 * @item: the item
 * @key: out
 *
 * Context: any.
 */
void kcr_region_key(const struct kcr_region *r,
		    const struct kcr_region_item *item,
		    struct kcr_region_key *key)
{
	u32 len = max(item->key_len, item->result_max);
	enum kcr_region_class class;
	u64 w[KCR_REGION_WORDS] = {};
	const u64 *s = r->secrets;
	u64 h;
	u32 i;

	class = len <= 16 ? KCR_REGION_16 : len <= 32 ? KCR_REGION_32 :
		len <= 80 ? KCR_REGION_80 : KCR_REGION_BLOB;
	key->words = class == KCR_REGION_16 ? 2 : class == KCR_REGION_32 ? 4 :
		     class == KCR_REGION_80 ? KCR_REGION_WORDS : 0;
	key->head = (u64)item->key_len << 32 | item->function << 16 | class;
	if (key->words)
		memcpy(w, item->key, round_up(item->key_len, 8));
	h = (key->head ^ s[0]) * s[1];
	for (i = 0; i < key->words; i += 2)
		h ^= kcr_region_fold(w[i] ^ s[2 + i], w[i + 1] ^ s[3 + i]);
	h *= s[KCR_REGION_SECRETS - 1];
	if (class == KCR_REGION_BLOB)
		h = xxh64(item->key, item->key_len, h);
	key->fingerprint = h;
	key->bucket = h >> 32 & r->index_mask;
}

/**
 * kcr_region_same_key() - whether a slot has an entry for a key
 * @r: the region
 * @nr: the slot's number
 * @item: the item
 * @key: where its key belongs
 *
 * Context: the domain's lock is held.
 * Return: true if it has, be it current or not.
 */
bool kcr_region_same_key(const struct kcr_region *r, u32 nr,
			 const struct kcr_region_item *item,
			 const struct kcr_region_key *key)
{
	const struct kcr_region_slot *slot = &r->slots[nr];
	u32 bytes = round_up(item->key_len, 8);

	if (!slot->stamp || slot->head != key->head)
		return false;
	if (key->words)
		return !memcmp(&slot->data[key->words], item->key, bytes);
	return slot->data[1] == key->fingerprint &&
	       !memcmp(kcr_blob_at(r, kcr_slot_blob(r, slot))->data, item->key,
		       bytes);
}

/**
 * kcr_region_same_result() - whether a slot has a result
 * @r: the region
 * @nr: the slot's number
 * @item: the item; the slot has an entry for its key
 * @key: where its key belongs
 *
 * Context: the domain's lock is held.
 * Return: true if it has this result.
 */
bool kcr_region_same_result(const struct kcr_region *r, u32 nr,
			    const struct kcr_region_item *item,
			    const struct kcr_region_key *key)
{
	const struct kcr_region_slot *slot = &r->slots[nr];
	const u64 *result = slot->data;

	if (!key->words)
		result = kcr_blob_at(r, kcr_slot_blob(r, slot))->data +
			 DIV_ROUND_UP(item->key_len, 8);
	return slot->result_len == item->result_len &&
	       !memcmp(result, item->result, item->result_len);
}

/**
 * kcr_region_slot_current() - whether a slot has an entry that may be used
 * @r: the region
 * @nr: the slot's number
 *
 * Context: the domain's lock is held.
 * Return: false if it is empty, flushed, or too old.
 */
bool kcr_region_slot_current(const struct kcr_region *r, u32 nr)
{
	const struct kcr_region_header *header = r->base;
	const struct kcr_region_slot *slot = &r->slots[nr];
	const struct kcr_region_function *f;

	f = &r->functions[kcr_slot_function(slot)];
	return slot->stamp && slot->stamp == f->stamp &&
	       (!f->expiry_ms || (u32)header->clock - slot->born <= f->expiry_ms);
}

static void kcr_slot_begin(struct kcr_region_slot *slot)
{
	WRITE_ONCE(slot->seq, slot->seq + 1);
	smp_wmb();					/* (W) */
}

static void kcr_slot_end(struct kcr_region_slot *slot)
{
	smp_store_release(&slot->seq, slot->seq + 1);	/* (W) */
}

/**
 * kcr_region_wipe() - zero what a slot holds
 * @r: the region
 * @nr: the slot's number
 *
 * Context: the domain's lock is held.
 */
void kcr_region_wipe(struct kcr_region *r, u32 nr)
{
	struct kcr_region_slot *slot = &r->slots[nr];
	struct kcr_region_blob *blob = NULL;

	if (!slot->stamp)
		return;
	if (kcr_slot_class(slot) == KCR_REGION_BLOB)
		blob = kcr_blob_at(r, kcr_slot_blob(r, slot));
	r->entries--;
	r->entries_of[kcr_slot_function(slot)]--;
	r->buckets[nr] = U32_MAX;
	r->life[nr] = 0;

	kcr_slot_begin(slot);
	WRITE_ONCE(slot->stamp, 0);
	WRITE_ONCE(slot->head, 0);
	WRITE_ONCE(slot->born, 0);
	WRITE_ONCE(slot->result_len, 0);
	kcr_zero_words(slot->data, sizeof(slot->data));
	kcr_slot_end(slot);

	if (!blob)
		return;
	smp_wmb();					/* (B) */
	WRITE_ONCE(blob->slot, KCR_NO_SLOT);
	kcr_zero_words(blob->data, blob->bytes - sizeof(*blob));
	r->blob_bytes -= blob->bytes;
}

/**
 * kcr_region_fill() - write an entry into an empty slot
 * @r: the region
 * @nr: the slot's number
 * @item: the item
 * @key: where its key belongs
 * @blob: what kcr_region_alloc_blob() returned, if it does not fit into a slot
 *
 * Context: the domain's lock is held.
 */
void kcr_region_fill(struct kcr_region *r, u32 nr,
		     const struct kcr_region_item *item,
		     const struct kcr_region_key *key, u32 blob)
{
	const struct kcr_region_header *header = r->base;
	struct kcr_region_slot *slot = &r->slots[nr];

	kcr_slot_begin(slot);
	if (key->words) {
		kcr_copy_words(slot->data, item->result, item->result_len);
		kcr_copy_words(&slot->data[key->words], item->key, item->key_len);
	} else {
		u64 *data = kcr_blob_at(r, blob)->data;

		kcr_copy_words(data, item->key, item->key_len);
		kcr_copy_words(data + DIV_ROUND_UP(item->key_len, 8),
			       item->result, item->result_len);
		WRITE_ONCE(slot->data[0], (u8 *)data - (u8 *)r->base);
		WRITE_ONCE(slot->data[1], key->fingerprint);
	}
	WRITE_ONCE(slot->head, key->head);
	WRITE_ONCE(slot->born, (u32)header->clock);
	WRITE_ONCE(slot->result_len, item->result_len);
	WRITE_ONCE(slot->stamp, item->stamp);
	kcr_slot_end(slot);

	r->buckets[nr] = key->bucket;
	r->entries++;
	r->entries_of[item->function]++;
	WRITE_ONCE(r->index[key->bucket], nr);
}

/* Give up the oldest blob */
static void kcr_blobs_pop(struct kcr_region *r)
{
	struct kcr_region_blob *blob = kcr_blob_at(r, r->blobs_tail);
	u32 bytes = blob->bytes;

	if (blob->slot != KCR_NO_SLOT) {
		r->evicted++;
		kcr_region_wipe(r, blob->slot);
	}
	r->blobs_used -= bytes;
	r->blobs_tail += bytes;
	if (r->blobs_tail == r->blobs_size)
		r->blobs_tail = 0;
}

/* Make @bytes room at the head; @bytes lie before the ring's end */
static void kcr_blobs_reserve(struct kcr_region *r, u32 bytes, u32 slot)
{
	struct kcr_region_blob *blob;

	while (r->blobs_size - r->blobs_used < bytes)
		kcr_blobs_pop(r);
	blob = kcr_blob_at(r, r->blobs_head);
	WRITE_ONCE(blob->slot, slot);
	WRITE_ONCE(blob->bytes, bytes);
	r->blobs_used += bytes;
	r->blobs_head += bytes;
	if (r->blobs_head == r->blobs_size)
		r->blobs_head = 0;
}

/**
 * kcr_region_alloc_blob() - find memory for what does not fit into a slot
 * @r: the region
 * @nr: the number of the slot that will point there
 * @item: the item
 * @blob: out: for kcr_region_fill()
 *
 * The ring's oldest make room, whoever they belong to: nobody can tell in what
 * order user space reads them.
 *
 * Context: the domain's lock is held; the slot is empty.
 * Return: 0, or -E2BIG if the item would take more than a quarter of the ring.
 */
int kcr_region_alloc_blob(struct kcr_region *r, u32 nr,
			  const struct kcr_region_item *item, u32 *blob)
{
	u32 bytes = sizeof(struct kcr_region_blob) +
		    round_up(item->key_len, 8) + round_up(item->result_len, 8);

	if (bytes > r->blobs_size / 4)
		return -E2BIG;
	if (r->blobs_size - r->blobs_head < bytes)
		kcr_blobs_reserve(r, r->blobs_size - r->blobs_head, KCR_NO_SLOT);
	*blob = r->blobs_head;
	kcr_blobs_reserve(r, bytes, nr);
	r->blob_bytes += bytes;
	return 0;
}
