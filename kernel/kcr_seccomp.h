/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse for seccomp: the gates, for kernel/seccomp.c, which
 * includes this where struct seccomp_filter is known.
 */
#ifndef _KCR_SECCOMP_H
#define _KCR_SECCOMP_H

static int seccomp_check_filter(struct sock_filter *filter, unsigned int flen);
static __always_inline u32 seccomp_run_chain(struct seccomp_filter *f,
					     const struct seccomp_data *sd,
					     struct seccomp_filter **match);

#ifdef CONFIG_KCR_SECCOMP

#include "kcr/tier.h"
#include <trace/events/kcr.h>

static void seccomp_cache_prepare(struct seccomp_filter *sfilter);

static noinline int __kcr_seccomp_create(struct seccomp_filter *f,
					 struct sock_fprog *fprog,
					 const bool save_orig)
{
	struct kcr_query q;
	int err;

	if (kcr_seccomp_find(&q, &f->kcr, fprog, &f->prog, &f->cache,
			     sizeof(f->cache)))
		return 0;
	kcr_compute_start(&q);
	err = bpf_prog_create_from_user(&f->prog, fprog, seccomp_check_filter,
					save_orig);
	/* It has no predecessor yet: this is what it allows by itself */
	if (!err && q.body && kcr_wants_result(&q))
		seccomp_cache_prepare(f);
	kcr_compute_stop(&q);
	if (!err)
		kcr_seccomp_keep(&q, &f->kcr, f->prog, &f->cache,
				 sizeof(f->cache));
	kcr_query_end(&q, false);
	return err;
}

/* The gate of the install site: bpf_prog_create_from_user(), or a shared program */
static __always_inline int kcr_seccomp_create(struct seccomp_filter *f,
					      struct sock_fprog *fprog,
					      const bool save_orig)
{
	if (static_branch_unlikely(&kcr_seccomp_install_key) &&
	    kcr_should_cache(&kcr_seccomp_install_site,
			     fprog->len * sizeof(struct sock_filter)))
		return __kcr_seccomp_create(f, fprog, save_orig);
	return bpf_prog_create_from_user(&f->prog, fprog, seccomp_check_filter,
					 save_orig);
}

/* Whether what @f allows by itself is known; if so, restrict it to its chain */
static __always_inline bool kcr_seccomp_prepared(struct seccomp_filter *f)
{
	const struct action_cache *prev = f->prev ? &f->prev->cache : NULL;

	if (!f->kcr.program)
		return false;
	if (!prev)
		return true;
	bitmap_and(f->cache.allow_native, f->cache.allow_native,
		   prev->allow_native, SECCOMP_ARCH_NATIVE_NR);
#ifdef SECCOMP_ARCH_COMPAT
	bitmap_and(f->cache.allow_compat, f->cache.allow_compat,
		   prev->allow_compat, SECCOMP_ARCH_COMPAT_NR);
#endif
	return true;
}

/* When @f gets its place in a chain */
static __always_inline void kcr_seccomp_chain(struct seccomp_filter *f)
{
	kcr_seccomp_attach(&f->kcr, f->prog, f->prev ? &f->prev->kcr : NULL);
}

static __always_inline void kcr_seccomp_destroy(struct seccomp_filter *f)
{
	kcr_seccomp_detach(&f->kcr);
	kcr_seccomp_free(&f->kcr, f->prog);
}

/*
 * An answer as it is remembered: the return value in the lower half, and in the
 * upper one which filter it came from, counted from 1, or 0 if all allow.
 */
static __always_inline u32 kcr_seccomp_answer(struct seccomp_filter *f,
					      u64 answer,
					      struct seccomp_filter **match)
{
	u32 depth = answer >> 32;

	if (depth) {
		while (--depth)
			f = f->prev;
		*match = f;
	}
	return answer;
}

static noinline u32 kcr_seccomp_run_slow(struct seccomp_filter *f,
					 const struct seccomp_data *sd,
					 struct seccomp_filter **match)
{
	struct seccomp_filter *matched = NULL, *at = f;
	struct kcr_query q __uninitialized;
	u32 depth, ret;
	int found;

