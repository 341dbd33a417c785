// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of sites and of the two tiers together.
 */
#include <linux/preempt.h>

#include "kcr_test.h"

KCR_TEST_SITE(kcr_kunit_site);

static struct kcr_owner owner;

static u64 count(enum kcr_counter counter)
{
	return kcr_site_sum(&kcr_kunit_site, counter);
}

/* One request for the key made of @seed; computing gives @result */
static bool request(struct kunit *test, u32 len, u64 seed, u64 result)
{
	struct kcr_query q;
	bool hit;

	KUNIT_ASSERT_TRUE(test, kcr_test_begin(&q, &kcr_kunit_site, &owner, len,
					       len, seed));
	hit = kcr_lookup_unified(&q);
	if (hit) {
		KUNIT_EXPECT_TRUE(test, kcr_test_is_result(&q, len, result));
	} else {
		kcr_test_result(&q, result);
		kcr_store_result(&q);
	}
	kcr_query_end(&q, hit);
	return hit;
}

static void promotion_test(struct kunit *test)
{
	/* A CPU's tier is meant, so stay on one CPU */
	migrate_disable();
	KUNIT_EXPECT_FALSE(test, request(test, 64, 1, 10));
	KUNIT_EXPECT_EQ(test, count(KCR_MISS_COLD), 1);
	KUNIT_EXPECT_EQ(test, count(KCR_STORES), 1);

	KUNIT_EXPECT_TRUE(test, request(test, 64, 1, 10));
	KUNIT_EXPECT_EQ(test, count(KCR_L3_HITS), 1);
	KUNIT_EXPECT_EQ(test, count(KCR_L2_HITS), 0);

	KUNIT_EXPECT_TRUE(test, request(test, 64, 1, 10));
	KUNIT_EXPECT_EQ(test, count(KCR_L3_HITS), 1);
	KUNIT_EXPECT_EQ(test, count(KCR_L2_HITS), 1);

	/* In both tiers now: one renewal is good for both */
	kcr_owner_renew(&owner);
	KUNIT_EXPECT_FALSE(test, request(test, 64, 1, 11));
	KUNIT_EXPECT_TRUE(test, request(test, 64, 1, 11));
	migrate_enable();
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(&kcr_kunit_site), 5);
}

static void sweep_everywhere_test(struct kunit *test)
{
	u64 stamp = owner.stamp;
	unsigned int i;

	for (i = 0; i < 30; i++)
		request(test, 16 + 16 * (i % 4), i / 3, i / 3);
	KUNIT_EXPECT_GT(test, kcr_test_count_all(stamp), 0);
	kcr_owner_renew(&owner);
	KUNIT_EXPECT_EQ(test, kcr_test_count_all(stamp), 0);
	request(test, 64, 1, 1);
	stamp = owner.stamp;
	kcr_owner_kill(&owner);
	KUNIT_EXPECT_EQ(test, kcr_test_count_all(stamp), 0);
}

static void killed_owner_test(struct kunit *test)
{
	struct kcr_query q;

	kcr_owner_kill(&owner);
	KUNIT_EXPECT_FALSE(test, kcr_test_begin(&q, &kcr_kunit_site, &owner, 16,
						16, 1));
	KUNIT_EXPECT_EQ(test, count(KCR_PASSED), 1);
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(&kcr_kunit_site), 0);
}

static void owners_do_not_share_test(struct kunit *test)
{
	struct kcr_owner other;
	struct kcr_query q;

	kcr_owner_init(&other);
	request(test, 64, 1, 10);
	KUNIT_EXPECT_TRUE(test, request(test, 64, 1, 10));
	kcr_test_begin(&q, &kcr_kunit_site, &other, 64, 64, 1);
	KUNIT_EXPECT_FALSE(test, kcr_lookup_unified(&q));
	kcr_query_end(&q, false);
	kcr_owner_kill(&other);
}

static void modes_test(struct kunit *test)
{
	request(test, 32, 1, 10);
	KUNIT_EXPECT_TRUE(test, request(test, 32, 1, 10));

	KUNIT_EXPECT_EQ(test, kcr_site_set_mode(&kcr_kunit_site, KCR_MODE_OFF), 0);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&kcr_kunit_site_key));
	/* Even those that are past the gate find nothing and leave nothing */
	KUNIT_EXPECT_FALSE(test, request(test, 32, 1, 12));
	KUNIT_EXPECT_FALSE(test, request(test, 32, 1, 13));

	/* What was stored before the mode changed is forgotten */
	KUNIT_EXPECT_EQ(test, kcr_site_set_mode(&kcr_kunit_site, KCR_MODE_REUSE), 0);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&kcr_kunit_site_key));
	KUNIT_EXPECT_FALSE(test, request(test, 32, 1, 11));
	KUNIT_EXPECT_TRUE(test, request(test, 32, 1, 11));
	KUNIT_EXPECT_EQ(test, kcr_site_set_mode(&kcr_kunit_site, KCR_NR_MODES),
			-EINVAL);
}

