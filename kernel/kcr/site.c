// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: sites, their modes and their counters.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <trace/events/kcr.h>

#include "kcr_private.h"

/* Protected by kcr_mutex; a site's index + 1 is in its head */
struct kcr_site *kcr_sites[KCR_MAX_SITES];

const char * const kcr_mode_names[KCR_NR_MODES] = {
	[KCR_MODE_OFF] = "off",
	[KCR_MODE_OBSERVE] = "observe",
	[KCR_MODE_LEARN] = "learn",
	[KCR_MODE_REUSE] = "reuse",
	[KCR_MODE_REJECTED] = "rejected",
};

const char * const kcr_counter_names[KCR_NR_COUNTERS] = {
	[KCR_L2_HITS] = "l2_hits",
	[KCR_L3_HITS] = "l3_hits",
	[KCR_MISS_COLD] = "miss_cold",
	[KCR_MISS_EVICTED] = "miss_evicted",
	[KCR_MISS_STALE] = "miss_stale",
	[KCR_MISS_EXPIRED] = "miss_expired",
	[KCR_MISS_TOO_LARGE] = "miss_too_large",
	[KCR_MISS_UNVERIFIED] = "miss_unverified",
	[KCR_STORES] = "stores",
	[KCR_STORES_DROPPED] = "stores_dropped",
	[KCR_NOT_ADMITTED] = "not_admitted",
	[KCR_PASSED] = "passed",
	[KCR_BYPASSED] = "bypassed",
	[KCR_PROBES] = "probes",
	[KCR_OBSERVE_EQUAL] = "observe_equal",
	[KCR_OBSERVE_DIFFER] = "observe_differ",
	[KCR_AUDITS] = "audits",
	[KCR_MISMATCHES] = "mismatches",
	[KCR_HIT_GAIN] = "gain_of_hits",
	[KCR_HIT_WEIGHT] = "weight_of_hits",
	[KCR_MISS_LOSS] = "loss_of_misses",
	[KCR_MISS_WEIGHT] = "weight_of_misses",
	[KCR_AUDIT_LOSS] = "loss_of_audits",
	[KCR_SAMPLED_HITS] = "sampled_hits",
	[KCR_HIT_TICKS] = "hit_ticks",
	[KCR_SAMPLED_MISSES] = "sampled_misses",
	[KCR_MISS_TICKS] = "miss_ticks",
	[KCR_SAMPLED_COMPUTES] = "sampled_computes",
	[KCR_COMPUTE_TICKS] = "compute_ticks",
};

/* Open while some site does not simply reuse, or lets its entries expire */
DEFINE_STATIC_KEY_FALSE(kcr_rare_key);

static void kcr_update_rare(void)
{
	bool rare = false;
	unsigned int i;

	lockdep_assert_held(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			rare |= kcr_sites[i]->mode == KCR_MODE_OBSERVE ||
				kcr_sites[i]->mode == KCR_MODE_LEARN ||
				kcr_sites[i]->ttl;
	if (rare)
		static_branch_enable(&kcr_rare_key);
	else
		static_branch_disable(&kcr_rare_key);
}

/*
 * Open or close a site's gate. Gates change when an administrator says so and
 * when a site is first used in this boot, never when a user stops using it:
 * nobody unprivileged can make the kernel patch itself over and over.
 */
static void kcr_site_update(struct kcr_site *site)
{
	lockdep_assert_held(&kcr_mutex);

	if (site->armed && kcr_is_enabled() && site->mode != KCR_MODE_OFF &&
	    site->mode != KCR_MODE_REJECTED)
		static_branch_enable(site->key);
	else
		static_branch_disable(site->key);
}

/**
 * kcr_sites_update() - open or close all gates after a change to kcr_enable
 *
 * Context: may sleep; kcr_mutex held.
 */
void kcr_sites_update(void)
{
	unsigned int i;

	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			kcr_site_update(kcr_sites[i]);
}

/**
 * kcr_site_register() - declare a site
 * @site: the site, with name, key and, if it wants, max_body and ttl set
 *
 * Its mode is reuse. Its gate stays closed until kcr_site_arm(), unless it is
 * automatic.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, -EINVAL if @site is incomplete, or -ENOSPC if there are
 * too many sites.
 */
int kcr_site_register(struct kcr_site *site)
{
	unsigned int i;
	int err = -ENOSPC;

	if (!site->name || !site->key || site->max_body > KCR_BODY_MAX)
		return -EINVAL;
	if (!site->max_body)
		site->max_body = KCR_BODY_DEFAULT;
	if (!site->learn_target)
		site->learn_target = KCR_LEARN_TARGET;
	site->audit_interval = KCR_AUDIT_INTERVAL;
	site->stats = alloc_percpu(struct kcr_stats);
	if (!site->stats)
		return -ENOMEM;

	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES && kcr_sites[i]; i++)
		;
	if (i < KCR_MAX_SITES) {
		site->head = (u64)(i + 1) << KCR_HEAD_SITE_SHIFT;
		WRITE_ONCE(site->mode, KCR_MODE_REUSE);
		site->armed = false;
		kcr_profit_reset(site);
		err = kcr_sysfs_add_site(site);
		if (!err) {
			kcr_sites[i] = site;
			site->armed = site->automatic;
			kcr_site_update(site);
		}
		kcr_update_rare();
	}
	mutex_unlock(&kcr_mutex);
	if (err)
		free_percpu(site->stats);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_site_register);

