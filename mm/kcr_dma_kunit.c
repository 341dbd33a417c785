// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of tracked memory and of what the DMA layer does
 * to it.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/dma-mapping.h>
#include <linux/irq_work.h>
#include <linux/kcr.h>
#include <linux/kcr_dma.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#define SIZE		(4 * PAGE_SIZE)
/* A device's address that says nothing about where the memory is */
#define BOUNCED		0x12345000UL
#define ROUNDS		2000
#define OTHERS		1000

/**
 * struct setup - what each test has
 * @memory: with a stamp
 * @dev: a device that maps without an IOMMU
 */
struct setup {
	struct kcr_tracked_memory *memory;
	struct device *dev;
};

static u64 stamp_of(const struct kcr_tracked_memory *memory)
{
	return READ_ONCE(memory->owner.stamp);
}

static struct page *page_of(const struct kcr_tracked_memory *memory)
{
	return virt_to_page(memory->address);
}

static int setup_init(struct kunit *test)
{
	struct setup *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->dev = kunit_device_register(test, "kcr-dma");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->dev);
	s->dev->dma_mask = &s->dev->coherent_dma_mask;
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(s->dev, DMA_BIT_MASK(64)), 0);
	s->memory = kcr_tracked_alloc(SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->memory);
	KUNIT_ASSERT_EQ(test, stamp_of(s->memory), 0);
	KUNIT_ASSERT_EQ(test, kcr_tracked_revalidate(s->memory), 0);
	test->priv = s;
	return 0;
}

static void setup_exit(struct kunit *test)
{
	struct setup *s = test->priv;

	if (s)
		kcr_tracked_free(s->memory);
}

static void map(struct setup *s, size_t offset, size_t size,
		enum dma_data_direction dir, dma_addr_t addr)
{
	__kcr_dma_mapped(s->dev, page_of(s->memory), offset, size, dir, addr);
}

static void unmap(struct setup *s, size_t size, enum dma_data_direction dir,
		  dma_addr_t addr)
{
	__kcr_dma_unmapped(s->dev, addr, size, dir);
}

static void expect_held(struct kunit *test, struct kcr_tracked_memory *memory)
{
	KUNIT_EXPECT_EQ(test, stamp_of(memory), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(memory), -EBUSY);
	KUNIT_EXPECT_EQ(test, stamp_of(memory), 0);
}

/* It has no stamp by itself, even if nobody holds it any more, and gets a new one */
static void expect_free(struct kunit *test, struct kcr_tracked_memory *memory, u64 old)
{
	KUNIT_EXPECT_EQ(test, stamp_of(memory), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(memory), 0);
	KUNIT_EXPECT_NE(test, stamp_of(memory), 0);
	KUNIT_EXPECT_NE(test, stamp_of(memory), old);
}

static void life_test(struct kunit *test)
{
	struct kcr_tracked_memory *memory = kcr_tracked_alloc(PAGE_SIZE + 1, GFP_KERNEL);
	u64 first;

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&kcr_dma_key.key));
	KUNIT_EXPECT_EQ(test, memory->size, 2 * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(memory->address));
	KUNIT_EXPECT_NULL(test, memchr_inv(memory->address, 0, memory->size));
	KUNIT_EXPECT_EQ(test, stamp_of(memory), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(memory), 0);
	first = stamp_of(memory);
	KUNIT_EXPECT_NE(test, first, 0);
	kcr_tracked_invalidate(memory);
	expect_free(test, memory, first);
	kcr_tracked_free(memory);
	kcr_tracked_free(NULL);
	KUNIT_EXPECT_NULL(test, kcr_tracked_alloc(0, GFP_KERNEL));
}

static void direction_test(struct kunit *test)
{
	static const enum dma_data_direction writes[] = { DMA_FROM_DEVICE, DMA_BIDIRECTIONAL };
	struct setup *s = test->priv;
	unsigned int i;
	u64 old;

	old = stamp_of(s->memory);
	map(s, 0, SIZE, DMA_TO_DEVICE, BOUNCED);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
	unmap(s, SIZE, DMA_TO_DEVICE, BOUNCED);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		old = stamp_of(s->memory);
		map(s, 0, SIZE, writes[i], BOUNCED);
		expect_held(test, s->memory);
		/* Somebody else's mapping, for reading, of the same */
		unmap(s, SIZE, DMA_TO_DEVICE, BOUNCED);
		expect_held(test, s->memory);
		unmap(s, SIZE, writes[i], BOUNCED);
		expect_free(test, s->memory, old);
	}
}

