// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of a tier with inline entries.
 */
#include <kunit/static_stub.h>
#include <linux/kthread.h>
#include <linux/jiffies.h>

#include "kcr_test.h"
#include "tier.h"

KCR_TEST_SITE(kcr_tier_site);

static struct kcr_owner owner;

/* Key and result length of each inline class */
static const u32 lens[] = { 16, 32, 64, 80 };

static struct kcr_tier *new_tier(struct kunit *test, u32 slots)
{
	struct kcr_tier *tier = kcr_tier_create(slots, 3, NUMA_NO_NODE, 0);

	KUNIT_ASSERT_NOT_NULL(test, tier);
	return tier;
}

static void begin(struct kunit *test, struct kcr_query *q, u32 len, u64 seed)
{
	KUNIT_ASSERT_TRUE(test, kcr_test_begin(q, &kcr_tier_site, &owner, len,
					       len, seed));
}

static int put(struct kunit *test, struct kcr_tier *tier, u32 len, u64 seed)
{
	struct kcr_query q;

	begin(test, &q, len, seed);
	kcr_test_result(&q, seed);
	return kcr_tier_store(tier, &q, NULL);
}

static bool get(struct kunit *test, struct kcr_tier *tier, u32 len, u64 seed)
{
	struct kcr_query q;

	begin(test, &q, len, seed);
	if (!kcr_tier_lookup(tier, &q))
		return false;
	KUNIT_EXPECT_TRUE(test, kcr_test_is_result(&q, len, seed));
	return true;
}

static u64 same_fingerprint(const struct kcr_query *q)
{
	return 42;
}

static void store_and_lookup_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		KUNIT_EXPECT_FALSE(test, get(test, tier, lens[i], i));
		KUNIT_EXPECT_EQ(test, put(test, tier, lens[i], i), 0);
		KUNIT_EXPECT_TRUE(test, get(test, tier, lens[i], i));
	}
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), ARRAY_SIZE(lens));
	kcr_tier_destroy(tier);
}

/* With all fingerprints equal, only the comparison stands between keys */
static void collision_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	unsigned int i, bit;
	struct kcr_query q;

	kunit_activate_static_stub(test, kcr_fingerprint, same_fingerprint);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		KUNIT_ASSERT_EQ(test, put(test, tier, lens[i], 7), 0);
		KUNIT_EXPECT_TRUE(test, get(test, tier, lens[i], 7));
		for (bit = 0; bit < lens[i] * 8; bit++) {
			begin(test, &q, lens[i], 7);
			q.key[bit / 64] ^= 1ULL << (bit % 64);
			KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));
		}
		for (bit = 0; bit < 64; bit++) {
			begin(test, &q, lens[i], 7);
			q.head ^= 1ULL << bit;
			KUNIT_EXPECT_FALSE(test, kcr_tier_lookup(tier, &q));
		}
	}
	/* Two keys of one fingerprint displace each other and never mix */
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(test, put(test, tier, 64, i), 0);
		KUNIT_EXPECT_TRUE(test, get(test, tier, 64, i));
		KUNIT_EXPECT_FALSE(test, get(test, tier, 64, i + 1));
	}
	kunit_deactivate_static_stub(test, kcr_fingerprint);
	kcr_tier_destroy(tier);
}

static void stale_stamp_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_query q;

	KUNIT_ASSERT_EQ(test, put(test, tier, 32, 1), 0);
	begin(test, &q, 32, 2);
	kcr_test_result(&q, 2);
	kcr_owner_renew(&owner);

	/* What was stored before is not found, but known to be stale */
	KUNIT_EXPECT_FALSE(test, get(test, tier, 32, 1));
	/* What was computed across the invalidation is not stored */
	KUNIT_EXPECT_EQ(test, kcr_tier_store(tier, &q, NULL), -ESTALE);
	KUNIT_EXPECT_FALSE(test, get(test, tier, 32, 2));
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 1);

	begin(test, &q, 32, 1);
	KUNIT_EXPECT_EQ(test, kcr_tier_miss_reason(tier, &q), KCR_MISS_STALE);
	/* Computing it again reclaims the stale slot */
	KUNIT_EXPECT_EQ(test, put(test, tier, 32, 1), 0);
	KUNIT_EXPECT_TRUE(test, get(test, tier, 32, 1));
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 1);
	kcr_tier_destroy(tier);
}

