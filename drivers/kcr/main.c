// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: /dev/kcr, domains for user space.
 *
 * A domain lives as long as it has descriptors. With the last one it dies: its
 * region is zeroed at once, and freed with the last mapping.
 */
#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kcr.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "device.h"

/* The clock is told at most so often, in milliseconds */
#define KCR_TICK_MIN	10U

static atomic64_t kcr_last_domain;

/**
 * kcr_domain_clock() - what the ages of entries are measured by
 *
 * Context: any.
 * Return: milliseconds since boot.
 */
u64 kcr_domain_clock(void)
{
	return ktime_to_ms(ktime_get_coarse());
}

/* Tell the time as often as the shortest expiry needs */
static void kcr_shared_schedule(struct kcr_shared *shared, u32 expiry_ms)
{
	mod_delayed_work(system_wq, &shared->tick,
			 msecs_to_jiffies(max(expiry_ms / 10, KCR_TICK_MIN)));
}

static void kcr_shared_tick(struct work_struct *work)
{
	struct kcr_shared *shared = container_of(to_delayed_work(work),
						 struct kcr_shared, tick);

	kcr_domain_tick(&shared->domain, kcr_domain_clock());
	kcr_shared_schedule(shared, READ_ONCE(shared->domain.min_expiry_ms));
}

static struct kcr_shared *kcr_shared_create(const struct kcr_create *create)
{
	u64 size = create->region_size ?: READ_ONCE(kcr_region_size);
	struct kcr_shared *shared;
	int err;

	shared = kvzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	refcount_set(&shared->descriptors, 1);
	INIT_DELAYED_WORK(&shared->tick, kcr_shared_tick);
	shared->user = kcr_user_get(1, 0);
	if (IS_ERR(shared->user)) {
		err = PTR_ERR(shared->user);
		goto err_free;
	}
	shared->region = kcr_memory_create("[kcr-region]", size);
	if (IS_ERR(shared->region)) {
		err = PTR_ERR(shared->region);
		goto err_user;
	}
	err = kcr_domain_init(&shared->domain, kcr_memory_base(shared->region),
			      size, create);
	if (err)
		goto err_region;
	shared->domain.stats.domain = atomic64_inc_return(&kcr_last_domain);
	return shared;

err_region:
	fput(shared->region);
err_user:
	kcr_user_put(shared->user, 1, 0);
err_free:
	kvfree(shared);
	return ERR_PTR(err);
}

/**
 * kcr_shared_put() - give up a reference to a domain
 * @shared: the domain
 *
 * Context: may sleep.
 */
void kcr_shared_put(struct kcr_shared *shared)
{
	if (!refcount_dec_and_test(&shared->descriptors))
		return;
	cancel_delayed_work_sync(&shared->tick);
	kcr_domain_kill(&shared->domain);
	kcr_domain_destroy(&shared->domain);
	fput(shared->region);
	kcr_user_put(shared->user, 1, 0);
	kvfree(shared);
}

static int kcr_descriptor_release(struct inode *inode, struct file *file)
{
	struct kcr_descriptor *d = file->private_data;

	kcr_shared_put(d->shared);
	if (d->counts)
		fput(d->counts);
	mutex_destroy(&d->lock);
	kfree(d);
	return 0;
}

/* Counts are made when they are mapped first */
static int kcr_descriptor_mmap_counts(struct kcr_descriptor *d,
				      struct vm_area_struct *vma)
{
	struct file *counts;
	int err = 0;

	mutex_lock(&d->lock);
	if (!d->counts) {
		counts = kcr_memory_create("[kcr-counts]", KCR_COUNTS_SIZE);
		if (IS_ERR(counts))
			err = PTR_ERR(counts);
		else
			/* Pairs with the one in kcr_descriptor_show() */
			smp_store_release(&d->counts, counts);
	}
	mutex_unlock(&d->lock);
	return err ?: kcr_memory_mmap(d->counts, vma, true);
}

static int kcr_descriptor_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kcr_descriptor *d = file->private_data;

	if (!vma->vm_pgoff)
		return kcr_memory_mmap(d->shared->region, vma, false);
	if (vma->vm_pgoff == KCR_COUNTS_OFFSET >> PAGE_SHIFT)
		return kcr_descriptor_mmap_counts(d, vma);
	return -EINVAL;
}

