// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the way of a request through a site.
 *
 *	if (!kcr_should_cache(site, body_len) ||
 *	    kcr_query_begin(&q, site, owner, &shape) < 0)
 *		return compute();
 *	... fill in q.key (and q.body, q.bulk) ...
 *	if (kcr_lookup_unified(&q)) {
 *		... hand out q.res (and q.bulk) ...
 *		kcr_query_end(&q, true);
 *	} else if (!kcr_wants_result(&q)) {
 *		... compute ...
 *		kcr_query_end(&q, false);
 *	} else {
 *		... compute from a copy of the input into q.res (and q.bulk) ...
 *		kcr_store_result(&q);
 *		kcr_query_end(&q, false);
 *	}
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>

#include <trace/events/kcr.h>

#include "fingerprint.h"
#include "kcr_private.h"
#include "tier.h"

static unsigned int kcr_owned(const struct kcr_query *q)
{
	if (q->size_class != KCR_CLASS_BLOB)
		return 0;
	return !!q->owned_body + !!q->owned_bulk;
}

static noinline void kcr_missed(struct kcr_query *q, struct kcr_tier *l3)
{
	enum kcr_counter reason = KCR_MISS_COLD;

	if (l3)
		reason = kcr_tier_miss_reason(l3, q);
	else
		kcr_tiers_request();
	this_cpu_inc(q->site->stats->c[reason]);
	trace_kcr_miss(q, reason);
	if (l3 && !kcr_tier_admits(l3, q)) {
		q->flags |= KCR_QUERY_DROP;
		kcr_site_count(q->site, KCR_NOT_ADMITTED, 1);
	}
}

/*
 * Reuse would have cost so much until here; and what handing the result out
 * costs, unless the lookup has put it where it is wanted; and what freeing the
 * buffers costs that there are by now. Audits know already.
 */
static void kcr_note_lookup(struct kcr_query *q)
{
	if (q->flags & KCR_QUERY_AUDIT)
		return;
	q->lookup = kcr_clock() - q->start;
	q->owned = kcr_owned(q);
	if (q->size_class == KCR_CLASS_BLOB && q->bulk_len && !q->owned_bulk)
		q->flags |= KCR_QUERY_DIRECT;
}

/*
 * What is there is not handed out, but compared with what will be computed:
 * an audit, or observe or learn mode.
 */
static bool kcr_lookup_compare(struct kcr_query *q, struct kcr_tier *l3)
{
	if (!l3 || !kcr_tier_lookup(l3, q)) {
		q->flags &= ~KCR_QUERY_AUDIT;
		kcr_missed(q, l3);
		return false;
	}
	kcr_query_put_object(q);
	q->flags |= KCR_QUERY_FOUND;
	kcr_site_count(q->site, KCR_MISS_UNVERIFIED, 1);
	if (q->start)
		kcr_note_lookup(q);
	return false;
}

/* One that was chosen to be looked at more closely */
static bool kcr_lookup_special(struct kcr_query *q, struct kcr_tier *l3)
{
	q->stamp = q->true_stamp;
	if (q->flags & KCR_QUERY_AUDIT)
		return kcr_lookup_compare(q, l3);
	kcr_profit_probed(q, l3 && kcr_tier_seen(l3, q));
	return false;
}

/* The node's tier; what it has inline is copied into @l2 */
static noinline bool kcr_lookup_node(struct kcr_query *q, struct kcr_tier *l2)
{
	struct kcr_tier *l3 = kcr_query_tier(q);

	if (!q->start)
		q->flags = 0;
	else if (q->flags)
		return kcr_lookup_special(q, l3);
	if (likely(l3) && kcr_tier_lookup(l3, q)) {
		this_cpu_inc(q->site->stats->c[KCR_L3_HITS]);
		trace_kcr_hit(q, 3);
		if (l2)
			kcr_tier_store(l2, q, NULL);
		return true;
	}
	kcr_missed(q, l3);
	return false;
}

static bool kcr_l2_hit(struct kcr_query *q)
{
	this_cpu_inc(q->site->stats->c[KCR_L2_HITS]);
	trace_kcr_hit(q, 2);
	return true;
}

/* Out of line, or while some site does not simply reuse: look closer */
static noinline bool kcr_lookup_rare(struct kcr_query *q)
{
	struct kcr_tier *l2 = raw_cpu_read(kcr_l2);

	switch (READ_ONCE(q->site->mode)) {
	case KCR_MODE_REUSE:
		break;
	case KCR_MODE_OBSERVE:
	case KCR_MODE_LEARN:
		if (q->start)
			q->stamp = q->true_stamp;
		q->flags = 0;
		return kcr_lookup_compare(q, kcr_query_tier(q));
	default:
		/* It has just been switched off */
		q->start = 0;
		q->flags = KCR_QUERY_DROP;
		kcr_site_count(q->site, KCR_MISS_COLD, 1);
		trace_kcr_miss(q, KCR_MISS_COLD);
		return false;
	}
	if (q->size_class == KCR_CLASS_BLOB)
		return kcr_lookup_node(q, NULL);
	if (l2 && kcr_tier_lookup(l2, q))
		return kcr_l2_hit(q);
	return kcr_lookup_node(q, l2);
}

static __always_inline bool kcr_lookup_inline(struct kcr_query *q,
					      unsigned int words)
{
	struct kcr_tier *l2;

	q->fingerprint = kcr_fingerprint_inline(q, words);
	if (static_branch_unlikely(&kcr_rare_key))
		return kcr_lookup_rare(q);
	l2 = raw_cpu_read(kcr_l2);
	/* A CPU's tier is near: fetching gains with short keys only */
	if (likely(l2 && kcr_tier_lookup_inline(l2, q, words, false,
						words < KCR_INLINE_WORDS)))
		return kcr_l2_hit(q);
	return kcr_lookup_node(q, l2);
}

