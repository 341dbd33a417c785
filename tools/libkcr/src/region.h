/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: reading a region, see uapi/linux/kcr.h.
 */
#ifndef KCR_REGION_H
#define KCR_REGION_H

#include "internal.h"

#include <string.h>

/* Keys and results are compared and copied 16 bytes at a time */
#define KCR_PAIRS (KCR_REGION_WORDS / 2)
typedef uint64_t kcr_pair __attribute__((vector_size(16)));
typedef kcr_pair kcr_pair_at __attribute__((aligned(8), may_alias));

static kcr_inline uint64_t kcr_load_word(const unsigned char *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

/* 1 to 7 bytes, padded with zeroes; where two loads overlap they are the same */
static kcr_inline uint64_t kcr_load_part(const unsigned char *from, size_t len)
{
	uint64_t word = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint32_t low, high;

	if (len >= 4) {
		memcpy(&low, from, sizeof(low));
		memcpy(&high, from + len - 4, sizeof(high));
		return low | (uint64_t)high << (8 * (len - 4));
	}
	word = from[0] | (uint64_t)from[len / 2] << (8 * (len / 2)) |
	       (uint64_t)from[len - 1] << (8 * (len - 1));
#else
	memcpy(&word, from, len);
#endif
	return word;
}

/* 1 to 15 bytes, padded with zeroes */
static kcr_inline void kcr_load_rest(uint64_t *w, const unsigned char *from, size_t len)
{
	w[0] = len >= 8 ? kcr_load_word(from) : kcr_load_part(from, len);
	w[1] = len > 8 ? kcr_load_part(from + 8, len - 8) : 0;
}

static kcr_inline uint64_t kcr_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* What pairs of zeroes contribute, from @i to the end */
static inline uint64_t kcr_fold_zeroes(const uint64_t *s, unsigned int i, unsigned int pairs)
{
	uint64_t h = 0;

	for (; i < pairs; i++)
		h ^= kcr_fold(s[2 + 2 * i], s[3 + 2 * i]);
	return h;
}

/* Fingerprint of a key of up to @pairs * 16 bytes; for blobs @pairs is 0 */
static kcr_inline uint64_t kcr_fingerprint(const struct kcr_function *f, uint64_t head,
					   const unsigned char *key, size_t len,
					   unsigned int pairs)
{
	const uint64_t *s = f->secrets;
	uint64_t h = (head ^ s[0]) * s[1];
	uint64_t w[2];
	unsigned int i;

#pragma GCC unroll 5
	for (i = 0; i < pairs; i++) {
		if (likely(len >= 16 * (i + 1))) {
			w[0] = kcr_load_word(key + 16 * i);
			w[1] = kcr_load_word(key + 16 * i + 8);
		} else if (len > 16 * i) {
			kcr_load_rest(w, key + 16 * i, len - 16 * i);
		} else {
			h ^= f->zeroes[pairs / 2][i];
			break;
		}
		h ^= kcr_fold(w[0] ^ s[2 + 2 * i], w[1] ^ s[3 + 2 * i]);
	}
	return h * s[KCR_REGION_SECRETS - 1];
}

#ifdef KCR_TSAN
static kcr_inline kcr_pair kcr_read_pair(const __u64 *from)
{
	return (kcr_pair){ READ_ONCE(from[0]), READ_ONCE(from[1]) };
}
#else
/* It need not be one load: only what the sequence says of it is believed */
static kcr_inline kcr_pair kcr_read_pair(const __u64 *from)
{
	return *(const volatile kcr_pair_at *)from;
}
#endif

/*
 * The slot that may have it. NULL if the index leads astray: a branch finds that out
 * while the slot is on its way.
 */
static kcr_inline const struct kcr_region_slot *kcr_slot(const struct kcr_function *f,
							 uint64_t fingerprint)
{
	size_t nr = READ_ONCE(f->index[fingerprint >> 32 & f->index_mask]);

	return likely(nr < f->nr_slots) ? &f->slots[nr] : NULL;
}

static kcr_inline bool kcr_expired(const struct kcr_function *f,
				      const struct kcr_region_slot *slot)
{
	const struct kcr_region_header *header = (const void *)f->region;
	uint32_t expiry = READ_ONCE(load_relaxed(&f->shared)->expiry_ms);

	return expiry && (uint32_t)READ_ONCE(header->clock) - READ_ONCE(slot->born) > expiry;
}

/*
 * Whether a slot is another's. What is behind the key need not be looked at: in
 * entries with this head, which says how long it is, it is zero.
 */
static kcr_inline uint64_t kcr_differs(const struct kcr_region_slot *slot,
				       const struct kcr_probe *p, const unsigned char *key,
				       size_t len, unsigned int pairs)
{
	const __u64 *data = &slot->data[2 * pairs];
	uint64_t diff = READ_ONCE(slot->stamp) ^ p->stamp;
	kcr_pair pair, bits = { 0 };
	uint64_t w[2];
	unsigned int i;

	diff |= READ_ONCE(slot->head) ^ p->head;
#pragma GCC unroll 5
	for (i = 0; i < pairs; i++) {
		if (likely(len >= 16 * (i + 1))) {
			memcpy(&pair, key + 16 * i, sizeof(pair));
		} else if (len > 16 * i) {
			kcr_load_rest(w, key + 16 * i, len - 16 * i);
			pair = (kcr_pair){ w[0], w[1] };
		} else {
			break;
		}
		bits |= kcr_read_pair(&data[2 * i]) ^ pair;
	}
	return diff | bits[0] | bits[1];
}

/* Whether it is reused and does not expire: both halves of a word at once */
static kcr_inline bool kcr_is_reused(const struct kcr_region_function *shared)
{
	static const struct kcr_region_function reused = { .state = KCR_STATE_REUSE };
	typedef uint64_t __attribute__((may_alias)) word;

	return READ_ONCE(*(const word *)&shared->state) == *(const word *)&reused.state;
}

/* Pairs of words that the class of a key of @key_len bytes has; 0 for blobs */
static kcr_inline unsigned int kcr_class_pairs(const struct kcr_function *f, size_t key_len)
{
	size_t n = key_len > f->result_max ? key_len : f->result_max;

	return n <= 16 ? 1 : n <= 32 ? 2 : n <= 80 ? KCR_PAIRS : 0;
}

static kcr_inline uint64_t kcr_head(const struct kcr_function *f, size_t key_len,
				    unsigned int pairs)
{
	enum kcr_region_class class = pairs == 1 ? KCR_REGION_16 :
				      pairs == 2 ? KCR_REGION_32 :
				      pairs ? KCR_REGION_80 : KCR_REGION_BLOB;

	return f->head | (uint64_t)key_len << 32 | class;
}

/* A result where it lies, good as long as the slot's sequence stays @seq */
struct kcr_found {
	const struct kcr_region_slot *slot;
	uint64_t seq;
	const unsigned char *data;
	uint32_t len;
};

void kcr_probe(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p);
bool kcr_find(const struct kcr_function *f, const void *key, size_t key_len, struct kcr_probe *p,
	      struct kcr_found *found);
bool kcr_bytes_equal(const unsigned char *region, const void *other, size_t len);
void kcr_bytes_copy(void *to, const unsigned char *region, size_t len);

static kcr_inline bool kcr_still(const struct kcr_region_slot *slot, uint64_t seq)
{
	smp_rmb();					/* (R) */
	return READ_ONCE(slot->seq) == seq;
}

#endif /* KCR_REGION_H */
