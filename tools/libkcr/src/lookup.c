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

/* The first 1 to 7 bytes of a word, without having it in memory */
static kcr_inline void kcr_put_part(unsigned char *to, uint64_t word, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	memcpy(to, &word, len);
#else
	if (len & 4) {
		memcpy(to, &word, 4);
		to += 4;
		word >>= 32;
	}
	if (len & 2) {
		memcpy(to, &word, 2);
		to += 2;
		word >>= 16;
	}
	if (len & 1)
		*to = (unsigned char)word;
#endif
}

/*
 * @len bytes of words, and not one more: what is behind may be another's. A word at
 * a time: what is stored in larger pieces is a good deal later there for who loads it.
 */
static kcr_inline void kcr_put_result(unsigned char *to, const __u64 *res, size_t len,
				      unsigned int words)
{
	unsigned int i;

#pragma GCC unroll 10
	for (i = 0; i < words; i++) {
		uint64_t word;

		if (likely(len >= 8 * (i + 1))) {
			word = READ_ONCE(res[i]);
			memcpy(to + 8 * i, &word, 8);
		} else {
			if (len > 8 * i)
				kcr_put_part(to + 8 * i, READ_ONCE(res[i]), len - 8 * i);
			break;
		}
	}
}

/* To be computed, and perhaps remembered: what kcr_end() needs to know */
static enum kcr_answer kcr_to_compute(struct kcr_function *f, const void *key, size_t key_len,
				      uint32_t flags, struct kcr_ticket_inside *t)
{
	struct kcr_probe p;

	t->flags = 0;
	p.stamp = load_acquire(&load_relaxed(&f->shared)->stamp);
	if (!p.stamp)
		return KCR_COMPUTE;
	kcr_probe(f, key, key_len, &p);
	t->flags = flags;
	t->line = kcr_line_nr();
	t->stamp = p.stamp;
	t->fingerprint = p.fingerprint;
	return KCR_COMPUTE;
}

/* The key is looked at once more: that hits do not have to hold on to anything */
static __attribute__((noinline)) enum kcr_answer
kcr_missed(struct kcr_function *f, const void *key, size_t key_len, struct kcr_ticket_inside *t)
{
	add_relaxed(&kcr_these_counts(f)->misses, 1);
	kcr_profit_hurry(f);
	return kcr_to_compute(f, key, key_len, KCR_TICKET_MISS, t);
}

/* Compare, copy, and only then decide: one branch, well predicted */
static kcr_inline enum kcr_answer kcr_lookup_pairs(struct kcr_function *f, const void *key,
						   size_t key_len, void *result, size_t cap,
						   size_t *result_len, uint64_t stamp,
						   struct kcr_ticket_inside *t,
						   unsigned int pairs, bool expires)
{
	const struct kcr_region_slot *slot;
	struct kcr_probe p;
	uint64_t seq, diff;
	size_t len;

	p.stamp = stamp;
	p.head = kcr_head(f, key_len, pairs);
	p.fingerprint = kcr_fingerprint(f, p.head, key, key_len, pairs);
	slot = kcr_slot(f, p.fingerprint);
	if (unlikely(!slot))
		return kcr_missed(f, key, key_len, t);
	/* An odd one will not be found again: it only grows */
	seq = load_acquire(&slot->seq) & ~1ULL;		/* (R) */
	diff = kcr_differs(slot, &p, key, key_len, pairs);
	if (expires)
		diff |= kcr_expired(f, slot);
	if (unlikely(diff))
		return kcr_missed(f, key, key_len, t);
	len = READ_ONCE(slot->result_len);
	if (unlikely(len > cap || len > 16 * pairs)) {
		t->flags = 0;
		return KCR_COMPUTE;
	}
	kcr_put_result(result, slot->data, len, 2 * pairs);
	if (unlikely(!kcr_still(slot, seq)))
		return kcr_missed(f, key, key_len, t);
	add_relaxed(&kcr_these_counts(f)->hits, 1);
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
		return kcr_missed(f, key, key_len, t);
	if (found.len > cap)
		return KCR_COMPUTE;
	kcr_bytes_copy(result, found.data, found.len);
	if (!kcr_still(found.slot, found.seq))
		return kcr_missed(f, key, key_len, t);
	add_relaxed(&kcr_these_counts(f)->hits, 1);
	*result_len = found.len;
	return KCR_HIT;
}

