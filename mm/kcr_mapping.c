// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: mappings that cannot change, as owners of results.
 *
 * A result that depends on page cache may be reused only if what the mapping
 * holds at a position is the same for as long as the mapping's inode lives,
 * whatever is evicted and read again, and whatever anybody does. That is so for
 *
 * - inodes with fs-verity, which the file system verifies at every read, unless
 *   verity was enabled while the inode was in memory: pages read or pinned
 *   before that may differ from what was measured;
 * - memfds sealed against writing and shrinking: sealing against writing waits
 *   for pins and fails if there is one, or a mapping that may write;
 * - file systems that keep all data on a dm-verity device, in a mode that lets
 *   no corrupt block through, and that has had one table only.
 *
 * Whether it is so is asked at each use, never remembered; the stamp only says
 * which mapping it is. It is given when a mapping is first used, and taken when
 * it is truncated or its inode evicted.
 */
#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/kcr.h>
#include <linux/kcr_mapping.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/shmem_fs.h>

#include <trace/events/kcr.h>

/* Without either the contents could change */
#define KCR_SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK)
#define KCR_BDEV_FLAGS	(BD_KCR_VERIFIED | BD_KCR_DENIED)

static bool kcr_bdev_is_verified(const struct block_device *bdev)
{
	return bdev && (atomic_read(&bdev->__bd_flags) & KCR_BDEV_FLAGS) == BD_KCR_VERIFIED;
}

static bool kcr_super_immutable(const struct super_block *sb)
{
	return kcr_bdev_is_verified(sb->s_bdev) && sb_rdonly(sb) &&
	       sb->s_type->fs_flags & FS_DATA_ON_BDEV;
}

/**
 * kcr_mapping_immutable() - whether what a mapping holds cannot change
 * @mapping: the mapping, which the caller knows to be alive
 *
 * Context: any.
 * Return: true if it cannot, for as long as the inode is in memory.
 */
bool kcr_mapping_immutable(struct address_space *mapping)
{
	struct inode *inode = mapping->host;

	/* An inode's own pages, not what a file system keeps under its name */
	if (!inode || mapping != &inode->i_data)
		return false;
	if (!(READ_ONCE(inode->i_flags) & S_VERITY)) {
		if (!shmem_mapping(mapping))
			return kcr_super_immutable(inode->i_sb);
		if ((READ_ONCE(SHMEM_I(inode)->seals) & KCR_SEALS) != KCR_SEALS)
			return false;
	}
	/* Pairs with the one in kcr_mapping_deny(), which is called first */
	smp_rmb();
	return !test_bit(AS_KCR_DENIED, &mapping->flags);
}

static noinline u64 kcr_mapping_stamp(struct address_space *mapping)
{
	struct kcr_owner fresh;

	kcr_owner_init(&fresh);
	return cmpxchg(&mapping->kcr.stamp, 0, fresh.stamp) ?: fresh.stamp;
}

/**
 * kcr_folio_owner() - the owner of results that depend on a folio's contents
 * @folio: the folio, which the caller holds a reference to
 * @stamp: the owner's stamp
 *
 * That the folio belongs to the mapping after its stamp was read shows that the
 * inode was alive, and the same one, since before it was looked at: a folio that
 * somebody holds a reference to may leave a mapping, but not for another one.
 *
 * Context: any short of NMI, within rcu_read_lock(), which the owner must not
 * be used outside of.
 * Return: the mapping's owner, or NULL if the folio may change.
 */
struct kcr_owner *kcr_folio_owner(struct folio *folio, u64 *stamp)
{
	struct address_space *mapping = folio_mapping(folio);

	if (!mapping || !folio_test_uptodate(folio) || !kcr_mapping_immutable(mapping))
		return NULL;
	*stamp = READ_ONCE(mapping->kcr.stamp);
	if (unlikely(!*stamp))
		*stamp = kcr_mapping_stamp(mapping);
	/*
	 * All of the above was read while the folio was there: pairs with the
	 * i_pages lock, under which folios leave before an inode ends.
	 */
	smp_rmb();
	if (READ_ONCE(folio->mapping) != mapping)
		return NULL;
	return &mapping->kcr;
}

/**
 * kcr_mapping_deny() - never take a mapping for one that cannot change
 * @mapping: the mapping
 *
 * For whoever writes to pages although nobody else can, and where a mapping
 * becomes immutable that has pages from before. Holds until the inode leaves
 * memory. To be called before the mapping looks immutable.
 *
 * Context: any.
 */
void kcr_mapping_deny(struct address_space *mapping)
{
	set_bit(AS_KCR_DENIED, &mapping->flags);
	/* Pairs with the one in kcr_mapping_immutable() */
	smp_wmb();
	kcr_mapping_changed(mapping);
}
EXPORT_SYMBOL_GPL(kcr_mapping_deny);

/*
 * What was stored is stale from now on. It is checksums of pages that are freed
 * without being zeroed: not worth a walk over all slots for each inode evicted,
 * which is what kcr_owner_kill() would make of it.
 */
void __kcr_mapping_changed(struct address_space *mapping)
{
	u64 old = xchg(&mapping->kcr.stamp, 0);

	if (old)
		trace_kcr_invalidate(old, 0);
}
EXPORT_SYMBOL_GPL(__kcr_mapping_changed);

/**
 * kcr_bdev_verified() - note that all of a device's blocks are verified
 * @bdev: the device
 * @strict: whether no read whatever returns a block that is not what was
 *	measured
 *
 * To be called before the device accepts its first read. It counts only if
 * nobody has it open: what was read from it before was not verified.
 *
 * Context: any.
 */
void kcr_bdev_verified(struct block_device *bdev, bool strict)
{
	if (strict && !atomic_read(&bdev->bd_openers))
		bdev_set_flag(bdev, BD_KCR_VERIFIED);
	else
		kcr_bdev_deny(bdev);
}
EXPORT_SYMBOL_GPL(kcr_bdev_verified);

/**
 * kcr_bdev_deny() - note that what a device holds may change from now on
 * @bdev: the device
 *
 * Holds for as long as the device exists: file systems on it have pages from
 * before.
 *
 * Context: any.
 */
void kcr_bdev_deny(struct block_device *bdev)
{
	bdev_set_flag(bdev, BD_KCR_DENIED);
}
EXPORT_SYMBOL_GPL(kcr_bdev_deny);
