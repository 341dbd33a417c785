/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: memory that devices may write to.
 *
 * See mm/kcr_dma.c for which layer watches what.
 */
#ifndef _LINUX_KCR_DMA_H
#define _LINUX_KCR_DMA_H

#include <linux/dma-direction.h>
#include <linux/errno.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/kcr_owner.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct device;
struct folio;
struct iommu_domain;
struct iommu_iotlb_gather;
struct page;
struct scatterlist;

/**
 * struct kcr_tracked_memory - kernel memory that results depend on
 * @owner: of those results; its stamp is 0 while a device may write to the memory,
 *	and until kcr_tracked_revalidate()
 * @address: where it is, page aligned
 * @size: bytes, whole pages
 * @held: mappings through which a device may write to it (core)
 * @dead: it is being freed (core)
 * @records: those of the mappings (core)
 * @rcu: to free it (core)
 *
 * What the kernel itself writes there nobody sees: whoever allocated it calls
 * kcr_tracked_invalidate() before and kcr_tracked_revalidate() after that.
 */
struct kcr_tracked_memory {
	struct kcr_owner owner;
	void *address;
	size_t size;
	unsigned int held;
	bool dead;
	struct list_head records;
	struct rcu_head rcu;
};

#ifdef CONFIG_KCR_DMA

/**
 * enum kcr_dma_layer - who says that a device may write to memory
 * @KCR_DMA_PAGE: the DMA layer, by the device's addresses
 * @KCR_DMA_SG: the DMA layer, by physical addresses
 * @KCR_DMA_IOMMU: an I/O page table, by its addresses
 */
enum kcr_dma_layer {
	KCR_DMA_PAGE,
	KCR_DMA_SG,
	KCR_DMA_IOMMU,
};

/*
 * What addresses mean in one space says nothing about another. @object is a
 * device or a domain, which are aligned to 4 bytes at least.
 */
static inline unsigned long kcr_dma_space(const void *object,
					  enum kcr_dma_layer layer)
{
	return (unsigned long)object | layer;
}

/* On while anything is tracked, and for a second after that */
extern struct static_key_false_deferred kcr_dma_key;

/* What to do if a page of user space turns up that should have been seen before */
extern void (*kcr_dma_late)(struct folio *folio);

void kcr_dma_get(void);
void kcr_dma_put(void);

struct kcr_tracked_memory *kcr_tracked_alloc(size_t size, gfp_t gfp);
void kcr_tracked_free(struct kcr_tracked_memory *memory);
void kcr_tracked_invalidate(struct kcr_tracked_memory *memory);
int kcr_tracked_revalidate(struct kcr_tracked_memory *memory);

void kcr_dma_hold(unsigned long space, u64 addr, phys_addr_t phys, size_t size);
void kcr_dma_unhold(unsigned long space, u64 addr, phys_addr_t phys, size_t size);
bool kcr_dma_is_held(unsigned long space, u64 addr, size_t size);
void kcr_dma_drop(unsigned long space, u64 addr, size_t size);
void kcr_dma_drop_range(unsigned long space, u64 addr, size_t size);

void __kcr_dma_mapped(struct device *dev, struct page *page, size_t offset,
		      size_t size, enum dma_data_direction dir, dma_addr_t addr);
void __kcr_dma_unmapped(struct device *dev, dma_addr_t addr, size_t size,
			enum dma_data_direction dir);
void __kcr_dma_mapped_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir);
void __kcr_dma_unmapped_sg(struct device *dev, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir);

static __always_inline bool kcr_dma_tracking(void)
{
	return static_branch_unlikely(&kcr_dma_key.key);
}

/* Where the DMA layer has mapped memory, before the device is told */
static __always_inline void kcr_dma_mapped(struct device *dev, struct page *page,
					   size_t offset, size_t size,
					   enum dma_data_direction dir,
					   dma_addr_t addr)
{
	if (kcr_dma_tracking())
		__kcr_dma_mapped(dev, page, offset, size, dir, addr);
}

/* Where it has unmapped it, and copied back what was bounced */
static __always_inline void kcr_dma_unmapped(struct device *dev, dma_addr_t addr,
					     size_t size,
					     enum dma_data_direction dir)
{
	if (kcr_dma_tracking())
		__kcr_dma_unmapped(dev, addr, size, dir);
}

