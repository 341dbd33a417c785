// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: kernel memory that results depend on, and the
 * devices that may write to it.
 *
 * Memory is tracked from its allocation on, so no mapping of it is older than
 * that. It has no stamp while a device may write to it, and gets none by itself:
 * kcr_tracked_revalidate() gives it one, and refuses while it is held. It is held
 * from before a device can reach it until after it can no more. Two layers hold,
 * each what it does itself, and each lets go of that only; so memory that both
 * have mapped is held until both have let go, and nothing is let go of by a layer
 * that knows less.
 *
 * - The DMA layer (kernel/dma/mapping.c) holds by direction, whatever is below:
 *   direct mappings, an IOMMU, or an architecture's operations. It sees the
 *   caller's memory also where that is bounced through swiotlb, below or above an
 *   IOMMU: there the CPU writes it, at each dma_sync and at unmapping, and no
 *   I/O page table ever has it. It holds after mapping: the device learns of the
 *   address only then. It lets go after unmapping, and what was bounced is back
 *   by then. dma_sync is nothing to it: the device may write until unmapping.
 * - The IOMMU layer (drivers/iommu/iommu.c) holds what I/O page tables let a
 *   device write to, whoever asked for it: VFIO, iommufd, dma-iommu, drivers with
 *   domains of their own. Who has an address there may know it in advance, so it
 *   holds before mapping. It lets go when the IOTLB has been flushed: at once for
 *   tracked memory, where the caller would defer that.
 *
 * Unmapping says an address only, not what is there, nor whether a device could
 * write there: I/O page tables do not tell, and the address of what was bounced
 * is that of its copy. So each hold has a record of the device's addresses. A
 * record that there is no memory for is never let go of, and neither is one whose
 * mapping nobody removes: memory without a stamp is slow, not wrong.
 *
 * Not seen: devices that are given physical addresses past the DMA layer, as
 * those of virtio without ACCESS_PLATFORM are. Nor a device that writes where its
 * driver has let go of a page before it was allocated here: without an IOMMU, or
 * with one that flushes lazily, the device could. iommu.strict=1 prevents that,
 * here as for all other memory.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/interval_tree.h>
#include <linux/kcr.h>
#include <linux/kcr_dma.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "kcr_dma.h"

#define KCR_DMA_BUCKETS_SHIFT	6
#define KCR_DMA_LAYER_MASK	3UL

/**
 * struct kcr_dma_record - addresses through which a device may write
 * @node: the addresses, in their bucket
 * @list: in the memory's records
 * @memory: the memory
 * @space: whose addresses they are
 * @count: how many such mappings there are
 */
struct kcr_dma_record {
	struct interval_tree_node node;
	struct list_head list;
	struct kcr_tracked_memory *memory;
	unsigned long space;
	unsigned int count;
};

/* Records by space; @nr is read without the lock */
struct kcr_dma_bucket {
	struct rb_root_cached records;
	unsigned int nr;
};

DEFINE_SPINLOCK(kcr_dma_lock);
struct kcr_dma_counts kcr_dma_counts;

static struct kcr_dma_bucket kcr_dma_buckets[1 << KCR_DMA_BUCKETS_SHIFT];

static struct kcr_dma_bucket *kcr_dma_bucket(unsigned long space)
{
	return &kcr_dma_buckets[hash_long(space, KCR_DMA_BUCKETS_SHIFT)];
}

static struct kcr_dma_record *kcr_dma_first(unsigned long space, u64 start, u64 last)
{
	struct rb_root_cached *root = &kcr_dma_bucket(space)->records;
	struct interval_tree_node *node;

	lockdep_assert_held(&kcr_dma_lock);
	node = interval_tree_iter_first(root, start, last);
	return node ? container_of(node, struct kcr_dma_record, node) : NULL;
}

static struct kcr_dma_record *kcr_dma_next(struct kcr_dma_record *r, u64 start, u64 last)
{
	struct interval_tree_node *node = interval_tree_iter_next(&r->node, start, last);

	return node ? container_of(node, struct kcr_dma_record, node) : NULL;
}

