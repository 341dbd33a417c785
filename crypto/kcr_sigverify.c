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
#include <linux/export.h>
#include <linux/fips.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/string.h>

DEFINE_STATIC_KEY_FALSE(kcr_sigverify_key);
EXPORT_SYMBOL_GPL(kcr_sigverify_key);

static struct kcr_owner kcr_sigverify_owner;
static struct kcr_site kcr_sigverify_site = {
	.name = "sigverify",
	.key = &kcr_sigverify_key,
	.automatic = true,
};

struct kcr_sigverify_part {
	const void *data;
	u32 len;
};

/* With its end, so that an empty name is not the same as none */
#define KCR_NAME(name) { name, (name) ? strlen(name) + 1 : 0 }

/* Everything in one buffer: first the lengths, so that nothing can run over */
static void *kcr_sigverify_pack(const struct kcr_sigverify_part *parts,
				unsigned int n, size_t len)
{
	void *body = kmalloc(len, GFP_KERNEL | __GFP_NOWARN);
	unsigned int i;
	u32 *lens = body;
	void *to = lens + n;

	for (i = 0; body && i < n; i++) {
		lens[i] = parts[i].len;
		memcpy(to, parts[i].data, parts[i].len);
		to += parts[i].len;
	}
	return body;
}

/**
 * __kcr_sigverify() - verify a signature, or do it from memory
 * @pkey: the key
 * @sig: the signature
 * @verify: what verifies it, if need be
 *
 * Context: may sleep.
 * Return: what @verify returns.
 */
int __kcr_sigverify(const struct public_key *pkey,
		    const struct public_key_signature *sig,
		    kcr_sigverify_t verify)
{
	const struct kcr_sigverify_part parts[] = {
		{ &pkey->algo, sizeof(pkey->algo) },
		{ pkey->key, pkey->keylen }, { pkey->params, pkey->paramlen },
		{ sig->s, sig->s_size }, { sig->digest, sig->digest_size },
		KCR_NAME(pkey->pkey_algo), KCR_NAME(sig->pkey_algo),
		KCR_NAME(sig->hash_algo), KCR_NAME(sig->encoding),
	};
	struct kcr_shape shape = { .small_len = sizeof(u64) };
	struct kcr_query q;
	size_t len = sizeof(u32) * ARRAY_SIZE(parts);
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		len = size_add(len, parts[i].len);
	shape.body_len = min_t(size_t, len, U32_MAX);
	/* Smaller ones are no signatures; they would be inline */
	if (fips_enabled || pkey->key_is_private || len <= KCR_INLINE_MAX ||
	    !kcr_should_cache(&kcr_sigverify_site, shape.body_len) ||
	    kcr_query_begin(&q, &kcr_sigverify_site, &kcr_sigverify_owner, &shape) < 0)
		return verify(pkey, sig);
	q.owned_body = kcr_sigverify_pack(parts, ARRAY_SIZE(parts), len);
	if (!q.owned_body) {
		kcr_query_abandon(&q);
		return verify(pkey, sig);
	}
	q.body = q.owned_body;
	if (kcr_lookup_unified(&q)) {
		ret = -(int)q.res[0];
		kcr_query_end(&q, true);
		return ret;
	}
	kcr_compute_start(&q);
	ret = verify(pkey, sig);
	kcr_compute_stop(&q);
	if (!ret || ret == -EKEYREJECTED || ret == -EBADMSG) {
		memset(q.res, 0, sizeof(q.res));
		q.res[0] = -ret;
		kcr_store_result(&q);
	}
	kcr_query_end(&q, false);
	return ret;
}
EXPORT_SYMBOL_GPL(__kcr_sigverify);

static int __init kcr_sigverify_init(void)
{
	kcr_owner_init(&kcr_sigverify_owner);
	return kcr_site_register(&kcr_sigverify_site);
}
subsys_initcall(kcr_sigverify_init);
