// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: calls that return a number, for sites whose key is
 * some pieces of memory and who need nothing special.
 */
#include <linux/export.h>
#include <linux/kcr.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kcr_private.h"

/* What a call's key may take on the stack; what is larger is computed */
#define KCR_CALL_STACK 1280

/* First the lengths, so that no byte can move from one part to the next */
static void kcr_call_pack(u32 *body, const struct kcr_call *call)
{
	void *to = body + call->nr_parts;
	unsigned int i;

	for (i = 0; i < call->nr_parts; i++) {
		body[i] = call->parts[i].len;
		memcpy(to, call->parts[i].data, call->parts[i].len);
		to += call->parts[i].len;
	}
}

/* A hit needs no memory; and what it has on the stack is gone on a miss */
static noinline bool kcr_call_lookup(struct kcr_query *q,
				     const struct kcr_call *call)
{
	u32 body[KCR_CALL_STACK / sizeof(u32)];

	kcr_call_pack(body, call);
	q->body = body;
	return kcr_lookup_unified(q);
}

static int kcr_call_missed(struct kcr_query *q, const struct kcr_call *call)
{
	int ret;

	kcr_compute_start(q);
	ret = call->compute(call->arg);
	kcr_compute_stop(q);
	if (kcr_wants_result(q) && call->keep(ret)) {
		memset(q->res, 0, sizeof(q->res));
		q->res[0] = ret;
		q->owned_body = kmalloc(kcr_body_len(q), GFP_KERNEL | __GFP_NOWARN);
		q->body = q->owned_body;
		if (q->body) {
			kcr_call_pack(q->owned_body, call);
			kcr_store_result(q);
		}
	}
	kcr_query_end(q, false);
	return ret;
}

/**
 * kcr_call() - make a call, or return what it has returned before
 * @site: the site; its gate has been passed
 * @owner: the owner of what the call returns
 * @call: the call
 *
 * Calls whose parts have more than 1,200 bytes or so, or less than 80, are
 * made each time.
 *
 * Context: may sleep.
 * Return: what @call returns.
 */
int kcr_call(struct kcr_site *site, struct kcr_owner *owner,
	     const struct kcr_call *call)
{
	struct kcr_shape shape = { .small_len = sizeof(u64) };
	struct kcr_query q __uninitialized;
	u64 len = call->nr_parts * sizeof(u32);
	unsigned int i;
	int ret;

	for (i = 0; i < call->nr_parts; i++)
		len += call->parts[i].len;
	/* Short ones would be inline, and would hardly pay */
	if (len <= KCR_INLINE_MAX || len > KCR_CALL_STACK ||
	    !kcr_should_cache(site, len))
		return call->compute(call->arg);
	shape.body_len = len;
	if (kcr_query_begin(&q, site, owner, &shape) < 0)
		return call->compute(call->arg);
	if (!kcr_call_lookup(&q, call))
		return kcr_call_missed(&q, call);
	ret = q.res[0];
	kcr_query_end(&q, true);
	return ret;
}
EXPORT_SYMBOL_GPL(kcr_call);
