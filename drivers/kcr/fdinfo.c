// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what /proc/PID/fdinfo says of a domain, and
 * /sys/kernel/kcr/region_size.
 *
 * Who may see a process's descriptors may see this; that is the same who may
 * trace it.
 */
#include <linux/fs.h>
#include <linux/kcr.h>
#include <linux/kobject.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "device.h"

unsigned long kcr_region_size = 16UL << 20;

static const char * const kcr_state_names[] = {
	[KCR_STATE_NONE] = "none",
	[KCR_STATE_LEARN] = "learn",
	[KCR_STATE_REUSE] = "reuse",
	[KCR_STATE_REJECTED] = "rejected",
};

/* Counts are written by user space, and mean what it wants them to */
static void kcr_show_counts(struct seq_file *m, struct file *file, u32 function)
{
	struct kcr_counts sum = {}, *line;
	unsigned int i;

	if (file && function < KCR_COUNTS_FUNCTIONS) {
		line = kcr_memory_base(file);
		line += function * KCR_COUNTS_LINES;
		for (i = 0; i < KCR_COUNTS_LINES; i++, line++) {
			sum.hits += READ_ONCE(line->hits);
			sum.misses += READ_ONCE(line->misses);
			sum.bypassed += READ_ONCE(line->bypassed);
			sum.audits += READ_ONCE(line->audits);
			sum.learned += READ_ONCE(line->learned);
			sum.failed += READ_ONCE(line->failed);
			sum.saved += READ_ONCE(line->saved);
		}
	}
	seq_printf(m, "%llu %llu %llu %llu %llu %llu %lld\n", sum.hits,
		   sum.misses, sum.bypassed, sum.audits, sum.learned,
		   sum.failed, sum.saved);
}

/**
 * kcr_descriptor_show() - show a descriptor in /proc/PID/fdinfo
 * @m: where
 * @file: the descriptor's file
 *
 * Context: may sleep.
 */
void kcr_descriptor_show(struct seq_file *m, struct file *file)
{
	struct kcr_descriptor *d = file->private_data;
	struct kcr_domain *domain = &d->shared->domain;
	struct kcr_function_info f = {};
	struct kcr_info info;

	kcr_domain_info(domain, &info);
	seq_printf(m, "kcr-domain:\t%llu\n", info.domain);
	seq_printf(m, "kcr-access:\t%s\n",
		   d->access & KCR_ACCESS_STORE ? "store" : "lookup");
	seq_printf(m, "kcr-region:\t%llu\n", info.region_size);
	seq_printf(m, "kcr-entries:\t%llu\n", info.entries);
	seq_printf(m, "kcr-blob-bytes:\t%llu\n", info.blob_bytes);
	seq_printf(m, "kcr-stored:\t%llu\n", info.stored);
	seq_printf(m, "kcr-equal:\t%llu\n", info.equal);
	seq_printf(m, "kcr-refused:\t%llu\n", info.refused);
	seq_printf(m, "kcr-evicted:\t%llu\n", info.evicted);
	seq_printf(m, "kcr-stale:\t%llu\n", info.stale);
	seq_printf(m, "kcr-flushes:\t%llu\n", info.flushes);
	for (; !kcr_domain_function_info(domain, &f); f.function++) {
		seq_printf(m, "kcr-function-%u:\t%s %s %u ", f.function, f.name,
			   kcr_state_names[f.state], f.entries);
		/* Pairs with the one in kcr_descriptor_mmap_counts() */
		kcr_show_counts(m, smp_load_acquire(&d->counts), f.function);
	}
}

static ssize_t region_size_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(kcr_region_size));
}

static ssize_t region_size_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	char text[32], *end;
	u64 size;

	if (strscpy(text, buf, sizeof(text)) < 0)
		return -EINVAL;
	size = memparse(strim(text), &end);
	if (*end || !kcr_region_size_valid(size))
		return -EINVAL;
	WRITE_ONCE(kcr_region_size, size);
	return count;
}

static struct kobj_attribute kcr_region_size_attr = __ATTR_RW(region_size);

/* kcr_settings_init() - make what an administrator sets; 0 or an error of sysfs */
int __init kcr_settings_init(void)
{
	return sysfs_create_file(kcr_kobj, &kcr_region_size_attr.attr);
}

/* kcr_settings_exit() - remove it; waits for readers and writers */
void kcr_settings_exit(void)
{
	sysfs_remove_file(kcr_kobj, &kcr_region_size_attr.attr);
}