static __always_inline void kcr_dma_mapped_sg(struct device *dev,
					      struct scatterlist *sgl, int nents,
					      enum dma_data_direction dir)
{
	if (kcr_dma_tracking())
		__kcr_dma_mapped_sg(dev, sgl, nents, dir);
}

static __always_inline void kcr_dma_unmapped_sg(struct device *dev,
						struct scatterlist *sgl,
						int nents,
						enum dma_data_direction dir)
{
	if (kcr_dma_tracking())
		__kcr_dma_unmapped_sg(dev, sgl, nents, dir);
}

#else /* !CONFIG_KCR_DMA */

static inline void kcr_dma_get(void) { }
static inline void kcr_dma_put(void) { }
static inline struct kcr_tracked_memory *kcr_tracked_alloc(size_t size, gfp_t gfp)
{
	return NULL;
}

static inline void kcr_tracked_free(struct kcr_tracked_memory *memory) { }
static inline void kcr_tracked_invalidate(struct kcr_tracked_memory *memory) { }
static inline int kcr_tracked_revalidate(struct kcr_tracked_memory *memory)
{
	return -EOPNOTSUPP;
}

static inline bool kcr_dma_tracking(void) { return false; }
static inline void kcr_dma_mapped(struct device *dev, struct page *page,
				  size_t offset, size_t size,
				  enum dma_data_direction dir, dma_addr_t addr) { }
static inline void kcr_dma_unmapped(struct device *dev, dma_addr_t addr,
				    size_t size, enum dma_data_direction dir) { }
static inline void kcr_dma_mapped_sg(struct device *dev, struct scatterlist *sgl,
				     int nents, enum dma_data_direction dir) { }
static inline void kcr_dma_unmapped_sg(struct device *dev,
				       struct scatterlist *sgl, int nents,
				       enum dma_data_direction dir) { }

#endif /* CONFIG_KCR_DMA */

#ifdef CONFIG_KCR_IOMMU

void __kcr_iommu_map(struct iommu_domain *domain, unsigned long iova,
		     phys_addr_t phys, size_t size, int prot);
void __kcr_iommu_map_failed(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t phys, size_t size, size_t left, int prot);
void __kcr_iommu_unmapped(struct iommu_domain *domain, unsigned long iova,
			  size_t size);
void __kcr_iommu_unmapped_fast(struct iommu_domain *domain, unsigned long iova,
			       size_t size, struct iommu_iotlb_gather *gather);

/* Before an I/O page table is changed */
static __always_inline void kcr_iommu_map(struct iommu_domain *domain,
					  unsigned long iova, phys_addr_t phys,
					  size_t size, int prot)
{
	if (kcr_dma_tracking())
		__kcr_iommu_map(domain, iova, phys, size, prot);
}

/* After the last @left of @size bytes could not be mapped, and the others were unmapped */
static __always_inline void kcr_iommu_map_failed(struct iommu_domain *domain,
						 unsigned long iova,
						 phys_addr_t phys, size_t size,
						 size_t left, int prot)
{
	if (kcr_dma_tracking())
		__kcr_iommu_map_failed(domain, iova, phys, size, left, prot);
}

/* After the IOTLB was flushed */
static __always_inline void kcr_iommu_unmapped(struct iommu_domain *domain,
					       unsigned long iova, size_t size)
{
	if (kcr_dma_tracking())
		__kcr_iommu_unmapped(domain, iova, size);
}

/* Where the caller flushes the IOTLB later, or never says when */
static __always_inline void kcr_iommu_unmapped_fast(struct iommu_domain *domain,
						    unsigned long iova, size_t size,
						    struct iommu_iotlb_gather *gather)
{
	if (kcr_dma_tracking())
		__kcr_iommu_unmapped_fast(domain, iova, size, gather);
}

#else /* !CONFIG_KCR_IOMMU */

static inline void kcr_iommu_map(struct iommu_domain *domain, unsigned long iova,
				 phys_addr_t phys, size_t size, int prot) { }
static inline void kcr_iommu_map_failed(struct iommu_domain *domain,
					unsigned long iova, phys_addr_t phys,
					size_t size, size_t left, int prot) { }
static inline void kcr_iommu_unmapped(struct iommu_domain *domain,
				      unsigned long iova, size_t size) { }
static inline void kcr_iommu_unmapped_fast(struct iommu_domain *domain,
					   unsigned long iova, size_t size,
					   struct iommu_iotlb_gather *gather) { }

#endif /* CONFIG_KCR_IOMMU */

#endif /* _LINUX_KCR_DMA_H */
