// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: memory of processes that results depend on.
 *
 * A set is a number of ranges of a process's memory. While it is armed (see
 * kcr_arm.c) all of its pages are write-protected and nobody has a reference to
 * them, so that whoever wants to write must come by handle_mm_fault(), which
 * calls here first; and whoever changes what is mapped there calls the
 * notifiers. Both set the stamp to 0 before anything changes.
 *
 * By the names used below and in kcr_arm.c:
 *
 * (E) An event changes the generation and zeroes the stamp, under the lock.
 * (P) The stamp is published under the lock, if neither the generation nor the
 *     notifiers' sequences have changed since arming began. So an event is either
 *     seen there, or comes after and zeroes what was published.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/init.h>
#include <linux/kcr.h>
#include <linux/kcr_dma.h>
#include <linux/kcr_track.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <trace/events/kcr.h>

#include "kcr_track.h"

#define KCR_MMS_BITS	6

/* On while there are sets; off again only after a while, as text is patched */
DEFINE_STATIC_KEY_DEFERRED_FALSE(kcr_track_key, HZ);

static DEFINE_READ_MOSTLY_HASHTABLE(kcr_mms, KCR_MMS_BITS);
/* Protects writing to kcr_mms, and kcr_mm.sets */
static DEFINE_MUTEX(kcr_mms_mutex);

struct kcr_mm kcr_arm_owner;

static struct kcr_mm *kcr_mm_find(struct mm_struct *mm)
{
	struct kcr_mm *kmm;

	hash_for_each_possible_rcu(kcr_mms, kmm, node, (unsigned long)mm,
				   lockdep_is_held(&kcr_mms_mutex)) {
		if (kmm->mm == mm)
			return kmm;
	}
	return NULL;
}

static struct kcr_mm *kcr_mm_get(struct mm_struct *mm)
{
	struct kcr_mm *kmm;

	mutex_lock(&kcr_mms_mutex);
	kmm = kcr_mm_find(mm);
	if (!kmm) {
		kmm = kzalloc(sizeof(*kmm), GFP_KERNEL_ACCOUNT);
		if (!kmm)
			goto out;
		mmgrab(mm);
		kmm->mm = mm;
		kmm->ranges = RB_ROOT_CACHED;
		spin_lock_init(&kmm->lock);
		hash_add_rcu(kcr_mms, &kmm->node, (unsigned long)mm);
	}
	kmm->sets++;
out:
	mutex_unlock(&kcr_mms_mutex);
	return kmm;
}

static void kcr_mm_put(struct kcr_mm *kmm)
{
	mutex_lock(&kcr_mms_mutex);
	if (!--kmm->sets) {
		hash_del_rcu(&kmm->node);
		mmdrop(kmm->mm);
		kfree_rcu(kmm, rcu);
	}
	mutex_unlock(&kcr_mms_mutex);
}

/* (E) */
static void kcr_tracked_event(struct kcr_tracked *set, enum kcr_event event)
{
	u64 old = *set->stamp;

	lockdep_assert_held(&set->kmm->lock);
	WRITE_ONCE(*set->stamp, 0);
	set->generation++;
	set->events[event]++;
	if (old)
		trace_kcr_invalidate(old, 0);
}

/* @last is the last address, not the one after */
static void kcr_mm_event(struct kcr_mm *kmm, unsigned long start,
			 unsigned long last, enum kcr_event event)
{
	struct interval_tree_node *node;
	unsigned long flags;

	spin_lock_irqsave(&kmm->lock, flags);
	node = interval_tree_iter_first(&kmm->ranges, start, last);
	for (; node; node = interval_tree_iter_next(node, start, last))
		kcr_tracked_event(container_of(node, struct kcr_tracked_range,
					       node)->set, event);
	spin_unlock_irqrestore(&kmm->lock, flags);
}

/**
 * __kcr_track_fault() - kcr_track_fault() where something may be tracked
 * @vma: where
 * @address: what was accessed
 * @flags: how, &enum fault_flag
 *
 * Context: mmap_lock or the VMA's lock is held.
 */
void __kcr_track_fault(struct vm_area_struct *vma, unsigned long address,
		       unsigned int flags)
{
	enum kcr_event event = KCR_EVENT_WRITE;
	struct kcr_mm *kmm;

	if (!(flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)))
		return;
	/* After it the page is exclusive: written to through a pin, or by force */
	if (flags & FAULT_FLAG_UNSHARE) {
		if (kcr_track_broken(KCR_BREAK_UNSHARE))
			return;
		event = KCR_EVENT_UNSHARE;
	}
	rcu_read_lock();
	kmm = kcr_mm_find(vma->vm_mm);
	if (kmm)
		kcr_mm_event(kmm, address, address, event);
	rcu_read_unlock();
}

