// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of tracked memory as the kernel's own code sees
 * it. What programs see is tested by tools/testing/selftests/kcr.
 */
#include <kunit/test.h>
#include <linux/kcr.h>
#include <linux/kcr_track.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#define PAGES	4
#define SIZE	(PAGES * PAGE_SIZE)

/**
 * struct setup - what each test has
 * @set: a set of one range
 * @base: where it is
 * @stamp: the set's
 * @next: the stamp that is given next
 */
struct setup {
	struct kcr_tracked set;
	unsigned long base;
	u64 stamp;
	u64 next;
};

static int setup_init(struct kunit *test)
{
	struct setup *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct kcr_range range = { .len = SIZE };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->base = kunit_vm_mmap(test, NULL, 0, SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, s->base, 0);
	for (i = 0; i < PAGES; i++)
		KUNIT_ASSERT_EQ(test, put_user(i, (u64 __user *)(s->base + i * PAGE_SIZE)), 0);
	s->next = 1;
	range.start = s->base;
	KUNIT_ASSERT_EQ(test, kcr_tracked_init(&s->set, current->mm, &s->stamp), 0);
	KUNIT_ASSERT_EQ(test, kcr_tracked_add(&s->set, &range, 1), 0);
	test->priv = s;
	return 0;
}

static void setup_exit(struct kunit *test)
{
	struct setup *s = test->priv;

	if (s)
		kcr_tracked_destroy(&s->set);
}

static void arm(struct kunit *test, struct setup *s)
{
	u64 address;

	KUNIT_ASSERT_EQ(test, kcr_tracked_arm(&s->set, s->next, &address), KCR_REFUSED_NOT);
	KUNIT_ASSERT_EQ(test, s->stamp, s->next);
	s->next++;
}

static u64 events(struct setup *s, enum kcr_event event)
{
	struct kcr_set_info info = {};

	kcr_tracked_info(&s->set, &info);
	return info.events[event];
}

static void test_store(struct kunit *test)
{
	struct setup *s = test->priv;
	unsigned int i;
	u64 value;

	for (i = 0; i < 2 * PAGES; i++) {
		u64 __user *word = (u64 __user *)(s->base + i % PAGES * PAGE_SIZE);

		arm(test, s);
		KUNIT_EXPECT_EQ(test, get_user(value, word), 0);
		KUNIT_EXPECT_EQ(test, s->stamp, s->next - 1);
		KUNIT_EXPECT_EQ(test, put_user(value + 1, word), 0);
		KUNIT_EXPECT_EQ(test, s->stamp, 0);
		KUNIT_EXPECT_EQ(test, events(s, KCR_EVENT_WRITE), i + 1);
	}
}

static void test_invalidate_range(struct kunit *test)
{
	struct setup *s = test->priv;
	unsigned long end = s->base + SIZE;

	arm(test, s);
	/* Next to it, empty, and somebody else's */
	kcr_invalidate_range(current->mm, s->base - PAGE_SIZE, s->base);
	kcr_invalidate_range(current->mm, end, end + PAGE_SIZE);
	kcr_invalidate_range(current->mm, s->base, s->base);
	kcr_invalidate_range(&init_mm, s->base, end);
	KUNIT_EXPECT_EQ(test, s->stamp, s->next - 1);
	KUNIT_EXPECT_EQ(test, events(s, KCR_EVENT_INVALIDATE), 0);

	kcr_invalidate_range(current->mm, end - 1, end);
	KUNIT_EXPECT_EQ(test, s->stamp, 0);
	KUNIT_EXPECT_EQ(test, events(s, KCR_EVENT_INVALIDATE), 1);

	arm(test, s);
	kcr_invalidate_range(current->mm, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, s->stamp, 0);
}

static void test_two_sets(struct kunit *test)
{
	struct setup *s = test->priv;
	struct kcr_range range = { s->base + PAGE_SIZE + 8, 8 };
	struct kcr_tracked other;
	u64 stamp, address;

	KUNIT_ASSERT_EQ(test, kcr_tracked_init(&other, current->mm, &stamp), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_add(&other, &range, 1), 0);
	arm(test, s);
	/* Arming the one changes nothing for the other */
	KUNIT_EXPECT_EQ(test, kcr_tracked_arm(&other, 77, &address), KCR_REFUSED_NOT);
	KUNIT_EXPECT_EQ(test, s->stamp, s->next - 1);
	KUNIT_EXPECT_EQ(test, put_user(1ULL, (u64 __user *)s->base), 0);
	KUNIT_EXPECT_EQ(test, s->stamp, 0);
	KUNIT_EXPECT_EQ(test, stamp, 77);
	KUNIT_EXPECT_EQ(test, put_user(1ULL, (u64 __user *)(s->base + PAGE_SIZE)), 0);
	KUNIT_EXPECT_EQ(test, stamp, 0);
	kcr_tracked_destroy(&other);
}

static void test_refused(struct kunit *test)
{
	struct setup *s = test->priv;
	u64 address = 0;

	KUNIT_ASSERT_EQ(test, vm_munmap(s->base + PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_arm(&s->set, s->next, &address),
			KCR_REFUSED_UNMAPPED);
	KUNIT_EXPECT_EQ(test, address, s->base + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, s->stamp, 0);
}

static void test_ranges(struct kunit *test)
{
	struct setup *s = test->priv;
	struct kcr_range bad[2] = { { s->base, 1 }, { s->base, 0 } };

	KUNIT_EXPECT_EQ(test, kcr_tracked_add(&s->set, bad, 2), -EINVAL);
	bad[1].start = ~0ULL;
	bad[1].len = 2;
	KUNIT_EXPECT_EQ(test, kcr_tracked_add(&s->set, bad, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, s->set.nr_ranges, 1);
	KUNIT_EXPECT_EQ(test, s->set.pages, PAGES);
	arm(test, s);
	KUNIT_EXPECT_EQ(test, kcr_tracked_add(&s->set, bad, 1), 0);
	KUNIT_EXPECT_EQ(test, s->stamp, 0);
	KUNIT_EXPECT_EQ(test, s->set.nr_ranges, 2);
}

static struct kunit_case kcr_track_cases[] = {
	KUNIT_CASE(test_store),
	KUNIT_CASE(test_invalidate_range),
	KUNIT_CASE(test_two_sets),
	KUNIT_CASE(test_refused),
	KUNIT_CASE(test_ranges),
	{}
};

static struct kunit_suite kcr_track_suite = {
	.name = "kcr_track",
	.init = setup_init,
	.exit = setup_exit,
	.test_cases = kcr_track_cases,
};

kunit_test_suite(kcr_track_suite);

MODULE_DESCRIPTION("KUnit tests of tracked memory");
MODULE_LICENSE("GPL");