/**
 * kcr_site_unregister() - withdraw a site
 * @site: the site; no request may be under way or follow
 *
 * Context: may sleep.
 */
void kcr_site_unregister(struct kcr_site *site)
{
	/* Without the mutex: a mode store may be waiting for it */
	kcr_sysfs_del_site(site);

	mutex_lock(&kcr_mutex);
	site->armed = false;
	kcr_site_update(site);
	kcr_sites[(u8)(site->head >> KCR_HEAD_SITE_SHIFT) - 1] = NULL;
	kcr_update_rare();
	kcr_flush();
	mutex_unlock(&kcr_mutex);
	free_percpu(site->stats);
}
EXPORT_SYMBOL_GPL(kcr_site_unregister);

/**
 * kcr_site_arm() - note that somebody uses a site
 * @site: the site
 *
 * The first call allocates the tiers and opens the site's gate.
 *
 * Context: may sleep.
 * Return: 0, -EOPNOTSUPP if KCR is disabled, or -ENOMEM.
 */
int kcr_site_arm(struct kcr_site *site)
{
	int err = 0;

	mutex_lock(&kcr_mutex);
	if (!kcr_is_enabled())
		err = -EOPNOTSUPP;
	else if (!site->armed)
		err = kcr_tiers_alloc();
	if (!err && !site->armed) {
		site->armed = true;
		kcr_site_update(site);
	}
	mutex_unlock(&kcr_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_site_arm);

/**
 * kcr_site_change_mode() - change a site's mode, and forget what it remembers
 * @site: the site
 * @old: the mode it has been in
 * @mode: the mode it is to be in
 *
 * Context: may sleep; kcr_mutex held.
 */
void kcr_site_change_mode(struct kcr_site *site, u8 old, enum kcr_mode mode)
{
	lockdep_assert_held(&kcr_mutex);
	WRITE_ONCE(site->mode, mode);
	atomic_set(&site->learned, 0);
	kcr_update_rare();
	kcr_site_update(site);
	kcr_flush();
	kcr_profit_reset(site);
	trace_kcr_mode(site->name, old, mode);
}

/**
 * kcr_site_set_mode() - change a site's mode
 * @site: the site
 * @mode: the new mode
 *
 * Whatever is remembered is forgotten: an entry never outlives the mode under
 * which it was stored. Sites are rejected by kcr_site_reject() only.
 *
 * Context: may sleep.
 * Return: 0 or -EINVAL.
 */
int kcr_site_set_mode(struct kcr_site *site, enum kcr_mode mode)
{
	if (mode >= KCR_NR_MODES || mode == KCR_MODE_REJECTED)
		return -EINVAL;
	mutex_lock(&kcr_mutex);
	if (site->mode != mode)
		kcr_site_change_mode(site, site->mode, mode);
	mutex_unlock(&kcr_mutex);
	return 0;
}

/**
 * kcr_site_set_learn_target() - change when learn mode ends
 * @site: the site
 * @target: equal results, more than 0
 *
 * Context: may sleep.
 */
void kcr_site_set_learn_target(struct kcr_site *site, u32 target)
{
	WRITE_ONCE(site->learn_target, target);
	/* There may be enough by now */
	kcr_sites_settle();
}

/**
 * kcr_site_set_always() - reuse even where it does not pay, or stop that
 * @site: the site
 * @always: whether to
 *
 * Context: may sleep.
 */
void kcr_site_set_always(struct kcr_site *site, bool always)
{
	mutex_lock(&kcr_mutex);
	WRITE_ONCE(site->always, always);
	kcr_profit_reset(site);
	mutex_unlock(&kcr_mutex);
}

/**
 * kcr_site_set_ttl() - change when a site's entries expire
 * @site: the site
 * @ttl: in jiffies, 0 for never
 *
 * Forgets everything: the CPUs' tiers have copies that are younger than what
 * they are copies of.
 *
 * Context: may sleep.
 */
void kcr_site_set_ttl(struct kcr_site *site, unsigned long ttl)
{
	mutex_lock(&kcr_mutex);
	WRITE_ONCE(site->ttl, ttl);
	kcr_update_rare();
	kcr_flush();
	mutex_unlock(&kcr_mutex);
}

/**
 * kcr_site_sum() - sum a counter over all CPUs
 * @site: the site
 * @counter: which one
 *
 * Context: any.
 * Return: the sum; counts made meanwhile may be in it or not.
 */
u64 kcr_site_sum(const struct kcr_site *site, enum kcr_counter counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(site->stats, cpu)->c[counter]);
	return sum;
}

