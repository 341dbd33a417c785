// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: transforms as owners of results.
 *
 * A transform opts in and then owns what is remembered for it. Its stamp is
 * renewed when its key changes; a clone starts without (crypto_clone_tfm()
 * copies no owner). Before setkey returns and before the transform is freed,
 * whatever was stored is swept and zeroed.
 *
 * kcr_tfm_key is opened with the first transform that ever opts in, and stays.
 */
#include <crypto/kcr.h>
#include <linux/crypto.h>
#include <linux/export.h>
#include <linux/fips.h>
#include <linux/slab.h>

#include "kcr_sg.h"

/* kcr_sg_gather(), entry by entry */
bool __kcr_sg_gather(void *dst, struct scatterlist *sg, unsigned int len)
{
	unsigned int n;

	for (; len && sg; sg = sg_next(sg), len -= n, dst += n) {
		n = min(len, sg->length);
		memcpy(dst, sg_virt(sg), n);
	}
	return !len;
}
EXPORT_SYMBOL_GPL(__kcr_sg_gather);

/* kcr_sg_scatter(), entry by entry */
void __kcr_sg_scatter(struct scatterlist *sg, const void *src, unsigned int len)
{
	unsigned int n;

	for (; len && sg; sg = sg_next(sg), len -= n, src += n) {
		n = min(len, sg->length);
		memcpy(sg_virt(sg), src, n);
	}
}
EXPORT_SYMBOL_GPL(__kcr_sg_scatter);

/**
 * kcr_tfm_set_reuse() - let a transform own results, or stop that
 * @tfm: the transform
 * @site: where its requests go through
 * @on: whether to reuse
 *
 * Stopping zeroes what has been stored. Requests may be under way; two calls
 * for one transform at the same time may not.
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP if KCR is disabled or the system is in FIPS mode;
 * -ENOMEM.
 */
int kcr_tfm_set_reuse(struct crypto_tfm *tfm, struct kcr_site *site, bool on)
{
	struct kcr_owner *owner = tfm->kcr;
	int err;

	if (!on) {
		if (owner)
			kcr_owner_kill(owner);
		return 0;
	}
	if (fips_enabled)
		return -EOPNOTSUPP;
	err = kcr_site_arm(site);
	if (err)
		return err;
	static_branch_enable(&kcr_tfm_key);
	if (owner) {
		if (!READ_ONCE(owner->stamp))
			kcr_owner_renew(owner);
		return 0;
	}
	owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	if (!owner)
		return -ENOMEM;
	kcr_owner_init(owner);
	/* Pairs with the dependency from the load of the pointer in the gates */
	smp_store_release(&tfm->kcr, owner);
	return 0;
}
EXPORT_SYMBOL_GPL(kcr_tfm_set_reuse);

DEFINE_STATIC_KEY_FALSE(kcr_tfm_key);
EXPORT_SYMBOL_GPL(kcr_tfm_key);

/**
 * __kcr_tfm_rekeyed() - a transform that owns results has got another key
 * @tfm: the transform
 *
 * After the key has changed, not before: a request that takes the new stamp
 * must see the new key. Requests that run while setkey does may see either.
 *
 * Context: any short of NMI.
 */
void __kcr_tfm_rekeyed(struct crypto_tfm *tfm)
{
	/* 0: it has opted out again */
	if (READ_ONCE(tfm->kcr->stamp))
		kcr_owner_renew(tfm->kcr);
}
EXPORT_SYMBOL_GPL(__kcr_tfm_rekeyed);

/**
 * __kcr_tfm_release() - a transform that owns results is about to be freed
 * @tfm: the transform, no request of which is under way
 *
 * Context: any short of NMI.
 */
void __kcr_tfm_release(struct crypto_tfm *tfm)
{
	kcr_owner_kill(tfm->kcr);
	kfree(tfm->kcr);
	tfm->kcr = NULL;
}
EXPORT_SYMBOL_GPL(__kcr_tfm_release);