static void kcr_dma_insert(struct kcr_dma_record *r)
{
	struct kcr_dma_bucket *bucket = kcr_dma_bucket(r->space);

	lockdep_assert_held(&kcr_dma_lock);
	interval_tree_insert(&r->node, &bucket->records);
	WRITE_ONCE(bucket->nr, bucket->nr + 1);
}

static void kcr_dma_remove(struct kcr_dma_record *r)
{
	struct kcr_dma_bucket *bucket = kcr_dma_bucket(r->space);

	lockdep_assert_held(&kcr_dma_lock);
	interval_tree_remove(&r->node, &bucket->records);
	WRITE_ONCE(bucket->nr, bucket->nr - 1);
}

static void kcr_dma_add(struct kcr_dma_record *r, struct kcr_tracked_memory *memory,
			unsigned long space, u64 start, u64 last)
{
	r->node.start = start;
	r->node.last = last;
	r->memory = memory;
	r->space = space;
	kcr_dma_insert(r);
	list_add(&r->list, &memory->records);
	atomic_long_inc(&kcr_dma_counts.records);
}

static void kcr_dma_free(struct kcr_dma_record *r)
{
	kcr_dma_remove(r);
	list_del(&r->list);
	r->memory->held -= r->count;
	atomic_long_dec(&kcr_dma_counts.records);
	kfree(r);
}

/* One of the mappings that a record stands for is gone */
static void kcr_dma_put_record(struct kcr_dma_record *r)
{
	if (r->count == 1) {
		kcr_dma_free(r);
		return;
	}
	r->count--;
	r->memory->held--;
}

/* The memory is going: forget who could write to it */
void kcr_dma_forget(struct kcr_tracked_memory *memory)
{
	struct kcr_dma_record *r, *next;

	lockdep_assert_held(&kcr_dma_lock);
	list_for_each_entry_safe(r, next, &memory->records, list)
		kcr_dma_free(r);
}

/* The record of exactly these addresses; @memory NULL: of any memory */
static struct kcr_dma_record *kcr_dma_find(unsigned long space, u64 start, u64 last,
					   const struct kcr_tracked_memory *memory)
{
	struct kcr_dma_record *r;

	for (r = kcr_dma_first(space, start, last); r; r = kcr_dma_next(r, start, last)) {
		if (r->space == space && r->node.start == start && r->node.last == last &&
		    (!memory || r->memory == memory))
			break;
	}
	return r;
}

/*
 * From when this returns, the memory has no stamp, and gets none until it is let
 * go of: kcr_tracked_revalidate() looks at @held under the lock before it gives
 * one, and what it gave before is taken here.
 */
static void kcr_dma_hold_memory(struct kcr_tracked_memory *memory,
				unsigned long space, u64 start, u64 last)
{
	struct kcr_dma_record *fresh, *r;
	unsigned long flags;

	fresh = kzalloc(sizeof(*fresh), GFP_ATOMIC | __GFP_NOWARN);
	spin_lock_irqsave(&kcr_dma_lock, flags);
	if (!memory->dead) {
		r = kcr_dma_find(space, start, last, memory);
		if (!r && fresh) {
			r = fresh;
			fresh = NULL;
			kcr_dma_add(r, memory, space, start, last);
		}
		memory->held++;
		if (r)
			r->count++;
		else
			atomic_long_inc(&kcr_dma_counts.lost);
	}
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
	kfree(fresh);
	if (READ_ONCE(memory->owner.stamp))
		kcr_owner_kill(&memory->owner);
}

static void kcr_dma_unhold_memory(struct kcr_tracked_memory *memory,
				  unsigned long space, u64 start, u64 last)
{
	struct kcr_dma_record *r;
	unsigned long flags;

	spin_lock_irqsave(&kcr_dma_lock, flags);
	r = kcr_dma_find(space, start, last, memory);
	if (r)
		kcr_dma_put_record(r);
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
}

