// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: does reuse pay?
 *
 * Each CPU finds out for itself, for each site and size of request (power of
 * two), from requests that it times:
 *
 *	trial    requests are looked up. When KCR_TRIAL_SAMPLES of them have
 *		 been timed (some four thousand requests, as many as the
 *		 node's tier has entries, so that whatever repeats and fits has
 *		 had its chance), the balance decides: if it is in the red,
 *		 bypass; otherwise another trial, starting with half of it.
 *	bypass   requests are computed, as many as the back-off says.
 *	probe    the next KCR_PROBE_REQUESTS are computed, too, but noted. If
 *		 any two had been seen before, trial; otherwise bypass again,
 *		 with twice the back-off.
 *
 * Back-off starts at KCR_BACKOFF_MIN and ends at KCR_BACKOFF_MAX requests. A
 * trial that was started by a probe and failed costs more than a probe: it
 * quadruples the back-off, up to KCR_BACKOFF_FAILED.
 *
 * Who gets here runs on the CPU whose state it is, with interrupts off.
 */
#include <kunit/static_stub.h>
#include <linux/cpu.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kcr.h>
#include <linux/minmax.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <trace/events/kcr.h>

#include "kcr_private.h"

/* What one odd sample (an interrupt, ...) may count as, in means */
#define KCR_OUTLIER	8
#define KCR_CALIBRATE_ROUNDS	64

/**
 * kcr_clock() - what requests are timed with
 *
 * Context: any.
 * Return: ticks of get_cycles().
 */
u64 kcr_clock(void)
{
	KUNIT_STATIC_STUB_REDIRECT(kcr_clock);

	return get_cycles();
}
EXPORT_SYMBOL_GPL(kcr_clock);

/* Ticks that timing a computation takes itself: less than that is not measured */
u32 kcr_clock_cost;

/* kcr_profit_init() - find out what timing costs */
void __init kcr_profit_init(void)
{
	struct kcr_query q = { .start = 1 };
	u64 best = U32_MAX;
	unsigned int i;

	for (i = 0; i < KCR_CALIBRATE_ROUNDS; i++) {
		kcr_compute_start(&q);
		kcr_compute_stop(&q);
		best = min(best, q.compute);
	}
	kcr_clock_cost = best;
}

/* One more sample; the mean follows with a weight of 1/8 */
static u64 kcr_profit_learn(u32 *mean, u64 ticks)
{
	s64 diff;

	ticks = min_t(u64, ticks, *mean ? (u64)*mean * KCR_OUTLIER : S32_MAX);
	diff = (s64)ticks - *mean;
	*mean = *mean ? *mean + diff / 8 : ticks;
	return ticks;
}

static u32 kcr_query_size(const struct kcr_query *q)
{
	return kcr_size(kcr_body_len(q));
}

static struct kcr_profit *kcr_profit_of(const struct kcr_query *q)
{
	return &this_cpu_ptr(q->site->stats)->profit[kcr_query_size(q)];
}

/* Have the request looked at that comes @distance from now */
static void kcr_profit_next(struct kcr_stats *stats, u32 distance)
{
	stats->weight = distance;
	stats->until_sample = distance;
}

/* Irregular, so as not to resonate with the requests */
static u32 kcr_profit_draw(struct kcr_stats *stats, u32 audit_interval)
{
	u32 distance;

	/* Numerical Recipes' generator; its upper bits are the better ones */
	stats->random = stats->random * 1664525 + 1013904223;
	distance = stats->random >> 27 ?: KCR_SAMPLE_MAX / 2 + 1;
	return audit_interval ? min(distance, audit_interval) : distance;
}

