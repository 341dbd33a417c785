/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: fingerprints of short keys, for inlining.
 */
#ifndef _KCR_FINGERPRINT_H
#define _KCR_FINGERPRINT_H

#include <kunit/static_stub.h>
#include <linux/kcr.h>
#include <linux/xxhash.h>

#include "encrypt.h"
#include "kcr_private.h"

/* Two for owner and head, one for each key word, one for the end */
#define KCR_SECRETS (KCR_INLINE_WORDS + 3)

extern u64 kcr_secret[KCR_SECRETS];

#ifdef CONFIG_KCR_FINGERPRINT_FOLDED
static __always_inline u64 kcr_fold(u64 a, u64 b)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	u64 high;

	/* For a 128-bit variable the compiler would align the stack */
	asm("mulq %[b]" : "+a" (a), "=d" (high) : [b] "rm" (b) : "cc");
	return a ^ high;
#else
	u128 product = (u128)a * b;

	return (u64)product ^ (u64)(product >> 64);
#endif
}

/*
 * The multiply-fold of wyhash (https://github.com/wangyi-fudan/wyhash), each
 * pair of words with secrets of its own and summed by XOR, so that the
 * multiplications do not wait for each other. The low bits of a product of
 * similar words are as good as the secrets' low bits are, which may be bad: the
 * last multiplication brings them up, and tiers take their index from the upper
 * half. The multipliers are odd, so that nothing is lost.
 */
static __always_inline u64 kcr_fp_words(u64 a, u64 b, const u64 *w,
					unsigned int words)
{
	u64 h = a ^ (b ^ kcr_secret[0]) * kcr_secret[1];
	unsigned int i;

#pragma GCC unroll 5
	for (i = 0; i < words; i += 2) {
		/* One after the other: all products at once need too many registers */
		OPTIMIZER_HIDE_VAR(h);
		h ^= kcr_fold(w[i] ^ kcr_secret[2 + i],
			      w[i + 1] ^ kcr_secret[3 + i]);
	}
	return h * kcr_secret[KCR_SECRETS - 1];
}
#else
static __always_inline u64 kcr_fp_words(u64 a, u64 b, const u64 *w,
					unsigned int words)
{
	u64 seed = (a ^ kcr_secret[0]) * (kcr_secret[1] | 1);

	return xxh64(w, words * 8, (seed ^ b) * (kcr_secret[2] | 1));
}
#endif

/*
 * The owner's address is mixed in rather than its stamp, so that what became
 * stale is found, and overwritten, by the request that replaces it.
 */
static __always_inline u64 kcr_fingerprint_inline(const struct kcr_query *q,
						  unsigned int words)
{
	KUNIT_STATIC_STUB_REDIRECT(kcr_fingerprint, q);

	return kcr_fp_words((unsigned long)q->owner ^ kcr_query_tag(q), q->head,
			    q->key, words);
}

#endif /* _KCR_FINGERPRINT_H */
