// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: test of tracked memory with a device that writes there.
 *
 * QEMU's edu device has a buffer, which it copies to and from memory. Reading
 * /sys/kernel/debug/kcr/dma_test/<device> computes from tracked memory, and has the
 * device change it: no answer may be from before. Each line says "ok" or "not ok"
 * and what was expected; the last one is "done".
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/kcr.h>
#include <linux/kcr_dma.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#define EDU_SOURCE	0x80
#define EDU_TARGET	0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define EDU_RUN		BIT(0)
#define EDU_TO_MEMORY	BIT(1)
/* Its buffer, of 4096 bytes; up to version 7.2, QEMU ends if all of it is copied */
#define EDU_BUFFER	0x40000
#define EDU_BYTES	2048
#define EDU_MASK	DMA_BIT_MASK(28)
#define EDU_TIMEOUT_US	10000000

/* A result is stored when it has been asked for more than once */
#define ASKS		100

struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct dentry *file;
	struct mutex mutex; /* of the device, for the length of a test */
};

/**
 * struct run - a test under way
 * @edu: the device
 * @m: where it says what it finds
 * @memory: what the device writes to
 * @plain: what it reads, not tracked
 * @seed: what @memory is filled with
 */
struct run {
	struct edu *edu;
	struct seq_file *m;
	struct kcr_tracked_memory *memory;
	u8 *plain;
	u32 seed;
};

/* How a result came about */
enum source {
	PASSED,		/* the memory had no stamp */
	COMPUTED,
	REMEMBERED,
};

static DEFINE_STATIC_KEY_FALSE(kcr_dma_test_key);
static struct kcr_site kcr_dma_test_site = {
	.name = "dma_test",
	.key = &kcr_dma_test_key,
	.always = true,
};

static struct dentry *kcr_dma_test_dir;

static void fill(u8 *bytes, u32 seed)
{
	unsigned int i;

	for (i = 0; i < EDU_BYTES; i++)
		bytes[i] = (seed + i) * 0x9e3779b1U >> 24;
}

static u64 digest(const u8 *bytes)
{
	u64 hash = 0xcbf29ce484222325ULL;
	unsigned int i;

	for (i = 0; i < EDU_BYTES; i++)
		hash = (hash ^ READ_ONCE(bytes[i])) * 0x100000001b3ULL;
	return hash;
}

/* What the digest of @seed is, of memory that no device knows */
static u64 digest_of(struct run *run, u32 seed)
{
	fill(run->plain, seed);
	return digest(run->plain);
}

/* The digest of the memory, remembered or not */
static u64 ask(struct run *run, enum source *source)
{
	struct kcr_shape shape = { .body_len = 8, .bulk_len = 8 };
	struct kcr_query q;
	u64 value;

	*source = PASSED;
	if (kcr_query_begin(&q, &kcr_dma_test_site, &run->memory->owner, &shape) < 0)
		return digest(run->memory->address);
	q.key[0] = EDU_BYTES;
	if (kcr_lookup_unified(&q)) {
		*source = REMEMBERED;
		value = q.res[0];
		kcr_query_end(&q, true);
		return value;
	}
	*source = COMPUTED;
	kcr_compute_start(&q);
	value = digest(run->memory->address);
	kcr_compute_stop(&q);
	if (kcr_wants_result(&q)) {
		q.res[0] = value;
		q.res[1] = 0;
		kcr_store_result(&q);
	}
	kcr_query_end(&q, false);
	return value;
}

static void check(struct run *run, bool ok, const char *what)
{
	seq_printf(run->m, "%s %s\n", ok ? "ok" : "not ok", what);
}

static u64 stamp_of(const struct run *run)
{
	return READ_ONCE(run->memory->owner.stamp);
}

