/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for verdicts about signatures.
 *
 * See Documentation/core-api/kcr-sites.rst.
 */
#ifndef _CRYPTO_KCR_SIGVERIFY_H
#define _CRYPTO_KCR_SIGVERIFY_H

#include <crypto/public_key.h>
#include <linux/kcr.h>

DECLARE_STATIC_KEY_FALSE(kcr_sigverify_key);

/**
 * struct kcr_sigverify - a signature to be verified
 * @pkey: the key
 * @sig: the signature
 * @verify: what verifies it
 */
struct kcr_sigverify {
	const struct public_key *pkey;
	const struct public_key_signature *sig;
	int (*verify)(const struct public_key *pkey,
		      const struct public_key_signature *sig);
};

int __kcr_sigverify(const struct kcr_sigverify *request);

/* The gate of the sigverify site: the verdict as computed, or as remembered */
static __always_inline int kcr_sigverify(const struct kcr_sigverify request)
{
	if (IS_ENABLED(CONFIG_KCR_SIGVERIFY) &&
	    static_branch_unlikely(&kcr_sigverify_key))
		return __kcr_sigverify(&request);
	return request.verify(request.pkey, request.sig);
}

#endif /* _CRYPTO_KCR_SIGVERIFY_H */
