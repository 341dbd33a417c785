// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the csum site, checksums of page fragments.
 *
 * key:    position in the mapping and length
 * result: the checksum of the bytes, as csum_partial() returns it for them alone
 * owner:  the mapping, if it cannot change: see mm/kcr_mapping.c
 *
 * Fragments that somebody might be changing are copied before they are summed
 * (skb_has_shared_frag()). Those that nobody can change need no copy, whether or
 * not their sum is known. A packet with any other fragment is left alone.
 */
#include <linux/init.h>
#include <linux/kcr_mapping.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/gso.h>
#include <net/kcr_csum.h>

/* Summing less costs no more than looking it up */
#define KCR_CSUM_MIN	256

DEFINE_STATIC_KEY_FALSE(kcr_csum_key);

struct kcr_site kcr_csum_site = {
	.name = "csum",
	.key = &kcr_csum_key,
	.automatic = true,
};

/* A piece of a mapping that cannot change, in memory as long as its folio is */
struct kcr_piece {
	struct kcr_owner *owner;
	u64 stamp;
	u64 pos;
	const void *data;
};

static noinline __wsum kcr_csum_compute(struct kcr_query *q, const void *data,
					u32 len)
{
	__wsum csum;

	kcr_compute_start(q);
	csum = csum_partial(data, len, 0);
	kcr_compute_stop(q);
	if (kcr_wants_result(q)) {
		q->res[0] = (__force u32)csum;
		q->res[1] = 0;
		kcr_store_result(q);
	}
	kcr_query_end_inline(q, false);
	return csum;
}

static __always_inline __wsum kcr_csum_piece(const struct kcr_piece *p, u32 len)
{
	struct kcr_query q __uninitialized;
	__wsum csum;

	if (len < KCR_CSUM_MIN || !kcr_should_cache(&kcr_csum_site, len))
		return csum_partial(p->data, len, 0);
	q.site = &kcr_csum_site;
	q.owner = p->owner;
	q.stamp = p->stamp;
	q.key[0] = p->pos;
	q.key[1] = 0;
	kcr_begin_inline(&q, len, KCR_CLASS_16);
	if (!kcr_lookup_16(&q))
		return kcr_csum_compute(&q, p->data, len);
	csum = (__force __wsum)(u32)q.res[0];
	kcr_query_end_inline(&q, true);
	return csum;
}

/* Within rcu_read_lock(). False if what is at @offset of @page may change */
static __always_inline bool kcr_csum_find(struct page *page, size_t offset,
					  size_t len, struct kcr_piece *p)
{
	struct folio *folio;

	/* Memory of a device has none */
	if (!page)
		return false;
	folio = page_folio(page);
	offset += folio_page_idx(folio, page) * PAGE_SIZE;
	if (offset + len > folio_size(folio))
		return false;
	p->owner = kcr_folio_owner(folio, &p->stamp);
	if (!p->owner)
		return false;
	p->pos = folio_pos(folio) + offset;
	/* KCR depends on 64BIT, where there is no high memory */
	p->data = folio_address(folio) + offset;
	return true;
}

/* The out-of-line half of kcr_csum_page() */
bool __kcr_csum_page(struct page *page, size_t offset, size_t len, __wsum *csum)
{
	struct kcr_piece piece;
	bool found;

	rcu_read_lock();
	found = kcr_csum_find(page, offset, len, &piece);
	if (found)
		*csum = kcr_csum_piece(&piece, len);
	rcu_read_unlock();
	return found;
}

static bool kcr_csum_frags(const struct sk_buff *skb, int at, __wsum *csum)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	struct kcr_piece piece;
	__wsum sum = 0;
	int i;

	for (i = 0; i < info->nr_frags; i++) {
		const skb_frag_t *frag = &info->frags[i];
		u32 len = skb_frag_size(frag);

		if (!kcr_csum_find(skb_frag_page(frag), skb_frag_off(frag), len, &piece))
			return false;
		sum = csum_block_add(sum, kcr_csum_piece(&piece, len), at);
		at += len;
	}
	*csum = sum;
	return true;
}

/**
 * __kcr_csum_known() - sum a packet whose fragments cannot change
 * @skb: the packet
 * @offset: where to begin
 * @csum: the sum of everything from @offset, as skb_checksum() returns it
 *	but for multiples of 0xffff; 0 only if all bytes are
 *
 * Context: any short of hard interrupts.
 * Return: false if the packet is to be made safe and summed as without KCR.
 */
bool __kcr_csum_known(const struct sk_buff *skb, int offset, __wsum *csum)
{
	int linear = skb_headlen(skb) - offset;
	__wsum frags;
	bool known;

	if (unlikely(linear < 0 || skb_has_frag_list(skb) || !skb_frags_readable(skb)))
		return false;
	rcu_read_lock();
	known = kcr_csum_frags(skb, linear, &frags);
	rcu_read_unlock();
	if (known)
		*csum = csum_partial(skb->data + offset, linear, frags);
	return known;
}

/* The out-of-line half of kcr_csum_help() */
bool __kcr_csum_help(struct sk_buff *skb)
{
	int start = skb_checksum_start_offset(skb);
	int at = start + skb->csum_offset;
	__wsum csum;

	/* What is wrong with a packet is said by skb_checksum_help() */
	if (start < 0 || at + (int)sizeof(__sum16) > (int)skb_headlen(skb) ||
	    !__kcr_csum_known(skb, start, &csum) ||
	    skb_ensure_writable(skb, at + sizeof(__sum16)))
		return false;
	*(__sum16 *)(skb->data + at) = csum_fold(csum) ?: CSUM_MANGLED_0;
	return true;
}

/* The out-of-line half of kcr_csum_segment(): all that skb_segment() does otherwise */
bool __kcr_csum_segment(struct sk_buff *segment, int offset)
{
	__wsum csum;

	if (!__kcr_csum_known(segment, offset, &csum))
		return false;
	if (!segment->remcsum_offload)
		segment->ip_summed = CHECKSUM_NONE;
	SKB_GSO_CB(segment)->csum = csum;
	SKB_GSO_CB(segment)->csum_start = skb_headroom(segment) + offset;
	return true;
}

static int __init kcr_csum_init(void)
{
	return kcr_site_register(&kcr_csum_site);
}
subsys_initcall(kcr_csum_init);
