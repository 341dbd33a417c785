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

typedef int (*kcr_sigverify_t)(const struct public_key *pkey,
			       const struct public_key_signature *sig);

int kcr_sigverify(const struct public_key *pkey,
		  const struct public_key_signature *sig, kcr_sigverify_t verify);

/* The gate of the sigverify site */
static __always_inline bool kcr_sigverify_reusing(void)
{
	return IS_ENABLED(CONFIG_KCR_SIGVERIFY) &&
	       static_branch_unlikely(&kcr_sigverify_key);
}

#endif /* _CRYPTO_KCR_SIGVERIFY_H */
