/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what the files about tracked memory share.
 */
#ifndef _MM_KCR_TRACK_H
#define _MM_KCR_TRACK_H

#include <linux/interval_tree.h>
#include <linux/kcr_track.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

/**
 * struct kcr_mm - a process's memory, as far as it is tracked
 * @node: in the table of all
 * @mm: the memory, with a reference that keeps the structure only
 * @lock: protects @ranges, and what struct kcr_tracked says; taken from any
 *	context short of NMI, and nothing is taken within
 * @ranges: what is tracked, by address
 * @sets: how many sets use it, protected by the table's mutex
 * @rcu: to free it
 */
struct kcr_mm {
	struct hlist_node node;
	struct mm_struct *mm;
	spinlock_t lock; /* of ranges and sets */
	struct rb_root_cached ranges;
	unsigned int sets;
	struct rcu_head rcu;
};

/**
 * struct kcr_tracked_range - a range of a set
 * @notifier: tells of changes of the mapping
 * @node: in the process's ranges
 * @list: in the set's ranges
 * @set: the set
 * @seq: of the notifier, when arming began
 */
struct kcr_tracked_range {
	struct mmu_interval_notifier notifier;
	struct interval_tree_node node;
	struct list_head list;
	struct kcr_tracked *set;
	unsigned long seq;
};

/* The owner of notifications about arming: it changes nothing that is there */
extern struct kcr_mm kcr_arm_owner;

/**
 * enum kcr_track_break - what to leave out, for tests to see that it is needed
 * @KCR_BREAK_NONE: nothing
 * @KCR_BREAK_FLUSH: flushing TLBs when arming
 * @KCR_BREAK_REFERENCE: looking at references when arming
 * @KCR_BREAK_UNSHARE: the event of a page being unshared
 * @KCR_BREAK_LOCK: waiting for faults in flight when arming again
 * @KCR_NR_BREAKS: how many there are
 */
enum kcr_track_break {
	KCR_BREAK_NONE,
	KCR_BREAK_FLUSH,
	KCR_BREAK_REFERENCE,
	KCR_BREAK_UNSHARE,
	KCR_BREAK_LOCK,
	KCR_NR_BREAKS,
};

#ifdef CONFIG_KCR_TORTURE_TEST
extern enum kcr_track_break kcr_track_break;

static inline bool kcr_track_broken(enum kcr_track_break what)
{
	return unlikely(READ_ONCE(kcr_track_break) == what);
}
#else
static inline bool kcr_track_broken(enum kcr_track_break what)
{
	return false;
}
#endif

#endif /* _MM_KCR_TRACK_H */
