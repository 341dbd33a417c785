// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: kernel memory that results depend on.
 *
 * Whoever computes from a table, say, that devices fill or that seldom changes
 * allocates it here, and has its results owned by it:
 *
 *	memory = kcr_tracked_alloc(size, GFP_KERNEL);
 *	... fill it ...
 *	kcr_tracked_revalidate(memory);
 *	...
 *	kcr_query_begin(&q, site, &memory->owner, &shape);
 *
 * and calls kcr_tracked_revalidate() again whenever something is new, after
 * dma_unmap_page() for example. Until then it computes.
 */
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/kcr.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "kcr_dma.h"

/* At most a change of all hooks each second, whatever users do */
DEFINE_STATIC_KEY_DEFERRED_FALSE(kcr_dma_key, HZ);

void (*kcr_dma_late)(struct folio *folio) __read_mostly;
DEFINE_XARRAY(kcr_tracked_pages);

/**
 * kcr_dma_get() - have mappings for devices watched
 *
 * Mappings made after it returned are seen. Patches the hooks in if nobody has
 * needed them for a second.
 *
 * Context: process context, may sleep.
 */
void kcr_dma_get(void)
{
	static_branch_deferred_inc(&kcr_dma_key);
}
EXPORT_SYMBOL_GPL(kcr_dma_get);

/**
 * kcr_dma_put() - end what kcr_dma_get() began
 *
 * Context: process context, may sleep.
 */
void kcr_dma_put(void)
{
	static_branch_slow_dec_deferred(&kcr_dma_key);
}
EXPORT_SYMBOL_GPL(kcr_dma_put);

static void kcr_tracked_unlist(const struct kcr_tracked_memory *memory, size_t size)
{
	unsigned long pfn = PHYS_PFN(__pa(memory->address));

	while (size) {
		size -= PAGE_SIZE;
		xa_erase(&kcr_tracked_pages, pfn + PHYS_PFN(size));
	}
}

static int kcr_tracked_list(struct kcr_tracked_memory *memory, gfp_t gfp)
{
	unsigned long pfn = PHYS_PFN(__pa(memory->address));
	size_t done;
	int err;

	for (done = 0; done < memory->size; done += PAGE_SIZE) {
		err = xa_err(xa_store(&kcr_tracked_pages, pfn + PHYS_PFN(done), memory, gfp));
		if (err) {
			kcr_tracked_unlist(memory, done);
			return err;
		}
	}
	return 0;
}

/**
 * kcr_tracked_alloc() - allocate memory that results may depend on
 * @size: bytes, rounded up to whole pages
 * @gfp: how; neither __GFP_HIGHMEM nor __GFP_COMP
 *
 * The memory is zeroed, contiguous, and has no stamp yet.
 *
 * Context: process context, may sleep.
 * Return: the memory, or NULL if there is none.
 */
struct kcr_tracked_memory *kcr_tracked_alloc(size_t size, gfp_t gfp)
{
	struct kcr_tracked_memory *memory;

	if (!size)
		return NULL;
	memory = kzalloc(sizeof(*memory), gfp);
	if (!memory)
		return NULL;
	INIT_LIST_HEAD(&memory->records);
	memory->size = PAGE_ALIGN(size);
	memory->address = alloc_pages_exact(memory->size, gfp | __GFP_ZERO);
	if (!memory->address)
		goto err_free;
	/* Before anybody can map it */
	kcr_dma_get();
	if (kcr_tracked_list(memory, gfp))
		goto err_put;
	atomic_long_add(memory->size, &kcr_dma_counts.tracked);
	return memory;

err_put:
	kcr_dma_put();
	free_pages_exact(memory->address, memory->size);
err_free:
	kfree(memory);
	return NULL;
}
EXPORT_SYMBOL_GPL(kcr_tracked_alloc);

/**
 * kcr_tracked_free() - free memory of kcr_tracked_alloc()
 * @memory: the memory, or NULL; no query must be under way, and no device may
 *	write to it any more
 *
 * Context: process context, may sleep.
 */
void kcr_tracked_free(struct kcr_tracked_memory *memory)
{
	unsigned long flags;

	if (!memory)
		return;
	kcr_tracked_unlist(memory, memory->size);
	spin_lock_irqsave(&kcr_dma_lock, flags);
	memory->dead = true;
	kcr_dma_forget(memory);
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
	kcr_owner_kill(&memory->owner);
	atomic_long_sub(memory->size, &kcr_dma_counts.tracked);
	free_pages_exact(memory->address, memory->size);
	kcr_dma_put();
	/* Who maps other pages may be looking at it */
	kfree_rcu(memory, rcu);
}
EXPORT_SYMBOL_GPL(kcr_tracked_free);

/**
 * kcr_tracked_invalidate() - allow no reuse before the memory is written to
 * @memory: the memory
 *
 * Context: any short of NMI.
 */
void kcr_tracked_invalidate(struct kcr_tracked_memory *memory)
{
	kcr_owner_kill(&memory->owner);
}
EXPORT_SYMBOL_GPL(kcr_tracked_invalidate);

/**
 * kcr_tracked_revalidate() - allow reuse of what is computed from now on
 * @memory: the memory, which nobody writes to any more
 *
 * What was computed before is forgotten, whether there was a change or not. Who
 * calls it sees to it that the CPU does not write meanwhile; that no device may
 * is seen to here: one that may begins with taking the stamp.
 *
 * Context: any short of NMI. As for kcr_owner_renew().
 * Return: 0, or -EBUSY if a device may write to the memory, which has no stamp
 * then.
 */
int kcr_tracked_revalidate(struct kcr_tracked_memory *memory)
{
	unsigned long flags;
	int err = -EBUSY;

	/* Sweeps what was stored, which should not be done under the lock */
	kcr_owner_kill(&memory->owner);
	spin_lock_irqsave(&kcr_dma_lock, flags);
	if (!memory->held && !memory->dead) {
		kcr_owner_renew(&memory->owner);
		err = 0;
	}
	spin_unlock_irqrestore(&kcr_dma_lock, flags);
	return err;
}
EXPORT_SYMBOL_GPL(kcr_tracked_revalidate);

#ifdef CONFIG_DEBUG_FS

/* dma: "<name> <value>", one a line */
static int kcr_dma_show(struct seq_file *m, void *v)
{
	seq_printf(m, "watching %d\n", kcr_dma_tracking());
	seq_printf(m, "tracked_bytes %ld\n", atomic_long_read(&kcr_dma_counts.tracked));
	seq_printf(m, "writable_mappings %ld\n", atomic_long_read(&kcr_dma_counts.records));
	seq_printf(m, "lost_records %ld\n", atomic_long_read(&kcr_dma_counts.lost));
	seq_printf(m, "late_iommu %ld\n", atomic_long_read(&kcr_dma_counts.late));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_dma);

static int __init kcr_dma_debugfs_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("dma", 0400, dir, NULL, &kcr_dma_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_dma_debugfs_init);

#endif /* CONFIG_DEBUG_FS */
