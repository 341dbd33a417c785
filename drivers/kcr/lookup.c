// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: lookups in a region by the kernel itself.
 *
 * As in user space: no lock, see (R) in region_slot.c. What is read is the
 * kernel's own memory, so offsets are what they were made to be; but a slot may
 * change while it is read, so the sequence is checked before one is followed.
 */
#include <linux/kcr.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "gate.h"

static bool kcr_lookup_changed(const struct kcr_region_slot *slot, u64 seq)
{
	smp_rmb();					/* (R) */
	return READ_ONCE(slot->seq) != seq;
}

static bool kcr_lookup_same(const u64 *a, const u64 *b, u32 words)
{
	u64 differs = 0;
	u32 i;

	for (i = 0; i < words; i++)
		differs |= READ_ONCE(a[i]) ^ b[i];
	return !differs;
}

static void kcr_lookup_copy(u64 *to, const u64 *from, u32 words)
{
	u32 i;

	for (i = 0; i < words; i++)
		to[i] = READ_ONCE(from[i]);
}

/* Where the key of what is not in a slot is, or NULL if it just left */
static const u64 *kcr_lookup_blob(const struct kcr_region *r,
				  const struct kcr_region_slot *slot, u64 seq,
				  u64 fingerprint)
{
	u64 offset = READ_ONCE(slot->data[0]);

	if (READ_ONCE(slot->data[1]) != fingerprint ||
	    kcr_lookup_changed(slot, seq) || offset >= r->size)
		return NULL;
	return r->base + offset;
}

static bool kcr_lookup_expired(const struct kcr_region *r,
			       const struct kcr_region_slot *slot, u32 expiry_ms)
{
	const struct kcr_region_header *header = r->base;

	return expiry_ms && (u32)READ_ONCE(header->clock) -
			    READ_ONCE(slot->born) > expiry_ms;
}

/**
 * kcr_region_lookup() - look a result up
 * @r: the region
 * @item: the key, and what the function was registered with
 * @result: gets the result, in words; has room for the longest
 *
 * Context: any; without the domain's lock.
 * Return: true if there is one.
 */
bool kcr_region_lookup(const struct kcr_region *r,
		       const struct kcr_region_item *item, u64 *result)
{
	u32 key_words = DIV_ROUND_UP(item->key_len, 8);
	u32 result_words = DIV_ROUND_UP(item->result_len, 8);
	const struct kcr_region_slot *slot;
	struct kcr_region_key key;
	const u64 *data;
	u64 seq;
	bool same;

	kcr_region_key(r, item, &key);
	slot = &r->slots[READ_ONCE(r->index[key.bucket]) & (r->nr_slots - 1)];
	seq = smp_load_acquire(&slot->seq);		/* (R) */
	if (seq & 1 || READ_ONCE(slot->stamp) != item->stamp ||
	    READ_ONCE(slot->head) != key.head ||
	    READ_ONCE(slot->result_len) != item->result_len)
		return false;
	if (likely(key.words)) {
		same = kcr_lookup_same(&slot->data[key.words], item->key, key_words);
		kcr_lookup_copy(result, slot->data, result_words);
	} else {
		data = kcr_lookup_blob(r, slot, seq, key.fingerprint);
		if (!data)
			return false;
		same = kcr_lookup_same(data, item->key, key_words);
		kcr_lookup_copy(result, data + key_words, result_words);
	}
	return same && !kcr_lookup_changed(slot, seq) &&
	       !kcr_lookup_expired(r, slot,
				   READ_ONCE(r->functions[item->function].expiry_ms));
}