/**
 * kcr_invalidate_range() - disarm all sets that have memory in a range
 * @mm: whose memory
 * @start: address of the first byte
 * @end: address after the last byte
 *
 * For changes that page tables do not show. What was computed before is not
 * found any more when this returns, nor is what is being computed.
 *
 * Context: any short of NMI.
 */
void kcr_invalidate_range(struct mm_struct *mm, unsigned long start,
			  unsigned long end)
{
	struct kcr_mm *kmm;

	if (!static_branch_unlikely(&kcr_track_key.key) || start >= end)
		return;
	rcu_read_lock();
	kmm = kcr_mm_find(mm);
	if (kmm)
		kcr_mm_event(kmm, start, end - 1, KCR_EVENT_INVALIDATE);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(kcr_invalidate_range);

/*
 * Disarm all sets: a page went to a device unseen. Whose page it is can only be
 * found out under locks that are not to be had where DMA is mapped; it is not
 * expected to happen. Any context short of NMI.
 */
static void kcr_track_late_dma(struct folio *folio)
{
	struct kcr_mm *kmm;
	int bucket;

	if (!static_branch_unlikely(&kcr_track_key.key))
		return;
	rcu_read_lock();
	hash_for_each_rcu(kcr_mms, bucket, kmm, node)
		kcr_mm_event(kmm, 0, ULONG_MAX, KCR_EVENT_DMA);
	rcu_read_unlock();
}

static bool kcr_tracked_notify(struct mmu_interval_notifier *notifier,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	struct kcr_tracked_range *r = container_of(notifier,
						   struct kcr_tracked_range,
						   notifier);
	unsigned long flags;

	if (range->event == MMU_NOTIFY_EXCLUSIVE && range->owner == &kcr_arm_owner)
		return true;
	spin_lock_irqsave(&r->set->kmm->lock, flags);
	mmu_interval_set_seq(notifier, seq);
	kcr_tracked_event(r->set, KCR_EVENT_NOTIFIER);
	spin_unlock_irqrestore(&r->set->kmm->lock, flags);
	return true;
}

static const struct mmu_interval_notifier_ops kcr_tracked_ops = {
	.invalidate = kcr_tracked_notify,
};

/**
 * kcr_tracked_init() - make an empty set
 * @set: the set
 * @mm: whose memory it will be
 * @stamp: where its stamp is to be: must outlive the set
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kcr_tracked_init(struct kcr_tracked *set, struct mm_struct *mm, u64 *stamp)
{
	memset(set, 0, sizeof(*set));
	set->kmm = kcr_mm_get(mm);
	if (!set->kmm)
		return -ENOMEM;
	mutex_init(&set->mutex);
	INIT_LIST_HEAD(&set->ranges);
	set->stamp = stamp;
	WRITE_ONCE(*stamp, 0);
	static_branch_deferred_inc(&kcr_track_key);
	kcr_dma_get();
	return 0;
}
EXPORT_SYMBOL_GPL(kcr_tracked_init);

static void kcr_range_destroy(struct kcr_tracked_range *r)
{
	struct kcr_mm *kmm = r->set->kmm;

	/* Waits for notifications in flight */
	mmu_interval_notifier_remove(&r->notifier);
	spin_lock_irq(&kmm->lock);
	interval_tree_remove(&r->node, &kmm->ranges);
	r->set->nr_ranges--;
	r->set->pages -= (r->node.last + 1 - r->node.start) >> PAGE_SHIFT;
	spin_unlock_irq(&kmm->lock);
	list_del(&r->list);
	kfree(r);
}

static int kcr_range_create(struct kcr_tracked *set, const struct kcr_range *range)
{
	unsigned long start = range->start & PAGE_MASK;
	unsigned long end = PAGE_ALIGN(range->start + range->len);
	struct kcr_tracked_range *r;
	int err;

	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return -ENOMEM;
	r->set = set;
	r->node.start = start;
	r->node.last = end - 1;
	err = mmu_interval_notifier_insert(&r->notifier, set->kmm->mm, start,
					   end - start, &kcr_tracked_ops);
	if (err) {
		kfree(r);
		return err;
	}
	spin_lock_irq(&set->kmm->lock);
	interval_tree_insert(&r->node, &set->kmm->ranges);
	set->nr_ranges++;
	set->pages += (end - start) >> PAGE_SHIFT;
	spin_unlock_irq(&set->kmm->lock);
	list_add(&r->list, &set->ranges);
	return 0;
}

