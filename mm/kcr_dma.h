/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what the files about memory and devices share.
 */
#ifndef _MM_KCR_DMA_H
#define _MM_KCR_DMA_H

#include <linux/atomic.h>
#include <linux/kcr_dma.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

/**
 * struct kcr_dma_counts - what /sys/kernel/debug/kcr/dma shows
 * @tracked: bytes of tracked memory
 * @records: of addresses through which devices may write to it
 * @lost: how often there was no memory for one
 * @late: pages of users that were mapped for a device unseen
 */
struct kcr_dma_counts {
	atomic_long_t tracked;
	atomic_long_t records;
	atomic_long_t lost;
	atomic_long_t late;
};

/* kcr_dma.c */
extern spinlock_t kcr_dma_lock; /* of records, and how often memory is held */
extern struct kcr_dma_counts kcr_dma_counts;
void kcr_dma_forget(struct kcr_tracked_memory *memory);

/* kcr_tracked.c */
extern struct xarray kcr_tracked_pages; /* by page frame number; read under RCU */

#endif /* _MM_KCR_DMA_H */
