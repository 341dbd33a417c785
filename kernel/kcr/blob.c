// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: entries that do not fit into a slot.
 *
 * Body and bulk are buffers that the site allocated and the entry keeps, so
 * that storing a large result copies nothing. They are not written between
 * publication and removal; on removal they are zeroed while the slot's
 * sequence is odd, which readers notice, and freed after a grace period.
 */
#include <kunit/static_stub.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "encrypt.h"
#include "kcr_private.h"

/* Entries that a store may remove to make room */
#define KCR_ROOM_TRIES 8

static struct kmem_cache *kcr_blob_cache __ro_after_init;

/* kcr_blob_init() - make the cache of struct kcr_blob; 0 or -ENOMEM */
int __init kcr_blob_init(void)
{
	kcr_blob_cache = KMEM_CACHE(kcr_blob, SLAB_HWCACHE_ALIGN);
	return kcr_blob_cache ? 0 : -ENOMEM;
}

/**
 * kcr_blob_create() - make an entry of a query's key and result
 * @q: the query; its @owned_body, and its @owned_bulk if it has a bulk, become
 *	the entry's
 *
 * Context: any short of NMI.
 * Return: the entry, or NULL if there is no memory or nothing to own.
 */
struct kcr_blob *kcr_blob_create(struct kcr_query *q)
{
	struct kcr_blob *blob;

	if (!q->owned_body || (q->bulk_len && !q->owned_bulk))
		return NULL;
	blob = kmem_cache_alloc(kcr_blob_cache, GFP_NOWAIT | __GFP_NOWARN);
	if (!blob)
		return NULL;
	blob->body = q->owned_body;
	blob->body_len = kcr_body_len(q);
	blob->bulk = q->bulk_len ? q->owned_bulk : NULL;
	blob->bulk_len = q->bulk_len;
	blob->bytes = sizeof(*blob) + ksize(blob->body) + ksize(blob->bulk);
	blob->object = q->object;
	if (blob->object) {
		refcount_inc(&blob->object->refs);
		blob->bytes += blob->object->bytes;
	}
	memcpy(blob->side, q->key, sizeof(blob->side));
	memcpy(blob->small, q->res, sizeof(blob->small));
	kcr_blob_encrypt(blob, q);
	q->owned_body = NULL;
	if (blob->bulk)
		q->owned_bulk = NULL;
	return blob;
}

static void kcr_blob_free(struct rcu_head *rcu)
{
	struct kcr_blob *blob = container_of(rcu, struct kcr_blob, rcu);

	if (blob->object)
		kcr_object_put(blob->object);
	kfree(blob->body);
	kfree(blob->bulk);
	kmem_cache_free(kcr_blob_cache, blob);
}

/**
 * kcr_object_put() - give up a reference to an object
 * @object: the object
 *
 * Context: any short of NMI.
 */
void kcr_object_put(struct kcr_object *object)
{
	if (refcount_dec_and_test(&object->refs))
		object->release(object);
}
EXPORT_SYMBOL_GPL(kcr_object_put);

/**
 * kcr_query_put_object() - give up what a lookup found, if it is an object
 * @q: the query, after a hit
 *
 * Context: any short of NMI.
 */
void kcr_query_put_object(struct kcr_query *q)
{
	if (q->size_class == KCR_CLASS_BLOB && q->object)
		kcr_object_put(q->object);
	q->object = NULL;
}

/**
 * kcr_blob_drop() - free an entry that never was in a tier
 * @blob: the entry, zeroed
 *
 * Context: any short of NMI.
 */
void kcr_blob_drop(struct kcr_blob *blob)
{
	kcr_blob_free(&blob->rcu);
}

/* Readers that are still at it find out by the slot's sequence */
static void kcr_racy_zero(void *dst, size_t len)
{
	/* Races with kcr_racy_copy() and kcr_racy_equal(), on purpose */
	data_race(memset(dst, 0, len));
}

static void kcr_racy_copy(void *dst, const void *src, size_t len)
{
	/* Races with kcr_racy_zero(), which the caller will notice */
	data_race(memcpy(dst, src, len));
}

/**
 * kcr_blob_discard() - zero an entry's secrets
 * @blob: the entry, no longer reachable, or in a slot whose sequence is odd
 *
 * Context: any.
 */