/**
 * kcr_tracked_add() - add ranges to a set
 * @set: the set
 * @ranges: the ranges; extended to whole pages
 * @nr: how many
 *
 * The set is not armed after it.
 *
 * Context: may sleep; not within the mmap_lock.
 * Return: 0 if all were added; otherwise none was, and -EINVAL if one is empty or
 * ends beyond user space, -ENOSPC if there would be more than KCR_RANGES_MAX,
 * -ENOMEM, or -EINTR if a signal came.
 */
int kcr_tracked_add(struct kcr_tracked *set, const struct kcr_range *ranges,
		    unsigned int nr)
{
	struct kcr_tracked_range *r;
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr; i++) {
		if (!ranges[i].len || ranges[i].len > TASK_SIZE ||
		    ranges[i].start > TASK_SIZE - ranges[i].len)
			return -EINVAL;
	}
	mutex_lock(&set->mutex);
	if (nr > KCR_RANGES_MAX - set->nr_ranges) {
		mutex_unlock(&set->mutex);
		return -ENOSPC;
	}
	/* Nobody arms it meanwhile */
	if (READ_ONCE(*set->stamp))
		kcr_tracked_renew(set);
	for (i = 0; i < nr && !err; i++)
		err = kcr_range_create(set, &ranges[i]);
	if (err) {
		while (--i) {
			r = list_first_entry(&set->ranges,
					     struct kcr_tracked_range, list);
			kcr_range_destroy(r);
		}
	}
	mutex_unlock(&set->mutex);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_tracked_add);

/**
 * kcr_tracked_renew() - disarm a set
 * @set: the set
 *
 * Context: any short of NMI and interrupts.
 */
void kcr_tracked_renew(struct kcr_tracked *set)
{
	spin_lock_irq(&set->kmm->lock);
	kcr_tracked_event(set, KCR_EVENT_RENEW);
	spin_unlock_irq(&set->kmm->lock);
}
EXPORT_SYMBOL_GPL(kcr_tracked_renew);

/**
 * kcr_tracked_refuse() - count that a set was not armed
 * @set: the set
 * @reason: why
 *
 * Context: any short of NMI and interrupts.
 */
void kcr_tracked_refuse(struct kcr_tracked *set, enum kcr_refusal reason)
{
	spin_lock_irq(&set->kmm->lock);
	set->refused[reason]++;
	spin_unlock_irq(&set->kmm->lock);
}
EXPORT_SYMBOL_GPL(kcr_tracked_refuse);

/**
 * kcr_tracked_info() - a set's statistics
 * @set: the set
 * @info: gets all but its size and the set's number
 *
 * Context: any short of NMI and interrupts.
 */
void kcr_tracked_info(struct kcr_tracked *set, struct kcr_set_info *info)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(info->events) < KCR_NR_EVENTS);
	BUILD_BUG_ON(ARRAY_SIZE(info->refused) < KCR_NR_REFUSALS);
	spin_lock_irq(&set->kmm->lock);
	info->ranges = set->nr_ranges;
	info->pages = set->pages;
	info->stamp = *set->stamp;
	info->armed = set->armed;
	for (i = 0; i < KCR_NR_EVENTS; i++)
		info->events[i] = set->events[i];
	for (i = 0; i < KCR_NR_REFUSALS; i++)
		info->refused[i] = set->refused[i];
	spin_unlock_irq(&set->kmm->lock);
}
EXPORT_SYMBOL_GPL(kcr_tracked_info);

/**
 * kcr_tracked_destroy() - end a set
 * @set: the set; its stamp is 0 after it
 *
 * Context: may sleep; not within the mmap_lock.
 */
void kcr_tracked_destroy(struct kcr_tracked *set)
{
	struct kcr_tracked_range *r, *next;

	kcr_tracked_renew(set);
	list_for_each_entry_safe(r, next, &set->ranges, list)
		kcr_range_destroy(r);
	/* Nothing leads to it any more but who looks at the table right now */
	kcr_mm_put(set->kmm);
	mutex_destroy(&set->mutex);
	static_branch_slow_dec_deferred(&kcr_track_key);
	kcr_dma_put();
}
EXPORT_SYMBOL_GPL(kcr_tracked_destroy);

static int __init kcr_track_init(void)
{
	WRITE_ONCE(kcr_dma_late, kcr_track_late_dma);
	return 0;
}
core_initcall(kcr_track_init);
