/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for checksums of packets.
 *
 * See Documentation/core-api/kcr.rst.
 */
#ifndef _NET_KCR_CSUM_H
#define _NET_KCR_CSUM_H

#include <linux/kcr.h>
#include <linux/skbuff.h>

#ifdef CONFIG_KCR

DECLARE_STATIC_KEY_FALSE(kcr_csum_key);
DECLARE_STATIC_KEY_FALSE(kcr_csum_content_key);
extern struct kcr_site kcr_csum_site;
extern struct kcr_site kcr_csum_content_site;

bool __kcr_csum_known(const struct sk_buff *skb, int offset, __wsum *csum);
bool __kcr_csum_segment(struct sk_buff *segment, int offset);
bool __kcr_csum_help(struct sk_buff *skb);
bool __kcr_csum_page(struct page *page, size_t offset, size_t len, __wsum *csum);
bool __kcr_csum_content(const struct sk_buff *skb, int offset, int len,
			__wsum *csum);

/* The gate of skb_segment(): a segment summed from @offset on, without a copy */
static __always_inline bool kcr_csum_segment(struct sk_buff *segment, int offset)
{
	return static_branch_unlikely(&kcr_csum_key) &&
	       skb_has_shared_frag(segment) && __kcr_csum_segment(segment, offset);
}

/* The gate of skb_checksum_help(): fill the checksum in, without a copy */
static __always_inline bool kcr_csum_help(struct sk_buff *skb)
{
	return static_branch_unlikely(&kcr_csum_key) && __kcr_csum_help(skb);
}

/* The gate where a page is added to a packet and summed */
static __always_inline bool kcr_csum_page(struct page *page, size_t offset,
					  size_t len, __wsum *csum)
{
	return static_branch_unlikely(&kcr_csum_key) &&
	       __kcr_csum_page(page, offset, len, csum);
}

/* The gate of skb_checksum(): add to @csum what the bytes sum up to */
static __always_inline bool kcr_csum_content(const struct sk_buff *skb, int offset,
					     int len, __wsum *csum)
{
	return static_branch_unlikely(&kcr_csum_content_key) &&
	       kcr_should_cache(&kcr_csum_content_site, len) &&
	       __kcr_csum_content(skb, offset, len, csum);
}

#else /* !CONFIG_KCR */

/* With an inline function gcc 12 lays skb_segment() out in another way */
#define kcr_csum_segment(segment, offset)	\
	((void)(segment), (void)(offset), false)

static __always_inline bool kcr_csum_help(struct sk_buff *skb)
{
	return false;
}

static __always_inline bool kcr_csum_page(struct page *page, size_t offset,
					  size_t len, __wsum *csum)
{
	return false;
}

static __always_inline bool kcr_csum_content(const struct sk_buff *skb, int offset,
					     int len, __wsum *csum)
{
	return false;
}

#endif /* CONFIG_KCR */

#endif /* _NET_KCR_CSUM_H */
