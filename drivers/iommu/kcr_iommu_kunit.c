// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of what the IOMMU layer says about tracked
 * memory, with an I/O page table that is none.
 */
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/kcr.h>
#include <linux/kcr_dma.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#define PAGES	4
#define SIZE	(PAGES * PAGE_SIZE)
#define IOVA	0x100000UL
#define RW	(IOMMU_READ | IOMMU_WRITE)
#define OTHERS	1000

/**
 * struct table - an I/O page table
 * @domain: what the IOMMU layer sees
 * @memory: with a stamp, before each test
 * @room: how many pages can be mapped until memory runs out
 * @early: how often the memory had a stamp while it could be written to
 * @unmaps: how often something was unmapped
 * @syncs: calls of iotlb_sync()
 * @flushes: calls of flush_iotlb_all()
 * @writable: whether what is mapped can be written to
 */
struct table {
	struct iommu_domain domain;
	struct kcr_tracked_memory *memory;
	unsigned int room;
	unsigned int early;
	unsigned int unmaps;
	unsigned int syncs;
	unsigned int flushes;
	bool writable;
};

static struct table *table_of(struct iommu_domain *domain)
{
	return container_of(domain, struct table, domain);
}

static u64 stamp_of(const struct table *t)
{
	return READ_ONCE(t->memory->owner.stamp);
}

static void note_early(struct table *t)
{
	if (t->writable && (stamp_of(t) || kcr_tracked_revalidate(t->memory) != -EBUSY))
		t->early++;
}

static int table_map(struct iommu_domain *domain, unsigned long iova,
		     phys_addr_t phys, size_t pgsize, size_t count, int prot,
		     gfp_t gfp, size_t *mapped)
{
	struct table *t = table_of(domain);
	size_t n = min_t(size_t, count, t->room);

	if (prot & IOMMU_WRITE)
		t->writable = true;
	note_early(t);
	t->room -= n;
	*mapped = n * pgsize;
	return n < count ? -ENOMEM : 0;
}

static size_t table_unmap(struct iommu_domain *domain, unsigned long iova,
			  size_t pgsize, size_t count,
			  struct iommu_iotlb_gather *gather)
{
	struct table *t = table_of(domain);

	note_early(t);
	t->unmaps++;
	return pgsize * count;
}

static void table_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	note_early(table_of(domain));
	table_of(domain)->syncs++;
}

static void table_flush(struct iommu_domain *domain)
{
	note_early(table_of(domain));
	table_of(domain)->flushes++;
}

static const struct iommu_domain_ops full_ops = {
	.map_pages = table_map,
	.unmap_pages = table_unmap,
	.iotlb_sync = table_sync,
	.flush_iotlb_all = table_flush,
};

static const struct iommu_domain_ops sync_ops = {
	.map_pages = table_map,
	.unmap_pages = table_unmap,
	.iotlb_sync = table_sync,
};

static int table_init(struct kunit *test)
{
	struct table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->domain.type = IOMMU_DOMAIN_UNMANAGED;
	t->domain.ops = &full_ops;
	t->domain.pgsize_bitmap = PAGE_SIZE;
	t->room = UINT_MAX;
	t->memory = kcr_tracked_alloc(SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->memory);
	KUNIT_ASSERT_EQ(test, kcr_tracked_revalidate(t->memory), 0);
	test->priv = t;
	return 0;
}

static void table_exit(struct kunit *test)
{
	struct table *t = test->priv;

	if (!t)
		return;
	KUNIT_EXPECT_EQ(test, t->early, 0);
	kcr_tracked_free(t->memory);
}

static int map(struct table *t, unsigned long iova, size_t offset, size_t size, int prot)
{
	return iommu_map(&t->domain, iova, __pa(t->memory->address) + offset, size, prot,
			 GFP_KERNEL);
}

static void expect_held(struct kunit *test)
{
	struct table *t = test->priv;

	KUNIT_EXPECT_EQ(test, stamp_of(t), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(t->memory), -EBUSY);
	KUNIT_EXPECT_EQ(test, stamp_of(t), 0);
}

static void expect_free(struct kunit *test, u64 old)
{
	struct table *t = test->priv;

	t->writable = false;
	KUNIT_EXPECT_EQ(test, stamp_of(t), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(t->memory), 0);
	KUNIT_EXPECT_NE(test, stamp_of(t), 0);
	KUNIT_EXPECT_NE(test, stamp_of(t), old);
}