static void observe_test(struct kunit *test)
{
	unsigned int i;

	kcr_site_set_mode(&kcr_kunit_site, KCR_MODE_OBSERVE);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_FALSE(test, request(test, 64, 1, 10));
	KUNIT_EXPECT_EQ(test, count(KCR_OBSERVE_EQUAL), 9);
	KUNIT_EXPECT_EQ(test, count(KCR_OBSERVE_DIFFER), 0);
	KUNIT_EXPECT_EQ(test, count(KCR_L2_HITS) + count(KCR_L3_HITS), 0);
	/* An impure function is noticed, and served all the same */
	KUNIT_EXPECT_FALSE(test, request(test, 64, 1, 99));
	KUNIT_EXPECT_EQ(test, count(KCR_OBSERVE_DIFFER), 1);
}

static void too_large_test(struct kunit *test)
{
	struct kcr_query q;

	KUNIT_EXPECT_FALSE(test, kcr_test_begin(&q, &kcr_kunit_site, &owner,
						KCR_BODY_DEFAULT + 1, 16, 1));
	KUNIT_EXPECT_EQ(test, count(KCR_MISS_TOO_LARGE), 1);
	KUNIT_EXPECT_TRUE(test, kcr_test_begin(&q, &kcr_kunit_site, &owner,
					       KCR_INLINE_MAX, 16, 1));
	KUNIT_EXPECT_EQ(test, q.size_class, KCR_CLASS_64);
}

static void evicted_reason_test(struct kunit *test)
{
	u64 seed, before;

	for (seed = 0; seed < 2 * KCR_L3_SLOTS; seed++)
		request(test, 16, seed, seed);
	/* New keys are cold, but for earlier tests' keys and chance */
	before = count(KCR_MISS_EVICTED);
	KUNIT_EXPECT_LT(test, before, 100);
	/* The last did not all find room, and were noted only */
	KUNIT_EXPECT_GT(test, count(KCR_NOT_ADMITTED), KCR_L3_SLOTS / 2);
	for (seed = 2 * KCR_L3_SLOTS - 100; seed < 2 * KCR_L3_SLOTS; seed++)
		request(test, 16, seed, seed);
	KUNIT_EXPECT_GT(test, count(KCR_MISS_EVICTED), before + 30);
}

static void counters_add_up_test(struct kunit *test)
{
	u64 hits, misses;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		request(test, 32, i % 37, i % 37);
	hits = count(KCR_L2_HITS) + count(KCR_L3_HITS);
	misses = count(KCR_MISS_COLD) + count(KCR_MISS_EVICTED) +
		 count(KCR_MISS_STALE) + count(KCR_MISS_EXPIRED);
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(&kcr_kunit_site), 1000);
	KUNIT_EXPECT_EQ(test, hits + misses, 1000);
	KUNIT_EXPECT_GT(test, hits, 800);
	kcr_site_reset(&kcr_kunit_site);
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(&kcr_kunit_site), 0);
}

static void register_errors_test(struct kunit *test)
{
	static DEFINE_STATIC_KEY_FALSE(key);
	struct kcr_site bad = { .name = "kcr_bad", .key = &key,
				.max_body = KCR_BODY_MAX + 1 };

	KUNIT_EXPECT_EQ(test, kcr_site_register(&bad), -EINVAL);
	bad.max_body = 0;
	bad.name = NULL;
	KUNIT_EXPECT_EQ(test, kcr_site_register(&bad), -EINVAL);
}

static int site_case_init(struct kunit *test)
{
	kcr_site_set_mode(&kcr_kunit_site, KCR_MODE_REUSE);
	kcr_test_arm(test, &kcr_kunit_site);
	kcr_flush();
	kcr_owner_init(&owner);
	kcr_site_reset(&kcr_kunit_site);
	return 0;
}

static void site_case_exit(struct kunit *test)
{
	kcr_owner_kill(&owner);
}

static int site_suite_init(struct kunit_suite *suite)
{
	return kcr_site_register(&kcr_kunit_site);
}

static void site_suite_exit(struct kunit_suite *suite)
{
	kcr_site_unregister(&kcr_kunit_site);
}

static struct kunit_case site_cases[] = {
	KUNIT_CASE(promotion_test),
	KUNIT_CASE(sweep_everywhere_test),
	KUNIT_CASE(killed_owner_test),
	KUNIT_CASE(owners_do_not_share_test),
	KUNIT_CASE(modes_test),
	KUNIT_CASE(observe_test),
	KUNIT_CASE(too_large_test),
	KUNIT_CASE(evicted_reason_test),
	KUNIT_CASE(counters_add_up_test),
	KUNIT_CASE(register_errors_test),
	{}
};

static struct kunit_suite site_suite = {
	.name = "kcr_site",
	.init = site_case_init,
	.exit = site_case_exit,
	.suite_init = site_suite_init,
	.suite_exit = site_suite_exit,
	.test_cases = site_cases,
};

kunit_test_suite(site_suite);
