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

struct kcr_sigverify_args {
	const struct public_key *pkey;
	const struct public_key_signature *sig;
	kcr_sigverify_t verify;
};

static int kcr_sigverify_compute(const void *arg)
{
	const struct kcr_sigverify_args *args = arg;

	return args->verify(args->pkey, args->sig);
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
 * kcr_sigverify() - verify a signature, or do it from memory
 * @pkey: the key
 * @sig: the signature
 * @verify: what verifies it, if need be
 *
 * Context: may sleep.
 * Return: what @verify returns.
 */
int kcr_sigverify(const struct public_key *pkey,
		  const struct public_key_signature *sig, kcr_sigverify_t verify)
{
	const struct kcr_sigverify_args args = { pkey, sig, verify };
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
		.arg = &args,
		.keep = kcr_sigverify_is_verdict,
	};

	if (fips_enabled || pkey->key_is_private)
		return verify(pkey, sig);
	return kcr_call(&kcr_sigverify_site, &kcr_sigverify_owner, &call);
}