/**
 * kcr_site_lookups() - how many keys were looked up
 * @site: the site
 *
 * Context: any.
 * Return: hits and misses of all kinds, but for those too large to look up.
 */
u64 kcr_site_lookups(const struct kcr_site *site)
{
	static const enum kcr_counter parts[] = {
		KCR_L2_HITS, KCR_L3_HITS, KCR_MISS_COLD, KCR_MISS_EVICTED,
		KCR_MISS_STALE, KCR_MISS_EXPIRED, KCR_MISS_UNVERIFIED,
	};
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		sum += kcr_site_sum(site, parts[i]);
	return sum;
}

/*
 * What @n requests come to, if @weight of them, as sampled, came to @ticks. The
 * two are about the same, unless there are very few.
 */
static s64 kcr_extrapolate(s64 ticks, u64 weight, u64 n)
{
	u64 sum;

	if (!weight)
		return 0;
	n = min(n, weight * 2 * KCR_SAMPLE_MAX);
	sum = mul_u64_u64_div_u64(abs(ticks), n, weight);
	return ticks < 0 ? -(s64)sum : (s64)sum;
}

/**
 * kcr_site_ticks_saved() - estimate what reuse has saved
 * @site: the site
 *
 * A hit saves the mean cost of computing less its own, a miss loses what it
 * costs beyond computing. From the requests that were timed, for all that were
 * counted. In observe mode, what reuse would have saved.
 *
 * Context: any.
 * Return: ticks of get_cycles(), negative if lost.
 */
s64 kcr_site_ticks_saved(const struct kcr_site *site)
{
	u64 found = kcr_site_sum(site, KCR_L2_HITS) + kcr_site_sum(site, KCR_L3_HITS) +
		    kcr_site_sum(site, KCR_MISS_UNVERIFIED) -
		    kcr_site_sum(site, KCR_AUDITS);
	u64 misses = kcr_site_sum(site, KCR_MISS_COLD) +
		     kcr_site_sum(site, KCR_MISS_EVICTED) +
		     kcr_site_sum(site, KCR_MISS_STALE) +
		     kcr_site_sum(site, KCR_MISS_EXPIRED);

	return kcr_extrapolate(kcr_site_sum(site, KCR_HIT_GAIN),
			       kcr_site_sum(site, KCR_HIT_WEIGHT), found) -
	       kcr_extrapolate(kcr_site_sum(site, KCR_MISS_LOSS),
			       kcr_site_sum(site, KCR_MISS_WEIGHT), misses) -
	       (s64)kcr_site_sum(site, KCR_AUDIT_LOSS);
}

/**
 * kcr_site_reset() - set a site's counters to zero
 * @site: the site
 *
 * Context: any; events counted meanwhile may be lost.
 */
void kcr_site_reset(struct kcr_site *site)
{
	struct kcr_stats *stats;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		stats = per_cpu_ptr(site->stats, cpu);
		memset(stats->c, 0, sizeof(stats->c));
		for (i = 0; i < KCR_NR_SIZES; i++)
			WRITE_ONCE(stats->profit[i].saved, 0);
	}
}
