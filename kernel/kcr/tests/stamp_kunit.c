// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of stamps, owners and fingerprints.
 */
#include <linux/sort.h>
#include <linux/workqueue.h>

#include "kcr_test.h"

#define NR_STAMPS 1000

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static DEFINE_MUTEX(stamps_mutex);
static u64 *stamps;
static unsigned int nr_stamps;

static void take_stamps(struct work_struct *work)
{
	unsigned int i;
	u64 stamp;

	for (i = 0; i < NR_STAMPS; i++) {
		stamp = kcr_stamp_new();
		mutex_lock(&stamps_mutex);
		stamps[nr_stamps++] = stamp;
		mutex_unlock(&stamps_mutex);
	}
}

static void stamps_are_unique_test(struct kunit *test)
{
	unsigned int i, equal = 0;

	nr_stamps = 0;
	stamps = kunit_kcalloc(test, NR_STAMPS * num_possible_cpus(),
			       sizeof(*stamps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stamps);
	KUNIT_ASSERT_EQ(test, schedule_on_each_cpu(take_stamps), 0);
	KUNIT_EXPECT_GE(test, nr_stamps, NR_STAMPS);

	sort(stamps, nr_stamps, sizeof(*stamps), cmp_u64, NULL);
	KUNIT_EXPECT_NE(test, stamps[0], 0);
	for (i = 1; i < nr_stamps; i++)
		equal += stamps[i] == stamps[i - 1];
	KUNIT_EXPECT_EQ(test, equal, 0);
}

static void owner_life_test(struct kunit *test)
{
	struct kcr_owner owner;
	u64 first, second;

	memset(&owner, 0xff, sizeof(owner));
	kcr_owner_init(&owner);
	first = owner.stamp;
	KUNIT_EXPECT_NE(test, first, 0);
	KUNIT_EXPECT_EQ(test, owner.stored, 0);

	kcr_owner_renew(&owner);
	second = owner.stamp;
	KUNIT_EXPECT_NE(test, second, 0);
	KUNIT_EXPECT_NE(test, second, first);

	kcr_owner_kill(&owner);
	KUNIT_EXPECT_EQ(test, owner.stamp, 0);

	kcr_owner_renew(&owner);
	KUNIT_EXPECT_NE(test, owner.stamp, 0);
	KUNIT_EXPECT_NE(test, owner.stamp, first);
	KUNIT_EXPECT_NE(test, owner.stamp, second);
	kcr_owner_kill(&owner);
}

/* The half that tiers take their index from */
static u32 upper(const struct kcr_query *q)
{
	return kcr_fingerprint(q) >> 32;
}

/* Every bit of what identifies a request must reach the index */
static void fingerprint_covers_key_test(struct kunit *test)
{
	static const u8 classes[] = { KCR_CLASS_16, KCR_CLASS_32, KCR_CLASS_64 };
	struct kcr_owner owner, other;
	struct kcr_query q = { .owner = &owner };
	unsigned int c, bit, words;
	u32 fp;

	for (c = 0; c < ARRAY_SIZE(classes); c++) {
		q.size_class = classes[c];
		words = kcr_class_words(q.size_class);
		fp = upper(&q);
		KUNIT_EXPECT_EQ(test, fp, upper(&q));
		for (bit = 0; bit < words * 64; bit++) {
			q.key[bit / 64] ^= 1ULL << (bit % 64);
			KUNIT_EXPECT_NE(test, fp, upper(&q));
			q.key[bit / 64] ^= 1ULL << (bit % 64);
		}
		for (bit = 0; bit < 64; bit++) {
			q.head ^= 1ULL << bit;
			KUNIT_EXPECT_NE(test, fp, upper(&q));
			q.head ^= 1ULL << bit;
		}
		q.owner = &other;
		KUNIT_EXPECT_NE(test, fp, upper(&q));
		q.owner = &owner;
	}
}

static void fingerprint_of_body_test(struct kunit *test)
{
	struct kcr_owner owner;
	struct kcr_query q = { .owner = &owner, .size_class = KCR_CLASS_BLOB };
	u8 *body = kunit_kzalloc(test, 4096, GFP_KERNEL);
	unsigned int i;
	u64 fp;

	KUNIT_ASSERT_NOT_NULL(test, body);
	q.body = body;
	q.head = 4096ULL << KCR_HEAD_BODY_SHIFT;
	fp = kcr_crypto_fingerprint(&q);
	KUNIT_EXPECT_EQ(test, fp, kcr_fingerprint(&q));
	for (i = 0; i < 4096; i++) {
		body[i] ^= 0x80;
		KUNIT_EXPECT_NE(test, fp, kcr_fingerprint(&q));
		body[i] ^= 0x80;
	}
	q.key[KCR_SIDE_MAX / 8 - 1] = 1;
	KUNIT_EXPECT_NE(test, fp, kcr_fingerprint(&q));
}

static struct kunit_case stamp_cases[] = {
	KUNIT_CASE(stamps_are_unique_test),
	KUNIT_CASE(owner_life_test),
	KUNIT_CASE(fingerprint_covers_key_test),
	KUNIT_CASE(fingerprint_of_body_test),
	{}
};

static struct kunit_suite stamp_suite = {
	.name = "kcr_stamp",
	.test_cases = stamp_cases,
};

kunit_test_suite(stamp_suite);
