// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: fingerprints.
 *
 * A fingerprint only picks where to look. Keys are always compared in full,
 * so a collision costs a miss and never a wrong result; the secrets make it
 * hard to aim collisions at somebody else's entries.
 */
#include <kunit/static_stub.h>
#include <linux/cache.h>
#include <linux/export.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "kcr_private.h"

/* Two words for owner and head, two for the end, one for each key word */
#define KCR_SECRETS (KCR_INLINE_WORDS + 4)

static u64 kcr_secret[KCR_SECRETS] __ro_after_init;

/* kcr_fingerprint_init() - draw this boot's secrets */
void __init kcr_fingerprint_init(void)
{
	get_random_bytes(kcr_secret, sizeof(kcr_secret));
}

#ifdef CONFIG_KCR_FINGERPRINT_FOLDED
static __always_inline u64 kcr_fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/*
 * The multiply-fold of wyhash (https://github.com/wangyi-fudan/wyhash), each
 * pair of words with secrets of its own and summed by XOR, so that the
 * multiplications do not wait for each other.
 */
static __always_inline u64 kcr_fp_words(u64 a, u64 b, const u64 *w,
					unsigned int words)
{
	u64 h = kcr_fold(a ^ kcr_secret[0], b ^ kcr_secret[1]);
	unsigned int i;

#pragma GCC unroll 5
	for (i = 0; i < words; i += 2)
		h ^= kcr_fold(w[i] ^ kcr_secret[4 + i],
			      w[i + 1] ^ kcr_secret[5 + i]);
	return kcr_fold(h ^ kcr_secret[2], kcr_secret[3] | 1);
}
#else
static __always_inline u64 kcr_fp_words(u64 a, u64 b, const u64 *w,
					unsigned int words)
{
	u64 seed = (a ^ kcr_secret[0]) * (kcr_secret[1] | 1);

	return xxh64(w, words * 8, (seed ^ b) * (kcr_secret[2] | 1));
}
#endif

/**
 * kcr_compute_fingerprint() - keyed hash of some bytes
 * @data: the bytes
 * @len: how many
 * @seed: another input
 *
 * xxHash64 (https://github.com/Cyan4973/xxHash), keyed with this boot's
 * secrets.
 *
 * Context: any.
 * Return: the fingerprint.
 */
u64 kcr_compute_fingerprint(const void *data, size_t len, u64 seed)
{
	return xxh64(data, len, (seed ^ kcr_secret[0]) * (kcr_secret[1] | 1));
}
EXPORT_SYMBOL_GPL(kcr_compute_fingerprint);

/**
 * kcr_crypto_fingerprint() - fingerprint of a key with a body out of line
 * @q: the query, with side and body filled in
 *
 * Context: any.
 * Return: the fingerprint.
 */
u64 kcr_crypto_fingerprint(const struct kcr_query *q)
{
	u64 h = kcr_fp_words((unsigned long)q->owner, q->head, q->key,
			     KCR_SIDE_MAX / 8);

	return kcr_compute_fingerprint(q->body, q->body_len, h);
}
EXPORT_SYMBOL_GPL(kcr_crypto_fingerprint);

/**
 * kcr_fingerprint() - fingerprint of a query's key
 * @q: the query, with its key filled in
 *
 * The owner's address is mixed in rather than its stamp, so that what became
 * stale is found, and overwritten, by the request that replaces it.
 *
 * Context: any.
 * Return: the fingerprint.
 */
u64 kcr_fingerprint(const struct kcr_query *q)
{
	u64 owner = (unsigned long)q->owner;

	KUNIT_STATIC_STUB_REDIRECT(kcr_fingerprint, q);

	switch (q->class) {
	case KCR_CLASS_16:
		return kcr_fp_words(owner, q->head, q->key, 2);
	case KCR_CLASS_32:
		return kcr_fp_words(owner, q->head, q->key, 4);
	case KCR_CLASS_64:
		return kcr_fp_words(owner, q->head, q->key, KCR_INLINE_WORDS);
	default:
		return kcr_crypto_fingerprint(q);
	}
}
