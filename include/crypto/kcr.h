/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for ciphers and digests, opt-in per transform.
 *
 * See Documentation/core-api/kcr.rst.
 */
#ifndef _CRYPTO_KCR_H
#define _CRYPTO_KCR_H

#include <crypto/hash.h>
#include <crypto/skcipher.h>
#include <linux/kcr.h>

#ifdef CONFIG_KCR

DECLARE_STATIC_KEY_FALSE(kcr_tfm_key);
DECLARE_STATIC_KEY_FALSE(kcr_skcipher_key);
DECLARE_STATIC_KEY_FALSE(kcr_hash_key);
extern struct kcr_site kcr_skcipher_site;
extern struct kcr_site kcr_hash_site;

int kcr_tfm_set_reuse(struct crypto_tfm *tfm, struct kcr_site *site, bool on);
void __kcr_tfm_rekeyed(struct crypto_tfm *tfm);
void __kcr_tfm_release(struct crypto_tfm *tfm);

int crypto_skcipher_set_reuse(struct crypto_skcipher *tfm, bool on);
int crypto_shash_set_reuse(struct crypto_shash *tfm, bool on);
int crypto_ahash_set_reuse(struct crypto_ahash *tfm, bool on);

int kcr_af_alg_skcipher(void *private, bool on);
int kcr_af_alg_hash(void *private, bool on);

int __kcr_skcipher_crypt(struct skcipher_request *req,
			 int (*crypt)(struct skcipher_request *req),
			 unsigned int enc);
int kcr_shash_digest(struct shash_desc *desc, const u8 *data, unsigned int len,
		     u8 *out);
int kcr_ahash_digest(struct ahash_request *req);

/* The gate at the end of every setkey: results under the old key are void */
static __always_inline void kcr_tfm_rekeyed(struct crypto_tfm *tfm)
{
	if (static_branch_unlikely(&kcr_tfm_key) && tfm->kcr)
		__kcr_tfm_rekeyed(tfm);
}

/* The gate where a transform is freed */
static __always_inline void kcr_tfm_release(struct crypto_tfm *tfm)
{
	if (static_branch_unlikely(&kcr_tfm_key) && tfm->kcr)
		__kcr_tfm_release(tfm);
}

/* The gate of the skcipher site: crypt(req), or its remembered result */
static __always_inline int
kcr_skcipher_crypt(struct skcipher_request *req,
		   int (*crypt)(struct skcipher_request *req), unsigned int enc)
{
	if (static_branch_unlikely(&kcr_skcipher_key) && req->base.tfm->kcr &&
	    kcr_should_cache(&kcr_skcipher_site, req->cryptlen))
		return __kcr_skcipher_crypt(req, crypt, enc);
	return crypt(req);
}

/* The gate of the hash site */
static __always_inline bool kcr_hash_reusing(const struct crypto_tfm *tfm,
					     unsigned int len)
{
	return static_branch_unlikely(&kcr_hash_key) && tfm->kcr &&
	       kcr_should_cache(&kcr_hash_site, len);
}

#else /* !CONFIG_KCR */

static inline int crypto_skcipher_set_reuse(struct crypto_skcipher *tfm, bool on)
{
	return -EOPNOTSUPP;
}

static inline int crypto_shash_set_reuse(struct crypto_shash *tfm, bool on)
{
	return -EOPNOTSUPP;
}

static inline int crypto_ahash_set_reuse(struct crypto_ahash *tfm, bool on)
{
	return -EOPNOTSUPP;
}

static __always_inline void kcr_tfm_rekeyed(struct crypto_tfm *tfm) { }
static __always_inline void kcr_tfm_release(struct crypto_tfm *tfm) { }

static __always_inline int
kcr_skcipher_crypt(struct skcipher_request *req,
		   int (*crypt)(struct skcipher_request *req), unsigned int enc)
{
	return crypt(req);
}

static __always_inline bool kcr_hash_reusing(const struct crypto_tfm *tfm,
					     unsigned int len)
{
	return false;
}

static inline int kcr_shash_digest(struct shash_desc *desc, const u8 *data,
				   unsigned int len, u8 *out)
{
	return -EOPNOTSUPP;
}

static inline int kcr_ahash_digest(struct ahash_request *req)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_KCR */

#endif /* _CRYPTO_KCR_H */