	found = kcr_seccomp_lookup(&q, &f->kcr, sd);
	if (found > 0) {
		kcr_query_end_inline(&q, true);
		return kcr_seccomp_answer(f, q.res[0], match);
	}
	if (found < 0)
		return seccomp_run_chain(f, sd, match);
	kcr_compute_start(&q);
	ret = seccomp_run_chain(f, sd, &matched);
	kcr_compute_stop(&q);
	if (matched)
		*match = matched;
	if (kcr_wants_result(&q)) {
		for (depth = 0; matched && at != matched; at = at->prev)
			depth++;
		memset(q.res, 0, sizeof(q.res));
		q.res[0] = ret | (u64)(matched ? depth + 1 : 0) << 32;
		kcr_store_result(&q);
	}
	kcr_query_end_inline(&q, false);
	return ret;
}

/*
 * A hit in the CPU's tier, for a system call of which the chain reads two words
 * at most. Anything else goes the long way.
 */
static noinline u32 __kcr_seccomp_run(struct seccomp_filter *f,
				      const struct seccomp_data *sd,
				      struct seccomp_filter **match)
{
	struct kcr_stats __percpu *stats = kcr_seccomp_run_site.stats;
	const struct kcr_seccomp *k = &f->kcr;
	const u32 *words = (const u32 *)sd;
	u64 key[2], head, answer;
	s16 reads;

	if (static_branch_unlikely(&kcr_rare_key) || trace_kcr_hit_enabled())
		goto slow;
	reads = kcr_seccomp_reads(k, sd);
	if (unlikely(reads <= 0))
		goto slow;
	if (unlikely(kcr_dec_zero(&stats->until_sample)))
		goto undo;
	key[0] = *(const u64 *)sd;
	key[1] = words[(u8)reads] | (u64)words[(u16)reads >> 8] << 32;
	head = kcr_seccomp_run_site.head | (u64)k->insns << KCR_HEAD_BODY_SHIFT;
	if (unlikely(!kcr_l2_lookup_word(&k->owner, k->owner.stamp, head, key,
					 &answer)))
		goto undo;
	this_cpu_inc(stats->c[KCR_L2_HITS]);
	return kcr_seccomp_answer(f, answer, match);
undo:
	/* It is counted again, and perhaps chosen, on the long way */
	this_cpu_inc(stats->until_sample);
slow:
	return kcr_seccomp_run_slow(f, sd, match);
}

/* The gate of the run site: what the chain answers, or has answered */
static __always_inline u32 kcr_seccomp_run(struct seccomp_filter *f,
					   const struct seccomp_data *sd,
					   struct seccomp_filter **match)
{
	if (static_branch_unlikely(&kcr_seccomp_run_key) &&
	    kcr_should_cache_size(&kcr_seccomp_run_site, f->kcr.size))
		return __kcr_seccomp_run(f, sd, match);
	return seccomp_run_chain(f, sd, match);
}

#ifdef CONFIG_KCR_BENCH
#include "kcr_seccomp_bench.h"
#endif

#else /* !CONFIG_KCR_SECCOMP */

static __always_inline int kcr_seccomp_create(struct seccomp_filter *f,
					      struct sock_fprog *fprog,
					      const bool save_orig)
{
	return bpf_prog_create_from_user(&f->prog, fprog, seccomp_check_filter,
					 save_orig);
}

static __always_inline bool kcr_seccomp_prepared(struct seccomp_filter *f)
{
	return false;
}

static __always_inline void kcr_seccomp_chain(struct seccomp_filter *f) { }

static __always_inline void kcr_seccomp_destroy(struct seccomp_filter *f)
{
	bpf_prog_destroy(f->prog);
}

static __always_inline u32 kcr_seccomp_run(struct seccomp_filter *f,
					   const struct seccomp_data *sd,
					   struct seccomp_filter **match)
{
	return seccomp_run_chain(f, sd, match);
}

#endif /* CONFIG_KCR_SECCOMP */

#endif /* _KCR_SECCOMP_H */
