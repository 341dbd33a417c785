/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for seccomp: what the reader's own filters cost.
 *
 * A process under a filter that reads /sys/kernel/debug/kcr/bench_seccomp has
 * its chain run for some system calls, with and without reuse, and gets the
 * cheapest of some runs in ticks of get_cycles(): of the chain alone, after the
 * constant-action bitmap.
 */
#ifndef _KCR_SECCOMP_BENCH_H
#define _KCR_SECCOMP_BENCH_H

#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/irqflags.h>
#include <linux/seq_file.h>
#include <linux/timex.h>

#define KCR_BENCH_ROUNDS 64

static const struct seccomp_data kcr_bench_calls[] = {
	{ .nr = __NR_fcntl, .args = { -1, 3 } },
	{ .nr = __NR_ioctl, .args = { -1, 0x5401 } },
	{ .nr = __NR_epoll_ctl, .args = { -1, 2, -1 } },
	{ .nr = __NR_madvise, .args = { 1, 4096, 4 } },
	{ .nr = __NR_mprotect, .args = { 1, 4096, 1 } },
	{ .nr = __NR_futex, .args = { 1, 129, 1 } },
};

static noinline u32 kcr_bench_nothing(struct seccomp_filter *f,
				      const struct seccomp_data *sd,
				      struct seccomp_filter **match)
{
	return SECCOMP_RET_ALLOW;
}

static noinline u32 kcr_bench_chain(struct seccomp_filter *f,
				    const struct seccomp_data *sd,
				    struct seccomp_filter **match)
{
	return seccomp_run_chain(f, sd, match);
}

/* As kcr_seccomp_run(), but for the registers that its caller has saved anyway */
static noinline u32 kcr_bench_reuse(struct seccomp_filter *f,
				    const struct seccomp_data *sd,
				    struct seccomp_filter **match)
{
	if (static_branch_unlikely(&kcr_seccomp_run_key) &&
	    kcr_should_cache_size(&kcr_seccomp_run_site, f->kcr.size))
		return __kcr_seccomp_run(f, sd, match);
	return kcr_bench_chain(f, sd, match);
}

static u64 kcr_bench_run(struct seccomp_filter *f, const struct seccomp_data *sd,
			 u32 (*run)(struct seccomp_filter *f,
				    const struct seccomp_data *sd,
				    struct seccomp_filter **match))
{
	struct seccomp_filter *match = NULL;
	u64 best = U64_MAX, start;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < KCR_BENCH_ROUNDS; i++) {
		/* Until it has been learned what it reads, with interrupts on */
		run(f, sd, &match);
		local_irq_save(flags);
		start = get_cycles();
		run(f, sd, &match);
		best = min(best, get_cycles() - start);
		local_irq_restore(flags);
	}
	return best;
}

static int kcr_bench_seccomp_show(struct seq_file *m, void *v)
{
	struct seccomp_filter *f = READ_ONCE(current->seccomp.filter);
	unsigned int i;
	u64 nothing;

	if (!f) {
		seq_puts(m, "# the reader has no filter\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(kcr_bench_calls); i++) {
		struct seccomp_data sd = kcr_bench_calls[i];

		sd.arch = SECCOMP_ARCH_NATIVE;
		nothing = kcr_bench_run(f, &sd, kcr_bench_nothing);
		seq_printf(m, "%d %llu %llu\n", sd.nr,
			   kcr_bench_run(f, &sd, kcr_bench_chain) - nothing,
			   kcr_bench_run(f, &sd, kcr_bench_reuse) - nothing);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_bench_seccomp);

static int __init kcr_bench_seccomp_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("bench_seccomp", 0400, dir, NULL,
			    &kcr_bench_seccomp_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_bench_seccomp_init);

#endif /* _KCR_SECCOMP_BENCH_H */