static void kcr_profit_bypass(const struct kcr_query *q, struct kcr_profit *p,
			      bool failed)
{
	struct kcr_stats *stats = this_cpu_ptr(q->site->stats);
	u32 backoff = max_t(u32, p->backoff, KCR_BACKOFF_MIN);

	p->samples = 0;
	p->seen = 0;
	p->balance = 0;
	if (failed)
		p->backoff = min_t(u32, backoff * 4, KCR_BACKOFF_FAILED);
	else
		p->backoff = max(backoff, min_t(u32, backoff * 2, KCR_BACKOFF_MAX));
	if (READ_ONCE(q->site->mode) != KCR_MODE_REUSE) {
		p->rest = backoff;
		return;
	}
	p->state = KCR_PROFIT_BYPASS;
	stats->pace[kcr_query_size(q)] = -(s32)backoff;
	/* The one that finds the pace at 0 is not bypassed, but probed */
	kcr_profit_next(stats, 1);
	kcr_site_count(q->site, KCR_BYPASSED, backoff - 1);
	trace_kcr_bypass(q->site->name, kcr_query_size(q), backoff);
}

static void kcr_profit_trial_over(const struct kcr_query *q, struct kcr_profit *p)
{
	if (p->balance < 0 && !READ_ONCE(q->site->always)) {
		kcr_profit_bypass(q, p, true);
		return;
	}
	p->samples = 0;
	p->balance /= 2;
	p->backoff = 0;
}

/* Have @q audited if it is time */
static void kcr_profit_audit(struct kcr_query *q, struct kcr_profit *p, u32 interval)
{
	if (!interval || READ_ONCE(q->site->mode) != KCR_MODE_REUSE)
		return;
	/* After it was lowered, the next is due no later than that */
	p->audit = (p->audit ? min_t(s32, p->audit, interval) : interval) - q->weight;
	if (p->audit > 0)
		return;
	p->audit = interval;
	q->flags = KCR_QUERY_AUDIT;
	q->stamp = 0;
}

/**
 * __kcr_query_begin() - the rare half of kcr_query_begin()
 * @q: the query, one to be looked at closely
 *
 * Context: any.
 */
void __kcr_query_begin(struct kcr_query *q)
{
	u32 interval = READ_ONCE(q->site->audit_interval);
	struct kcr_stats *stats;
	struct kcr_profit *p;
	unsigned long flags;

	local_irq_save(flags);
	stats = this_cpu_ptr(q->site->stats);
	p = kcr_profit_of(q);
	q->flags = 0;
	q->weight = stats->weight;
	q->compute = 0;
	q->lookup = 0;
	q->true_stamp = q->stamp;
	stats->pace[kcr_query_size(q)] = 0;	/* it must not wrap */
	if (p->state == KCR_PROFIT_TRIAL) {
		kcr_profit_next(stats, kcr_profit_draw(stats, interval));
		kcr_profit_audit(q, p, interval);
	} else {
		p->state = KCR_PROFIT_PROBE;
		kcr_profit_next(stats, 1);
		q->flags = KCR_QUERY_PROBE | KCR_QUERY_DROP;
		q->stamp = 0;
	}
	local_irq_restore(flags);
	q->start = kcr_clock() ?: 1;
}
EXPORT_SYMBOL_GPL(__kcr_query_begin);

/**
 * kcr_profit_probed() - account a request that was noted
 * @q: the query
 * @seen: whether it had been seen before
 *
 * Context: any.
 */
void kcr_profit_probed(struct kcr_query *q, bool seen)
{
	struct kcr_profit *p;
	unsigned long flags;

	q->start = 0;
	kcr_site_count(q->site, KCR_PROBES, 1);
	local_irq_save(flags);
	p = kcr_profit_of(q);
	/* Not if this began on another CPU, or the probe ended meanwhile */
	if (p->state == KCR_PROFIT_PROBE) {
		p->seen += seen;
		p->samples++;
		if (p->seen >= KCR_PROBE_SEEN) {
			p->state = KCR_PROFIT_TRIAL;
			p->samples = 0;
			p->seen = 0;
			trace_kcr_bypass(q->site->name, kcr_query_size(q), 0);
		} else if (p->samples >= KCR_PROBE_REQUESTS) {
			kcr_profit_bypass(q, p, false);
		}
	}
	local_irq_restore(flags);
}

