// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: finding a result without copying it.
 */
#include "region.h"

/*
 * Bytes of a region may change while they are looked at, which the sequence shows
 * afterwards; until then any answer will do. In words, one by one, only for who
 * watches: the C library is several times as fast.
 */
#ifdef KCR_TSAN
bool kcr_bytes_equal(const unsigned char *region, const void *other, size_t len)
{
	const unsigned char *bytes = other;
	unsigned char diff = 0;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= READ_ONCE(region[i]) ^ bytes[i];
	return !diff;
}

void kcr_bytes_copy(void *to, const unsigned char *region, size_t len)
{
	unsigned char *bytes = to;
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = READ_ONCE(region[i]);
}
#else
bool kcr_bytes_equal(const unsigned char *region, const void *other, size_t len)
{
	return !len || !memcmp(region, other, len);
}

void kcr_bytes_copy(void *to, const unsigned char *region, size_t len)
{
	if (len)
		memcpy(to, region, len);
}
#endif

/**
 * kcr_probe() - what is to be known of a key
 * @f: the function
 * @key: the key
 * @key_len: bytes of it
 * @p: gets head and fingerprint
 *
 * Context: any.
 */
void kcr_probe(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p)
{
	unsigned int pairs = kcr_class_pairs(f, key_len);

	p->head = kcr_head(f, key_len, pairs);
	p->fingerprint = kcr_fingerprint(f, p->head, key, key_len, pairs);
	if (!pairs)
		p->fingerprint = kcr_hash(key, key_len, p->fingerprint);
}

static bool kcr_find_blob(const struct kcr_function *f, const void *key, size_t key_len,
			  const struct kcr_probe *p, struct kcr_found *found)
{
	const struct kcr_region_slot *slot = found->slot;
	const struct kcr_region_header *header = &f->domain->header;
	uint64_t diff = kcr_differs(slot, p, NULL, 0, 0);
	uint64_t offset = READ_ONCE(slot->data[0]);
	uint64_t end = (uint64_t)header->blobs_offset + header->blobs_size;
	uint64_t padded = (key_len + 7) & ~(uint64_t)7;

	diff |= READ_ONCE(slot->data[1]) ^ p->fingerprint;
	found->len = READ_ONCE(slot->result_len);
	if (diff || kcr_expired(f, slot) || !kcr_still(slot, found->seq))
		return false;
	if (offset < header->blobs_offset || offset > end || found->len > f->result_max ||
	    end - offset < padded + found->len)
		return false;
	if (!kcr_bytes_equal(f->region + offset, key, key_len))
		return false;
	found->data = f->region + offset + padded;
	return kcr_still(slot, found->seq);
}

/**
 * kcr_find() - find a result
 * @f: the function
 * @key: the key
 * @key_len: bytes of it, at most @f->key_max
 * @p: out: what is known of the key; the stamp is 0 if nothing may be reused
 * @found: out: where the result is
 *
 * Context: any.
 * Return: whether it was there, until kcr_still() says no.
 */
bool kcr_find(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p,
	      struct kcr_found *found)
{
	const struct kcr_region_function *shared = load_relaxed(&f->shared);
	unsigned int pairs = kcr_class_pairs(f, key_len);
	const struct kcr_region_slot *slot;

	p->stamp = load_acquire(&shared->stamp);
	if (READ_ONCE(shared->state) != KCR_STATE_REUSE)
		p->stamp = 0;
	if (!p->stamp)
		return false;
	kcr_probe(f, key, key_len, p);
	slot = kcr_slot(f, p->fingerprint);
	if (!slot)
		return false;
	found->slot = slot;
	found->seq = load_acquire(&slot->seq) & ~1ULL;	/* (R) */
	if (!pairs)
		return kcr_find_blob(f, key, key_len, p, found);
	found->data = (const unsigned char *)slot->data;
	found->len = READ_ONCE(slot->result_len);
	if (kcr_differs(slot, p, key, key_len, pairs) || kcr_expired(f, slot) ||
	    found->len > 16 * pairs)
		return false;
	return kcr_still(slot, found->seq);
}