void kcr_blob_discard(struct kcr_blob *blob)
{
	kcr_racy_zero(blob->body, blob->body_len);
	if (blob->bulk)
		kcr_racy_zero(blob->bulk, blob->bulk_len);
	kcr_racy_zero(blob->side, sizeof(blob->side));
	kcr_racy_zero(blob->small, sizeof(blob->small));
}

/**
 * kcr_blob_retire() - account and free an entry that has left its tier
 * @tier: the tier
 * @blob: the entry, zeroed
 *
 * Context: any short of NMI.
 */
void kcr_blob_retire(struct kcr_tier *tier, struct kcr_blob *blob)
{
	atomic_long_sub(blob->bytes, &tier->blob_bytes);
	atomic_long_dec(&tier->nr_blobs);
	call_rcu(&blob->rcu, kcr_blob_free);
}

/*
 * Compare by words (memcmp() goes byte by byte on some architectures), without
 * branching on the data. Each byte of @a is read once: it may be changing.
 */
static bool kcr_equal(const void *a, const void *b, size_t len)
{
	const u64 *x = a, *y = b;
	u64 diff = 0;

	for (; len >= 64; len -= 64, x += 8, y += 8) {
		diff |= get_unaligned(x) ^ y[0];
		diff |= get_unaligned(x + 1) ^ y[1];
		diff |= get_unaligned(x + 2) ^ y[2];
		diff |= get_unaligned(x + 3) ^ y[3];
		diff |= get_unaligned(x + 4) ^ y[4];
		diff |= get_unaligned(x + 5) ^ y[5];
		diff |= get_unaligned(x + 6) ^ y[6];
		diff |= get_unaligned(x + 7) ^ y[7];
	}
	for (; len >= 8; len -= 8)
		diff |= get_unaligned(x++) ^ *y++;
	for (a = x, b = y; len; len--)
		diff |= *(const u8 *)a++ ^ *(const u8 *)b++;
	return !diff;
}

static bool kcr_racy_equal(const void *a, const void *b, size_t len)
{
	/* Races with kcr_racy_zero(), which the caller will notice */
	return data_race(kcr_equal(a, b, len));
}

/**
 * kcr_blob_read() - compare an entry's key, and copy its result if equal
 * @blob: the entry
 * @q: the query; on true @res and @bulk hold the result, and @object points to
 *	one that the entry has a reference to until the read lock is released
 *
 * Context: RCU read lock. The entry may be zeroed meanwhile: the caller
 * re-checks the slot's sequence before it believes the outcome.
 * Return: true if the key is the query's.
 */
bool kcr_blob_read(const struct kcr_blob *blob, struct kcr_query *q)
{
	KUNIT_STATIC_STUB_REDIRECT(kcr_blob_read, blob, q);

	/* Equal fingerprints, and still another request: lengths come first */
	if (blob->body_len != kcr_body_len(q) || blob->bulk_len != q->bulk_len)
		return false;
	if (!kcr_blob_mine(blob, q))
		return false;
	if (!kcr_racy_equal(q->key, blob->side, sizeof(blob->side)) ||
	    !kcr_racy_equal(q->body, blob->body, kcr_body_len(q)))
		return false;
	kcr_racy_copy(q->res, blob->small, q->small_len);
	if (q->bulk_len)
		kcr_racy_copy(q->bulk, blob->bulk, q->bulk_len);
	kcr_blob_decrypt(blob, q);
	q->object = blob->object;
	return true;
}

/**
 * kcr_blob_make_room() - account an entry, removing others if need be
 * @tier: the tier
 * @q: the query whose result the entry is
 * @bytes: what the entry takes
 *
 * Context: any short of NMI.
 * Return: false if the budget does not allow it.
 */
bool kcr_blob_make_room(struct kcr_tier *tier, const struct kcr_query *q,
			long bytes)
{
	u32 tries;

	for (tries = 0; tries <= KCR_ROOM_TRIES; tries++) {
		if (atomic_long_add_return(bytes, &tier->blob_bytes) <=
		    tier->blob_budget) {
			atomic_long_inc(&tier->nr_blobs);
			return true;
		}
		atomic_long_sub(bytes, &tier->blob_bytes);
		kcr_tier_evict_blob(tier, q);
	}
	/* Next time it is seen again, and may displace more */
	kcr_tier_seen(tier, q);
	return false;
}
