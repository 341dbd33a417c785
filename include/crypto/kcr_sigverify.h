/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for verdicts about signatures.
 *
 * See Documentation/core-api/kcr.rst.
 */
#ifndef _CRYPTO_KCR_SIGVERIFY_H
#define _CRYPTO_KCR_SIGVERIFY_H

#include <crypto/public_key.h>
#include <linux/kcr.h>

typedef int (*kcr_sigverify_t)(const struct public_key *pkey,
			       const struct public_key_signature *sig);

#ifdef CONFIG_KCR_SIGVERIFY

DECLARE_STATIC_KEY_FALSE(kcr_sigverify_key);

int __kcr_sigverify(const struct public_key *pkey,
		    const struct public_key_signature *sig,
		    kcr_sigverify_t verify);

/* The gate of the sigverify site: verify(pkey, sig), or its remembered verdict */
static __always_inline int kcr_sigverify(const struct public_key *pkey,
					 const struct public_key_signature *sig,
					 kcr_sigverify_t verify)
{
	if (static_branch_unlikely(&kcr_sigverify_key))
		return __kcr_sigverify(pkey, sig, verify);
	return verify(pkey, sig);
}

#else /* !CONFIG_KCR_SIGVERIFY */

static __always_inline int kcr_sigverify(const struct public_key *pkey,
					 const struct public_key_signature *sig,
					 kcr_sigverify_t verify)
{
	return verify(pkey, sig);
}

#endif /* CONFIG_KCR_SIGVERIFY */

#endif /* _CRYPTO_KCR_SIGVERIFY_H */
