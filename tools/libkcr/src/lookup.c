// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: lookups.
 *
 * A hit costs what the kernel's own tier costs, and little more: everything that
 * is needed is in one structure, the control of sampling and bypass is one
 * countdown, and keys and results of up to 80 bytes are copied by words, for each
 * class by code of its own.
 */
#include "region.h"

__thread unsigned int kcr_thread;

/* @len bytes of words, and not one more: what is behind may be another's */
static kcr_inline void kcr_put_result(unsigned char *to, const uint64_t *res, size_t len,
					 unsigned int words)
{
	unsigned int i;

#pragma GCC unroll 10
	for (i = 0; i < words; i++) {
		if (likely(len >= 8 * (i + 1))) {
			memcpy(to + 8 * i, &res[i], 8);
			continue;
		}
		if (len > 8 * i)
			memcpy(to + 8 * i, &res[i], len - 8 * i);
		break;
	}
}

static kcr_inline void kcr_ticket_fill(struct kcr_ticket_inside *t, uint32_t flags,
					  uint32_t line, const struct kcr_probe *p)
{
	t->flags = flags;
	t->line = line;
	t->stamp = p->stamp;
	t->fingerprint = p->fingerprint;
}

static kcr_inline uint32_t kcr_line_nr(void)
{
	return kcr_thread % KCR_LINES;
}

static enum kcr_answer kcr_missed(struct kcr_function *f, const struct kcr_probe *p,
				  struct kcr_ticket_inside *t)
{
	uint32_t line = kcr_line_nr();

	add_relaxed(&f->counts[line].misses, 1);
	kcr_ticket_fill(t, KCR_TICKET_MISS, line, p);
	return KCR_COMPUTE;
}

/* Compare, copy, and only then decide: one branch, well predicted */
static kcr_inline enum kcr_answer kcr_lookup_words(struct kcr_function *f, const void *key,
						      size_t key_len, void *result, size_t cap,
						      size_t *result_len, uint64_t stamp,
						      struct kcr_ticket_inside *t,
						      unsigned int words, bool expires)
{
	uint64_t w[KCR_REGION_WORDS], res[KCR_REGION_WORDS];
	const struct kcr_region_slot *slot;
	struct kcr_probe p;
	uint64_t seq, diff;
	unsigned int i;
	uint32_t len;

	p.stamp = stamp;
	p.head = kcr_head(f, key_len, words);
	kcr_load_key(w, key, key_len, words);
	p.fingerprint = kcr_fingerprint(f->secrets, p.head, w, words);
	slot = kcr_slot(f, p.fingerprint);
	/* An odd one will not be found again: it only grows */
	seq = load_acquire(&slot->seq) & ~1ULL;		/* (R) */
	diff = kcr_differs(slot, &p, w, words);
	len = READ_ONCE(slot->result_len);
#pragma GCC unroll 10
	for (i = 0; i < words; i++)
		res[i] = READ_ONCE(slot->data[i]);
	if (expires)
		diff |= kcr_expired(f, slot);
	smp_rmb();					/* (R) */
	diff |= READ_ONCE(slot->seq) ^ seq;
	if (unlikely(diff))
		return kcr_missed(f, &p, t);
	if (unlikely(len > cap || len > 8 * words)) {
		t->flags = 0;
		return KCR_COMPUTE;
	}
	add_relaxed(&f->counts[kcr_line_nr()].hits, 1);
	kcr_put_result(result, res, len, words);
	*result_len = len;
	return KCR_HIT;
}

static enum kcr_answer kcr_lookup_blob(struct kcr_function *f, const void *key, size_t key_len,
				       void *result, size_t cap, size_t *result_len,
				       struct kcr_ticket_inside *t)
{
	struct kcr_found found;
	struct kcr_probe p;

	if (!kcr_find(f, key, key_len, &p, &found))
		return p.stamp ? kcr_missed(f, &p, t) : KCR_COMPUTE;
	if (found.len > cap)
		return KCR_COMPUTE;
	kcr_bytes_copy(result, found.data, found.len);
	if (!kcr_still(found.slot, found.seq))
		return kcr_missed(f, &p, t);
	add_relaxed(&f->counts[kcr_line_nr()].hits, 1);
	*result_len = found.len;
	return KCR_HIT;
}