/* The first answer is computed, later ones are remembered; all are right */
static void check_reused(struct run *run, bool fresh, const char *what)
{
	u64 want = digest_of(run, run->seed);
	unsigned int hits = 0, wrong = 0, i;
	enum source source;

	for (i = 0; i < ASKS; i++) {
		wrong += ask(run, &source) != want;
		if (!i && fresh)
			check(run, source == COMPUTED, "a new stamp finds nothing old");
		hits += source == REMEMBERED;
	}
	check(run, !wrong, what);
	check(run, hits, "it is remembered");
}

/* Without a stamp all answers are computed; they say what there is */
static void check_passed(struct run *run, const char *what)
{
	u64 want = digest_of(run, run->seed);
	enum source source;
	u64 value = ask(run, &source);

	check(run, source == PASSED && value == want, what);
	check(run, kcr_tracked_revalidate(run->memory) == -EBUSY && !stamp_of(run),
	      "it gets no stamp while the device may write");
}

static int edu_copy(struct edu *edu, dma_addr_t addr, bool to_memory)
{
	u64 command;

	writeq(to_memory ? EDU_BUFFER : addr, edu->regs + EDU_SOURCE);
	writeq(to_memory ? addr : EDU_BUFFER, edu->regs + EDU_TARGET);
	writeq(EDU_BYTES, edu->regs + EDU_COUNT);
	writeq(EDU_RUN | (to_memory ? EDU_TO_MEMORY : 0), edu->regs + EDU_COMMAND);
	return readq_poll_timeout(edu->regs + EDU_COMMAND, command, !(command & EDU_RUN),
				  1000, EDU_TIMEOUT_US);
}

/* Put what the device is to write later into its buffer */
static int load_device(struct run *run, u32 seed)
{
	struct device *dev = &run->edu->pdev->dev;
	dma_addr_t addr;
	int err;

	fill(run->plain, seed);
	addr = dma_map_single(dev, run->plain, EDU_BYTES, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr))
		return -EIO;
	err = edu_copy(run->edu, addr, false);
	dma_unmap_single(dev, addr, EDU_BYTES, DMA_TO_DEVICE);
	return err;
}

struct mapping {
	dma_addr_t addr;
	struct scatterlist sg;
	enum dma_data_direction dir;
	bool scattered;
};

static int map(struct run *run, struct mapping *mapping)
{
	struct device *dev = &run->edu->pdev->dev;

	if (!mapping->scattered) {
		mapping->addr = dma_map_single(dev, run->memory->address, EDU_BYTES,
					       mapping->dir);
		return dma_mapping_error(dev, mapping->addr);
	}
	sg_init_one(&mapping->sg, run->memory->address, EDU_BYTES);
	if (dma_map_sg(dev, &mapping->sg, 1, mapping->dir) != 1)
		return -EIO;
	mapping->addr = sg_dma_address(&mapping->sg);
	return 0;
}

/* Where it was bounced it is copied here, and mapped still */
static void sync(struct run *run, struct mapping *mapping)
{
	struct device *dev = &run->edu->pdev->dev;

	if (mapping->scattered)
		dma_sync_sg_for_cpu(dev, &mapping->sg, 1, mapping->dir);
	else
		dma_sync_single_for_cpu(dev, mapping->addr, EDU_BYTES, mapping->dir);
}

static void unmap(struct run *run, struct mapping *mapping)
{
	struct device *dev = &run->edu->pdev->dev;

	if (mapping->scattered)
		dma_unmap_sg(dev, &mapping->sg, 1, mapping->dir);
	else
		dma_unmap_single(dev, mapping->addr, EDU_BYTES, mapping->dir);
}

