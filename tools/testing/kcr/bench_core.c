// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the benchmark measures of the core, compiled as the kernel compiles it.
 *
 * kernel/kcr/query.c once more, with the fingerprint taken for known:
 * kcr_bench_lookup() is all that kcr_lookup_unified() does beside computing it.
 */
#include "fingerprint.h"

#define kcr_fingerprint_inline(q, words) ((q)->fingerprint)
#define kcr_lookup_unified kcr_bench_lookup
#define kcr_lookup_64 kcr_bench_lookup_64

/* Inline, so that the fingerprint comes in a register, as where it is computed */
static __always_inline bool kcr_bench_lookup(struct kcr_query *q);
static __always_inline bool kcr_bench_lookup_64(struct kcr_query *q);
#include "query.c"

#undef kcr_fingerprint_inline
					     #undef kcr_lookup_unified
#undef kcr_lookup_64

#include "bench_core.h"

bool kcr_bench_empty(void *unused, struct kcr_query *q, const u64 *key,
		     u64 hash)
{
	q->res[0] = hash + 1;
	q->res[1] = hash % KCR_L2_SLOTS;
	return true;
}

bool kcr_bench_known(void *unused, struct kcr_query *q, const u64 *key,
		     u64 hash)
{
	q->fingerprint = hash;
	return kcr_bench_lookup(q);
}

bool kcr_bench_hash_known(void *unused, struct kcr_query *q, const u64 *key,
			  u64 hash)
{
	return kcr_lookup_unified(q);
}

static __always_inline bool floor_copy(const struct kcr_tier *tier,
				       struct kcr_query *q, u64 nr,
				       unsigned int words)
{
	const struct kcr_slot *slot = &tier->slots[nr];
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < words; i++)
		q->res[i] = READ_ONCE(slot->data[i]);
	return true;
}

bool kcr_bench_floor_16(void *tier, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return floor_copy(tier, q, hash, 2);
}

bool kcr_bench_floor_32(void *tier, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return floor_copy(tier, q, hash, 4);
}

bool kcr_bench_floor_64(void *tier, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return floor_copy(tier, q, hash, 8);
}

bool kcr_bench_bypass(const struct kcr_site *site, u32 body_len)
{
	return kcr_should_cache(site, body_len);
}

/* A whole request: the way of kernel/kcr/query.c, with a key of whole words */
static __always_inline bool request(const struct kcr_query *like,
				    struct kcr_query *res, const u64 *key,
				    u32 bytes)
{
	const struct kcr_shape shape = { .body_len = bytes, .bulk_len = bytes };
	struct kcr_query q;
	unsigned int i;
	bool hit;

	if (kcr_query_begin(&q, like->site, like->owner, &shape) < 0)
		return false;
#pragma GCC unroll 8
	for (i = 0; i < bytes / 8; i++)
		q.key[i] = key[i];
	hit = kcr_lookup_unified(&q);
	if (hit)
#pragma GCC unroll 8
		for (i = 0; i < bytes / 8; i++)
			res->res[i] = q.res[i];
	kcr_query_end_inline(&q, hit);
	return hit;
}

bool kcr_bench_request_16(void *like, struct kcr_query *q, const u64 *key,
			  u64 hash)
{
	return request(like, q, key, 16);
}

bool kcr_bench_request_32(void *like, struct kcr_query *q, const u64 *key,
			  u64 hash)
{
	return request(like, q, key, 32);
}

bool kcr_bench_request_64(void *like, struct kcr_query *q, const u64 *key,
			  u64 hash)
{
	return request(like, q, key, 64);
}