/* For each tracked memory in a mapping: what of the mapping to have a record of */
static void kcr_dma_each(unsigned long space, u64 addr, phys_addr_t phys, size_t size,
			 void (*func)(struct kcr_tracked_memory *memory,
				      unsigned long space, u64 start, u64 last))
{
	unsigned long pfn = PHYS_PFN(phys), last_pfn = PHYS_PFN(phys + size - 1);
	struct kcr_tracked_memory *memory;
	phys_addr_t first, last;

	rcu_read_lock();
	for (memory = xa_find(&kcr_tracked_pages, &pfn, last_pfn, XA_PRESENT); memory;
	     memory = xa_find_after(&kcr_tracked_pages, &pfn, last_pfn, XA_PRESENT)) {
		first = phys;
		last = phys + size - 1;
		/* An I/O page table may be changed in other pieces than it was made of */
		if ((space & KCR_DMA_LAYER_MASK) == KCR_DMA_IOMMU) {
			first = max_t(phys_addr_t, first, __pa(memory->address));
			last = min_t(phys_addr_t, last,
				     __pa(memory->address) + memory->size - 1);
		}
		func(memory, space, addr + (first - phys), addr + (last - phys));
		pfn = PHYS_PFN(__pa(memory->address) + memory->size - 1);
	}
	rcu_read_unlock();
}

/*
 * A user's page that is tracked is mapped read-only and exclusive to nobody, and
 * whoever gets it for a device to write to gets it by a fault that changes both.
 */
static void kcr_dma_check_users(phys_addr_t phys, size_t size)
{
	unsigned long pfn = PHYS_PFN(phys), last_pfn = PHYS_PFN(phys + size - 1);
	void (*late)(struct folio *folio);
	struct folio *folio;
	struct page *page;

	for (; pfn <= last_pfn; pfn++) {
		if (!pfn_valid(pfn))
			return; /* a device's own */
		page = pfn_to_page(pfn);
		folio = page_folio(page);
		if (!folio_test_anon(folio) || !folio_mapped(folio) ||
		    PageAnonExclusive(page))
			continue;
		atomic_long_inc(&kcr_dma_counts.late);
		late = READ_ONCE(kcr_dma_late);
		if (late)
			late(folio);
	}
}

/**
 * kcr_dma_hold() - note that a device may write to memory
 * @space: whose addresses @addr is one of
 * @addr: first address through which it may
 * @phys: the memory's physical address
 * @size: bytes
 *
 * Tracked memory has lost its stamp when this returns. Also looks whether any of
 * it is a user's, who should have been told before.
 *
 * Context: any short of NMI.
 */
void kcr_dma_hold(unsigned long space, u64 addr, phys_addr_t phys, size_t size)
{
	if (!size)
		return;
	kcr_dma_each(space, addr, phys, size, kcr_dma_hold_memory);
	kcr_dma_check_users(phys, size);
}

/**
 * kcr_dma_unhold() - take back what kcr_dma_hold() did
 * @space: as there
 * @addr: as there
 * @phys: as there
 * @size: as there
 *
 * For mappings that failed. Lets go of nothing that another mapping holds.
 *
 * Context: any short of NMI.
 */
void kcr_dma_unhold(unsigned long space, u64 addr, phys_addr_t phys, size_t size)
{
	if (size && READ_ONCE(kcr_dma_bucket(space)->nr))
		kcr_dma_each(space, addr, phys, size, kcr_dma_unhold_memory);
}

/**
 * kcr_dma_is_held() - whether tracked memory can be written to by addresses
 * @space: whose addresses they are
 * @addr: the first
 * @size: bytes
 *
 * Whoever made the mappings that the caller is about to end has returned from
 * kcr_dma_hold() before the caller knew of them, so no record is missed that
 * matters, even without the lock.
 *
 * Context: any short of NMI.
 * Return: true if a record says so.
 */
bool kcr_dma_is_held(unsigned long space, u64 addr, size_t size)
{
	u64 last = addr + size - 1;
	struct kcr_dma_record *r;
	unsigned long flags;

	if (!size || !READ_ONCE(kcr_dma_bucket(space)->nr))
		return false;
	spin_lock_irqsave(&kcr_dma_lock, flags);
	for (r = kcr_dma_first(space, addr, last); r; r = kcr_dma_next(r, addr, last))
		if (r->space == space)
			break;
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
	return r;
}

