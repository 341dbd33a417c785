// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of the profit model, of audits and of
 * learning. Time is what the tests say, so that nothing depends on the machine.
 */
#include <kunit/static_stub.h>
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "kcr_test.h"

KCR_TEST_SITE(kcr_profit_site);

static u32 clock_cost;
static struct kcr_owner owner;

/* What requests cost, in ticks of the test's own clock */
struct cost {
	u64 hit;
	u64 miss;
	u64 compute;
};

static const struct cost pays = { .hit = 100, .miss = 200, .compute = 1000 };
static const struct cost loses = { .hit = 900, .miss = 1500, .compute = 600 };

static u64 now = 1;

static u64 clock_stub(void)
{
	return now;
}

static u64 count(enum kcr_counter counter)
{
	return kcr_site_sum(&kcr_profit_site, counter);
}

/* One request through the whole gate; true if it was answered from memory */
static bool request(struct kunit *test, u64 seed, const struct cost *cost,
		    u64 result)
{
	struct kcr_shape shape = { .body_len = 64, .bulk_len = 64 };
	unsigned int i;
	struct kcr_query q;
	bool hit;

	if (!kcr_should_cache(&kcr_profit_site, 64))
		return false;
	KUNIT_ASSERT_GE(test, kcr_query_begin(&q, &kcr_profit_site, &owner, &shape), 0);
	for (i = 0; i < 8; i++)
		q.key[i] = seed * 0x9e3779b97f4a7c15ULL + i;
	now += cost->hit;
	hit = kcr_lookup_unified(&q);
	if (hit) {
		KUNIT_EXPECT_TRUE(test, kcr_test_is_result(&q, 64, result));
	} else {
		kcr_compute_start(&q);
		now += cost->compute;
		kcr_compute_stop(&q);
		if (kcr_wants_result(&q)) {
			now += cost->miss - cost->hit;
			kcr_test_result(&q, result);
			kcr_store_result(&q);
		}
	}
	kcr_query_end(&q, hit);
	return hit;
}

static struct kcr_profit *profit(void)
{
	return &raw_cpu_ptr(kcr_profit_site.stats)->profit[kcr_size(64)];
}

/* Never the same key twice, in this boot */
static void never_repeat(struct kunit *test, u32 n, const struct cost *cost)
{
	static u64 seed = 1ULL << 32;

	while (n--) {
		seed++;
		request(test, seed, cost, seed);
	}
}

static void bypass_test(struct kunit *test)
{
	u32 probes, i;

	/* A trial: some four thousand requests */
	for (i = 0; i < 20000 && profit()->state == KCR_PROFIT_TRIAL; i++)
		never_repeat(test, 1, &pays);
	KUNIT_EXPECT_EQ(test, profit()->state, KCR_PROFIT_BYPASS);
	KUNIT_EXPECT_GE(test, i, KCR_TRIAL_SAMPLES);
	KUNIT_EXPECT_LE(test, i, KCR_TRIAL_SAMPLES * KCR_SAMPLE_MAX);

	/* Settled: a probe now and then, at the longest back-off */
	never_repeat(test, 4 * KCR_BACKOFF_MAX, &pays);
	probes = count(KCR_PROBES);
	never_repeat(test, 4 * (KCR_BACKOFF_MAX + KCR_PROBE_REQUESTS), &pays);
	probes = count(KCR_PROBES) - probes;
	KUNIT_EXPECT_GE(test, probes, 3 * KCR_PROBE_REQUESTS);
	KUNIT_EXPECT_LE(test, probes, 5 * KCR_PROBE_REQUESTS);
	KUNIT_EXPECT_EQ(test, count(KCR_L2_HITS) + count(KCR_L3_HITS), 0);
}

static void repetition_is_noticed_test(struct kunit *test)
{
	u32 i, hits = 0;

	never_repeat(test, 8 * KCR_BACKOFF_MAX, &pays);
	KUNIT_EXPECT_NE(test, profit()->state, KCR_PROFIT_TRIAL);
	/* All of a sudden only one hundred keys */
	for (i = 0; i < KCR_BACKOFF_MAX + 2 * KCR_PROBE_REQUESTS && !hits; i++)
		hits += request(test, i % 100, &pays, i % 100);
	KUNIT_EXPECT_GT(test, hits, 0);
	for (i = 0; i < 1000; i++)
		hits += request(test, i % 100, &pays, i % 100);
	KUNIT_EXPECT_GT(test, hits, 800);
	KUNIT_EXPECT_EQ(test, profit()->state, KCR_PROFIT_TRIAL);
}

static void hits_that_lose_test(struct kunit *test)
{
	u32 i, hits = 0;

	for (i = 0; i < 60000; i++)
		hits += request(test, i % 10, &loses, i % 10);
	/* Most of them in the first trial, and one probe's after each back-off */
	KUNIT_EXPECT_GT(test, hits, KCR_TRIAL_SAMPLES);
	KUNIT_EXPECT_LT(test, hits, 30000);
	KUNIT_EXPECT_GT(test, count(KCR_BYPASSED), 30000);
	KUNIT_EXPECT_LT(test, kcr_site_ticks_saved(&kcr_profit_site), 0);
}