static void failed_test(struct kunit *test)
{
	struct setup *s = test->priv;
	u64 old = stamp_of(s->memory);

	map(s, 0, SIZE, DMA_FROM_DEVICE, DMA_MAPPING_ERROR);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
}

/* Each mapping is let go of by its own unmapping only */
static void several_test(struct kunit *test)
{
	struct setup *s = test->priv;
	u64 old = stamp_of(s->memory);
	unsigned int i;

	map(s, 0, SIZE, DMA_FROM_DEVICE, BOUNCED);
	map(s, 0, SIZE, DMA_FROM_DEVICE, BOUNCED);
	unmap(s, SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, s->memory);
	map(s, 0, PAGE_SIZE, DMA_FROM_DEVICE, BOUNCED);
	map(s, PAGE_SIZE, 100, DMA_BIDIRECTIONAL, BOUNCED + PAGE_SIZE);
	unmap(s, SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, s->memory);
	unmap(s, PAGE_SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, s->memory);
	/* Other addresses, another size, other devices, of which some share a bucket */
	unmap(s, 100, DMA_BIDIRECTIONAL, BOUNCED);
	unmap(s, 99, DMA_BIDIRECTIONAL, BOUNCED + PAGE_SIZE);
	for (i = 1; i < OTHERS; i++)
		__kcr_dma_unmapped(s->dev + i, BOUNCED + PAGE_SIZE, 100, DMA_BIDIRECTIONAL);
	expect_held(test, s->memory);
	unmap(s, 100, DMA_BIDIRECTIONAL, BOUNCED + PAGE_SIZE);
	expect_free(test, s->memory, old);
}