/**
 * kcr_lookup_64() - kcr_lookup_unified() for a query of KCR_CLASS_64
 * @q: the query
 *
 * Context: any.
 * Return: as kcr_lookup_unified().
 */
bool kcr_lookup_64(struct kcr_query *q)
{
	return kcr_lookup_inline(q, KCR_INLINE_WORDS);
}
EXPORT_SYMBOL_GPL(kcr_lookup_64);

/**
 * kcr_lookup_16() - kcr_lookup_unified() for a query of KCR_CLASS_16
 * @q: the query
 *
 * Context: any.
 * Return: as kcr_lookup_unified().
 */
bool kcr_lookup_16(struct kcr_query *q)
{
	return kcr_lookup_inline(q, 2);
}
EXPORT_SYMBOL_GPL(kcr_lookup_16);

/**
 * kcr_lookup_unified() - find the result of an earlier computation
 * @q: the query, begun and with its key filled in
 *
 * Looks into the CPU's tier, then into the node's; what the node's tier
 * answers inline is copied into the CPU's. In observe and learn mode, and for
 * audits, nothing is handed out; see kcr_store_result(). What memory @q->body
 * points to is read once, and may change meanwhile; the answer is for what was
 * read.
 *
 * Context: any. Takes no lock and never waits.
 * Return: true on a hit, with @q->res and @q->bulk filled in; otherwise they
 * are undefined, and must not be shown to anybody.
 */
bool kcr_lookup_unified(struct kcr_query *q)
{
	if (q->size_class == KCR_CLASS_64)
		return kcr_lookup_64(q);
	if (q->size_class == KCR_CLASS_32)
		return kcr_lookup_inline(q, 4);
	if (q->size_class == KCR_CLASS_16)
		return kcr_lookup_16(q);
	q->fingerprint = kcr_fingerprint(q);
	return kcr_lookup_rare(q);
}
EXPORT_SYMBOL_GPL(kcr_lookup_unified);

static bool kcr_mode_stores(u8 mode)
{
	return mode == KCR_MODE_REUSE || mode == KCR_MODE_OBSERVE ||
	       mode == KCR_MODE_LEARN;
}

/**
 * kcr_store_result() - remember a result
 * @q: the query that missed, with its result filled in: @res padded with
 *	zeroes, or @res and, if it has one, @owned_bulk or @object; out of line,
 *	@owned_body must be the body that the result was computed from
 *
 * Stores into the node's tier. May always drop the result instead. Takes
 * over @owned_body and @owned_bulk if it sets them to NULL.
 *
 * Context: any short of NMI; out of line, one in which memory may be
 * allocated without waiting.
 * Return: 0, -EEXIST if an equal result is there, -EILSEQ if a different one is
 * (see kcr_verify_deterministic()), -ESTALE if the owner was invalidated since
 * the query began, -EBUSY if somebody else writes to the same slot, -ENOMEM if
 * there is no memory, -ENOSPC if out-of-line entries exceed their budget,
 * -EPERM in NMI, -ENODEV if there is no tier or the site is off.
 */
int kcr_store_result(struct kcr_query *q)
{
	struct kcr_tier *l3 = kcr_query_tier(q);
	struct kcr_blob *blob = NULL;
	int err = -ENODEV;

	if (!l3 || !kcr_wants_result(q) || !kcr_mode_stores(READ_ONCE(q->site->mode)))
		goto out;
	err = -EPERM;
	if (in_nmi())
		goto out;
	if (q->flags & KCR_QUERY_FOUND) {
		if (q->start && q->lookup && !(q->flags & KCR_QUERY_DIRECT))
			q->lookup += kcr_clock() - q->computed;
		err = kcr_verify_deterministic(q);
		if (err != -ENOENT)
			return err ?: -EEXIST;
	}
	if (q->size_class == KCR_CLASS_BLOB) {
		err = -ENOMEM;
		blob = kcr_blob_create(q);
		if (!blob)
			goto out;
		err = -ENOSPC;
		if (!kcr_blob_make_room(l3, q, blob->bytes)) {
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

/* The rare half of kcr_compute_stop() */
void __kcr_compute_stop(struct kcr_query *q)
{
	q->computed = kcr_clock();
	q->compute = q->computed - q->compute;
	/* 0 would be not timed at all */
	if (q->compute)
		q->compute -= min_t(u64, q->compute - 1, kcr_clock_cost);
}
EXPORT_SYMBOL_GPL(__kcr_compute_stop);

/* Free what a query owns; ticks that it took for each, if sampled */
static u64 kcr_query_free(struct kcr_query *q)
{
	unsigned int owned = kcr_owned(q);
	u64 start = 0;

	if (!owned)
		return 0;
	if (q->start)
		start = kcr_clock();
	kfree_sensitive(q->owned_body);
	kfree_sensitive(q->owned_bulk);
	return q->start ? (kcr_clock() - start) / owned : 0;
}

/* The rare half of kcr_query_end() */
void __kcr_query_end(struct kcr_query *q, bool hit)
{
	u64 each = kcr_query_free(q);

	if (!q->start)
		return;
	if (hit) {
		kcr_profit_hit(q, kcr_clock() - q->start);
		return;
	}
	if (q->lookup)
		kcr_profit_hit(q, q->lookup + q->owned * each);
	if (q->compute)
		kcr_profit_miss(q, kcr_clock() - q->start);
}
EXPORT_SYMBOL_GPL(__kcr_query_end);