/* A writer is interrupted half-way: whoever comes in between sees a miss */
static void interrupted_writer_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_slot *slot;
	struct kcr_query q;
	u64 saved;

	KUNIT_ASSERT_EQ(test, put(test, tier, 64, 3), 0);
	begin(test, &q, 64, 3);
	slot = &tier->slots[tier->index[kcr_bucket(tier, &q)]];

	KUNIT_ASSERT_TRUE(test, kcr_slot_claim(slot));
	saved = slot->data[3];
	slot->data[3] = ~saved;
	KUNIT_EXPECT_FALSE(test, get(test, tier, 64, 3));
	KUNIT_EXPECT_EQ(test, put(test, tier, 64, 3), -EBUSY);
	KUNIT_EXPECT_FALSE(test, kcr_slot_claim(slot));
	KUNIT_EXPECT_EQ(test, slot->data[3], ~saved);
	slot->data[3] = saved;
	kcr_slot_release(slot);

	KUNIT_EXPECT_TRUE(test, get(test, tier, 64, 3));
	KUNIT_EXPECT_EQ(test, put(test, tier, 64, 3), 0);
	kcr_tier_destroy(tier);
}

struct torn {
	struct kcr_tier *tier;
	struct completion done;
	u64 stored;
};

#define TORN_STORES 100000

static int torn_writer(void *arg)
{
	struct torn *t = arg;
	struct kcr_query q;
	unsigned int i;
	u64 n;

	for (n = 1; n <= TORN_STORES; n++) {
		kcr_test_begin(&q, &kcr_tier_site, &owner, 80, 80, 5);
		for (i = 0; i < KCR_INLINE_WORDS; i++)
			q.res[i] = n;
		t->stored += !kcr_tier_store(t->tier, &q, NULL);
		if (!(n % 1024))
			cond_resched();
	}
	complete(&t->done);
	return 0;
}

/* Ever changing results of one key: a hit has all its words of one store */
static void torn_read_test(struct kunit *test)
{
	struct torn t = { .tier = new_tier(test, 64) };
	unsigned int i, torn = 0, backwards = 0;
	struct task_struct *writer;
	struct kcr_query q;
	u64 last = 0;

	init_completion(&t.done);
	writer = kthread_run(torn_writer, &t, "kcr_torn");
	KUNIT_ASSERT_FALSE(test, IS_ERR(writer));
	do {
		begin(test, &q, 80, 5);
		if (kcr_tier_lookup(t.tier, &q)) {
			for (i = 1; i < KCR_INLINE_WORDS; i++)
				torn += q.res[i] != q.res[0];
			backwards += q.res[0] < last;
			last = q.res[0];
		}
		cond_resched();
	} while (!try_wait_for_completion(&t.done));
	KUNIT_EXPECT_EQ(test, torn, 0);
	KUNIT_EXPECT_EQ(test, backwards, 0);
	KUNIT_EXPECT_GT(test, t.stored, 0);
	kcr_tier_destroy(t.tier);
}

static void replacement_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	unsigned int i, hits = 0;

	for (i = 0; i < 1000; i++)
		KUNIT_EXPECT_EQ(test, put(test, tier, 16, i), 0);
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 64);
	for (i = 0; i < 1000; i++)
		hits += get(test, tier, 16, i);
	KUNIT_EXPECT_LE(test, hits, 64);
	/* The last ones are there, but for those whose bucket another took */
	KUNIT_EXPECT_GE(test, hits, 40);
	kcr_tier_destroy(tier);
}

