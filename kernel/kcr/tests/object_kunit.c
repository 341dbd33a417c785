// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of results that are objects, and of sites that
 * are in use without anybody asking.
 */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kcr_test.h"

#define BODY_LEN 200

static DEFINE_STATIC_KEY_FALSE(object_key);
static struct kcr_site object_site = {
	.name = "object",
	.key = &object_key,
	.automatic = true,
	.objects = true,
	.always = true,
};

struct thing {
	struct kcr_object object;
	int value;
};

static struct kcr_owner owner;
static int released;

static void thing_release(struct kcr_object *object)
{
	WRITE_ONCE(released, released + 1);
	kfree(container_of(object, struct thing, object));
}

static bool thing_equal(const struct kcr_object *a, const struct kcr_object *b)
{
	return container_of_const(a, struct thing, object)->value ==
	       container_of_const(b, struct thing, object)->value;
}

static struct thing *new_thing(struct kunit *test, int value)
{
	struct thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, thing);
	refcount_set(&thing->object.refs, 1);
	thing->object.bytes = 1000;
	thing->object.release = thing_release;
	thing->object.equal = thing_equal;
	thing->value = value;
	return thing;
}

static bool look_up(struct kunit *test, struct kcr_query *q, u8 key)
{
	struct kcr_shape shape = { .body_len = BODY_LEN };

	KUNIT_ASSERT_EQ(test, kcr_query_begin(q, &object_site, &owner, &shape),
			KCR_CLASS_BLOB);
	q->owned_body = kmalloc(BODY_LEN, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q->owned_body);
	memset(q->owned_body, key, BODY_LEN);
	q->body = q->owned_body;
	return kcr_lookup_unified(q);
}

/* A request as a site makes it; the thing has a reference for the caller */
static struct thing *request(struct kunit *test, u8 key, int value)
{
	struct thing *thing;
	struct kcr_query q;

	if (look_up(test, &q, key)) {
		thing = container_of(q.object, struct thing, object);
		kcr_query_end(&q, true);
		return thing;
	}
	kcr_compute_start(&q);
	thing = new_thing(test, value);
	kcr_compute_stop(&q);
	if (kcr_wants_result(&q)) {
		q.object = &thing->object;
		memset(q.res, 0, sizeof(q.res));
		kcr_store_result(&q);
	}
	kcr_query_end(&q, false);
	return thing;
}

static void forget(void)
{
	kcr_flush();
	rcu_barrier();
}

/* All who ask for the same have the same, for as long as they need it */
static void shared_test(struct kunit *test)
{
	struct thing *things[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(things); i++) {
		things[i] = request(test, 1, 7);
		KUNIT_EXPECT_PTR_EQ(test, things[i], things[0]);
	}
	/* Theirs, and that of the entry */
	KUNIT_EXPECT_EQ(test, refcount_read(&things[0]->object.refs),
			ARRAY_SIZE(things) + 1);
	forget();
	KUNIT_EXPECT_EQ(test, refcount_read(&things[0]->object.refs), ARRAY_SIZE(things));
	KUNIT_EXPECT_EQ(test, released, 0);
	KUNIT_EXPECT_EQ(test, things[0]->value, 7);
	for (i = 0; i < ARRAY_SIZE(things); i++)
		kcr_object_put(&things[i]->object);
	KUNIT_EXPECT_EQ(test, released, 1);
}

/* Without users it lives until it is forgotten; other keys have others */
static void forgotten_test(struct kunit *test)
{
	struct thing *one = request(test, 1, 1), *two = request(test, 2, 2);

	KUNIT_EXPECT_PTR_NE(test, one, two);
	kcr_object_put(&one->object);
	kcr_object_put(&two->object);
	KUNIT_EXPECT_EQ(test, released, 0);
	KUNIT_EXPECT_PTR_EQ(test, request(test, 1, 3), one);
	kcr_object_put(&one->object);
	kcr_owner_renew(&owner);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, released, 2);
}

/* There is one for the whole system */
static void all_cpus_test(struct kunit *test)
{
	struct thing *first = NULL, *thing;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
		thing = request(test, 1, 1);
		first = first ?: thing;
		KUNIT_EXPECT_PTR_EQ(test, thing, first);
		kcr_object_put(&thing->object);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* Compared by what they are, not by where they lie */
static void observed_test(struct kunit *test)
{
	unsigned int i;

	kcr_site_set_mode(&object_site, KCR_MODE_OBSERVE);
	for (i = 0; i < 4; i++)
		kcr_object_put(&request(test, 1, 1)->object);
	KUNIT_EXPECT_EQ(test, kcr_site_sum(&object_site, KCR_OBSERVE_EQUAL), 3);
	KUNIT_EXPECT_EQ(test, kcr_site_sum(&object_site, KCR_OBSERVE_DIFFER), 0);
	kcr_object_put(&request(test, 1, 2)->object);
	KUNIT_EXPECT_EQ(test, kcr_site_sum(&object_site, KCR_OBSERVE_DIFFER), 1);
	kcr_site_set_mode(&object_site, KCR_MODE_REUSE);
	rcu_barrier();
	/* Each computed its own, and none is left */
	KUNIT_EXPECT_EQ(test, released, 5);
}

static void automatic_test(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&object_key));
	kcr_site_set_mode(&object_site, KCR_MODE_OFF);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&object_key));
	kcr_site_set_mode(&object_site, KCR_MODE_REUSE);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&object_key));
}

static int object_init(struct kunit *test)
{
	kcr_test_arm(test, &object_site);
	KUNIT_ASSERT_EQ(test, kcr_tiers_alloc(), 0);
	forget();
	kcr_owner_init(&owner);
	kcr_site_reset(&object_site);
	released = 0;
	return 0;
}

static void object_exit(struct kunit *test)
{
	kcr_owner_kill(&owner);
	rcu_barrier();
}

static int object_suite_init(struct kunit_suite *suite)
{
	return kcr_site_register(&object_site);
}

static void object_suite_exit(struct kunit_suite *suite)
{
	kcr_site_unregister(&object_site);
}

static struct kunit_case object_cases[] = {
	KUNIT_CASE(shared_test),
	KUNIT_CASE(forgotten_test),
	KUNIT_CASE(all_cpus_test),
	KUNIT_CASE(observed_test),
	KUNIT_CASE(automatic_test),
	{}
};

static struct kunit_suite object_suite = {
	.name = "kcr_object",
	.suite_init = object_suite_init,
	.suite_exit = object_suite_exit,
	.init = object_init,
	.exit = object_exit,
	.test_cases = object_cases,
};

kunit_test_suite(object_suite);
