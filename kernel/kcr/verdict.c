// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: sites that have learned enough, or are rejected.
 *
 * Requests find out in any context; the log, the gates and the sweep have to
 * wait for a worker. That nothing wrong is handed out does not: a rejected
 * site's keys have another head from that moment on.
 */
#include <linux/kcr.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "kcr_private.h"

/* Say so, once, and close the gate */
static void kcr_site_announce(struct kcr_site *site)
{
	struct kcr_verdict *v = &site->verdict;

	if (v->announced)
		return;
	v->announced = true;
	pr_warn("kcr: site %s rejected in %s mode: equal inputs gave different results: fingerprint %016llx, %u bytes of input, results differ from byte %u on. It stays off until its mode is set.\n",
		site->name, kcr_mode_names[v->mode], v->fingerprint,
		v->body_len, v->offset);
	kcr_site_change_mode(site, v->mode, KCR_MODE_REJECTED);
}

static bool kcr_tiers_wanted;

/* What requests have found out, in contexts where it could not be acted on */
static void kcr_settle(struct work_struct *work)
{
	struct kcr_site *site;
	unsigned int i;

	/* If there is no memory, the next site that somebody arms tries again */
	if (READ_ONCE(kcr_tiers_wanted) && kcr_tiers_alloc())
		pr_warn_once("kcr: no memory for the tiers\n");
	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++) {
		site = kcr_sites[i];
		if (!site)
			continue;
		/* Pairs with kcr_site_reject() */
		if (smp_load_acquire(&site->mode) == KCR_MODE_REJECTED)
			kcr_site_announce(site);
		else if (site->mode == KCR_MODE_LEARN &&
			 atomic_read(&site->learned) >= site->learn_target)
			kcr_site_change_mode(site, KCR_MODE_LEARN, KCR_MODE_REUSE);
	}
	mutex_unlock(&kcr_mutex);
}

static DECLARE_WORK(kcr_settle_work, kcr_settle);

/**
 * kcr_sites_settle() - act on what requests have found out, soon
 *
 * Context: any short of NMI.
 */
void kcr_sites_settle(void)
{
	schedule_work(&kcr_settle_work);
}

/**
 * kcr_tiers_request() - have the tiers allocated, soon
 *
 * For sites that nobody arms. Asks once.
 *
 * Context: any short of NMI.
 */
void kcr_tiers_request(void)
{
	if (!READ_ONCE(kcr_tiers_wanted) && !xchg(&kcr_tiers_wanted, true))
		kcr_sites_settle();
}

/**
 * kcr_sites_flush_work() - wait until what requests have found out is settled
 *
 * Context: may sleep.
 */
void kcr_sites_flush_work(void)
{
	flush_work(&kcr_settle_work);
}

/**
 * kcr_site_learned() - note that equal inputs gave equal results in learn mode
 * @site: the site
 *
 * Context: any short of NMI.
 */
void kcr_site_learned(struct kcr_site *site)
{
	/* Whoever lowers the target has it looked at, too */
	if (atomic_inc_return(&site->learned) == READ_ONCE(site->learn_target))
		kcr_sites_settle();
}

/**
 * kcr_site_reject() - a site gave different results for equal inputs
 * @q: the diverging query
 * @offset: first byte of the result that differs
 *
 * Does nothing in observe mode, which records what happens and no more.
 * Otherwise no request that begins from now on is answered from memory.
 *
 * Context: any short of NMI.
 */
void kcr_site_reject(const struct kcr_query *q, u32 offset)
{
	static DEFINE_RAW_SPINLOCK(lock);
	struct kcr_site *site = q->site;
	unsigned long flags;
	u8 mode;

	raw_spin_lock_irqsave(&lock, flags);
	mode = READ_ONCE(site->mode);
	/* Another query's verdict, or an administrator's change, comes first */
	if ((mode == KCR_MODE_LEARN || mode == KCR_MODE_REUSE) &&
	    !((q->head ^ site->head) >> KCR_HEAD_ERA_SHIFT & U8_MAX)) {
		u8 era = (site->head >> KCR_HEAD_ERA_SHIFT) + 1;

		site->verdict = (struct kcr_verdict){
			.fingerprint = q->fingerprint,
			.body_len = kcr_body_len(q),
			.offset = offset,
			.mode = mode,
		};
		/* What was stored has another head from now on */
		WRITE_ONCE(site->head, (site->head & ~((u64)U8_MAX << KCR_HEAD_ERA_SHIFT)) |
				       (u64)era << KCR_HEAD_ERA_SHIFT);
		/* Pairs with kcr_settle() */
		if (cmpxchg(&site->mode, mode, KCR_MODE_REJECTED) == mode) {
			kcr_site_count(site, KCR_MISMATCHES, 1);
			kcr_sites_settle();
		}
	}
	raw_spin_unlock_irqrestore(&lock, flags);
}
