// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the skcipher site.
 *
 * key:    direction, length, IV and the whole source
 * result: the destination and the IV written back
 * owner:  the transform, renewed at setkey
 *
 * Source and destination may be pages that user space is changing. A hit is
 * the answer for the source as it was read, once. A miss computes from a copy
 * of the source into kernel memory, and both are what is remembered; the
 * destination is filled in after that.
 */
#include <crypto/internal/skcipher.h>
#include <crypto/kcr.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kcr_sg.h"

DEFINE_STATIC_KEY_FALSE(kcr_skcipher_key);

struct kcr_site kcr_skcipher_site = {
	.name = "skcipher",
	.key = &kcr_skcipher_key,
	.secret = true,
};

/* Nearly all IVs have 16 bytes */
static __always_inline void kcr_copy_iv(void *dst, const void *src, size_t len)
{
	if (likely(len == 16))
		memcpy(dst, src, 16);
	else
		memcpy(dst, src, len);
}

typedef int (*kcr_crypt_fn)(struct skcipher_request *req);

/* A miss: the request that computes in kernel memory for @orig */
struct kcr_skcipher_miss {
	struct skcipher_request *orig;
	void *src;
	void *dst;
	struct scatterlist src_sg;
	struct scatterlist dst_sg;
	struct skcipher_request req;	/* with its context behind it: last */
};

/* Buffers that no entry has taken over */
static void kcr_skcipher_free(struct kcr_skcipher_miss *miss)
{
	kfree_sensitive(miss->src);
	kfree_sensitive(miss->dst);
	kfree_sensitive(miss);
}

/* The algorithm went asynchronous after all: hand out, remember nothing */
static void kcr_skcipher_done(void *data, int err)
{
	struct kcr_skcipher_miss *miss = data;
	struct skcipher_request *orig = miss->orig;

	if (err != -EINPROGRESS) {
		if (!err)
			kcr_sg_scatter(orig->dst, miss->dst, orig->cryptlen);
		kcr_skcipher_free(miss);
	}
	skcipher_request_complete(orig, err);
}

static struct kcr_skcipher_miss *
kcr_skcipher_prepare(struct skcipher_request *orig, struct kcr_query *q)
{
	struct crypto_skcipher *tfm = crypto_skcipher_reqtfm(orig);
	u32 flags = skcipher_request_flags(orig);
	gfp_t gfp = (flags & CRYPTO_TFM_REQ_MAY_SLEEP ? GFP_KERNEL : GFP_ATOMIC) |
		    __GFP_NOWARN;
	unsigned int len = orig->cryptlen;
	struct kcr_skcipher_miss *miss;

	miss = kmalloc(struct_size(miss, req.__ctx,
				   crypto_skcipher_reqsize(tfm)), gfp);
	if (!miss)
		return NULL;
	miss->orig = orig;
	miss->src = NULL;
	miss->dst = NULL;
	if (q->size_class == KCR_CLASS_BLOB) {
		/* They may be there already, and the source gathered */
		swap(miss->src, q->owned_body);
		swap(miss->dst, q->owned_bulk);
	}
	miss->src = miss->src ?: kmalloc(len, gfp);
	miss->dst = miss->dst ?: kmalloc(len, gfp);
	if (!miss->src || !miss->dst)
		goto free;
	if (q->size_class != KCR_CLASS_BLOB)
		memcpy(miss->src, (u8 *)q->key + kcr_side_len(q), len);
	else if (q->body != miss->src)
		memcpy(miss->src, q->body, len);

	sg_init_one(&miss->src_sg, miss->src, len);
	sg_init_one(&miss->dst_sg, miss->dst, len);
	skcipher_request_set_tfm(&miss->req, tfm);
	skcipher_request_set_callback(&miss->req, flags, kcr_skcipher_done, miss);
	skcipher_request_set_crypt(&miss->req, &miss->src_sg, &miss->dst_sg,
				   len, orig->iv);
	return miss;
free:
	kcr_skcipher_free(miss);
	return NULL;
}

static void kcr_skcipher_store(struct kcr_query *q,
			       struct kcr_skcipher_miss *miss)
{
	unsigned int i, len = miss->orig->cryptlen;

