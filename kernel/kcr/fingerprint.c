// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: fingerprints.
 *
 * A fingerprint only picks where to look. Keys are always compared in full,
 * so a collision costs a miss and never a wrong result; the secrets make it
 * hard to aim collisions at somebody else's entries.
 */
#include <linux/cache.h>
#include <linux/export.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#include "fingerprint.h"
#include "kcr_private.h"

u64 kcr_secret[KCR_SECRETS] __ro_after_init;

/* kcr_fingerprint_init() - draw this boot's secrets */
void __init kcr_fingerprint_init(void)
{
	get_random_bytes(kcr_secret, sizeof(kcr_secret));
	kcr_secret[1] |= 1;
	kcr_secret[KCR_SECRETS - 1] |= 1;
}

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
	u64 h = kcr_fp_words((unsigned long)q->owner ^ kcr_query_tag(q), q->head,
			     q->key, KCR_SIDE_MAX / 8);

	return kcr_compute_fingerprint(q->body, kcr_body_len(q), h);
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
	switch (q->size_class) {
	case KCR_CLASS_16:
		return kcr_fingerprint_inline(q, 2);
	case KCR_CLASS_32:
		return kcr_fingerprint_inline(q, 4);
	case KCR_CLASS_64:
		return kcr_fingerprint_inline(q, KCR_INLINE_WORDS);
	default:
		KUNIT_STATIC_STUB_REDIRECT(kcr_fingerprint, q);
		return kcr_crypto_fingerprint(q);
	}
}
