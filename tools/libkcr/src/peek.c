// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: results where they lie.
 */
#include "region.h"

static kcr_inline enum kcr_answer kcr_show(struct kcr_function *f, struct kcr_view *view,
					   const struct kcr_region_slot *slot, uint64_t seq,
					   const void *data, size_t len)
{
	add_relaxed(&kcr_these_counts(f)->hits, 1);
	view->data = data;
	view->len = len;
	view->opaque[0] = (uintptr_t)slot;
	view->opaque[1] = seq;
	return KCR_HIT;
}

/* As kcr_lookup_pairs(), but nothing is copied: whoever reads it asks afterwards */
static kcr_inline enum kcr_answer kcr_peek_pairs(struct kcr_function *f, const void *key,
						 size_t key_len, uint64_t stamp,
						 struct kcr_view *view, unsigned int pairs)
{
	const struct kcr_region_slot *slot;
	struct kcr_probe p;
	uint64_t seq;
	size_t len;

	p.stamp = stamp;
	p.head = kcr_head(f, key_len, pairs);
	p.fingerprint = kcr_fingerprint(f, p.head, key, key_len, pairs);
	slot = kcr_slot(f, p.fingerprint);
	if (unlikely(!slot))
		return KCR_COMPUTE;
	seq = load_acquire(&slot->seq) & ~1ULL;		/* (R) */
	if (unlikely(kcr_differs(slot, &p, key, key_len, pairs)))
		return KCR_COMPUTE;
	len = READ_ONCE(slot->result_len);
	if (unlikely(len > 16 * pairs || !kcr_still(slot, seq)))
		return KCR_COMPUTE;
	return kcr_show(f, view, slot, seq, slot->data, len);
}

/* Blobs, expiry, functions that learn or are not trusted */
static __attribute__((noinline)) enum kcr_answer
kcr_peek_rare(struct kcr_function *f, const void *key, size_t key_len, struct kcr_view *view)
{
	struct kcr_found found;
	struct kcr_probe p;

	if (key_len > f->key_max || !kcr_find(f, key, key_len, &p, &found))
		return KCR_COMPUTE;
	return kcr_show(f, view, found.slot, found.seq, found.data, found.len);
}

enum kcr_answer kcr_peek(struct kcr_function *f, const void *key, size_t key_len,
			 struct kcr_view *view)
{
	const struct kcr_region_function *shared;
	uint64_t stamp;

	if (unlikely(!f))
		return KCR_COMPUTE;
	shared = load_relaxed(&f->shared);
	/* What is said of the function is no older than its stamp */
	stamp = load_acquire(&shared->stamp);
	if (likely(stamp && kcr_is_reused(shared))) {
		if (key_len < f->below_16)
			return kcr_peek_pairs(f, key, key_len, stamp, view, 1);
		if (key_len < f->below_32)
			return kcr_peek_pairs(f, key, key_len, stamp, view, 2);
		if (key_len < f->below_80)
			return kcr_peek_pairs(f, key, key_len, stamp, view, KCR_PAIRS);
	}
	return kcr_peek_rare(f, key, key_len, view);
}

int kcr_view_valid(const struct kcr_view *view)
{
	const struct kcr_region_slot *slot = (const void *)(uintptr_t)view->opaque[0];

	return kcr_still(slot, view->opaque[1]);
}