/* To be computed without a look at what is remembered */
static enum kcr_answer kcr_not_reused(struct kcr_function *f, const void *key, size_t key_len,
				      uint64_t stamp, uint32_t state, struct kcr_ticket_inside *t)
{
	uint64_t w[KCR_REGION_WORDS] = { 0 };
	unsigned int words = kcr_class_words(f, key_len);
	struct kcr_probe p = { .stamp = stamp, .head = kcr_head(f, key_len, words) };
	uint32_t line = kcr_line_nr();

	if (state != KCR_STATE_LEARN || !stamp)
		return KCR_COMPUTE;
	add_relaxed(&f->counts[line].learned, 1);
	if (words) {
		kcr_load_key(w, key, key_len, words);
		p.fingerprint = kcr_fingerprint(f->secrets, p.head, w, words);
	} else {
		p.fingerprint = kcr_blob_fingerprint(f, p.head, key, key_len);
	}
	kcr_ticket_fill(t, KCR_TICKET_LEARN, line, &p);
	return KCR_COMPUTE;
}

/* The long way: blobs, expiry, functions that learn or are not trusted */
static __attribute__((noinline)) enum kcr_answer
kcr_lookup_rare(struct kcr_function *f, const void *key, size_t key_len, void *result, size_t cap,
		size_t *result_len, uint64_t stamp, struct kcr_ticket_inside *t)
{
	uint32_t state = READ_ONCE(load_relaxed(&f->shared)->state);

	t->flags = 0;
	if (key_len > f->key_max)
		return KCR_COMPUTE;
	if (state != KCR_STATE_REUSE || !stamp)
		return kcr_not_reused(f, key, key_len, stamp, state, t);
	switch (kcr_class_words(f, key_len)) {
	case 2:
		return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t, 2,
					true);
	case 4:
		return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t, 4,
					true);
	case KCR_REGION_WORDS:
		return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t,
					KCR_REGION_WORDS, true);
	default:
		return kcr_lookup_blob(f, key, key_len, result, cap, result_len, t);
	}
}

static kcr_inline enum kcr_answer kcr_lookup_inline(struct kcr_function *f, const void *key,
						       size_t key_len, void *result, size_t cap,
						       size_t *result_len,
						       struct kcr_ticket_inside *t)
{
	const struct kcr_region_function *shared = load_relaxed(&f->shared);
	/* What is said of the function is no older than its stamp */
	uint64_t stamp = load_acquire(&shared->stamp);
	bool expires, reused = kcr_is_reused(shared, &expires);
	size_t n = key_len > f->result_max ? key_len : f->result_max;

	if (unlikely(!reused || expires || !stamp || key_len > f->key_max || n > 80))
		return kcr_lookup_rare(f, key, key_len, result, cap, result_len, stamp, t);
	if (n <= 16)
		return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t, 2,
					false);
	if (n <= 32)
		return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t, 4,
					false);
	return kcr_lookup_words(f, key, key_len, result, cap, result_len, stamp, t,
				KCR_REGION_WORDS, false);
}

/* kcr_lookup() - look a result up, for a call that is looked at closely */
enum kcr_answer kcr_lookup(struct kcr_function *f, const void *key, size_t key_len, void *result,
			   size_t cap, size_t *result_len, struct kcr_ticket_inside *t)
{
	return kcr_lookup_inline(f, key, key_len, result, cap, result_len, t);
}

enum kcr_answer kcr_begin(struct kcr_function *f, const void *key, size_t key_len, void *result,
			  size_t result_cap, size_t *result_len, struct kcr_ticket *ticket)
{
	struct kcr_ticket_inside *t = kcr_inside(ticket);
	struct kcr_line *line;
	int32_t pace;

	if (unlikely(!f))
		f = &kcr_nothing;
	line = &f->lines[kcr_line_nr()];
	pace = load_relaxed(&line->pace);
	if (likely(pace > 1)) {
		store_relaxed(&line->pace, pace - 1);
		return kcr_lookup_inline(f, key, key_len, result, result_cap, result_len, t);
	}
	if (likely(pace < 0)) {
		store_relaxed(&line->pace, pace + 1);
		t->flags = 0;
		return KCR_COMPUTE;
	}
	return kcr_begin_closely(f, key, key_len, result, result_cap, result_len, t);
}

enum kcr_answer kcr_peek(struct kcr_function *f, const void *key, size_t key_len,
			 struct kcr_view *view)
{
	struct kcr_found found;
	struct kcr_probe p;

	if (!f || key_len > f->key_max || !kcr_find(f, key, key_len, &p, &found))
		return KCR_COMPUTE;
	add_relaxed(&f->counts[kcr_line_nr()].hits, 1);
	view->data = found.data;
	view->len = found.len;
	view->opaque[0] = (uintptr_t)found.slot;
	view->opaque[1] = found.seq;
	return KCR_HIT;
}

int kcr_view_valid(const struct kcr_view *view)
{
	const struct kcr_region_slot *slot = (const void *)(uintptr_t)view->opaque[0];

	return kcr_still(slot, view->opaque[1]);
}
