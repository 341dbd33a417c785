// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the hash site, digests of whole messages.
 *
 * key:    the whole message
 * result: the digest
 * owner:  the transform, renewed at setkey if it is keyed
 *
 * The message may be in pages that user space is changing: a hit is the
 * answer for the message as it was read, once; a miss computes from a copy.
 */
#include <crypto/internal/hash.h>
#include <crypto/kcr.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kcr_sg.h"

DEFINE_STATIC_KEY_FALSE(kcr_hash_key);

struct kcr_site kcr_hash_site = {
	.name = "hash",
	.key = &kcr_hash_key,
	.secret = true,
};

static __always_inline int kcr_hash_begin(struct kcr_query *q,
					  struct kcr_owner *owner,
					  unsigned int digestsize,
					  unsigned int len)
{
	struct kcr_shape shape = {
		.small_len = digestsize,
		.body_len = len,
	};

	return kcr_query_begin(q, &kcr_hash_site, owner, &shape);
}

/*
 * What will be remembered is computed from a copy of the message, which out of
 * line is not there yet. False if there is no memory, or no need.
 */
static bool kcr_hash_snapshot(struct kcr_query *q, gfp_t gfp)
{
	if (!kcr_wants_result(q))
		return false;
	if (q->size_class != KCR_CLASS_BLOB || q->owned_body)
		return true;
	q->owned_body = kmalloc(kcr_body_len(q), gfp | __GFP_NOWARN);
	if (!q->owned_body) {
		kcr_site_count(q->site, KCR_STORES_DROPPED, 1);
		return false;
	}
	memcpy(q->owned_body, q->body, kcr_body_len(q));
	return true;
}

/* A miss: compute from the copy; only a return of 0 is remembered */
static noinline int kcr_hash_compute(struct kcr_query *q,
				     struct shash_desc *desc, u8 *out)
{
	const void *copy = q->size_class == KCR_CLASS_BLOB ? q->owned_body : q->key;
	unsigned int i;
	int err;

	for (i = 0; i < KCR_INLINE_WORDS; i++)
		q->res[i] = 0;
	kcr_compute_start(q);
	err = crypto_shash_alg(desc->tfm)->digest(desc, copy, kcr_body_len(q),
						  (u8 *)q->res);
	kcr_compute_stop(q);
	if (!err) {
		kcr_copy(out, q->res, crypto_shash_digestsize(desc->tfm));
		kcr_store_result(q);
	}
	kcr_query_end(q, false);
	return err;
}

static __always_inline bool kcr_hash_lookup(struct kcr_query *q, u8 *out,
					    unsigned int digestsize)
{
	if (!kcr_lookup_unified(q))
		return false;
	kcr_copy(out, q->res, digestsize);
	kcr_query_end(q, true);
	return true;
}

/**
 * kcr_shash_digest() - digest a message, or do it from memory
 * @desc: the descriptor, of a transform that has an owner and its key; its
 *	state is undefined afterwards, as after any digest
 * @data: the message
 * @len: its length in bytes
 * @out: the digest
 *
 * Context: as for crypto_shash_digest().
 * Return: as crypto_shash_digest() does.
 */
int kcr_shash_digest(struct shash_desc *desc, const u8 *data, unsigned int len,
		     u8 *out)
{
	struct crypto_shash *tfm = desc->tfm;
	struct kcr_query q __uninitialized;
	unsigned int ds = crypto_shash_digestsize(tfm);
	int size_class, err;

	size_class = kcr_hash_begin(&q, tfm->base.kcr, ds, len);
	if (size_class < 0)
		return crypto_shash_alg(tfm)->digest(desc, data, len, out);
	if (size_class == KCR_CLASS_BLOB)
		q.body = data;
	else
		kcr_copy(q.key, data, len);
	if (kcr_hash_lookup(&q, out, ds))
		return 0;
	if (kcr_hash_snapshot(&q, GFP_ATOMIC))
		return kcr_hash_compute(&q, desc, out);
	kcr_compute_start(&q);
	err = crypto_shash_alg(tfm)->digest(desc, data, len, out);
	kcr_compute_stop(&q);
	kcr_query_end(&q, false);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_shash_digest);