static void always_test(struct kunit *test)
{
	u32 i, hits = 0;

	kcr_site_set_always(&kcr_profit_site, true);
	for (i = 0; i < 60000; i++)
		hits += request(test, i % 10, &loses, i % 10);
	kcr_site_set_always(&kcr_profit_site, false);
	KUNIT_EXPECT_GT(test, hits, 59000);
	KUNIT_EXPECT_EQ(test, count(KCR_BYPASSED), 0);
}

static void saved_test(struct kunit *test)
{
	u64 hits, misses, compute = 0, start = now;
	s64 true_saving, saving;
	u32 i;

	for (i = 0; i < 50000; i++)
		request(test, i % 200, &pays, i % 200);
	hits = count(KCR_L2_HITS) + count(KCR_L3_HITS);
	misses = 50000 - hits;
	compute = 50000 * pays.compute;
	true_saving = compute - (now - start);
	saving = kcr_site_ticks_saved(&kcr_profit_site);
	KUNIT_EXPECT_GT(test, hits, misses);
	KUNIT_EXPECT_GT(test, saving, true_saving * 9 / 10);
	KUNIT_EXPECT_LT(test, saving, true_saving * 11 / 10);
}

/* The same requests, observed and then reused */
static void observe_predicts_test(struct kunit *test)
{
	u64 predicted_hits, hits;
	s64 predicted, saved;
	u32 i, key;

	kcr_site_set_mode(&kcr_profit_site, KCR_MODE_OBSERVE);
	for (i = 0; i < 40000; i++) {
		key = i % 3 ? i % 300 : i;
		KUNIT_EXPECT_FALSE(test, request(test, key, &pays, key));
	}
	KUNIT_EXPECT_EQ(test, count(KCR_OBSERVE_DIFFER), 0);
	predicted_hits = count(KCR_OBSERVE_EQUAL);
	predicted = kcr_site_ticks_saved(&kcr_profit_site);
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(&kcr_profit_site), 40000);

	kcr_site_set_mode(&kcr_profit_site, KCR_MODE_REUSE);
	kcr_site_reset(&kcr_profit_site);
	for (i = 0; i < 40000; i++) {
		key = i % 3 ? i % 300 : i;
		request(test, key, &pays, key);
	}
	hits = count(KCR_L2_HITS) + count(KCR_L3_HITS);
	saved = kcr_site_ticks_saved(&kcr_profit_site);
	/* Percentage points of 40,000, and percent */
	KUNIT_EXPECT_LT(test, abs((s64)(predicted_hits - hits)), 2000);
	KUNIT_EXPECT_LT(test, abs(predicted - saved), saved / 5);
}

static void audit_test(struct kunit *test)
{
	u32 i;

	WRITE_ONCE(kcr_profit_site.audit_interval, 64);
	for (i = 0; i < 6400; i++)
		request(test, i % 10, &pays, i % 10);
	KUNIT_EXPECT_GE(test, count(KCR_AUDITS), 50);
	KUNIT_EXPECT_LE(test, count(KCR_AUDITS), 100);
	KUNIT_EXPECT_EQ(test, count(KCR_MISMATCHES), 0);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.mode, KCR_MODE_REUSE);

	WRITE_ONCE(kcr_profit_site.audit_interval, 0);
	kcr_site_reset(&kcr_profit_site);
	for (i = 0; i < 10000; i++)
		request(test, i % 10, &pays, i % 10);
	KUNIT_EXPECT_EQ(test, count(KCR_AUDITS), 0);
}

static void settle(struct kunit *test, enum kcr_mode mode)
{
	kcr_sites_flush_work();
	KUNIT_EXPECT_EQ(test, READ_ONCE(kcr_profit_site.mode), mode);
}

static void impure_site_is_rejected_test(struct kunit *test)
{
	struct kcr_query q;
	u32 i, served = 0;

	WRITE_ONCE(kcr_profit_site.audit_interval, 100);
	for (i = 0; i < 50; i++)
		request(test, 1, &pays, 7);
	/* From now on the function would give something else */
	for (i = 0; i < 300 && kcr_profit_site.mode == KCR_MODE_REUSE; i++) {
		struct kcr_shape shape = { .body_len = 64, .bulk_len = 64 };

		kcr_query_begin(&q, &kcr_profit_site, &owner, &shape);
		for (u32 w = 0; w < 8; w++)
			q.key[w] = 0x9e3779b97f4a7c15ULL + w;
		if (kcr_lookup_unified(&q)) {
			served++;
			kcr_query_end(&q, true);
			continue;
		}
		kcr_test_result(&q, 7);
		q.res[3]++;
		kcr_store_result(&q);
		kcr_query_end(&q, false);
	}
	KUNIT_EXPECT_LE(test, served, 100 + KCR_SAMPLE_MAX);
	KUNIT_EXPECT_EQ(test, count(KCR_MISMATCHES), 1);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.verdict.offset, 24);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.verdict.body_len, 64);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.verdict.fingerprint, q.fingerprint);
	/* At once, even before the gate is closed */
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 8));
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 8));
	settle(test, KCR_MODE_REJECTED);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&kcr_profit_site_key));
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 8));
	KUNIT_EXPECT_EQ(test, kcr_site_set_mode(&kcr_profit_site, KCR_MODE_REJECTED), -EINVAL);

	/* An administrator says otherwise */
	KUNIT_EXPECT_EQ(test, kcr_site_set_mode(&kcr_profit_site, KCR_MODE_REUSE), 0);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&kcr_profit_site_key));
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 8));
	KUNIT_EXPECT_TRUE(test, request(test, 1, &pays, 8));
}