/* A byte of it is enough; one beside it is not */
static void edges_test(struct kunit *test)
{
	struct setup *s = test->priv;
	u64 old = stamp_of(s->memory);
	struct page *page = page_of(s->memory);

	__kcr_dma_mapped(s->dev, page, SIZE, 1, DMA_FROM_DEVICE, BOUNCED);
	__kcr_dma_mapped(s->dev, page - 1, 0, PAGE_SIZE, DMA_FROM_DEVICE, BOUNCED);
	__kcr_dma_mapped(s->dev, page, 0, 0, DMA_FROM_DEVICE, BOUNCED);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
	__kcr_dma_unmapped(s->dev, BOUNCED, 1, DMA_FROM_DEVICE);
	__kcr_dma_unmapped(s->dev, BOUNCED, PAGE_SIZE, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);

	map(s, SIZE - 1, 1, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, s->memory);
	unmap(s, 1, DMA_FROM_DEVICE, BOUNCED);
	expect_free(test, s->memory, old);
	__kcr_dma_mapped(s->dev, page - 1, 1, PAGE_SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, s->memory);
	unmap(s, PAGE_SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_free(test, s->memory, old);
}

/* With the real functions */
static void dma_map_test(struct kunit *test)
{
	struct setup *s = test->priv;
	struct scatterlist sg[2];
	dma_addr_t addr;
	u64 old;

	old = stamp_of(s->memory);
	addr = dma_map_page(s->dev, page_of(s->memory), 0, SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(s->dev, addr));
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
	dma_unmap_page(s->dev, addr, SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);

	addr = dma_map_single(s->dev, s->memory->address + 100, 50, DMA_FROM_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(s->dev, addr));
	expect_held(test, s->memory);
	dma_sync_single_for_cpu(s->dev, addr, 50, DMA_FROM_DEVICE);
	expect_held(test, s->memory);
	dma_unmap_single(s->dev, addr, 50, DMA_FROM_DEVICE);
	expect_free(test, s->memory, old);

	old = stamp_of(s->memory);
	sg_init_table(sg, 2);
	sg_set_page(&sg[0], page_of(s->memory) + 2, PAGE_SIZE, 0);
	sg_set_page(&sg[1], page_of(s->memory), 512, 512);
	KUNIT_ASSERT_GT(test, dma_map_sg(s->dev, sg, 2, DMA_BIDIRECTIONAL), 0);
	expect_held(test, s->memory);
	dma_unmap_sg(s->dev, sg, 2, DMA_BIDIRECTIONAL);
	expect_free(test, s->memory, old);

	old = stamp_of(s->memory);
	KUNIT_ASSERT_GT(test, dma_map_sg(s->dev, sg, 2, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
	dma_unmap_sg(s->dev, sg, 2, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, stamp_of(s->memory), old);
}

/* What was mapped when it was freed says nothing about whoever has the pages next */
static void free_mapped_test(struct kunit *test)
{
	struct setup *s = test->priv;
	struct kcr_tracked_memory *memory = kcr_tracked_alloc(SIZE, GFP_KERNEL);
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, memory);
	page = page_of(memory);
	__kcr_dma_mapped(s->dev, page, 0, SIZE, DMA_FROM_DEVICE, BOUNCED);
	expect_held(test, memory);
	kcr_tracked_free(memory);
	KUNIT_EXPECT_FALSE(test, kcr_dma_is_held(kcr_dma_space(s->dev, KCR_DMA_PAGE),
						 BOUNCED, SIZE));
	__kcr_dma_mapped(s->dev, page, 0, SIZE, DMA_FROM_DEVICE, BOUNCED);
	KUNIT_EXPECT_FALSE(test, kcr_dma_is_held(kcr_dma_space(s->dev, KCR_DMA_PAGE),
						 BOUNCED, SIZE));
	__kcr_dma_unmapped(s->dev, BOUNCED, SIZE, DMA_FROM_DEVICE);
	KUNIT_EXPECT_NE(test, stamp_of(s->memory), 0);
}

struct from_irq {
	struct irq_work work;
	struct setup *s;
	u64 stamp;
};

static void map_from_irq(struct irq_work *work)
{
	struct from_irq *irq = container_of(work, struct from_irq, work);

	map(irq->s, 0, SIZE, DMA_FROM_DEVICE, BOUNCED);
	irq->stamp = stamp_of(irq->s->memory);
}

static void unmap_from_irq(struct irq_work *work)
{
	struct from_irq *irq = container_of(work, struct from_irq, work);

	unmap(irq->s, SIZE, DMA_FROM_DEVICE, BOUNCED);
}

static void interrupt_test(struct kunit *test)
{
	struct from_irq irq = { .s = test->priv, .stamp = ~0ULL };
	u64 old = stamp_of(irq.s->memory);

	irq.work = IRQ_WORK_INIT_HARD(map_from_irq);
	irq_work_queue(&irq.work);
	irq_work_sync(&irq.work);
	KUNIT_EXPECT_EQ(test, irq.stamp, 0);
	expect_held(test, irq.s->memory);
	irq.work = IRQ_WORK_INIT_HARD(unmap_from_irq);
	irq_work_queue(&irq.work);
	irq_work_sync(&irq.work);
	expect_free(test, irq.s->memory, old);
}

static struct setup *racing;
static atomic_t race_errors;

/* While one's own mapping is there, nobody gives the memory a stamp */
static void race(struct work_struct *work)
{
	dma_addr_t addr = BOUNCED + raw_smp_processor_id() % 2 * SIZE;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		map(racing, i % SIZE, 1, DMA_FROM_DEVICE, addr + i % SIZE);
		if (stamp_of(racing->memory) ||
		    kcr_tracked_revalidate(racing->memory) != -EBUSY ||
		    stamp_of(racing->memory))
			atomic_inc(&race_errors);
		unmap(racing, 1, DMA_FROM_DEVICE, addr + i % SIZE);
		kcr_tracked_revalidate(racing->memory);
	}
}

static void race_test(struct kunit *test)
{
	racing = test->priv;
	atomic_set(&race_errors, 0);
	KUNIT_ASSERT_EQ(test, schedule_on_each_cpu(race), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&race_errors), 0);
	KUNIT_EXPECT_EQ(test, kcr_tracked_revalidate(racing->memory), 0);
	KUNIT_EXPECT_EQ(test, racing->memory->held, 0);
}

static struct kunit_case dma_cases[] = {
	KUNIT_CASE(life_test),
	KUNIT_CASE(direction_test),
	KUNIT_CASE(failed_test),
	KUNIT_CASE(several_test),
	KUNIT_CASE(edges_test),
	KUNIT_CASE(dma_map_test),
	KUNIT_CASE(free_mapped_test),
	KUNIT_CASE(interrupt_test),
	KUNIT_CASE(race_test),
	{}
};

static struct kunit_suite dma_suite = {
	.name = "kcr_dma",
	.init = setup_init,
	.exit = setup_exit,
	.test_cases = dma_cases,
};

kunit_test_suite(dma_suite);

MODULE_DESCRIPTION("KUnit tests of tracked memory");
MODULE_LICENSE("GPL");
