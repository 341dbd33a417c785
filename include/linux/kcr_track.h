/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: memory of processes that results depend on.
 *
 * See Documentation/core-api/kcr-tracking.rst for what is caught, where, and why
 * that is all.
 */
#ifndef _LINUX_KCR_TRACK_H
#define _LINUX_KCR_TRACK_H

#include <linux/jump_label_ratelimit.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <uapi/linux/kcr_track.h>

struct kcr_mm;

/**
 * struct kcr_tracked - memory that results depend on
 * @mutex: of adding ranges, arming and ending
 * @stamp: where its stamp is: 0 while it is not armed
 * @kmm: what its process's sets have in common; its lock protects what follows,
 *	and writing to @stamp
 * @ranges: where the memory is
 * @nr_ranges: how many
 * @pages: how many
 * @generation: changes with every event
 * @armed: how often it was armed
 * @events: how often each came
 * @refused: how often each was the reason for not arming it
 *
 * @stamp may lie in memory that others can read: it is all they need to know.
 */
struct kcr_tracked {
	struct mutex mutex; /* of adding, arming and ending */
	u64 *stamp;
	struct kcr_mm *kmm;
	struct list_head ranges;
	unsigned int nr_ranges;
	unsigned long pages;
	u64 generation;
	u64 armed;
	u64 events[KCR_NR_EVENTS];
	u64 refused[KCR_NR_REFUSALS];
};

#ifdef CONFIG_KCR_TRACK

extern struct static_key_false_deferred kcr_track_key;

int kcr_tracked_init(struct kcr_tracked *set, struct mm_struct *mm, u64 *stamp);
int kcr_tracked_add(struct kcr_tracked *set, const struct kcr_range *ranges,
		    unsigned int nr);
int kcr_tracked_arm(struct kcr_tracked *set, u64 stamp, u64 *address);
void kcr_tracked_refuse(struct kcr_tracked *set, enum kcr_refusal reason);
void kcr_tracked_renew(struct kcr_tracked *set);
void kcr_tracked_info(struct kcr_tracked *set, struct kcr_set_info *info);
void kcr_tracked_destroy(struct kcr_tracked *set);

void kcr_invalidate_range(struct mm_struct *mm, unsigned long start,
			  unsigned long end);

void __kcr_track_fault(struct vm_area_struct *vma, unsigned long address,
		       unsigned int flags);

/**
 * kcr_track_fault() - note that a page is about to become writable
 * @vma: where
 * @address: what was accessed
 * @flags: how, &enum fault_flag
 *
 * To be called before anything is done about the fault. Until it has been dealt
 * with, the page stays as it is.
 *
 * Context: mmap_lock or the VMA's lock is held.
 */
static __always_inline void kcr_track_fault(struct vm_area_struct *vma,
					    unsigned long address,
					    unsigned int flags)
{
	if (static_branch_unlikely(&kcr_track_key.key) &&
	    unlikely(vma->vm_flags & VM_KCR))
		__kcr_track_fault(vma, address, flags);
}

#else /* !CONFIG_KCR_TRACK */

static inline void kcr_track_fault(struct vm_area_struct *vma,
				   unsigned long address, unsigned int flags) { }
static inline void kcr_invalidate_range(struct mm_struct *mm,
					unsigned long start,
					unsigned long end) { }

#endif /* CONFIG_KCR_TRACK */

#endif /* _LINUX_KCR_TRACK_H */