	for (i = 0; i < KCR_INLINE_WORDS; i++)
		q->res[i] = 0;
	if (q->size_class == KCR_CLASS_BLOB) {
		memcpy(q->res, miss->orig->iv, q->small_len);
		q->owned_body = miss->src;
		q->owned_bulk = miss->dst;
		q->bulk = miss->dst;
		miss->src = NULL;
		miss->dst = NULL;
	} else {
		memcpy(q->res, miss->dst, len);
		memcpy((u8 *)q->res + len, miss->orig->iv, kcr_side_len(q));
	}
	kcr_store_result(q);
}

/* A miss that will not be remembered: as without us */
static int kcr_skcipher_plain(struct skcipher_request *req, kcr_crypt_fn crypt,
			      struct kcr_query *q)
{
	int err;

	kcr_compute_start(q);
	err = crypt(req);
	kcr_compute_stop(q);
	if (err == -EINPROGRESS || err == -EBUSY)
		q->start = 0;
	kcr_query_end(q, false);
	return err;
}

static noinline int kcr_skcipher_compute(struct skcipher_request *orig,
					 kcr_crypt_fn crypt, struct kcr_query *q)
{
	struct kcr_skcipher_miss *miss;
	int err;

	if (!kcr_wants_result(q))
		return kcr_skcipher_plain(orig, crypt, q);
	miss = kcr_skcipher_prepare(orig, q);
	if (!miss) {
		kcr_site_count(q->site, KCR_STORES_DROPPED, 1);
		return kcr_skcipher_plain(orig, crypt, q);
	}
	kcr_compute_start(q);
	err = crypt(&miss->req);
	kcr_compute_stop(q);
	if (err == -EINPROGRESS || err == -EBUSY) {
		q->start = 0;
		kcr_query_end(q, false);
		return err;
	}
	if (!err) {
		kcr_sg_scatter(orig->dst, miss->dst, orig->cryptlen);
		kcr_skcipher_store(q, miss);
	}
	kcr_skcipher_free(miss);
	kcr_query_end(q, false);
	return err;
}

/*
 * Out of line: look the source up where it lies, if it lies in one piece and
 * the destination, which a hit may write before it is known to be one, is in
 * one piece elsewhere. Otherwise make copies.
 */
static bool kcr_skcipher_map(struct skcipher_request *req, struct kcr_query *q)
{
	gfp_t gfp = (skcipher_request_flags(req) & CRYPTO_TFM_REQ_MAY_SLEEP ?
		     GFP_KERNEL : GFP_ATOMIC) | __GFP_NOWARN;
	unsigned int len = req->cryptlen;
	void *src = kcr_sg_linear(req->src, len);
	void *dst = kcr_sg_linear(req->dst, len);

	if (!dst) {
		q->owned_bulk = kmalloc(len, gfp);
		if (!q->owned_bulk)
			return false;
		dst = q->owned_bulk;
	}
	if (!src || (dst < src + len && src < dst + len)) {
		q->owned_body = kmalloc(len, gfp);
		if (!q->owned_body || !kcr_sg_gather(q->owned_body, req->src, len))
			return false;
		src = q->owned_body;
	}
	q->body = src;
	q->bulk = dst;
	return true;
}

static noinline int kcr_skcipher_crypt_blob(struct skcipher_request *req,
					    kcr_crypt_fn crypt,
					    struct kcr_query *q)
{
	memcpy(q->key, req->iv, kcr_side_len(q));
	if (!kcr_skcipher_map(req, q)) {
		kcr_query_abandon(q);
		return crypt(req);
	}
	if (!kcr_lookup_unified(q))
		return kcr_skcipher_compute(req, crypt, q);
	if (q->owned_bulk)
		kcr_sg_scatter(req->dst, q->owned_bulk, req->cryptlen);
	memcpy(req->iv, q->res, q->small_len);
	kcr_query_end(q, true);
	return 0;
}

/* Anything but what fits the largest inline class */
static noinline int kcr_skcipher_crypt_rare(struct skcipher_request *req,
					    kcr_crypt_fn crypt,
					    struct kcr_query *q, int size_class)
{
	unsigned int len = req->cryptlen;
	unsigned int ivsize;

	if (size_class < 0)
		return crypt(req);
	if (size_class == KCR_CLASS_BLOB)
		return kcr_skcipher_crypt_blob(req, crypt, q);
	ivsize = kcr_side_len(q);
	memcpy(q->key, req->iv, ivsize);
	if (!len || !kcr_sg_gather((u8 *)q->key + ivsize, req->src, len)) {
		kcr_query_abandon(q);
		return crypt(req);
	}
	if (!kcr_lookup_unified(q))
		return kcr_skcipher_compute(req, crypt, q);
	kcr_sg_scatter(req->dst, q->res, len);
	memcpy(req->iv, (u8 *)q->res + len, ivsize);
	kcr_query_end(q, true);
	return 0;
}