static void stale_difference_is_none_test(struct kunit *test)
{
	struct kcr_shape shape = { .body_len = 64, .bulk_len = 64 };
	struct kcr_query q;

	request(test, 1, &pays, 7);
	kcr_query_begin(&q, &kcr_profit_site, &owner, &shape);
	memset(q.key, 0, sizeof(q.key));
	for (u32 w = 0; w < 8; w++)
		q.key[w] = 0x9e3779b97f4a7c15ULL + w;
	q.fingerprint = kcr_fingerprint(&q);
	q.flags = KCR_QUERY_FOUND;
	kcr_test_result(&q, 8);
	/* The input's owner changed while computing: no wonder */
	WRITE_ONCE(owner.stamp, owner.stamp + 1);
	KUNIT_EXPECT_EQ(test, kcr_verify_deterministic(&q), -ESTALE);
	WRITE_ONCE(owner.stamp, owner.stamp - 1);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.mode, KCR_MODE_REUSE);
	KUNIT_EXPECT_EQ(test, kcr_verify_deterministic(&q), -EILSEQ);
	settle(test, KCR_MODE_REJECTED);
}

static void learn_test(struct kunit *test)
{
	u32 i;

	kcr_profit_site.learn_target = 100;
	kcr_site_set_mode(&kcr_profit_site, KCR_MODE_LEARN);
	for (i = 0; i < 109; i++)
		KUNIT_EXPECT_FALSE(test, request(test, i % 10, &pays, i % 10));
	kcr_sites_flush_work();
	KUNIT_EXPECT_EQ(test, kcr_profit_site.mode, KCR_MODE_LEARN);
	/* The hundredth that was there before */
	KUNIT_EXPECT_FALSE(test, request(test, i % 10, &pays, i % 10));
	settle(test, KCR_MODE_REUSE);
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 1));
	KUNIT_EXPECT_TRUE(test, request(test, 1, &pays, 1));
}

static void learn_rejects_test(struct kunit *test)
{
	u32 i;

	kcr_site_set_mode(&kcr_profit_site, KCR_MODE_LEARN);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 1));
	KUNIT_EXPECT_FALSE(test, request(test, 1, &pays, 2));
	settle(test, KCR_MODE_REJECTED);
	KUNIT_EXPECT_EQ(test, kcr_profit_site.verdict.mode, KCR_MODE_LEARN);
}

static int profit_case_init(struct kunit *test)
{
	kcr_site_set_mode(&kcr_profit_site, KCR_MODE_REUSE);
	kcr_test_arm(test, &kcr_profit_site);
	kunit_activate_static_stub(test, kcr_clock, clock_stub);
	/* That clock costs nothing */
	clock_cost = kcr_clock_cost;
	kcr_clock_cost = 0;
	kcr_flush();
	kcr_owner_init(&owner);
	/* What is kept is kept for each CPU; this thread ends with the case */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	WRITE_ONCE(kcr_profit_site.audit_interval, 0);
	kcr_profit_reset(&kcr_profit_site);
	kcr_site_reset(&kcr_profit_site);
	return 0;
}

static void profit_case_exit(struct kunit *test)
{
	kcr_owner_kill(&owner);
	kcr_clock_cost = clock_cost;
}

static int profit_suite_init(struct kunit_suite *suite)
{
	return kcr_site_register(&kcr_profit_site);
}

static void profit_suite_exit(struct kunit_suite *suite)
{
	kcr_site_unregister(&kcr_profit_site);
}

static struct kunit_case profit_cases[] = {
	KUNIT_CASE(bypass_test),
	KUNIT_CASE(repetition_is_noticed_test),
	KUNIT_CASE(hits_that_lose_test),
	KUNIT_CASE(always_test),
	KUNIT_CASE(saved_test),
	KUNIT_CASE(observe_predicts_test),
	KUNIT_CASE(audit_test),
	KUNIT_CASE(impure_site_is_rejected_test),
	KUNIT_CASE(stale_difference_is_none_test),
	KUNIT_CASE(learn_test),
	KUNIT_CASE(learn_rejects_test),
	{}
};

static struct kunit_suite profit_suite = {
	.name = "kcr_profit",
	.init = profit_case_init,
	.exit = profit_case_exit,
	.suite_init = profit_suite_init,
	.suite_exit = profit_suite_exit,
	.test_cases = profit_cases,
};

kunit_test_suite(profit_suite);
