// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: trackers, which show a process the stamps of its sets.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kcr.h>
#include <linux/kcr_track.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "device.h"

/* The stamps, and a page of zeroes for who is not the process */
#define KCR_STAMPS_SIZE	(KCR_SETS_MAX * sizeof(u64))
#define KCR_NO_STAMPS	PAGE_ALIGN(KCR_STAMPS_SIZE)

static unsigned int arm_burst = 256;
module_param(arm_burst, uint, 0644);
MODULE_PARM_DESC(arm_burst, "how often a tracked set may be armed in a second");

/**
 * struct kcr_tracker_set - a set of a tracker
 * @tracked: the set
 * @limit: of arming
 */
struct kcr_tracker_set {
	struct kcr_tracked tracked;
	struct ratelimit_state limit;
};

/**
 * struct kcr_tracker_file - a tracker
 * @lock: protects @sets
 * @shared: its domain, with a reference
 * @mm: its process's memory, with a reference that keeps the structure only
 * @memory: the file behind what is mapped
 * @stamps: what is mapped
 * @sets: by number
 */
struct kcr_tracker_file {
	struct mutex lock; /* of sets */
	struct kcr_shared *shared;
	struct mm_struct *mm;
	struct file *memory;
	u64 *stamps;
	struct kcr_tracker_set *sets[KCR_SETS_MAX];
};

