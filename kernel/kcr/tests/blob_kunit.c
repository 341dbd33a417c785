// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of out-of-line entries and their budget.
 */
#include <kunit/static_stub.h>
#include <linux/slab.h>

#include "kcr_test.h"

#define BODY 4096
#define SIDE 16
#define BUDGET (64L << 10)

KCR_TEST_SITE(kcr_blob_site);

static struct kcr_owner owner;
static u8 body[BODY];
static u8 bulk[BODY];
static u8 out[BODY];
static u32 len = BODY;

static struct kcr_tier *new_tier(struct kunit *test)
{
	struct kcr_tier *tier = kcr_tier_create(256, 3, NUMA_NO_NODE, BUDGET);

	KUNIT_ASSERT_NOT_NULL(test, tier);
	return tier;
}

/* A query for the body made of @seed, with an IV made of it, too */
static void begin(struct kunit *test, struct kcr_query *q, u64 seed)
{
	struct kcr_shape shape = {
		.side_len = SIDE, .small_len = SIDE,
		.body_len = len, .bulk_len = len,
	};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kcr_query_begin(q, &kcr_blob_site, &owner, &shape),
			KCR_CLASS_BLOB);
	kcr_test_not_special(q);
	for (i = 0; i < BODY; i++) {
		body[i] = seed * 31 + i;
		bulk[i] = seed * 17 + i * 3;
	}
	q->key[0] = seed;
	q->key[1] = ~seed;
	q->body = body;
	q->bulk = out;
	q->fingerprint = kcr_fingerprint(q);
}

static int put(struct kunit *test, struct kcr_tier *tier, u64 seed)
{
	struct kcr_blob *blob;
	struct kcr_query q;
	int err;

	begin(test, &q, seed);
	q.owned_body = kmemdup(body, len, GFP_KERNEL);
	q.owned_bulk = kmemdup(bulk, len, GFP_KERNEL);
	memset(q.res, 0, sizeof(q.res));
	q.res[0] = seed + 100;
	blob = kcr_blob_create(&q);
	KUNIT_ASSERT_NOT_NULL(test, blob);
	KUNIT_EXPECT_NULL(test, q.owned_body);
	KUNIT_EXPECT_NULL(test, q.owned_bulk);
	if (!kcr_blob_make_room(tier, &q, blob->bytes)) {
		kcr_blob_drop(blob);
		return -ENOSPC;
	}
	err = kcr_tier_store(tier, &q, blob);
	if (err)
		kcr_blob_retire(tier, blob);
	return err;
}

static bool get(struct kunit *test, struct kcr_tier *tier, u64 seed)
{
	struct kcr_query q;

	begin(test, &q, seed);
	memset(out, 0, sizeof(out));
	if (!kcr_tier_lookup(tier, &q))
		return false;
	KUNIT_EXPECT_EQ(test, q.res[0], seed + 100);
	KUNIT_EXPECT_MEMEQ(test, out, bulk, len);
	return true;
}

static u64 same_fingerprint(const struct kcr_query *q)
{
	return 42;
}

static void store_and_lookup_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test);

	KUNIT_EXPECT_FALSE(test, get(test, tier, 1));
	KUNIT_EXPECT_EQ(test, put(test, tier, 1), 0);
	KUNIT_EXPECT_TRUE(test, get(test, tier, 1));
	KUNIT_EXPECT_FALSE(test, get(test, tier, 2));
	kcr_tier_destroy(tier);
}

/* Equal fingerprints, and a key that differs in one byte of side or body */
static void collision_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test);
	struct kcr_query q;
	unsigned int i;

	kunit_activate_static_stub(test, kcr_fingerprint, same_fingerprint);
	KUNIT_ASSERT_EQ(test, put(test, tier, 1), 0);
	KUNIT_EXPECT_TRUE(test, get(test, tier, 1));
	for (i = 0; i < BODY; i++) {
		begin(test, &q, 1);
		body[i] ^= 1;
		KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));
	}
	for (i = 0; i < SIDE; i++) {
		begin(test, &q, 1);
		((u8 *)q.key)[i] ^= 0x80;
		KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));
	}
	begin(test, &q, 1);
	q.bulk_len--;
	KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));

	/* Every length at which the comparison changes its stride */
	for (len = 81; len < 220; len++) {
		KUNIT_ASSERT_EQ(test, put(test, tier, 1), 0);
		KUNIT_EXPECT_TRUE(test, get(test, tier, 1));
		for (i = 0; i < len; i++) {
			begin(test, &q, 1);
			body[i] ^= 0x10;
			KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));
		}
	}
	len = BODY;
	kunit_deactivate_static_stub(test, kcr_fingerprint);
	kcr_tier_destroy(tier);
}