/* CLOCK: what is read again and again outlives what is not */
static void clock_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	unsigned int i, hits = 0, lookups = 0;

	KUNIT_ASSERT_EQ(test, put(test, tier, 16, 1000000), 0);
	for (i = 0; i < 1000; i++) {
		hits += get(test, tier, 16, 1000000);
		lookups++;
		put(test, tier, 16, i);
		if (!get(test, tier, 16, 1000000))
			put(test, tier, 16, 1000000);
	}
	/* It goes only if another key falls into its very bucket: 1 in 512 */
	KUNIT_EXPECT_GE(test, hits, lookups * 95 / 100);
	kcr_tier_destroy(tier);
}

static void sweep_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_owner other, *mine = &owner;
	unsigned int i, j;
	struct kcr_query q;

	kcr_owner_init(&other);
	for (i = 0; i < 8; i++) {
		put(test, tier, 80, i);
		kcr_test_begin(&q, &kcr_tier_site, &other, 80, 80, 100 + i);
		kcr_test_result(&q, 100 + i);
		/* One owner does not take the other's buckets */
		kcr_tier_store(tier, &q, NULL);
	}
	i = kcr_test_count_stamp(tier, other.stamp);
	KUNIT_EXPECT_GT(test, i, 0);
	kcr_tier_sweep(tier, mine->stamp);
	KUNIT_EXPECT_EQ(test, kcr_test_count_stamp(tier, mine->stamp), 0);
	KUNIT_EXPECT_EQ(test, kcr_test_count_stamp(tier, other.stamp), i);
	kcr_tier_sweep(tier, KCR_ANY_STAMP);
	KUNIT_EXPECT_EQ(test, kcr_tier_used(tier), 0);

	for (i = 0; i < tier->nr_slots; i++)
		for (j = 0; j < ARRAY_SIZE(tier->slots[i].data); j++)
			KUNIT_EXPECT_EQ(test, tier->slots[i].data[j], 0);
	kcr_owner_kill(&other);
	kcr_tier_destroy(tier);
}

/* A small entry in a large one's slot leaves none of the large one's bytes */
static void no_residue_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_query q;
	struct kcr_slot *slot;
	unsigned int i;

	kunit_activate_static_stub(test, kcr_fingerprint, same_fingerprint);
	KUNIT_ASSERT_EQ(test, put(test, tier, 80, 1), 0);
	KUNIT_ASSERT_EQ(test, put(test, tier, 16, 2), 0);
	begin(test, &q, 16, 2);
	slot = &tier->slots[tier->index[kcr_bucket(tier, &q)]];
	for (i = 4; i < ARRAY_SIZE(slot->data); i++)
		KUNIT_EXPECT_EQ(test, slot->data[i], 0);
	kunit_deactivate_static_stub(test, kcr_fingerprint);
	kcr_tier_destroy(tier);
}

static void expiry_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_query q;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, put(test, tier, 16, 1), 0);
	for (i = 0; i < tier->nr_slots; i++)
		tier->slots[i].born -= 1000;
	KUNIT_EXPECT_TRUE(test, get(test, tier, 16, 1));
	kcr_tier_site.ttl = 999;
	KUNIT_EXPECT_FALSE(test, get(test, tier, 16, 1));
	begin(test, &q, 16, 1);
	KUNIT_EXPECT_EQ(test, kcr_tier_miss_reason(tier, &q), KCR_MISS_EXPIRED);
	kcr_tier_site.ttl = 1000 + 60 * HZ;
	KUNIT_EXPECT_TRUE(test, get(test, tier, 16, 1));
	kcr_tier_site.ttl = 0;
	kcr_tier_destroy(tier);
}

/* Fill a tier and, if @read, read everything in it */
static struct kcr_tier *full_tier(struct kunit *test, bool read)
{
	struct kcr_tier *tier = new_tier(test, 64);
	unsigned int i;