static vm_fault_t kcr_tracker_fault(struct vm_fault *vmf)
{
	const struct kcr_tracker_file *t = vmf->vma->vm_file->private_data;
	void *base = t->stamps;

	if (vmf->pgoff >= KCR_NO_STAMPS >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	/* A child's memory is not what the stamps are about */
	if (vmf->vma->vm_mm != t->mm)
		base += KCR_NO_STAMPS;
	vmf->page = vmalloc_to_page(base + (vmf->pgoff << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct kcr_tracker_vm_ops = {
	.fault = kcr_tracker_fault,
};

static int kcr_tracker_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_pgoff || vma->vm_end - vma->vm_start != KCR_NO_STAMPS)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	/* Page table entries must not be copied at fork() */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_WIPEONFORK,
		     VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &kcr_tracker_vm_ops;
	return 0;
}

static struct kcr_tracker_set *kcr_tracker_find(struct kcr_tracker_file *t, u32 nr)
{
	lockdep_assert_held(&t->lock);
	if (nr >= KCR_SETS_MAX)
		return NULL;
	return t->sets[array_index_nospec(nr, KCR_SETS_MAX)];
}

static int kcr_tracker_new(struct kcr_tracker_file *t, u32 *nr)
{
	struct kcr_tracker_set *set;
	u32 i;
	int err;

	for (i = 0; i < KCR_SETS_MAX && t->sets[i]; i++)
		;
	if (i == KCR_SETS_MAX)
		return -ENOSPC;
	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return -ENOMEM;
	err = kcr_tracked_init(&set->tracked, t->mm, &t->stamps[i]);
	if (err) {
		kfree(set);
		return err;
	}
	ratelimit_state_init(&set->limit, HZ, 0);
	/* It does not tell when it was missed: KCR_IOC_SET_INFO does */
	ratelimit_set_flags(&set->limit, RATELIMIT_MSG_ON_RELEASE);
	t->sets[i] = set;
	*nr = i;
	return 0;
}

static void kcr_tracker_drop(struct kcr_tracker_file *t, u32 nr)
{
	struct kcr_tracker_set *set = t->sets[nr];

	t->sets[nr] = NULL;
	kcr_tracked_destroy(&set->tracked);
	kfree(set);
}

static int kcr_tracker_add(struct kcr_tracker_file *t, struct kcr_set_add *add,
			   const struct kcr_range *ranges)
{
	bool is_new = add->set == KCR_SET_NEW;
	int err = 0;

	mutex_lock(&t->lock);
	if (is_new)
		err = kcr_tracker_new(t, &add->set);
	else if (!kcr_tracker_find(t, add->set))
		err = -ENOENT;
	if (!err) {
		err = kcr_tracked_add(&t->sets[add->set]->tracked, ranges, add->nr);
		if (err && is_new)
			kcr_tracker_drop(t, add->set);
	}
	mutex_unlock(&t->lock);
	return err;
}

static long kcr_ioctl_set_add(struct kcr_tracker_file *t, void __user *arg)
{
	struct kcr_set_add add;
	struct kcr_range *ranges;
	int err;

	err = kcr_copy_arg(&add, sizeof(add), arg);
	if (err)
		return err;
	if (add.flags || !add.nr || add.nr > KCR_RANGES_MAX)
		return -EINVAL;
	ranges = memdup_array_user(u64_to_user_ptr(add.ranges), add.nr,
				   sizeof(*ranges));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	err = kcr_tracker_add(t, &add, ranges);
	kfree(ranges);
	if (err)
		return err;
	return put_user(add.set, &((struct kcr_set_add __user *)arg)->set);
}

/* &enum kcr_refusal, or an error */
static int kcr_tracker_arm(struct kcr_tracker_file *t, struct kcr_set_arm *arm)
{
	struct kcr_tracker_set *set;
	int ret;

	mutex_lock(&t->lock);
	set = kcr_tracker_find(t, arm->set);
	if (!set) {
		ret = -ENOENT;
		goto out;
	}
	arm->stamp = READ_ONCE(t->stamps[arm->set]);
	ret = KCR_REFUSED_NOT;
	if (arm->stamp)
		goto out;
	set->limit.burst = READ_ONCE(arm_burst);
	if (!__ratelimit(&set->limit)) {
		ret = KCR_REFUSED_TOO_OFTEN;
		kcr_tracked_refuse(&set->tracked, ret);
		goto out;
	}
	arm->stamp = kcr_domain_new_stamp(&t->shared->domain);
	ret = kcr_tracked_arm(&set->tracked, arm->stamp, &arm->address);
	if (ret)
		arm->stamp = 0;
out:
	mutex_unlock(&t->lock);
	return ret;
}

static long kcr_ioctl_set_arm(struct kcr_tracker_file *t, void __user *arg)
{
	struct kcr_set_arm arm;
	int ret;

	ret = kcr_copy_arg(&arm, sizeof(arm), arg);
	if (ret)
		return ret;
	if (arm.flags)
		return -EINVAL;
	arm.address = 0;
	ret = kcr_tracker_arm(t, &arm);
	if (ret < 0)
		return ret;
	arm.reason = ret;
	if (copy_to_user(arg, &arm, sizeof(arm)))
		return -EFAULT;
	if (!ret)
		return 0;
	return ret >= KCR_REFUSED_NOT_PRESENT ? -EAGAIN : -EOPNOTSUPP;
}

static long kcr_ioctl_set(struct kcr_tracker_file *t, unsigned int cmd,
			  void __user *arg)
{
	struct kcr_tracker_set *found;
	struct kcr_set set;
	int err;

	err = kcr_copy_arg(&set, sizeof(set), arg);
	if (err)
		return err;
	if (set.flags || set.reserved)
		return -EINVAL;
	mutex_lock(&t->lock);
	found = kcr_tracker_find(t, set.set);
	if (!found)
		err = -ENOENT;
	else if (cmd == KCR_IOC_SET_RENEW)
		kcr_tracked_renew(&found->tracked);
	else
		kcr_tracker_drop(t, set.set);
	mutex_unlock(&t->lock);
	return err;
}

static long kcr_ioctl_set_info(struct kcr_tracker_file *t, void __user *arg)
{
	struct kcr_set_info info, out = {};
	struct kcr_tracker_set *set;
	int err;

	err = kcr_copy_arg(&info, sizeof(info), arg);
	if (err)
		return err;
	mutex_lock(&t->lock);
	set = kcr_tracker_find(t, info.set);
	if (set)
		kcr_tracked_info(&set->tracked, &out);
	mutex_unlock(&t->lock);
	if (!set)
		return -ENOENT;
	out.size = info.size;
	out.set = info.set;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static long kcr_tracker_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct kcr_tracker_file *t = file->private_data;
	void __user *uarg = (void __user *)arg;

	if (cmd == KCR_IOC_SET_INFO)
		return kcr_ioctl_set_info(t, uarg);
	if (t->mm != current->mm)
		return -EPERM;
	if (!kcr_is_enabled())
		return -EOPNOTSUPP;
	switch (cmd) {
	case KCR_IOC_SET_ADD:
		return kcr_ioctl_set_add(t, uarg);
	case KCR_IOC_SET_ARM:
		return kcr_ioctl_set_arm(t, uarg);
	case KCR_IOC_SET_RENEW:
	case KCR_IOC_SET_DROP:
		return kcr_ioctl_set(t, cmd, uarg);
	case KCR_IOC_STORE:
		return kcr_ioctl_store(&t->shared->domain, t->stamps, uarg);
	default:
		return -ENOIOCTLCMD;
	}
}

static void kcr_tracker_free(struct kcr_tracker_file *t)
{
	u32 i;

	for (i = 0; i < KCR_SETS_MAX; i++) {
		if (t->sets[i])
			kcr_tracker_drop(t, i);
	}
	if (!IS_ERR_OR_NULL(t->memory))
		fput(t->memory);
	mmdrop(t->mm);
	mutex_destroy(&t->lock);
	kvfree(t);
}

static int kcr_tracker_release(struct inode *inode, struct file *file)
{
	struct kcr_tracker_file *t = file->private_data;
	struct kcr_shared *shared = t->shared;

	kcr_tracker_free(t);
	kcr_shared_put(shared);
	return 0;
}

static const struct file_operations kcr_tracker_fops = {
	.owner = THIS_MODULE,
	.release = kcr_tracker_release,
	.unlocked_ioctl = kcr_tracker_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = kcr_tracker_mmap,
};

/**
 * kcr_ioctl_tracker() - KCR_IOC_TRACKER
 * @shared: the domain
 * @arg: its structure
 *
 * Context: may sleep.
 * Return: a descriptor or an error, see uapi/linux/kcr_track.h.
 */
long kcr_ioctl_tracker(struct kcr_shared *shared, void __user *arg)
{
	struct kcr_tracker args;
	struct kcr_tracker_file *t;
	int ret;

	ret = kcr_copy_arg(&args, sizeof(args), arg);
	if (ret)
		return ret;
	if (args.flags)
		return -EINVAL;
	t = kvzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock);
	mmgrab(current->mm);
	t->mm = current->mm;
	t->shared = shared;
	t->memory = kcr_memory_create("[kcr-stamps]", 2 * KCR_NO_STAMPS);
	if (IS_ERR(t->memory)) {
		ret = PTR_ERR(t->memory);
		goto err;
	}
	t->stamps = kcr_memory_base(t->memory);
	refcount_inc(&shared->descriptors);
	ret = anon_inode_getfd("[kcr-tracker]", &kcr_tracker_fops, t,
			       O_RDWR | O_CLOEXEC);
	if (ret >= 0)
		return ret;
	kcr_shared_put(shared);
err:
	kcr_tracker_free(t);
	return ret;
}
