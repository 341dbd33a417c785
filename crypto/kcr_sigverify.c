// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the sigverify site, verdicts about signatures.
 *
 * key:    everything that verification looks at: the public key with its
 *	   algorithm and parameters, the signature, the digest, and the names of
 *	   algorithm, hash and encoding
 * result: 0, -EKEYREJECTED or -EBADMSG; any other error is no verdict
 * owner:  one for the system; nothing ever invalidates a verdict
 *
 * Whether the key is to be trusted, or was revoked, is for the caller to ask,
 * each time, before or after. All of this is public data; private keys are
 * passed through.
 */
#include <crypto/kcr_sigverify.h>
#include <linux/errno.h>
#include <linux/fips.h>
#include <linux/string.h>

KCR_GLOBAL_SITE(sigverify);

static int kcr_sigverify_compute(const void *arg)
{
	const struct kcr_sigverify *request = arg;

	return request->verify(request->pkey, request->sig);
}

static bool kcr_sigverify_is_verdict(int ret)
{
	return !ret || ret == -EKEYREJECTED || ret == -EBADMSG;
}

/* With its end, so that an empty name is not the same as none */
static struct kcr_part kcr_name(const char *name)
{
	return (struct kcr_part){ name, name ? strlen(name) + 1 : 0 };
}

/**
 * __kcr_sigverify() - verify a signature, or do it from memory
 * @request: the key, the signature, and what verifies it, if need be
 *
 * Context: may sleep.
 * Return: what verifying returns.
 */
int __kcr_sigverify(const struct kcr_sigverify *request)
{
	const struct public_key_signature *sig = request->sig;
	const struct public_key *pkey = request->pkey;
	const struct kcr_part parts[] = {
		{ &pkey->algo, sizeof(pkey->algo) },
		{ pkey->key, pkey->keylen }, { pkey->params, pkey->paramlen },
		{ sig->s, sig->s_size }, { sig->digest, sig->digest_size },
		kcr_name(pkey->pkey_algo), kcr_name(sig->pkey_algo),
		kcr_name(sig->hash_algo), kcr_name(sig->encoding),
	};
	const struct kcr_call call = {
		.parts = parts,
		.nr_parts = ARRAY_SIZE(parts),
		.compute = kcr_sigverify_compute,
		.arg = request,
		.keep = kcr_sigverify_is_verdict,
	};

	if (fips_enabled || pkey->key_is_private)
		return kcr_sigverify_compute(request);
	return kcr_call(&kcr_sigverify_site, &kcr_sigverify_owner, &call);
}
