/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: mappings that cannot change, as owners of results.
 *
 * See Documentation/core-api/kcr.rst.
 */
#ifndef _LINUX_KCR_MAPPING_H
#define _LINUX_KCR_MAPPING_H

#include <linux/fs.h>
#include <linux/kcr_owner.h>

struct block_device;
struct folio;

#ifdef CONFIG_KCR

bool kcr_mapping_immutable(struct address_space *mapping);
struct kcr_owner *kcr_folio_owner(struct folio *folio, u64 *stamp);
void kcr_mapping_deny(struct address_space *mapping);
void __kcr_mapping_changed(struct address_space *mapping);
void kcr_bdev_verified(struct block_device *bdev, bool strict);
void kcr_bdev_deny(struct block_device *bdev);

/* Where a mapping is initialised, each time that its inode begins a new life */
static inline void kcr_mapping_init(struct address_space *mapping)
{
	mapping->kcr.stored = 0;
	WRITE_ONCE(mapping->kcr.stamp, 0);
}

/* Where pages leave a mapping for good: truncation, and the inode's end */
static inline void kcr_mapping_changed(struct address_space *mapping)
{
	if (unlikely(READ_ONCE(mapping->kcr.stamp)))
		__kcr_mapping_changed(mapping);
}

#else /* !CONFIG_KCR */

static inline void kcr_mapping_deny(struct address_space *mapping) { }
static inline void kcr_mapping_init(struct address_space *mapping) { }
static inline void kcr_mapping_changed(struct address_space *mapping) { }

#endif /* CONFIG_KCR */

#endif /* _LINUX_KCR_MAPPING_H */