/* What this sample says about as many requests as it stands for */
static s64 kcr_profit_book(const struct kcr_query *q, struct kcr_profit *p,
			   s64 gain)
{
	if (p->rest > 0) {
		p->rest -= q->weight;
		return 0;
	}
	gain *= q->weight;
	p->saved += gain;
	p->balance += gain;
	if (++p->samples >= KCR_TRIAL_SAMPLES)
		kcr_profit_trial_over(q, p);
	return gain;
}

/**
 * kcr_profit_hit() - account a hit that was timed
 * @q: the query
 * @ticks: what it took
 *
 * Context: any.
 */
void kcr_profit_hit(const struct kcr_query *q, u64 ticks)
{
	struct kcr_profit *p;
	unsigned long flags;
	s64 gain;

	kcr_site_count(q->site, KCR_SAMPLED_HITS, 1);
	kcr_site_count(q->site, KCR_HIT_TICKS, ticks);
	local_irq_save(flags);
	p = kcr_profit_of(q);
	ticks = kcr_profit_learn(&p->hit, ticks);
	/* Nobody knows what this one would have cost, before another did */
	if (p->compute) {
		gain = kcr_profit_book(q, p, (s64)p->compute - (s64)ticks);
		kcr_site_count(q->site, KCR_HIT_GAIN, gain);
		kcr_site_count(q->site, KCR_HIT_WEIGHT, q->weight);
	}
	local_irq_restore(flags);
}

/**
 * kcr_profit_miss() - account a computation that was timed
 * @q: the query
 * @ticks: what the request took in all
 *
 * An audit's expense is the audit's alone, not that of the requests between.
 *
 * Context: any.
 */
void kcr_profit_miss(struct kcr_query *q, u64 ticks)
{
	u64 extra = ticks - q->compute - min_t(u64, ticks - q->compute, kcr_clock_cost);
	struct kcr_profit *p;
	unsigned long flags;
	s64 gain;

	kcr_site_count(q->site, KCR_SAMPLED_COMPUTES, 1);
	kcr_site_count(q->site, KCR_COMPUTE_TICKS, q->compute);
	local_irq_save(flags);
	p = kcr_profit_of(q);
	kcr_profit_learn(&p->compute, q->compute);
	if (q->flags & KCR_QUERY_AUDIT) {
		q->weight = 1;
		gain = kcr_profit_book(q, p, -(s64)min_t(u64, extra, S32_MAX));
		kcr_site_count(q->site, KCR_AUDIT_LOSS, -gain);
	} else if (!(q->flags & KCR_QUERY_FOUND)) {
		kcr_site_count(q->site, KCR_SAMPLED_MISSES, 1);
		kcr_site_count(q->site, KCR_MISS_TICKS, extra);
		gain = kcr_profit_book(q, p, -(s64)kcr_profit_learn(&p->miss, extra));
		kcr_site_count(q->site, KCR_MISS_LOSS, -gain);
		kcr_site_count(q->site, KCR_MISS_WEIGHT, q->weight);
	}
	local_irq_restore(flags);
}

/* With interrupts off on the CPU whose state it is, or while that is offline */
static void kcr_profit_reset_stats(struct kcr_stats *stats)
{
	unsigned int i;

	memset(stats->pace, 0, sizeof(stats->pace));
	kcr_profit_next(stats, 1);
	for (i = 0; i < KCR_NR_SIZES; i++) {
		s64 saved = stats->profit[i].saved;

		stats->profit[i] = (struct kcr_profit){ .saved = saved };
	}
}

static void kcr_profit_reset_local(void *site)
{
	kcr_profit_reset_stats(this_cpu_ptr(((struct kcr_site *)site)->stats));
}

/**
 * kcr_profit_reset() - start all over with trials
 * @site: the site
 *
 * Context: may sleep; takes the CPU hotplug lock.
 */
void kcr_profit_reset(struct kcr_site *site)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			kcr_profit_reset_stats(per_cpu_ptr(site->stats, cpu));
	on_each_cpu(kcr_profit_reset_local, site, true);
	cpus_read_unlock();
}