/* The long way: blobs, expiry, functions that learn or are not trusted */
static __attribute__((noinline)) enum kcr_answer
kcr_lookup_rare(struct kcr_function *f, const void *key, size_t key_len, void *result, size_t cap,
		size_t *result_len, struct kcr_ticket_inside *t)
{
	const struct kcr_region_function *shared = load_relaxed(&f->shared);
	uint64_t stamp = load_acquire(&shared->stamp);
	uint32_t state = READ_ONCE(shared->state);

	t->flags = 0;
	if (key_len > f->key_max || !stamp)
		return KCR_COMPUTE;
	if (state == KCR_STATE_LEARN) {
		add_relaxed(&kcr_these_counts(f)->learned, 1);
		return kcr_to_compute(f, key, key_len, KCR_TICKET_LEARN, t);
	}
	if (state != KCR_STATE_REUSE)
		return KCR_COMPUTE;
	switch (kcr_class_pairs(f, key_len)) {
	case 1:
		return kcr_lookup_pairs(f, key, key_len, result, cap, result_len, stamp, t, 1,
					true);
	case 2:
		return kcr_lookup_pairs(f, key, key_len, result, cap, result_len, stamp, t, 2,
					true);
	case KCR_PAIRS:
		return kcr_lookup_pairs(f, key, key_len, result, cap, result_len, stamp, t,
					KCR_PAIRS, true);
	default:
		return kcr_lookup_blob(f, key, key_len, result, cap, result_len, t);
	}
}

/* Functions of their own, so that none saves registers that only others need */
#define KCR_LOOKUP(name, pairs)								\
static __attribute__((noinline)) enum kcr_answer					\
name(struct kcr_function *f, const void *key, size_t key_len, void *result, size_t cap,	\
     size_t *result_len, struct kcr_ticket_inside *t)					\
{											\
	const struct kcr_region_function *shared = load_relaxed(&f->shared);		\
	/* What is said of the function is no older than its stamp */			\
	uint64_t stamp = load_acquire(&shared->stamp);					\
											\
	if (unlikely(!stamp || !kcr_is_reused(shared)))					\
		return kcr_lookup_rare(f, key, key_len, result, cap, result_len, t);	\
	return kcr_lookup_pairs(f, key, key_len, result, cap, result_len, stamp, t,	\
				pairs, false);						\
}

KCR_LOOKUP(kcr_lookup_16, 1)
KCR_LOOKUP(kcr_lookup_32, 2)
KCR_LOOKUP(kcr_lookup_80, KCR_PAIRS)

/* kcr_lookup() - look a result up */
enum kcr_answer kcr_lookup(struct kcr_function *f, const void *key, size_t key_len, void *result,
			   size_t cap, size_t *result_len, struct kcr_ticket_inside *t)
{
	if (key_len < f->below_16)
		return kcr_lookup_16(f, key, key_len, result, cap, result_len, t);
	if (key_len < f->below_32)
		return kcr_lookup_32(f, key, key_len, result, cap, result_len, t);
	if (key_len < f->below_80)
		return kcr_lookup_80(f, key, key_len, result, cap, result_len, t);
	return kcr_lookup_rare(f, key, key_len, result, cap, result_len, t);
}

enum kcr_answer kcr_begin(struct kcr_function *f, const void *key, size_t key_len, void *result,
			  size_t result_cap, size_t *result_len, struct kcr_ticket *ticket)
{
	struct kcr_ticket_inside *t = kcr_inside(ticket);
	struct kcr_line *line;
	int32_t pace;

	if (unlikely(!f))
		f = &kcr_nothing;
	line = kcr_this_line(f);
	pace = load_relaxed(&line->pace);
	if (likely(pace > 1)) {
		store_relaxed(&line->pace, pace - 1);
		if (likely(key_len < f->below_16))
			return kcr_lookup_16(f, key, key_len, result, result_cap, result_len, t);
		return kcr_lookup(f, key, key_len, result, result_cap, result_len, t);
	}
	if (likely(pace < 0)) {
		store_relaxed(&line->pace, pace + 1);
		t->flags = 0;
		return KCR_COMPUTE;
	}
	return kcr_begin_closely(f, key, key_len, result, result_cap, result_len, t);
}