static void write_test(struct kunit *test)
{
	struct table *t = test->priv;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	expect_held(test);
	KUNIT_EXPECT_EQ(test, iommu_unmap(&t->domain, IOVA, SIZE), SIZE);
	KUNIT_EXPECT_GT(test, t->syncs, 0);
	expect_free(test, old);
}

static void read_test(struct kunit *test)
{
	struct table *t = test->priv;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, IOMMU_READ), 0);
	KUNIT_EXPECT_EQ(test, stamp_of(t), old);
	KUNIT_EXPECT_EQ(test, iommu_unmap(&t->domain, IOVA, SIZE), SIZE);
	KUNIT_EXPECT_EQ(test, stamp_of(t), old);
}

/* Two mappings, one of them for reading: the other one counts */
static void two_test(struct kunit *test)
{
	struct table *t = test->priv;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	KUNIT_ASSERT_EQ(test, map(t, IOVA + SIZE, 0, SIZE, IOMMU_READ), 0);
	KUNIT_ASSERT_EQ(test, map(t, IOVA + 2 * SIZE, 0, PAGE_SIZE, RW), 0);
	iommu_unmap(&t->domain, IOVA + SIZE, SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA, SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA + 2 * SIZE, PAGE_SIZE);
	expect_free(test, old);
}

/* A flush queue would flush some time later: it is done at once */
static void lazy_test(struct kunit *test)
{
	struct table *t = test->priv;
	struct iommu_iotlb_gather gather;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	iommu_iotlb_gather_init(&gather);
	gather.queued = true;
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(&t->domain, IOVA, SIZE, &gather), SIZE);
	KUNIT_EXPECT_EQ(test, t->flushes, 1);
	KUNIT_EXPECT_EQ(test, t->syncs, 0);
	expect_free(test, old);
}

/* No more is flushed than before where nothing is tracked */
static void lazy_untracked_test(struct kunit *test)
{
	struct table *t = test->priv;
	struct page *page = alloc_page(GFP_KERNEL);
	struct iommu_iotlb_gather gather;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, iommu_map(&t->domain, IOVA, page_to_phys(page), PAGE_SIZE,
					IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, map(t, IOVA + PAGE_SIZE, 0, SIZE, IOMMU_READ), 0);
	iommu_iotlb_gather_init(&gather);
	gather.queued = true;
	iommu_unmap_fast(&t->domain, IOVA, PAGE_SIZE + SIZE, &gather);
	KUNIT_EXPECT_EQ(test, t->flushes, 0);
	KUNIT_EXPECT_EQ(test, stamp_of(t), old);
	__free_page(page);
}

/* Without flush_iotlb_all() what was gathered is flushed, unless that is queued */
static void sync_only_test(struct kunit *test)
{
	struct table *t = test->priv;
	struct iommu_iotlb_gather gather;
	u64 old = stamp_of(t);

	t->domain.ops = &sync_ops;
	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(&t->domain, IOVA, SIZE, &gather), SIZE);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
	expect_free(test, old);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	iommu_iotlb_gather_init(&gather);
	gather.queued = true;
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(&t->domain, IOVA, SIZE, &gather), SIZE);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
	expect_held(test);
}

/* Unmapped in other pieces than it was mapped in, from the middle */
static void pieces_test(struct kunit *test)
{
	static const unsigned int order[PAGES] = { 1, 3, 0, 2 };
	struct table *t = test->priv;
	u64 old = stamp_of(t);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	for (i = 0; i < PAGES; i++) {
		expect_held(test);
		iommu_unmap(&t->domain, IOVA + order[i] * PAGE_SIZE, PAGE_SIZE);
	}
	expect_free(test, old);

	/* Mapped in pieces, unmapped as a whole */
	old = stamp_of(t);
	for (i = 0; i < PAGES; i++)
		KUNIT_ASSERT_EQ(test, map(t, IOVA + i * PAGE_SIZE, i * PAGE_SIZE,
					  PAGE_SIZE, RW), 0);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA - PAGE_SIZE, SIZE + 2 * PAGE_SIZE);
	expect_free(test, old);
}

