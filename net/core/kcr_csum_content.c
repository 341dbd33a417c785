// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the csum_content site, checksums by content.
 *
 * key:    the bytes
 * result: their checksum, as csum_partial() returns it for them alone
 * owner:  the network namespace of the packet's socket
 *
 * Off until an administrator switches it on: hashing and comparing bytes costs
 * more than summing them, on every CPU known today. It is here to be measured,
 * and bypasses itself where it loses.
 */
#include <linux/init.h>
#include <linux/slab.h>
#include <net/checksum.h>
#include <net/kcr_csum.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>

#include "kcr_private.h"

DEFINE_STATIC_KEY_FALSE(kcr_csum_content_key);

struct kcr_site kcr_csum_content_site = {
	.name = "csum_content",
	.key = &kcr_csum_content_key,
	.automatic = true,
};

static unsigned int kcr_csum_net_id __read_mostly;

/* What will be remembered is computed from a copy: that is the key */
static noinline __wsum kcr_csum_content_compute(struct kcr_query *q)
{
	u32 len = kcr_body_len(q);
	__wsum csum;

	if (kcr_wants_result(q))
		q->owned_body = kmemdup(q->body, len, GFP_ATOMIC | __GFP_NOWARN);
	kcr_compute_start(q);
	csum = csum_partial(q->owned_body ?: q->body, len, 0);
	kcr_compute_stop(q);
	if (q->owned_body) {
		memset(q->res, 0, sizeof(q->res));
		q->res[0] = (__force u32)csum;
		kcr_store_result(q);
	}
	kcr_query_end(q, false);
	return csum;
}

/**
 * __kcr_csum_content() - add up bytes of a packet, or do it from memory
 * @skb: the packet
 * @offset: where to begin
 * @len: how many bytes
 * @csum: the sum that they are added to
 *
 * Only the socket says reliably which namespace a packet belongs to: its device
 * shares its place with what queues keep there.
 *
 * Context: any short of hard interrupts.
 * Return: false if they are to be summed as without KCR: not all in the packet's
 * linear part, or few, or no socket.
 */
bool __kcr_csum_content(const struct sk_buff *skb, int offset, int len,
			__wsum *csum)
{
	struct kcr_shape shape = { .body_len = len, .small_len = sizeof(*csum) };
	struct kcr_query q __uninitialized;
	struct kcr_owner *owner;
	__wsum sum;

	if (!skb->sk || len <= KCR_INLINE_MAX || offset + len > (int)skb_headlen(skb))
		return false;
	owner = net_generic(sock_net(skb->sk), kcr_csum_net_id);
	if (kcr_query_begin(&q, &kcr_csum_content_site, owner, &shape) < 0)
		return false;
	q.body = skb->data + offset;
	if (kcr_lookup_unified(&q)) {
		sum = (__force __wsum)(u32)q.res[0];
		kcr_query_end(&q, true);
	} else {
		sum = kcr_csum_content_compute(&q);
	}
	*csum = csum_add(*csum, sum);
	return true;
}

static int __net_init kcr_csum_net_init(struct net *net)
{
	kcr_owner_init(net_generic(net, kcr_csum_net_id));
	return 0;
}

static void __net_exit kcr_csum_net_exit(struct net *net)
{
	kcr_owner_kill(net_generic(net, kcr_csum_net_id));
}

static struct pernet_operations kcr_csum_net_ops = {
	.init = kcr_csum_net_init,
	.exit = kcr_csum_net_exit,
	.id = &kcr_csum_net_id,
	.size = sizeof(struct kcr_owner),
};

static int __init kcr_csum_content_init(void)
{
	int err = register_pernet_subsys(&kcr_csum_net_ops);

	if (err)
		return err;
	err = kcr_site_register(&kcr_csum_content_site);
	if (err) {
		unregister_pernet_subsys(&kcr_csum_net_ops);
		return err;
	}
	return kcr_site_set_mode(&kcr_csum_content_site, KCR_MODE_OFF);
}
subsys_initcall(kcr_csum_content_init);