	for (i = 0; i < 1000 && kcr_tier_used(tier) < tier->nr_slots; i++)
		put(test, tier, 16, i);
	KUNIT_ASSERT_EQ(test, kcr_tier_used(tier), tier->nr_slots);
	while (read && i--)
		get(test, tier, 16, i);
	return tier;
}

/* At once while there is room, then at the second sighting */
static void admission_test(struct kunit *test)
{
	struct kcr_tier *tier = new_tier(test, 64);
	struct kcr_query q;

	begin(test, &q, 16, 10000);
	KUNIT_EXPECT_TRUE(test, kcr_tier_admits(tier, &q));
	KUNIT_EXPECT_TRUE(test, kcr_tier_admits(tier, &q));
	kcr_tier_destroy(tier);

	tier = full_tier(test, false);
	begin(test, &q, 16, 10000);
	KUNIT_EXPECT_FALSE(test, kcr_tier_admits(tier, &q));
	KUNIT_EXPECT_TRUE(test, kcr_tier_admits(tier, &q));
	kcr_tier_destroy(tier);
}

/* What one owner has read goes for nothing that another shows once */
static void shares_test(struct kunit *test)
{
	struct kcr_tier *tier = full_tier(test, true);
	unsigned int i, stored = 0;
	struct kcr_owner other;
	struct kcr_query q;

	kcr_owner_init(&other);
	for (i = 0; i < 40; i++) {
		kcr_test_begin(&q, &kcr_tier_site, &other, 16, 16, 5000 + i);
		kcr_test_result(&q, i);
		/* A tag may be another key's; one search in vain in 1024 takes lives */
		if (!kcr_tier_noted(tier, &q) && q.fingerprint % 1024)
			KUNIT_EXPECT_EQ(test, kcr_tier_store(tier, &q, NULL), -EBUSY);
	}
	for (i = 0; i < 40; i++) {
		kcr_test_begin(&q, &kcr_tier_site, &other, 16, 16, 5000 + i);
		kcr_test_result(&q, i);
		kcr_tier_seen(tier, &q);
		stored += !kcr_tier_store(tier, &q, NULL);
	}
	KUNIT_EXPECT_GT(test, stored, 0);
	KUNIT_EXPECT_LE(test, kcr_test_count_stamp(tier, other.stamp), 32);
	KUNIT_EXPECT_GE(test, kcr_test_count_stamp(tier, owner.stamp), 32);
	kcr_tier_sweep(tier, KCR_ANY_STAMP);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tier->nr_used), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tier->nr_owners), 0);
	kcr_owner_kill(&other);
	kcr_tier_destroy(tier);
}

static int tier_suite_init(struct kunit_suite *suite)
{
	kcr_owner_init(&owner);
	return kcr_site_register(&kcr_tier_site);
}

static void tier_suite_exit(struct kunit_suite *suite)
{
	kcr_owner_kill(&owner);
	kcr_site_unregister(&kcr_tier_site);
}

static struct kunit_case tier_cases[] = {
	KUNIT_CASE(store_and_lookup_test),
	KUNIT_CASE(collision_test),
	KUNIT_CASE(stale_stamp_test),
	KUNIT_CASE(interrupted_writer_test),
	KUNIT_CASE(torn_read_test),
	KUNIT_CASE(replacement_test),
	KUNIT_CASE(clock_test),
	KUNIT_CASE(sweep_test),
	KUNIT_CASE(no_residue_test),
	KUNIT_CASE(expiry_test),
	KUNIT_CASE(admission_test),
	KUNIT_CASE(shares_test),
	{}
};

static struct kunit_suite tier_suite = {
	.name = "kcr_tier",
	.suite_init = tier_suite_init,
	.suite_exit = tier_suite_exit,
	.test_cases = tier_cases,
};

kunit_test_suite(tier_suite);
