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

/* RSA-4096 takes 1150 bytes; what is larger is passed through */
#define KCR_SIGVERIFY_STACK 1280

struct kcr_sigverify_part {
	const void *data;
	u32 len;
};

/* With its end, so that an empty name is not the same as none */
#define KCR_NAME(name) { name, (name) ? strlen(name) + 1 : 0 }

/* Everything in one buffer: first the lengths, so that nothing can run over */
static void kcr_sigverify_pack(u32 *body, const struct kcr_sigverify_part *parts,
			       unsigned int n)
{
	void *to = body + n;
	unsigned int i;

	for (i = 0; i < n; i++) {
		body[i] = parts[i].len;
		memcpy(to, parts[i].data, parts[i].len);
		to += parts[i].len;
	}
}

/* A hit needs no memory; and what it has on the stack is gone on a miss */
static noinline bool kcr_sigverify_lookup(struct kcr_query *q,
					  const struct kcr_sigverify_part *parts,
					  unsigned int n)
{
	u32 body[KCR_SIGVERIFY_STACK / sizeof(u32)];

	kcr_sigverify_pack(body, parts, n);
	q->body = body;
	return kcr_lookup_unified(q);
}

static int kcr_sigverify_miss(struct kcr_query *q,
			      const struct kcr_sigverify_part *parts,
			      unsigned int n, const struct public_key *pkey,
			      const struct public_key_signature *sig,
			      kcr_sigverify_t verify)
{
	int ret;

	kcr_compute_start(q);
	ret = verify(pkey, sig);
	kcr_compute_stop(q);
	if (kcr_wants_result(q) && (!ret || ret == -EKEYREJECTED || ret == -EBADMSG)) {
		memset(q->res, 0, sizeof(q->res));
		q->res[0] = -ret;
		q->owned_body = kmalloc(kcr_body_len(q), GFP_KERNEL | __GFP_NOWARN);
		q->body = q->owned_body;
		if (q->body) {
			kcr_sigverify_pack(q->owned_body, parts, n);
			kcr_store_result(q);
		}
	}
	kcr_query_end(q, false);
	return ret;
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
	struct kcr_query q __uninitialized;
	u64 len = sizeof(u32) * ARRAY_SIZE(parts);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		len += parts[i].len;
	/* Smaller ones would be inline, and are no signatures */
	if (fips_enabled || pkey->key_is_private || len <= KCR_INLINE_MAX ||
	    len > KCR_SIGVERIFY_STACK || !kcr_should_cache(&kcr_sigverify_site, len))
		return verify(pkey, sig);
	shape.body_len = len;
	if (kcr_query_begin(&q, &kcr_sigverify_site, &kcr_sigverify_owner, &shape) < 0)
		return verify(pkey, sig);
	if (!kcr_sigverify_lookup(&q, parts, ARRAY_SIZE(parts)))
		return kcr_sigverify_miss(&q, parts, ARRAY_SIZE(parts), pkey, sig, verify);
	i = q.res[0];
	kcr_query_end(&q, true);
	return -(int)i;
}
EXPORT_SYMBOL_GPL(__kcr_sigverify);

static int __init kcr_sigverify_init(void)
{
	kcr_owner_init(&kcr_sigverify_owner);
	return kcr_site_register(&kcr_sigverify_site);
}
subsys_initcall(kcr_sigverify_init);