/**
 * __kcr_skcipher_crypt() - encrypt or decrypt, or do it from memory
 * @req: the request, on a transform that has an owner and its key
 * @crypt: what computes it
 * @enc: 1 if that encrypts, 0 if it decrypts
 *
 * Parts of longer messages are passed through: a hit would skip state that a
 * later request needs. So is what goes asynchronous. A hit returns 0 and does
 * not call the completion.
 *
 * Context: as for @crypt.
 * Return: as @crypt does.
 */
int __kcr_skcipher_crypt(struct skcipher_request *req, kcr_crypt_fn crypt,
			 unsigned int enc)
{
	struct crypto_skcipher *tfm = crypto_skcipher_reqtfm(req);
	unsigned int ivsize = crypto_skcipher_ivsize(tfm);
	unsigned int len = req->cryptlen;
	struct kcr_shape shape = {
		.param = enc,
		.side_len = ivsize,
		.small_len = ivsize,
		.body_len = len,
		.bulk_len = len,
	};
	struct kcr_query q __uninitialized;
	int size_class;

	/* That the cipher has no state was checked when it opted in */
	if (req->base.flags & (CRYPTO_SKCIPHER_REQ_CONT |
			       CRYPTO_SKCIPHER_REQ_NOTFINAL)) {
		kcr_site_count(&kcr_skcipher_site, KCR_PASSED, 1);
		return crypt(req);
	}
	size_class = kcr_query_begin(&q, &kcr_skcipher_site,
				     req->base.tfm->kcr, &shape);
	if (unlikely(size_class != KCR_CLASS_64))
		return kcr_skcipher_crypt_rare(req, crypt, &q, size_class);

	kcr_copy_iv(q.key, req->iv, ivsize);
	if (!kcr_sg_gather((u8 *)q.key + ivsize, req->src, len)) {
		kcr_query_abandon(&q);
		return crypt(req);
	}
	if (!kcr_lookup_64(&q))
		return kcr_skcipher_compute(req, crypt, &q);
	kcr_sg_scatter(req->dst, q.res, len);
	kcr_copy_iv(req->iv, (u8 *)q.res + len, ivsize);
	kcr_query_end_inline(&q, true);
	return 0;
}
EXPORT_SYMBOL_GPL(__kcr_skcipher_crypt);

/**
 * crypto_skcipher_set_reuse() - opt a cipher in to reuse, or out of it
 * @tfm: the transform
 * @on: whether to reuse
 *
 * With reuse, whoever can time requests on @tfm can tell whether the same
 * request was made before, and plaintext stays in kernel memory until it is
 * displaced, @tfm gets another key or is freed.
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP if KCR is disabled, the system is in FIPS mode, or
 * @tfm is a stateful cipher; -ENOMEM.
 */
int crypto_skcipher_set_reuse(struct crypto_skcipher *tfm, bool on)
{
	if (crypto_skcipher_statesize(tfm) ||
	    crypto_skcipher_ivsize(tfm) > KCR_SIDE_MAX)
		return -EOPNOTSUPP;
	return kcr_tfm_set_reuse(crypto_skcipher_tfm(tfm), &kcr_skcipher_site, on);
}
EXPORT_SYMBOL_GPL(crypto_skcipher_set_reuse);

/**
 * kcr_af_alg_skcipher() - ALG_SET_REUSE for AF_ALG sockets of type skcipher
 * @private: the socket's transform
 * @on: whether to reuse
 *
 * Context: may sleep.
 * Return: as crypto_skcipher_set_reuse().
 */
int kcr_af_alg_skcipher(void *private, bool on)
{
	return crypto_skcipher_set_reuse(private, on);
}
EXPORT_SYMBOL_GPL(kcr_af_alg_skcipher);

static int __init kcr_skcipher_init(void)
{
	return kcr_site_register(&kcr_skcipher_site);
}

static void __exit kcr_skcipher_exit(void)
{
	kcr_site_unregister(&kcr_skcipher_site);
}

subsys_initcall(kcr_skcipher_init);
module_exit(kcr_skcipher_exit);
