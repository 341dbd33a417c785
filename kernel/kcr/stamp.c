// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: stamps, which name an owner at a moment.
 *
 * To invalidate what an owner has stored, change its stamp: one store. A
 * stamp is never handed out twice, so neither a recycled owner nor one that
 * was renewed can match what was stored before.
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>

#include <trace/events/kcr.h>

#include "kcr_private.h"

/* Stamps that a CPU takes from the global counter at once */
#define KCR_STAMP_BATCH 64

struct kcr_stamp_batch {
	u64 next;
	u64 end;
};

static DEFINE_PER_CPU(struct kcr_stamp_batch, kcr_stamp_batch);
static atomic64_t kcr_stamp_last = ATOMIC64_INIT(1);

/**
 * kcr_stamp_new() - take a stamp that nobody has had
 *
 * Context: any short of NMI.
 * Return: the stamp, never 0.
 */
u64 kcr_stamp_new(void)
{
	struct kcr_stamp_batch *batch;
	unsigned long flags;
	u64 stamp;

	local_irq_save(flags);
	batch = this_cpu_ptr(&kcr_stamp_batch);
	if (batch->next == batch->end) {
		batch->next = atomic64_fetch_add_relaxed(KCR_STAMP_BATCH,
							 &kcr_stamp_last);
		batch->end = batch->next + KCR_STAMP_BATCH;
	}
	stamp = batch->next++;
	local_irq_restore(flags);
	return stamp;
}

/*
 * Give @owner a new stamp and zero what lies in the tiers under the old one.
 *
 * xchg() is fully ordered. A store under the old stamp either sees the new
 * one after it has claimed its slot, and drops the result, or had claimed the
 * slot before, and then the sweep sees that and waits for it; see
 * kcr_tier_store(). The same holds for @stored.
 */
static void kcr_owner_restamp(struct kcr_owner *owner, u64 stamp)
{
	u64 old = xchg(&owner->stamp, stamp);

	trace_kcr_invalidate(old, stamp);
	if (old && READ_ONCE(owner->stored))
		kcr_sweep(old);
}

/**
 * kcr_owner_init() - make an owner of fresh memory
 * @owner: the owner; what it held before is not looked at
 *
 * Context: any short of NMI.
 */
void kcr_owner_init(struct kcr_owner *owner)
{
	owner->stored = 0;
	WRITE_ONCE(owner->stamp, kcr_stamp_new());
}
EXPORT_SYMBOL_GPL(kcr_owner_init);

/**
 * kcr_owner_renew() - invalidate everything that an owner has stored
 * @owner: the owner
 *
 * Results of computations that began before are neither handed out nor stored
 * any more to those that begin after. If anything was stored, it has been
 * zeroed when this returns.
 *
 * Context: any short of NMI. Takes time proportional to the number of slots
 * in the system if the owner has stored anything.
 */
void kcr_owner_renew(struct kcr_owner *owner)
{
	kcr_owner_restamp(owner, kcr_stamp_new());
}
EXPORT_SYMBOL_GPL(kcr_owner_renew);

/**
 * kcr_owner_kill() - invalidate an owner's entries and allow no new ones
 * @owner: the owner
 *
 * Must be called before the owner's memory is freed. kcr_owner_renew() brings
 * an owner back to life.
 *
 * Context: as for kcr_owner_renew().
 */
void kcr_owner_kill(struct kcr_owner *owner)
{
	kcr_owner_restamp(owner, 0);
}
EXPORT_SYMBOL_GPL(kcr_owner_kill);
