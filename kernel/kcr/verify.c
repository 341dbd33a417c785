// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: do equal inputs give equal results?
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kcr.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kcr_private.h"

static u32 kcr_first_difference(const u8 *a, const u8 *b, u32 len)
{
	u32 i;

	for (i = 0; i < len && a[i] == b[i]; i++)
		;
	return i;
}

/* Offset of the first byte that differs; bulk first, as sites lay them out */
static int kcr_compare(const struct kcr_query *q, const u64 *res,
		       const void *bulk, u32 *offset)
{
	u32 len = q->size_class == KCR_CLASS_BLOB ? q->small_len :
		  8 * kcr_class_words(q->size_class);
	u32 at;

	if (bulk) {
		*offset = kcr_first_difference(bulk, q->bulk, q->bulk_len);
		if (*offset < q->bulk_len)
			return -EILSEQ;
	}
	at = kcr_first_difference((const u8 *)res, (const u8 *)q->res, len);
	*offset = at + (bulk ? q->bulk_len : 0);
	return at < len ? -EILSEQ : 0;
}

static int kcr_compare_remembered(struct kcr_query *q, struct kcr_tier *l3,
				  u32 *offset)
{
	bool blob = q->size_class == KCR_CLASS_BLOB;
	struct kcr_object *object = blob ? q->object : NULL;
	u64 res[KCR_INLINE_WORDS];
	void *bulk = NULL;
	int err = -ENOENT;

	if (blob && q->bulk_len) {
		bulk = q->bulk;
		q->bulk = kmalloc(q->bulk_len, GFP_NOWAIT | __GFP_NOWARN);
		if (!q->bulk) {
			q->bulk = bulk;
			return -ENOMEM;
		}
	}
	memcpy(res, q->res, sizeof(res));
	if (kcr_tier_lookup(l3, q)) {
		err = kcr_compare(q, res, bulk, offset);
		if (object && !err && !object->equal(object, q->object))
			err = -EILSEQ;
		kcr_query_put_object(q);
	}
	q->object = object;
	memcpy(q->res, res, sizeof(res));
	memzero_explicit(res, sizeof(res));
	if (bulk) {
		kfree_sensitive(q->bulk);
		q->bulk = bulk;
	}
	return err;
}

/**
 * kcr_verify_deterministic() - compare a result with the one remembered
 * @q: the query, computed, with key and result filled in as for
 *	kcr_store_result()
 *
 * A result that differs though its owner was not invalidated since the query
 * began has the site rejected if it is in learn or reuse mode: nothing that it
 * remembers is handed out any more, it stays off until an administrator sets
 * its mode, and the log says what diverged.
 *
 * Context: any short of NMI.
 * Return: 0 if they are equal; -ENOENT if nothing is remembered, -ENOMEM if
 * there is no memory to compare in, -ESTALE if the owner was invalidated
 * meanwhile, -EILSEQ if they differ.
 */
int kcr_verify_deterministic(struct kcr_query *q)
{
	struct kcr_tier *l3 = kcr_query_tier(q);
	struct kcr_site *site = q->site;
	u32 offset = 0;
	int err;

	err = l3 ? kcr_compare_remembered(q, l3, &offset) : -ENOENT;
	if (err == -EILSEQ) {
		/* What was remembered was read before the stamp is */
		smp_rmb();
		if (READ_ONCE(q->owner->stamp) != q->stamp)
			return -ESTALE;
	}
	if (err && err != -EILSEQ)
		return err;
	switch (READ_ONCE(site->mode)) {
	case KCR_MODE_LEARN:
		if (!err)
			kcr_site_learned(site);
		fallthrough;
	case KCR_MODE_OBSERVE:
		kcr_site_count(site, err ? KCR_OBSERVE_DIFFER : KCR_OBSERVE_EQUAL, 1);
		break;
	case KCR_MODE_REUSE:
		if (!err)
			kcr_site_count(site, KCR_AUDITS, 1);
		break;
	}
	if (err)
		kcr_site_reject(q, offset);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_verify_deterministic);
