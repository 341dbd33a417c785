/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what its KUnit suites share.
 */
#ifndef _KCR_TEST_H
#define _KCR_TEST_H

#include <kunit/test.h>
#include <linux/string.h>

#include "kcr_private.h"

/* A site of the tests' own, with a key that nothing branches on */
#define KCR_TEST_SITE(_name)						\
	static DEFINE_STATIC_KEY_FALSE(_name##_key);			\
	static struct kcr_site _name = {				\
		.name = #_name,						\
		.key = &_name##_key,					\
	}

/* Tests of tiers want no query that is looked at closely */
static inline void kcr_test_not_special(struct kcr_query *q)
{
	if (q->start)
		q->stamp = q->true_stamp;
	q->start = 0;
	q->flags = 0;
}

/* Begin a query whose key is made of @seed; the lengths say which class */
static inline bool kcr_test_begin(struct kcr_query *q, struct kcr_site *site,
				  struct kcr_owner *owner, u32 key_len,
				  u32 res_len, u64 seed)
{
	struct kcr_shape shape = {
		.body_len = key_len,
		.bulk_len = res_len,
	};
	unsigned int i;

	if (kcr_query_begin(q, site, owner, &shape) < 0)
		return false;
	kcr_test_not_special(q);
	for (i = 0; i < key_len / 8 && i < KCR_INLINE_WORDS; i++)
		q->key[i] = seed * 0x9e3779b97f4a7c15ULL + i;
	q->fingerprint = kcr_fingerprint(q);
	return true;
}

static inline void kcr_test_result(struct kcr_query *q, u64 seed)
{
	unsigned int i;

	for (i = 0; i < KCR_INLINE_WORDS; i++)
		q->res[i] = seed + i;
}

static inline bool kcr_test_is_result(const struct kcr_query *q, u32 len,
				      u64 seed)
{
	unsigned int i;

	for (i = 0; i < len / 8; i++)
		if (q->res[i] != seed + i)
			return false;
	return true;
}

/* Slots of a tier that hold @stamp */
static inline u32 kcr_test_count_stamp(const struct kcr_tier *tier, u64 stamp)
{
	u32 i, n = 0;

	for (i = 0; tier && i < tier->nr_slots; i++)
		n += tier->slots[i].stamp == stamp;
	return n;
}

/* Entries of @stamp in the whole system */
static inline u32 kcr_test_count_all(u64 stamp)
{
	u32 n = 0;
	int i;

	for_each_possible_cpu(i)
		n += kcr_test_count_stamp(kcr_cpu_tier(i), stamp);
	for_each_node(i)
		n += kcr_test_count_stamp(kcr_node_tier(i), stamp);
	return n;
}

/* A suite's tests need KCR switched on and its tiers there */
static inline void kcr_test_arm(struct kunit *test, struct kcr_site *site)
{
	int err = kcr_site_arm(site);

	if (err == -EOPNOTSUPP)
		kunit_skip(test, "kcr_enable is off");
	KUNIT_ASSERT_EQ(test, err, 0);
}

#endif /* _KCR_TEST_H */
