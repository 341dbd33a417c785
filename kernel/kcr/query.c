// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the way of a request through a site.
 *
 *	if (!kcr_query_begin(&q, site, owner, &shape))
 *		return compute();
 *	... fill in q.key (and q.body, q.bulk) ...
 *	if (kcr_lookup_unified(&q)) {
 *		... hand out q.res (and q.bulk) ...
 *		kcr_query_end(&q, true);
 *	} else {
 *		... compute from a copy of the input into q.res (and q.bulk) ...
 *		kcr_store_result(&q);
 *		kcr_query_end(&q, false);
 *	}
 */
#include <linux/export.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>

#include <trace/events/kcr.h>

#include "kcr_private.h"

static u8 kcr_inline_class(u32 key_len, u32 res_len)
{
	u32 len = max(key_len, res_len);

	return len <= 16 ? KCR_CLASS_16 : len <= 32 ? KCR_CLASS_32 : KCR_CLASS_64;
}

static bool kcr_shape_classify(struct kcr_query *q,
			       const struct kcr_shape *shape)
{
	u32 key_len = shape->side_len + shape->body_len;
	u32 res_len = shape->small_len + shape->bulk_len;

	if (max(shape->body_len, shape->bulk_len) > q->site->max_body) {
		kcr_site_count(q->site, KCR_MISS_TOO_LARGE, 1);
		return false;
	}
	if (max(key_len, res_len) <= KCR_INLINE_MAX) {
		q->class = kcr_inline_class(key_len, res_len);
		return true;
	}
	if (WARN_ON_ONCE(shape->side_len > KCR_SIDE_MAX ||
			 shape->small_len > KCR_SMALL_MAX))
		return false;
	q->class = KCR_CLASS_BLOB;
	return true;
}

/**
 * kcr_query_begin() - begin a request
 * @q: the query, which need not be initialised
 * @site: the site
 * @owner: the owner of the result
 * @shape: lengths and parameters
 *
 * Takes the owner's stamp: whatever invalidates the owner from now on keeps
 * the result from being stored. After success the site fills in the key: if
 * @q->class is KCR_CLASS_BLOB, the side goes to @q->key, @q->body points to
 * the body, and @q->bulk to where the bulk is wanted; otherwise side and body
 * follow each other in @q->key. The key is zeroed already.
 *
 * Context: any; refuses in NMI.
 * Return: false if this request is not for reuse: just compute.
 */
bool kcr_query_begin(struct kcr_query *q, struct kcr_site *site,
		     struct kcr_owner *owner, const struct kcr_shape *shape)
{
	unsigned int i;

	/* Pairs with the xchg() in kcr_owner_restamp(): a new stamp, a new key */
	q->stamp = smp_load_acquire(&owner->stamp);
	q->mode = READ_ONCE(site->mode);
	if (unlikely(!q->stamp || q->mode == KCR_MODE_OFF || in_nmi())) {
		kcr_site_count(site, KCR_PASSED, 1);
		return false;
	}
	q->site = site;
	if (unlikely(!kcr_shape_classify(q, shape)))
		return false;
	q->owner = owner;
	q->head = (u64)site->id << KCR_HEAD_SITE_SHIFT |
		  (u64)q->class << KCR_HEAD_CLASS_SHIFT |
		  (u64)shape->param << KCR_HEAD_PARAM_SHIFT |
		  (u64)shape->side_len << KCR_HEAD_SIDE_SHIFT |
		  (u64)shape->small_len << KCR_HEAD_SMALL_SHIFT |
		  shape->body_len;
	q->side_len = shape->side_len;
	q->small_len = shape->small_len;
	q->body_len = shape->body_len;
	q->bulk_len = shape->bulk_len;
	q->body = NULL;
	q->bulk = NULL;
	q->owned_body = NULL;
	q->owned_bulk = NULL;
#pragma GCC unroll 10
	for (i = 0; i < KCR_INLINE_WORDS; i++)
		q->key[i] = 0;

	q->start = 0;
	q->compute = 0;
	this_cpu_inc(site->stats->c[KCR_LOOKUPS]);
	if (unlikely(!(this_cpu_read(site->stats->c[KCR_LOOKUPS]) %
		       KCR_SAMPLE_INTERVAL)))
		q->start = get_cycles();
	return true;
}
EXPORT_SYMBOL_GPL(kcr_query_begin);

static noinline void kcr_missed(struct kcr_query *q, struct kcr_tier *l3)
{
	enum kcr_counter reason = KCR_MISS_COLD;

	if (l3)
		reason = kcr_tier_miss_reason(l3, q);
	this_cpu_inc(q->site->stats->c[reason]);
	trace_kcr_miss(q, reason);
}

static noinline void kcr_promote(struct kcr_tier *l2, struct kcr_query *q)
{
	if (l2)
		kcr_tier_store(l2, q, NULL);
}

/**
 * kcr_lookup_unified() - find the result of an earlier computation
 * @q: the query, begun and with its key filled in
 *
 * Looks into the CPU's tier, then into the node's; what the node's tier
 * answers inline is copied into the CPU's. In observe mode nothing is looked
 * up here, see kcr_store_result(). What memory @q->body points to is read
 * once, and may change meanwhile; the answer is for what was read.
 *
 * Context: any short of NMI. Takes no lock and never waits.
 * Return: true on a hit, with @q->res and @q->bulk filled in; otherwise they
 * are undefined, and must not be shown to anybody.
 */