static void budget_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test);
	unsigned int i, stored = 0, hits = 0;

	for (i = 0; i < 100; i++) {
		stored += !put(test, tier, i);
		KUNIT_EXPECT_LE(test, atomic_long_read(&tier->blob_bytes), BUDGET);
	}
	/* Older entries make room for newer ones */
	KUNIT_EXPECT_GT(test, stored, 50);
	for (i = 0; i < 100; i++)
		hits += get(test, tier, i);
	KUNIT_EXPECT_GT(test, hits, 2);
	KUNIT_EXPECT_LE(test, hits, BUDGET / (2 * BODY));
	KUNIT_EXPECT_EQ(test, hits, atomic_long_read(&tier->nr_blobs));

	/* What the shrinker does */
	KUNIT_EXPECT_EQ(test, kcr_tier_evict_blobs(tier, 2, 2 * tier->nr_slots), 2);
	KUNIT_EXPECT_EQ(test, hits - 2, atomic_long_read(&tier->nr_blobs));

	kcr_tier_sweep(tier, KCR_ANY_STAMP);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tier->blob_bytes), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tier->nr_blobs), 0);
	kcr_tier_destroy(tier);
}

static void no_budget_test(struct kunit *test)
{
	struct kcr_tier *tier = kcr_tier_create(64, 3, NUMA_NO_NODE, 1000);

	KUNIT_ASSERT_NOT_NULL(test, tier);
	KUNIT_EXPECT_EQ(test, put(test, tier, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tier->blob_bytes), 0);
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 0);
	kcr_tier_destroy(tier);
}

/* The memory is there until a grace period has passed: look into it */
static void zeroed_when_swept_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test);
	struct kcr_blob *blob = NULL;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, put(test, tier, 1), 0);
	rcu_read_lock();
	for (i = 0; i < tier->nr_slots; i++)
		if (tier->slots[i].stamp)
			blob = (void *)tier->slots[i].data[KCR_BLOB_PTR];
	if (blob) {
		kcr_tier_sweep(tier, owner.stamp);
		KUNIT_EXPECT_NULL(test, memchr_inv(blob->body, 0, BODY));
		KUNIT_EXPECT_NULL(test, memchr_inv(blob->bulk, 0, BODY));
		KUNIT_EXPECT_NULL(test, memchr_inv(blob->side, 0, sizeof(blob->side)));
		KUNIT_EXPECT_NULL(test, memchr_inv(blob->small, 0, sizeof(blob->small)));
	}
	rcu_read_unlock();
	KUNIT_EXPECT_NOT_NULL(test, blob);
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 0);
	kcr_tier_destroy(tier);
}

static struct kcr_tier *swept_tier;

/* Stands in for a sweep by another CPU while a reader copies */
static bool read_then_sweep(const struct kcr_blob *blob, struct kcr_query *q)
{
	memcpy(q->res, blob->small, sizeof(blob->small));
	memcpy(q->bulk, blob->bulk, q->bulk_len);
	kcr_tier_sweep(swept_tier, KCR_ANY_STAMP);
	return true;
}

static void swept_under_reader_test(struct kunit *test)
{
	struct kcr_query q;

	swept_tier = new_tier(test);
	KUNIT_ASSERT_EQ(test, put(test, swept_tier, 1), 0);
	kunit_activate_static_stub(test, kcr_blob_read, read_then_sweep);
	begin(test, &q, 1);
	KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(swept_tier, &q));
	kunit_deactivate_static_stub(test, kcr_blob_read);
	KUNIT_EXPECT_EQ(test, kcr_tier_used(swept_tier), 0);
	kcr_tier_destroy(swept_tier);
}

static void stale_stamp_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test);
	struct kcr_query q;

	KUNIT_ASSERT_EQ(test, put(test, tier, 1), 0);
	kcr_owner_renew(&owner);
	KUNIT_EXPECT_FALSE(test, get(test, tier, 1));
	begin(test, &q, 1);
	KUNIT_EXPECT_EQ(test, kcr_tier_miss_reason(tier, &q), KCR_MISS_STALE);
	kcr_tier_destroy(tier);
}

static int blob_suite_init(struct kunit_suite *suite)
{
	kcr_owner_init(&owner);
	return kcr_site_register(&kcr_blob_site);
}

static void blob_suite_exit(struct kunit_suite *suite)
{
	kcr_owner_kill(&owner);
	kcr_site_unregister(&kcr_blob_site);
}

static struct kunit_case blob_cases[] = {
	KUNIT_CASE(store_and_lookup_test),
	KUNIT_CASE(collision_test),
	KUNIT_CASE(budget_test),
	KUNIT_CASE(no_budget_test),
	KUNIT_CASE(zeroed_when_swept_test),
	KUNIT_CASE(swept_under_reader_test),
	KUNIT_CASE(stale_stamp_test),
	{}
};

static struct kunit_suite blob_suite = {
	.name = "kcr_blob",
	.suite_init = blob_suite_init,
	.suite_exit = blob_suite_exit,
	.test_cases = blob_cases,
};

kunit_test_suite(blob_suite);