static int kcr_descriptor_fd(struct kcr_shared *shared, u32 access);

static long kcr_ioctl_share(struct kcr_descriptor *d, void __user *arg)
{
	struct kcr_share_fd share;
	int ret;

	if (!(d->access & KCR_ACCESS_STORE))
		return -EACCES;
	ret = kcr_copy_arg(&share, sizeof(share), arg);
	if (ret)
		return ret;
	if (share.flags & ~KCR_SHARE_STORE)
		return -EINVAL;
	refcount_inc(&d->shared->descriptors);
	ret = kcr_descriptor_fd(d->shared, share.flags & KCR_SHARE_STORE ?
				KCR_ACCESS_STORE : 0);
	if (ret < 0)
		kcr_shared_put(d->shared);
	return ret;
}

static long kcr_descriptor_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	struct kcr_descriptor *d = file->private_data;
	void __user *uarg = (void __user *)arg;
	u32 expiry;
	long ret;

	switch (cmd) {
	case KCR_IOC_SHARE:
		return kcr_ioctl_share(d, uarg);
	case KCR_IOC_TRACKER:
	case KCR_IOC_GATE:
		if (!(d->access & KCR_ACCESS_STORE))
			return -EACCES;
		return cmd == KCR_IOC_GATE ? kcr_ioctl_gate(d->shared, uarg) :
					     kcr_ioctl_tracker(d->shared, uarg);
	}
	ret = kcr_domain_ioctl(&d->shared->domain, d->access, cmd, uarg);
	/* Only if it is shorter than before: not to be put off for ever */
	expiry = READ_ONCE(d->shared->domain.min_expiry_ms);
	if (cmd == KCR_IOC_REGISTER && xchg(&d->shared->tick_ms, expiry) != expiry)
		kcr_shared_schedule(d->shared, expiry);
	return ret;
}

static const struct file_operations kcr_descriptor_fops = {
	.owner = THIS_MODULE,
	.release = kcr_descriptor_release,
	.unlocked_ioctl = kcr_descriptor_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = kcr_descriptor_mmap,
	.show_fdinfo = kcr_descriptor_show,
};

/* Takes over the reference to @shared if it succeeds */
static int kcr_descriptor_fd(struct kcr_shared *shared, u32 access)
{
	struct kcr_descriptor *d;
	int fd;

	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return -ENOMEM;
	mutex_init(&d->lock);
	d->shared = shared;
	d->access = access;
	fd = anon_inode_getfd("[kcr-domain]", &kcr_descriptor_fops, d,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		kfree(d);
	return fd;
}

static long kcr_ioctl_create(void __user *arg)
{
	struct kcr_create create;
	struct kcr_shared *shared;
	int ret;

	ret = kcr_copy_arg(&create, sizeof(create), arg);
	if (ret)
		return ret;
	ret = kcr_check_create(&create);
	if (ret)
		return ret;
	if (!kcr_is_enabled())
		return -EOPNOTSUPP;
	shared = kcr_shared_create(&create);
	if (IS_ERR(shared))
		return PTR_ERR(shared);
	ret = kcr_descriptor_fd(shared, KCR_ACCESS_STORE);
	if (ret < 0)
		kcr_shared_put(shared);
	return ret;
}

static long kcr_device_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	if (cmd == KCR_IOC_CREATE)
		return kcr_ioctl_create((void __user *)arg);
	return -ENOIOCTLCMD;
}

static const struct file_operations kcr_device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = kcr_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice kcr_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kcr",
	.fops = &kcr_device_fops,
	/* What users may take is limited, and nobody sees what is another's */
	.mode = 0666,
};

static int __init kcr_device_init(void)
{
	int err = kcr_settings_init();

	if (err)
		return err;
	err = misc_register(&kcr_device);
	if (err)
		kcr_settings_exit();
	return err;
}

static void __exit kcr_device_exit(void)
{
	misc_deregister(&kcr_device);
	kcr_settings_exit();
}

module_init(kcr_device_init);
module_exit(kcr_device_exit);
MODULE_DESCRIPTION("Kernel Computation Reuse for user space");
MODULE_LICENSE("GPL");