bool kcr_lookup_unified(struct kcr_query *q)
{
	struct kcr_tier *l2 = NULL, *l3;

	q->fingerprint = kcr_fingerprint(q);
	if (unlikely(q->mode == KCR_MODE_OBSERVE))
		return false;
	if (q->class != KCR_CLASS_BLOB) {
		l2 = raw_cpu_read(kcr_l2);
		if (likely(l2) && kcr_tier_lookup(l2, q)) {
			this_cpu_inc(q->site->stats->c[KCR_L2_HITS]);
			trace_kcr_hit(q, 2);
			return true;
		}
	}
	l3 = raw_cpu_read(kcr_l3_local);
	if (likely(l3) && kcr_tier_lookup(l3, q)) {
		this_cpu_inc(q->site->stats->c[KCR_L3_HITS]);
		trace_kcr_hit(q, 3);
		if (q->class != KCR_CLASS_BLOB)
			kcr_promote(l2, q);
		return true;
	}
	kcr_missed(q, l3);
	return false;
}
EXPORT_SYMBOL_GPL(kcr_lookup_unified);

/* Observe mode: would reuse have answered, and the same? False: store it */
static bool kcr_observe(struct kcr_query *q, struct kcr_tier *l3)
{
	u64 res[KCR_INLINE_WORDS];
	void *bulk = q->bulk;
	bool found, equal;

	if (q->mode != KCR_MODE_OBSERVE)
		return false;
	memcpy(res, q->res, sizeof(res));
	if (q->bulk_len) {
		q->bulk = kmalloc(q->bulk_len, GFP_NOWAIT | __GFP_NOWARN);
		if (!q->bulk) {
			q->bulk = bulk;
			return false;
		}
	}
	found = kcr_tier_lookup(l3, q);
	equal = found && !memcmp(res, q->res, q->class == KCR_CLASS_BLOB ?
				 q->small_len : q->small_len + q->bulk_len) &&
		(q->class != KCR_CLASS_BLOB ||
		 !memcmp(bulk, q->bulk, q->bulk_len));
	if (q->bulk != bulk) {
		kfree_sensitive(q->bulk);
		q->bulk = bulk;
	}
	memcpy(q->res, res, sizeof(res));
	memzero_explicit(res, sizeof(res));
	if (found)
		kcr_site_count(q->site, equal ? KCR_OBSERVE_EQUAL :
			       KCR_OBSERVE_DIFFER, 1);
	else
		kcr_missed(q, l3);
	return found;
}

/**
 * kcr_store_result() - remember a result
 * @q: the query that missed, with its result filled in: @res padded with
 *	zeroes, or @res and, if it has a bulk, @owned_bulk; out of line,
 *	@owned_body must be the body that the result was computed from
 *
 * Stores into the node's tier. May always drop the result instead. Takes
 * over @owned_body and @owned_bulk if it sets them to NULL.
 *
 * Context: any short of NMI; out of line, one in which memory may be
 * allocated without waiting.
 * Return: 0, -EEXIST in observe mode if it was there, -ESTALE if the owner
 * was invalidated since the query began, -EBUSY if somebody else writes to
 * the same slot, -ENOMEM if there is no memory, -ENOSPC if out-of-line entries
 * exceed their budget, -ENODEV if there is no tier.
 */
int kcr_store_result(struct kcr_query *q)
{
	struct kcr_tier *l3 = raw_cpu_read(kcr_l3_local);
	struct kcr_blob *blob = NULL;
	int err = -ENODEV;

	if (!l3)
		goto out;
	if (kcr_observe(q, l3))
		return -EEXIST;
	if (q->class == KCR_CLASS_BLOB) {
		err = -ENOMEM;
		blob = kcr_blob_create(q);
		if (!blob)
			goto out;
		err = -ENOSPC;
		if (!kcr_blob_make_room(l3, blob->bytes)) {
			kcr_blob_discard(blob);
			kcr_blob_drop(blob);
			goto out;
		}
	}
	err = kcr_tier_store(l3, q, blob);
	if (err && blob) {
		kcr_blob_discard(blob);
		kcr_blob_retire(l3, blob);
	}
out:
	kcr_site_count(q->site, err ? KCR_STORES_DROPPED : KCR_STORES, 1);
	trace_kcr_store(q, err);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_store_result);

static noinline void kcr_account(struct kcr_query *q, bool hit)
{
	u64 ticks = get_cycles() - q->start;

	if (hit) {
		kcr_site_count(q->site, KCR_SAMPLED_HITS, 1);
		kcr_site_count(q->site, KCR_HIT_TICKS, ticks);
		return;
	}
	if (!q->compute)
		return;
	kcr_site_count(q->site, KCR_SAMPLED_COMPUTES, 1);
	kcr_site_count(q->site, KCR_COMPUTE_TICKS, q->compute);
	kcr_site_count(q->site, KCR_SAMPLED_MISSES, 1);
	kcr_site_count(q->site, KCR_MISS_TICKS, ticks - q->compute);
}

/**
 * kcr_query_end() - end a request: free what it still owns, account its cost
 * @q: the query
 * @hit: whether a remembered result was handed out
 *
 * Context: any short of NMI.
 */
void kcr_query_end(struct kcr_query *q, bool hit)
{
	if (unlikely(q->owned_body)) {
		kfree_sensitive(q->owned_body);
		q->owned_body = NULL;
	}
	if (unlikely(q->owned_bulk)) {
		kfree_sensitive(q->owned_bulk);
		q->owned_bulk = NULL;
	}
	if (unlikely(q->start))
		kcr_account(q, hit);
}
EXPORT_SYMBOL_GPL(kcr_query_end);
