// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: leaving out what arming needs, for tests.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kcr_track.h"

enum kcr_track_break kcr_track_break;

static const char * const kcr_break_names[KCR_NR_BREAKS] = {
	[KCR_BREAK_NONE] = "none",
	[KCR_BREAK_FLUSH] = "noflush",
	[KCR_BREAK_REFERENCE] = "noref",
	[KCR_BREAK_UNSHARE] = "nounshare",
	[KCR_BREAK_LOCK] = "readlock",
};

/* track_break: what is left out, for tests to see that it is needed */
static int kcr_track_break_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%s\n", kcr_break_names[READ_ONCE(kcr_track_break)]);
	return 0;
}

static ssize_t kcr_track_break_write(struct file *file, const char __user *buf,
				     size_t len, loff_t *pos)
{
	char name[16] = {};
	int i;

	if (len >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, len))
		return -EFAULT;
	i = __sysfs_match_string(kcr_break_names, KCR_NR_BREAKS, name);
	if (i < 0)
		return i;
	WRITE_ONCE(kcr_track_break, i);
	return len;
}

static int kcr_track_break_open(struct inode *inode, struct file *file)
{
	return single_open(file, kcr_track_break_show, NULL);
}

static const struct file_operations kcr_track_break_fops = {
	.owner = THIS_MODULE,
	.open = kcr_track_break_open,
	.read = seq_read,
	.write = kcr_track_break_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init kcr_track_break_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	if (IS_ERR_OR_NULL(dir))
		return 0;
	debugfs_create_file("track_break", 0600, dir, NULL, &kcr_track_break_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_track_break_init);