/* Of a mapping of more than the memory, only what is the memory's counts */
static void beyond_test(struct kunit *test)
{
	struct table *t = test->priv;
	u64 old = stamp_of(t);

	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE + PAGE_SIZE, RW), 0);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA + SIZE, PAGE_SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA, SIZE);
	expect_free(test, old);

	old = stamp_of(t);
	KUNIT_ASSERT_EQ(test, map(t, IOVA, SIZE - PAGE_SIZE, 2 * PAGE_SIZE, RW), 0);
	iommu_unmap(&t->domain, IOVA, PAGE_SIZE);
	expect_free(test, old);
	iommu_unmap(&t->domain, IOVA + PAGE_SIZE, PAGE_SIZE);
}

/* Other domains have other addresses */
static void domains_test(struct kunit *test)
{
	struct table *t = test->priv;
	struct table *other = kunit_kmalloc(test, sizeof(*other), GFP_KERNEL);
	u64 old = stamp_of(t);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, other);
	*other = *t;
	KUNIT_ASSERT_EQ(test, map(t, IOVA, 0, SIZE, RW), 0);
	iommu_unmap(&other->domain, IOVA, SIZE);
	expect_held(test);
	/* Some of so many share a bucket with it */
	for (i = 1; i < OTHERS; i++)
		__kcr_iommu_unmapped(&t[i].domain, IOVA, SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA, SIZE);
	expect_free(test, old);
}

/* A mapping that failed half-way is none; one that was there before stays */
static void failed_test(struct kunit *test)
{
	struct table *t = test->priv;
	u64 old = stamp_of(t);
	unsigned int room;

	for (room = 0; room < PAGES; room++) {
		t->room = room;
		KUNIT_EXPECT_EQ(test, map(t, IOVA, 0, SIZE, RW), -ENOMEM);
		expect_free(test, old);
		old = stamp_of(t);
	}

	t->room = UINT_MAX;
	KUNIT_ASSERT_EQ(test, map(t, IOVA + PAGE_SIZE, PAGE_SIZE, SIZE - PAGE_SIZE, RW), 0);
	t->room = 1;
	KUNIT_EXPECT_EQ(test, map(t, IOVA, 0, SIZE, RW), -ENOMEM);
	expect_held(test);
	t->room = 0;
	KUNIT_EXPECT_EQ(test, map(t, IOVA + PAGE_SIZE, PAGE_SIZE, SIZE - PAGE_SIZE,
				  IOMMU_READ), -ENOMEM);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA + PAGE_SIZE, SIZE - PAGE_SIZE);
	expect_free(test, old);
}

static void sg_test(struct kunit *test)
{
	struct table *t = test->priv;
	struct page *page = virt_to_page(t->memory->address);
	struct scatterlist sg[2];
	u64 old = stamp_of(t);

	sg_init_table(sg, 2);
	sg_set_page(&sg[0], page + 2, PAGE_SIZE, 0);
	sg_set_page(&sg[1], page, PAGE_SIZE, 0);
	KUNIT_ASSERT_EQ(test, iommu_map_sg(&t->domain, IOVA, sg, 2, RW, GFP_KERNEL),
			2 * PAGE_SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA, PAGE_SIZE);
	expect_held(test);
	iommu_unmap(&t->domain, IOVA + PAGE_SIZE, PAGE_SIZE);
	expect_free(test, old);
}

static struct kunit_case iommu_cases[] = {
	KUNIT_CASE(write_test),
	KUNIT_CASE(read_test),
	KUNIT_CASE(two_test),
	KUNIT_CASE(lazy_test),
	KUNIT_CASE(lazy_untracked_test),
	KUNIT_CASE(sync_only_test),
	KUNIT_CASE(pieces_test),
	KUNIT_CASE(beyond_test),
	KUNIT_CASE(domains_test),
	KUNIT_CASE(failed_test),
	KUNIT_CASE(sg_test),
	{}
};

static struct kunit_suite iommu_suite = {
	.name = "kcr_iommu",
	.init = table_init,
	.exit = table_exit,
	.test_cases = iommu_cases,
};

kunit_test_suite(iommu_suite);

MODULE_DESCRIPTION("KUnit tests of tracked memory in I/O page tables");
MODULE_LICENSE("GPL");
