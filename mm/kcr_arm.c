// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: arming, after which nothing changes memory unseen.
 *
 * Pages are made stable as KSM does it before it merges them (see
 * write_protect_page() in ksm.c), but in batches, and with faults in flight waited
 * for: KSM only compares contents afterwards, a stamp says what was so since.
 * Documentation/core-api/kcr-tracking.rst has the argument for every step.
 */
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/kcr_mapping.h>
#include <linux/kcr_track.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>

#include <asm/tlbflush.h>

#include "internal.h"
#include "kcr_track.h"
#include "swap.h"

/* Page table entries that are cleared and flushed at a time */
#define KCR_ARM_BATCH	64

/**
 * struct kcr_arm - an arming under way
 * @set: the set
 * @reason: why not, if not
 * @address: the page that it is about
 * @generation: the set's when it began
 * @ptes: what page table entries were before
 */
struct kcr_arm {
	struct kcr_tracked *set;
	enum kcr_refusal reason;
	unsigned long address;
	u64 generation;
	pte_t ptes[KCR_ARM_BATCH];
};

static int kcr_arm_refuse(struct kcr_arm *arm, enum kcr_refusal reason,
			  unsigned long address)
{
	arm->reason = reason;
	arm->address = address;
	return -EAGAIN;
}

/* Whether a page, which nothing maps or can find by page tables now, is stable */
static enum kcr_refusal kcr_page_refusal(struct vm_area_struct *vma,
					 unsigned long address, pte_t pte)
{
	struct page *page = vm_normal_page(vma, address, pte);
	struct folio *folio;

	if (!page)
		return is_zero_pfn(pte_pfn(pte)) ? KCR_REFUSED_NOT : KCR_REFUSED_SPECIAL;
	folio = page_folio(page);
	if (!folio_test_anon(folio))
		return KCR_REFUSED_NOT_ANONYMOUS;
	/* Nobody can write to it, only to a copy that replaces it */
	if (folio_test_ksm(folio))
		return KCR_REFUSED_NOT;
	if (folio_test_large(folio))
		return KCR_REFUSED_HUGE;
	if (folio_mapcount(folio) != 1)
		return KCR_REFUSED_SHARED_PAGE;
	if (kcr_track_broken(KCR_BREAK_REFERENCE)) {
		if (PageAnonExclusive(page))
			ClearPageAnonExclusive(page);
		return KCR_REFUSED_NOT;
	}
	/* The swap cache has one, too; and it may read the page again */
	if (folio_test_swapcache(folio) || folio_ref_count(folio) != 1)
		return KCR_REFUSED_REFERENCE;
	/* Pairs with gup_fast(), as in KSM: the page table entry was cleared before */
	if (PageAnonExclusive(page) && folio_try_share_anon_rmap_pte(folio, page))
		return KCR_REFUSED_REFERENCE;
	return KCR_REFUSED_NOT;
}

/* Whether page table entries are such that their pages can be looked at */
static int kcr_arm_look(struct kcr_arm *arm, pte_t *pte, unsigned long start,
			unsigned long end)
{
	unsigned long addr;
	pte_t entry;

	for (addr = start; addr < end; addr += PAGE_SIZE, pte++) {
		entry = ptep_get(pte);
		if (!pte_present(entry) || pte_protnone(entry))
			return kcr_arm_refuse(arm, KCR_REFUSED_NOT_PRESENT, addr);
	}
	return 0;
}

static int kcr_arm_batch(struct kcr_arm *arm, struct vm_area_struct *vma,
			 pte_t *pte, unsigned long start, unsigned long end)
{
	unsigned int i, nr = (end - start) >> PAGE_SHIFT;
	enum kcr_refusal reason = KCR_REFUSED_NOT;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	int err;

	err = kcr_arm_look(arm, pte, start, end);
	if (err)
		return err;
	flush_cache_range(vma, start, end);
	for (i = 0; i < nr; i++, addr += PAGE_SIZE)
		arm->ptes[i] = ptep_get_and_clear(mm, addr, pte + i);
	/* From here on nobody finds the pages, nor has them in a TLB */
	if (!kcr_track_broken(KCR_BREAK_FLUSH))
		flush_tlb_range(vma, start, end);
	for (i = 0, addr = start; i < nr; i++, addr += PAGE_SIZE) {
		if (!reason) {
			reason = kcr_page_refusal(vma, addr, arm->ptes[i]);
			if (reason)
				err = kcr_arm_refuse(arm, reason, addr);
			else
				arm->ptes[i] = pte_wrprotect(arm->ptes[i]);
		}
		set_pte_at(mm, addr, pte + i, arm->ptes[i]);
	}
	return err;
}

static int kcr_arm_pmd(pmd_t *pmd, unsigned long start, unsigned long end,
		       struct mm_walk *walk)
{
	struct kcr_arm *arm = walk->private;
	unsigned long addr, next;
	pte_t *first, *pte;
	spinlock_t *ptl; /* of the page table */
	int err = 0;