static int test_write(struct run *run, enum dma_data_direction dir, bool scattered)
{
	struct mapping mapping = { .dir = dir, .scattered = scattered };
	u64 old = stamp_of(run);
	int err;

	seq_printf(run->m, "# %s, %s\n", scattered ? "scattered" : "single",
		   dir == DMA_FROM_DEVICE ? "from device" : "bidirectional");
	check_reused(run, false, "before it is mapped");
	err = load_device(run, run->seed + 1) ?: map(run, &mapping);
	if (err)
		return err;
	check(run, !stamp_of(run), "mapping takes the stamp");
	check_passed(run, "mapped, before the device writes");

	err = edu_copy(run->edu, mapping.addr, true);
	if (err)
		goto out;
	sync(run, &mapping);
	check(run, digest_of(run, run->seed) != digest_of(run, run->seed + 1) &&
	      digest(run->memory->address) == digest_of(run, run->seed + 1),
	      "the device has written");
	run->seed++;
	check_passed(run, "mapped, after the device has written");
out:
	unmap(run, &mapping);
	if (err)
		return err;
	check(run, !stamp_of(run), "unmapping gives no stamp");
	check(run, !kcr_tracked_revalidate(run->memory), "it gets one then");
	check(run, stamp_of(run) && stamp_of(run) != old, "and it is a new one");
	check_reused(run, true, "after it was unmapped");
	return 0;
}

static int test_read(struct run *run)
{
	struct mapping mapping = { .dir = DMA_TO_DEVICE };
	u64 old = stamp_of(run);
	int err;

	seq_puts(run->m, "# single, to device\n");
	err = map(run, &mapping);
	if (err)
		return err;
	check(run, stamp_of(run) == old, "mapping for reading leaves the stamp");
	err = edu_copy(run->edu, mapping.addr, false);
	check_reused(run, false, "while the device may read");
	unmap(run, &mapping);
	check(run, stamp_of(run) == old, "and so does unmapping");
	return err;
}

static int run_all(struct run *run)
{
	int err;

	kcr_tracked_invalidate(run->memory);
	fill(run->memory->address, run->seed);
	check(run, !kcr_tracked_revalidate(run->memory), "memory gets a stamp");
	err = test_write(run, DMA_FROM_DEVICE, false);
	if (!err)
		err = test_write(run, DMA_BIDIRECTIONAL, false);
	if (!err)
		err = test_write(run, DMA_FROM_DEVICE, true);
	if (!err)
		err = test_write(run, DMA_BIDIRECTIONAL, true);
	return err ?: test_read(run);
}

static int edu_show(struct seq_file *m, void *v)
{
	struct run run = { .edu = m->private, .m = m, .seed = 1 };
	int err;

	err = kcr_site_arm(&kcr_dma_test_site);
	if (err)
		return err;
	mutex_lock(&run.edu->mutex);
	run.memory = kcr_tracked_alloc(EDU_BYTES, GFP_KERNEL);
	run.plain = kmalloc(EDU_BYTES, GFP_KERNEL);
	err = -ENOMEM;
	if (run.memory && run.plain)
		err = run_all(&run);
	kcr_tracked_free(run.memory);
	kfree(run.plain);
	mutex_unlock(&run.edu->mutex);
	if (err)
		seq_printf(m, "not ok error %d\n", err);
	seq_puts(m, "done\n");
	return 0;
}

/* Room for all of it: what does not fit is made again from the beginning */
static int edu_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, edu_show, inode->i_private, 16 * 1024);
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	int err;

	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	mutex_init(&edu->mutex);
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	edu->regs = pcim_iomap(pdev, 0, 0);
	if (!edu->regs)
		return -ENOMEM;
	err = dma_set_mask_and_coherent(&pdev->dev, EDU_MASK);
	if (err)
		return err;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, edu);
	edu->file = debugfs_create_file(pci_name(pdev), 0400, kcr_dma_test_dir, edu,
					&edu_fops);
	return 0;
}

/* Waits for tests that are running */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	debugfs_remove(edu->file);
	pci_clear_master(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{}
};

static struct pci_driver edu_driver = {
	.name = "kcr_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

static int __init kcr_dma_test_init(void)
{
	struct dentry *dir;
	int err;

	err = kcr_site_register(&kcr_dma_test_site);
	if (err)
		return err;
	dir = debugfs_lookup("kcr", NULL);
	kcr_dma_test_dir = debugfs_create_dir("dma_test", dir);
	dput(dir);
	return pci_register_driver(&edu_driver);
}
late_initcall(kcr_dma_test_init);