/**
 * kcr_dma_drop() - note that one mapping of exactly these addresses is gone
 * @space: whose addresses they are
 * @addr: the first
 * @size: bytes
 *
 * Context: any short of NMI.
 */
void kcr_dma_drop(unsigned long space, u64 addr, size_t size)
{
	u64 last = addr + size - 1;
	struct kcr_dma_record *r, *next;
	unsigned long flags;

	if (!size || !READ_ONCE(kcr_dma_bucket(space)->nr))
		return;
	spin_lock_irqsave(&kcr_dma_lock, flags);
	/* There is one for each memory that the mapping had a part of */
	for (r = kcr_dma_first(space, addr, last); r; r = next) {
		next = kcr_dma_next(r, addr, last);
		if (r->space == space && r->node.start == addr && r->node.last == last)
			kcr_dma_put_record(r);
	}
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
}

/* Take addresses out of a record that overlaps them; the lock is held */
static void kcr_dma_cut(struct kcr_dma_record *r, u64 first, u64 last)
{
	struct kcr_dma_record *rest;
	u64 end = r->node.last;

	if (first <= r->node.start && last >= end) {
		kcr_dma_free(r);
		return;
	}
	if (first > r->node.start && last < end) {
		rest = kzalloc(sizeof(*rest), GFP_ATOMIC | __GFP_NOWARN);
		if (!rest) {
			atomic_long_inc(&kcr_dma_counts.lost);
			return;
		}
		rest->count = r->count;
		r->memory->held += r->count;
		kcr_dma_add(rest, r->memory, r->space, last + 1, end);
	}
	kcr_dma_remove(r);
	if (first <= r->node.start)
		r->node.start = last + 1;
	else
		r->node.last = first - 1;
	kcr_dma_insert(r);
}

/**
 * kcr_dma_drop_range() - note that no mapping of any of these addresses is left
 * @space: whose addresses they are
 * @addr: the first
 * @size: bytes
 *
 * Context: any short of NMI.
 */
void kcr_dma_drop_range(unsigned long space, u64 addr, size_t size)
{
	u64 last = addr + size - 1;
	struct kcr_dma_record *r, *next;
	unsigned long flags;

	if (!size || !READ_ONCE(kcr_dma_bucket(space)->nr))
		return;
	spin_lock_irqsave(&kcr_dma_lock, flags);
	for (r = kcr_dma_first(space, addr, last); r; r = next) {
		next = kcr_dma_next(r, addr, last);
		if (r->space == space)
			kcr_dma_cut(r, addr, last);
	}
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
}

static bool kcr_dma_writes(enum dma_data_direction dir)
{
	return dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL;
}

/* The slow halves of the hooks in kernel/dma/mapping.c */
void __kcr_dma_mapped(struct device *dev, struct page *page, size_t offset,
		      size_t size, enum dma_data_direction dir, dma_addr_t addr)
{
	if (kcr_dma_writes(dir) && addr != DMA_MAPPING_ERROR)
		kcr_dma_hold(kcr_dma_space(dev, KCR_DMA_PAGE), addr,
			     page_to_phys(page) + offset, size);
}

void __kcr_dma_unmapped(struct device *dev, dma_addr_t addr, size_t size,
			enum dma_data_direction dir)
{
	if (kcr_dma_writes(dir))
		kcr_dma_drop(kcr_dma_space(dev, KCR_DMA_PAGE), addr, size);
}

void __kcr_dma_mapped_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	if (!kcr_dma_writes(dir))
		return;
	for_each_sg(sgl, sg, nents, i)
		kcr_dma_hold(kcr_dma_space(dev, KCR_DMA_SG), sg_phys(sg),
			     sg_phys(sg), sg->length);
}

void __kcr_dma_unmapped_sg(struct device *dev, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	if (!kcr_dma_writes(dir))
		return;
	for_each_sg(sgl, sg, nents, i)
		kcr_dma_drop(kcr_dma_space(dev, KCR_DMA_SG), sg_phys(sg), sg->length);
}