	/* NULL if it is a huge page, too */
	first = pte_offset_map_lock(walk->mm, pmd, start, &ptl);
	if (!first)
		return kcr_arm_refuse(arm, KCR_REFUSED_HUGE, start);
	__acquire(ptl); /* which sparse has not seen */
	pte = first;
	for (addr = start; addr < end && !err; addr = next) {
		next = min(addr + KCR_ARM_BATCH * PAGE_SIZE, end);
		err = kcr_arm_batch(arm, walk->vma, pte, addr, next);
		pte += KCR_ARM_BATCH;
	}
	pte_unmap_unlock(first, ptl);
	cond_resched();
	return err;
}

static int kcr_arm_hole(unsigned long start, unsigned long end, int depth,
			struct mm_walk *walk)
{
	return kcr_arm_refuse(walk->private, KCR_REFUSED_NOT_PRESENT, start);
}

static const struct mm_walk_ops kcr_arm_walk_ops = {
	.pmd_entry = kcr_arm_pmd,
	.pte_hole = kcr_arm_hole,
	.walk_lock = PGWALK_RDLOCK,
};

/* A device may lose its being verified; the seals of a memfd stay */
static bool kcr_vma_immutable(struct vm_area_struct *vma)
{
	return vma->vm_file && shmem_mapping(vma->vm_file->f_mapping) &&
	       kcr_mapping_immutable(vma->vm_file->f_mapping);
}

static enum kcr_refusal kcr_vma_refusal(struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_SHADOW_STACK | VM_DROPPABLE))
		return KCR_REFUSED_SPECIAL;
	/* A private mapping's pages change with the file until they are written to */
	if (vma->vm_flags & VM_MAYSHARE)
		return kcr_vma_immutable(vma) ? KCR_REFUSED_NOT :
						KCR_REFUSED_SHARED_MAPPING;
	if (!vma_is_anonymous(vma))
		return KCR_REFUSED_NOT_ANONYMOUS;
	if (userfaultfd_armed(vma))
		return KCR_REFUSED_USERFAULTFD;
	return KCR_REFUSED_NOT;
}

typedef int (*kcr_vma_fn)(struct kcr_arm *arm, struct vm_area_struct *vma,
			  unsigned long start, unsigned long end);

/* Do something for all of a set's anonymous memory; refuse what is not eligible */
static int kcr_arm_vmas(struct kcr_arm *arm, kcr_vma_fn fn)
{
	struct mm_struct *mm = arm->set->kmm->mm;
	struct kcr_tracked_range *r;
	struct vm_area_struct *vma;
	enum kcr_refusal reason;
	unsigned long addr, end;
	int err = 0;

	list_for_each_entry(r, &arm->set->ranges, list) {
		for (addr = r->node.start; addr <= r->node.last && !err; addr = end) {
			vma = vma_lookup(mm, addr);
			reason = vma ? kcr_vma_refusal(vma) : KCR_REFUSED_UNMAPPED;
			if (reason)
				return kcr_arm_refuse(arm, reason, addr);
			end = min(r->node.last + 1, vma->vm_end);
			if (!(vma->vm_flags & VM_MAYSHARE))
				err = fn(arm, vma, addr, end);
		}
		if (err)
			return err;
	}
	return 0;
}

/* From the next fault on the hook looks; faults in flight have ended */
static int kcr_arm_flag(struct kcr_arm *arm, struct vm_area_struct *vma,
			unsigned long start, unsigned long end)
{
	vma_start_write(vma);
	vm_flags_set(vma, VM_KCR);
	return 0;
}

/* Arming is an invalidation for secondary MMUs: they must come back to write */
static int kcr_arm_protect(struct kcr_arm *arm, struct vm_area_struct *vma,
			   unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	int err;

	/* An event of which the owner is always set: of others it may be anything */
	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_EXCLUSIVE, 0, vma->vm_mm,
				      start, end, &kcr_arm_owner);
	mmu_notifier_invalidate_range_start(&range);
	err = walk_page_range(vma->vm_mm, start, end, &kcr_arm_walk_ops, arm);
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

/*
 * Split huge pages: they would have to be copied at the first write, which finds
 * them shared. And let go of copies in swap, which hold references.
 */
static void kcr_arm_prepare(unsigned long addr)
{
	struct folio *folio;
	struct page *page;

	if (!get_user_page_fast_only(addr, 0, &page))
		return;
	folio = page_folio(page);
	if (folio_test_anon(folio) && !folio_test_ksm(folio) &&
	    (folio_test_large(folio) || folio_test_swapcache(folio)) &&
	    folio_trylock(folio)) {
		/* If it does not work, arming says what is in the way */
		if (folio_test_large(folio))
			split_folio(folio);
		else
			folio_free_swap(folio);
		folio_unlock(folio);
	}
	/* What was split keeps references at its first page */
	folio_put(folio);
}

