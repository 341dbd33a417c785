// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: verifying signatures against reusing verdicts.
 *
 * Reading /sys/kernel/debug/kcr/bench_sigverify verifies a signature of each
 * kind with the site switched off and on, a few times, and prints the cheapest
 * run in ticks of get_cycles(). Verification sleeps, so interrupts are on. Under
 * User Mode Linux, which has no debugfs to read from outside, the figures are
 * printed by a KUnit suite, in ticks of the processor.
 */
#include <crypto/kcr_sigverify.h>
#include <kunit/test.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/timex.h>

#include "kcr_private.h"
#include "kcr_sigverify_vectors.h"

#define KCR_BENCH_ROUNDS	8
#define KCR_BENCH_HITS		1024

static u64 kcr_bench_ticks(void)
{
#ifdef CONFIG_UML
	return __builtin_ia32_rdtsc();
#else
	return get_cycles();
#endif
}

static struct kcr_site *kcr_bench_site(void)
{
	unsigned int i;

	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i] && !strcmp(kcr_sites[i]->name, "sigverify"))
			return kcr_sites[i];
	return NULL;
}

/* What looking at the clock twice takes */
static u64 kcr_bench_nothing(void)
{
	u64 best = U64_MAX, start;
	unsigned int i;

	for (i = 0; i < KCR_BENCH_HITS; i++) {
		start = kcr_bench_ticks();
		barrier();
		best = min(best, kcr_bench_ticks() - start);
	}
	return best;
}

/* The cheapest of some runs, in ticks, or a negative error */
static s64 kcr_bench_run(const struct kcr_vector *v, unsigned int rounds)
{
	struct public_key_signature sig;
	u64 best = U64_MAX, start;
	struct public_key pkey;
	int err;

	kcr_vector_fill(v, &pkey, &sig);
	while (rounds--) {
		start = kcr_bench_ticks();
		err = public_key_verify_signature(&pkey, &sig);
		best = min(best, kcr_bench_ticks() - start);
		if (err)
			return err;
	}
	return best - kcr_bench_nothing();
}

/* Ticks to compute and to reuse a verdict; a negative error if it is not there */
static int kcr_bench_vector(const struct kcr_vector *v, s64 *compute, s64 *hit)
{
	struct kcr_site *site = kcr_bench_site();
	u8 mode;

	if (!site || kcr_tiers_alloc())
		return -ENODEV;
	mode = site->mode;
	kcr_site_set_mode(site, KCR_MODE_OFF);
	*compute = kcr_bench_run(v, KCR_BENCH_ROUNDS);
	kcr_site_set_mode(site, KCR_MODE_REUSE);
	*hit = kcr_bench_run(v, KCR_BENCH_HITS);
	kcr_site_set_mode(site, mode);
	return min3(*compute, *hit, 0LL);
}

static int kcr_bench_sigverify_show(struct seq_file *m, void *unused)
{
	s64 compute, hit;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(kcr_vectors); i++) {
		const char *name = kcr_vectors[i].name;

		err = kcr_bench_vector(&kcr_vectors[i], &compute, &hit);
		if (err) {
			seq_printf(m, "# sigverify_%s failed: %d\n", name, err);
			continue;
		}
		seq_printf(m, "guest.sigverify_%s_compute_insns %lld\n", name, compute);
		seq_printf(m, "guest.sigverify_%s_hit_insns %lld\n", name, hit);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_bench_sigverify);

static void sigverify_ticks(struct kunit *test)
{
	s64 compute, hit;
	unsigned int i;
	int err;

	if (!IS_ENABLED(CONFIG_UML))
		kunit_skip(test, "only User Mode Linux runs at native speed");
	for (i = 0; i < ARRAY_SIZE(kcr_vectors); i++) {
		const char *name = kcr_vectors[i].name;

		err = kcr_bench_vector(&kcr_vectors[i], &compute, &hit);
		KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s", name);
		kunit_info(test, "uml.sigverify_%s_compute_ticks %lld\n", name, compute);
		kunit_info(test, "uml.sigverify_%s_hit_ticks %lld\n", name, hit);
	}
}

static struct kunit_case sigverify_bench_cases[] = {
	KUNIT_CASE(sigverify_ticks),
	{}
};

static struct kunit_suite sigverify_bench_suite = {
	.name = "kcr_bench_sigverify",
	.test_cases = sigverify_bench_cases,
};

kunit_test_suite(sigverify_bench_suite);

static int __init kcr_bench_sigverify_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("bench_sigverify", 0400, dir, NULL,
			    &kcr_bench_sigverify_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_bench_sigverify_init);