/* Fill in the key from the request's scatterlist */
static bool kcr_ahash_map(struct ahash_request *req, struct kcr_query *q,
			  gfp_t gfp)
{
	unsigned int len = req->nbytes;

	if (!len)
		return true;
	if (q->size_class != KCR_CLASS_BLOB)
		return kcr_sg_gather(q->key, req->src, len);
	q->body = kcr_sg_linear(req->src, len);
	if (q->body)
		return true;
	q->owned_body = kmalloc(len, gfp | __GFP_NOWARN);
	q->body = q->owned_body;
	return q->owned_body && kcr_sg_gather(q->owned_body, req->src, len);
}

/**
 * kcr_ahash_digest() - digest a message, or do it from memory
 * @req: the request, of a transform that has an owner and uses an shash
 *
 * Context: as for crypto_ahash_digest().
 * Return: as crypto_ahash_digest() does.
 */
int kcr_ahash_digest(struct ahash_request *req)
{
	gfp_t gfp = ahash_request_flags(req) & CRYPTO_TFM_REQ_MAY_SLEEP ?
		    GFP_KERNEL : GFP_ATOMIC;
	struct crypto_ahash *tfm = crypto_ahash_reqtfm(req);
	struct crypto_shash **shash = crypto_ahash_ctx(tfm);
	struct shash_desc *desc = ahash_request_ctx(req);
	unsigned int ds = crypto_ahash_digestsize(tfm);
	struct kcr_query q __uninitialized;
	int err;

	desc->tfm = *shash;
	if (crypto_shash_get_flags(*shash) & CRYPTO_TFM_NEED_KEY)
		return -ENOKEY;
	if (kcr_hash_begin(&q, tfm->base.kcr, ds, req->nbytes) < 0)
		return shash_ahash_digest(req, desc);
	if (!kcr_ahash_map(req, &q, gfp)) {
		kcr_query_abandon(&q);
		return shash_ahash_digest(req, desc);
	}
	if (kcr_hash_lookup(&q, req->result, ds))
		return 0;
	if (kcr_hash_snapshot(&q, gfp))
		return kcr_hash_compute(&q, desc, req->result);
	kcr_compute_start(&q);
	err = shash_ahash_digest(req, desc);
	kcr_compute_stop(&q);
	kcr_query_end(&q, false);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_ahash_digest);

/**
 * crypto_shash_set_reuse() - opt a hash in to reuse, or out of it
 * @tfm: the transform
 * @on: whether to reuse
 *
 * With reuse, whoever can time digests on @tfm can tell whether the same
 * message was digested before, and messages stay in kernel memory until they
 * are displaced, @tfm gets another key or is freed. An unkeyed transform's
 * clones are the same transform.
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP if KCR is disabled or the system is in FIPS mode;
 * -ENOMEM.
 */
int crypto_shash_set_reuse(struct crypto_shash *tfm, bool on)
{
	return kcr_tfm_set_reuse(crypto_shash_tfm(tfm), &kcr_hash_site, on);
}
EXPORT_SYMBOL_GPL(crypto_shash_set_reuse);

/**
 * crypto_ahash_set_reuse() - opt a hash in to reuse, or out of it
 * @tfm: the transform
 * @on: whether to reuse
 *
 * See crypto_shash_set_reuse().
 *
 * Context: may sleep.
 * Return: as crypto_shash_set_reuse(), and -EOPNOTSUPP if @tfm is really
 * asynchronous, not an shash underneath.
 */
int crypto_ahash_set_reuse(struct crypto_ahash *tfm, bool on)
{
	if (!tfm->using_shash)
		return -EOPNOTSUPP;
	return kcr_tfm_set_reuse(crypto_ahash_tfm(tfm), &kcr_hash_site, on);
}
EXPORT_SYMBOL_GPL(crypto_ahash_set_reuse);

/**
 * kcr_af_alg_hash() - ALG_SET_REUSE for AF_ALG sockets of type hash
 * @private: the socket's transform
 * @on: whether to reuse
 *
 * Context: may sleep.
 * Return: as crypto_ahash_set_reuse().
 */
int kcr_af_alg_hash(void *private, bool on)
{
	return crypto_ahash_set_reuse(private, on);
}
EXPORT_SYMBOL_GPL(kcr_af_alg_hash);

static int __init kcr_hash_init(void)
{
	return kcr_site_register(&kcr_hash_site);
}

static void __exit kcr_hash_exit(void)
{
	kcr_site_unregister(&kcr_hash_site);
}

subsys_initcall(kcr_hash_init);
module_exit(kcr_hash_exit);