static int kcr_arm_help(struct kcr_arm *arm)
{
	struct kcr_tracked_range *r;
	unsigned long addr;

	list_for_each_entry(r, &arm->set->ranges, list) {
		for (addr = r->node.start; addr <= r->node.last; addr += PAGE_SIZE) {
			kcr_arm_prepare(addr);
			cond_resched();
			if (fatal_signal_pending(current))
				return -EINTR;
		}
	}
	/* What was put on LRU lists lately has references from there */
	lru_add_drain_all();
	return 0;
}

/* (P), see kcr_track.c */
static int kcr_arm_publish(struct kcr_arm *arm, u64 stamp)
{
	struct kcr_tracked *set = arm->set;
	struct kcr_tracked_range *r;
	bool changed;

	spin_lock_irq(&set->kmm->lock);
	changed = arm->generation != set->generation;
	list_for_each_entry(r, &set->ranges, list)
		changed |= mmu_interval_read_retry(&r->notifier, r->seq);
	if (!changed) {
		WRITE_ONCE(*set->stamp, stamp);
		set->armed++;
	}
	spin_unlock_irq(&set->kmm->lock);
	return changed ? kcr_arm_refuse(arm, KCR_REFUSED_CHANGED, 0) : 0;
}

static u64 kcr_arm_generation(struct kcr_tracked *set)
{
	u64 generation;

	spin_lock_irq(&set->kmm->lock);
	generation = set->generation;
	spin_unlock_irq(&set->kmm->lock);
	return generation;
}

/* Set VM_KCR, and return with the mmap_lock held for reading */
static int kcr_arm_begin(struct kcr_arm *arm)
{
	struct mm_struct *mm = arm->set->kmm->mm;
	int err;

	if (kcr_track_broken(KCR_BREAK_LOCK) && arm->set->armed) {
		mmap_read_lock(mm);
		arm->generation = kcr_arm_generation(arm->set);
		return 0;
	}
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = kcr_arm_vmas(arm, kcr_arm_flag);
	if (err) {
		mmap_write_unlock(mm);
		return err;
	}
	/* Faults that begin after this change it */
	arm->generation = kcr_arm_generation(arm->set);
	mmap_write_downgrade(mm);
	return 0;
}

static int kcr_arm_once(struct kcr_arm *arm, u64 stamp)
{
	struct kcr_tracked_range *r;
	int err;

	arm->reason = KCR_REFUSED_NOT;
	arm->address = 0;
	/* Waits for invalidations under way; those that begin later are seen */
	list_for_each_entry(r, &arm->set->ranges, list)
		r->seq = mmu_interval_read_begin(&r->notifier);
	err = kcr_arm_begin(arm);
	if (err)
		return err;
	err = kcr_arm_vmas(arm, kcr_arm_protect);
	mmap_read_unlock(arm->set->kmm->mm);
	return err ?: kcr_arm_publish(arm, stamp);
}

static int kcr_arm_nothing(struct kcr_arm *arm, struct vm_area_struct *vma,
			   unsigned long start, unsigned long end)
{
	return 0;
}

/*
 * What is swapped out, or was never touched, is there after it. But not where a
 * userfaultfd would be asked for it.
 */
static int kcr_arm_fault_in(struct kcr_arm *arm)
{
	struct mm_struct *mm = arm->set->kmm->mm;
	struct kcr_tracked_range *r;
	int err;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	err = kcr_arm_vmas(arm, kcr_arm_nothing);
	mmap_read_unlock(mm);
	if (err)
		return err;
	list_for_each_entry(r, &arm->set->ranges, list)
		fault_in_readable((const char __user *)r->node.start,
				  r->node.last + 1 - r->node.start);
	lru_add_drain();
	return 0;
}

static bool kcr_arm_helps(enum kcr_refusal reason)
{
	return reason == KCR_REFUSED_HUGE || reason == KCR_REFUSED_REFERENCE;
}

/**
 * kcr_tracked_arm() - have a set watched
 * @set: the set, of the current process
 * @stamp: a stamp that no set ever had
 * @address: out: the page that was in the way, if there is one
 *
 * A set that is armed stays as it is.
 *
 * Context: may sleep; not within the mmap_lock.
 * Return: 0 if it is armed; &enum kcr_refusal why it is not; -EINTR if a signal
 * came, -ENOMEM.
 */
int kcr_tracked_arm(struct kcr_tracked *set, u64 stamp, u64 *address)
{
	struct kcr_arm *arm;
	int err = 0;

	*address = 0;
	arm = kmalloc(sizeof(*arm), GFP_KERNEL);
	if (!arm)
		return -ENOMEM;
	arm->set = set;
	mutex_lock(&set->mutex);
	if (READ_ONCE(*set->stamp))
		goto out;
	err = kcr_arm_fault_in(arm) ?: kcr_arm_once(arm, stamp);
	if (err == -EAGAIN && kcr_arm_helps(arm->reason)) {
		err = kcr_arm_help(arm);
		if (!err)
			err = kcr_arm_once(arm, stamp);
	}
	if (err == -EAGAIN) {
		err = arm->reason;
		*address = arm->address;
		kcr_tracked_refuse(set, arm->reason);
	}
out:
	mutex_unlock(&set->mutex);
	kfree(arm);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_tracked_arm);
