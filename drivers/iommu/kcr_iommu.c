// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what I/O page tables let devices write to.
 *
 * The slow halves of the hooks in drivers/iommu/iommu.c. mm/kcr_dma.c says what
 * is held, and why here as well as in the DMA layer.
 *
 * Holding comes before the first page table entry is written: a device that knows
 * the address may write as soon as it is there. Letting go comes after the
 * invalidation of the IOTLB has completed: until then a device may go on with
 * the translation that it has, and completion also waits for writes that were
 * translated before. Who calls iommu_unmap_fast() flushes later, by
 * iommu_iotlb_sync(), or has a flush queue do it some time. For tracked memory
 * that is too late, because the caller's driver may believe that it is done, and
 * have the memory revalidated: so all is flushed here, at once. It is rare, and
 * what the caller flushes later is nothing to us any more.
 */
#include <linux/iommu.h>
#include <linux/kcr_dma.h>

static unsigned long kcr_iommu_space(const struct iommu_domain *domain)
{
	return kcr_dma_space(domain, KCR_DMA_IOMMU);
}

/* A whole mapping is about to be made */
void __kcr_iommu_map(struct iommu_domain *domain, unsigned long iova,
		     phys_addr_t phys, size_t size, int prot)
{
	if (prot & IOMMU_WRITE)
		kcr_dma_hold(kcr_iommu_space(domain), iova, phys, size);
}

/* What was mapped of it has been unmapped again, and let go of; this never was */
void __kcr_iommu_map_failed(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t phys, size_t size, size_t left, int prot)
{
	size_t done = size - left;

	if (prot & IOMMU_WRITE)
		kcr_dma_unhold(kcr_iommu_space(domain), iova + done, phys + done, left);
}

/* Nothing is left of these addresses, neither in tables nor in the IOTLB */
void __kcr_iommu_unmapped(struct iommu_domain *domain, unsigned long iova,
			  size_t size)
{
	kcr_dma_drop_range(kcr_iommu_space(domain), iova, size);
}

/*
 * A driver without flush_iotlb_all() either has iotlb_sync(), or flushes while it
 * unmaps. Flush queues are for drivers that have the former; should a gather be
 * queued all the same, the memory stays held.
 */
void __kcr_iommu_unmapped_fast(struct iommu_domain *domain, unsigned long iova,
			       size_t size, struct iommu_iotlb_gather *gather)
{
	if (!kcr_dma_is_held(kcr_iommu_space(domain), iova, size))
		return;
	if (domain->ops->flush_iotlb_all)
		iommu_flush_iotlb_all(domain);
	else if (!iommu_iotlb_gather_queued(gather))
		iommu_iotlb_sync(domain, gather);
	else
		return;
	__kcr_iommu_unmapped(domain, iova, size);
}
