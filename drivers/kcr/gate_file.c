// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: gates as descriptors and mappings.
 *
 * A gate's mapping only keeps its address from being used otherwise; it never has
 * a page. A child has it, too, and a table entry of its own.
 */
#include <linux/anon_inodes.h>
#include <linux/cpufeature.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kcr.h>
#include <linux/kcr_gate.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "gate.h"

static int kcr_gate_mapping_add(struct vm_area_struct *vma)
{
	struct kcr_gate_mapping *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return -ENOMEM;
	m->gate.mm = vma->vm_mm;
	m->gate.base = vma->vm_start;
	m->gate.call = kcr_gate_call;
	m->file = vma->vm_file->private_data;
	kcr_gate_add(&m->gate);
	vma->vm_private_data = m;
	return 0;
}

/* At fork(), for the child; without it calls take the long way, kcr_gate_fault_vma() */
static void kcr_gate_open(struct vm_area_struct *vma)
{
	vma->vm_private_data = NULL;
	kcr_gate_mapping_add(vma);
}

static void kcr_gate_close(struct vm_area_struct *vma)
{
	struct kcr_gate_mapping *m = vma->vm_private_data;

	if (!m)
		return;
	kcr_gate_del(&m->gate);
	kfree_rcu(m, gate.rcu);
}

static int kcr_gate_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int kcr_gate_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* A gate that is not found by kcr_gate_fault() is as good as the function itself */
static vm_fault_t kcr_gate_fault_vma(struct vm_fault *vmf)
{
	struct kcr_gate_file *file = vmf->vma->vm_file->private_data;
	struct pt_regs *regs = task_pt_regs(current);
	const struct kcr_gate_slot *f;

	if (!(vmf->flags & FAULT_FLAG_USER) || !(vmf->flags & FAULT_FLAG_INSTRUCTION) ||
	    regs->ip != vmf->real_address)
		return VM_FAULT_SIGBUS;
	f = kcr_gate_find(file, vmf->real_address - vmf->vma->vm_start);
	if (!f)
		return VM_FAULT_SIGBUS;
	kcr_gate_plain(file, f, regs);
	return VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct kcr_gate_vm_ops = {
	.open = kcr_gate_open,
	.close = kcr_gate_close,
	.may_split = kcr_gate_may_split,
	.mremap = kcr_gate_mremap,
	.fault = kcr_gate_fault_vma,
};

static int kcr_gate_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kcr_gate_file *gate = file->private_data;
	int err;

	if (!(vma->vm_flags & VM_SHARED) || !(vma->vm_flags & VM_EXEC) ||
	    vma->vm_pgoff || vma->vm_end - vma->vm_start != KCR_GATE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	/* Sealed, so that what was found stays; no pages, so nothing to pin */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_PFNMAP | VM_SEALED,
		     VM_MAYWRITE);
	vma->vm_ops = &kcr_gate_vm_ops;
	if (xchg(&gate->mapped, true))
		return -EBUSY;
	err = kcr_gate_mapping_add(vma);
	if (err)
		WRITE_ONCE(gate->mapped, false);
	return err;
}

static bool kcr_gate_memory_valid(const struct kcr_gate_slot *slot,
				  const struct kcr_gate_memory *m)
{
	bool fixed = m->len_arg == KCR_GATE_LEN_FIXED;

	if (m->reserved || m->arg >= slot->nr_args || !m->len ||
	    m->len > KCR_GATE_KEY_MAX || (!fixed && m->len_arg >= slot->nr_args))
		return false;
	switch (m->flags) {
	case KCR_GATE_IN:
	case KCR_GATE_OUT:
		return true;
	case KCR_GATE_IN | KCR_GATE_STRING:
		return fixed;
	default:
		return false;
	}
}

static int kcr_gate_check_slot(const struct kcr_gate_file *file,
			       const struct kcr_gate_slot *slot)
{
	struct kcr_function_info info = { .function = slot->function };
	u32 i;
	int err;

	if (slot->flags || slot->reserved || slot->slot >= KCR_GATE_SLOTS ||
	    slot->nr_args > KCR_GATE_ARGS || slot->nr_memory > KCR_GATE_MEMORY ||
	    slot->miss >= TASK_SIZE_MAX || slot->ret >= TASK_SIZE_MAX ||
	    slot->plain >= TASK_SIZE_MAX)
		return -EINVAL;
	for (i = 0; i < slot->nr_memory; i++) {
		if (!kcr_gate_memory_valid(slot, &slot->memory[i]))
			return -EINVAL;
	}
	err = kcr_domain_function_info(&file->shared->domain, &info);
	if (err)
		return err;
	/* Two words, and what memory there is; sets are not for gates */
	if (info.sets || info.key_max > KCR_GATE_KEY_MAX ||
	    info.result_max > KCR_GATE_RESULT_MAX ||
	    info.key_max < slot->nr_args * sizeof(u64) ||
	    info.result_max < 2 * sizeof(u64))
		return -EINVAL;
	return 0;
}

static long kcr_ioctl_gate_slot(struct kcr_gate_file *file, void __user *arg)
{
	struct kcr_gate_slot *slot;
	int err;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return -ENOMEM;
	err = kcr_copy_arg(slot, sizeof(*slot), arg);
	if (!err)
		err = kcr_gate_check_slot(file, slot);
	if (err)
		goto out;
	mutex_lock(&file->lock);
	if (file->slots[array_index_nospec(slot->slot, KCR_GATE_SLOTS)]) {
		err = -EBUSY;
	} else {
		/* Pairs with the one in kcr_gate_find() */
		smp_store_release(&file->slots[slot->slot], slot);
		slot = NULL;
	}
	mutex_unlock(&file->lock);
out:
	kfree(slot);
	return err;
}

static long kcr_ioctl_gate_info(struct kcr_gate_file *file, void __user *arg)
{
	struct kcr_gate_info info, out = {};
	const struct kcr_gate_counts *counts;
	int cpu, err;

	err = kcr_copy_arg(&info, sizeof(info), arg);
	if (err)
		return err;
	for_each_possible_cpu(cpu) {
		counts = per_cpu_ptr(file->counts, cpu);
		out.hits += counts->c[KCR_GATE_HITS] - counts->c[KCR_GATE_AUDITS];
		out.misses += counts->c[KCR_GATE_MISSES] - counts->c[KCR_GATE_AUDITS];
		out.plain += counts->c[KCR_GATE_PLAIN];
		out.audits += counts->c[KCR_GATE_AUDITS];
	}
	out.size = info.size;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static long kcr_gate_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kcr_gate_file *gate = file->private_data;

	switch (cmd) {
	case KCR_IOC_GATE_SLOT:
		return kcr_ioctl_gate_slot(gate, (void __user *)arg);
	case KCR_IOC_GATE_INFO:
		return kcr_ioctl_gate_info(gate, (void __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static void kcr_gate_free(struct kcr_gate_file *file)
{
	u32 i;

	for (i = 0; i < KCR_GATE_SLOTS; i++)
		kfree(file->slots[i]);
	free_percpu(file->counts);
	mutex_destroy(&file->lock);
	kvfree(file);
}

static int kcr_gate_release(struct inode *inode, struct file *file)
{
	struct kcr_gate_file *gate = file->private_data;

	kcr_shared_put(gate->shared);
	kcr_gate_free(gate);
	kcr_gates_put();
	return 0;
}

static const struct file_operations kcr_gate_fops = {
	.owner = THIS_MODULE,
	.release = kcr_gate_release,
	.unlocked_ioctl = kcr_gate_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = kcr_gate_mmap,
};

/**
 * kcr_ioctl_gate() - KCR_IOC_GATE
 * @shared: the domain
 * @arg: its structure
 *
 * Context: may sleep.
 * Return: a descriptor or an error, see uapi/linux/kcr_track.h.
 */
long kcr_ioctl_gate(struct kcr_shared *shared, void __user *arg)
{
	struct kcr_gate_file *gate;
	struct kcr_gate args;
	int ret;

	ret = kcr_copy_arg(&args, sizeof(args), arg);
	if (ret)
		return ret;
	if (args.flags)
		return -EINVAL;
	if (!boot_cpu_has(X86_FEATURE_NX))
		return -EOPNOTSUPP;
	gate = kvzalloc(sizeof(*gate), GFP_KERNEL_ACCOUNT);
	if (!gate)
		return -ENOMEM;
	mutex_init(&gate->lock);
	gate->counts = alloc_percpu_gfp(struct kcr_gate_counts, GFP_KERNEL_ACCOUNT);
	if (!gate->counts) {
		kcr_gate_free(gate);
		return -ENOMEM;
	}
	gate->shared = shared;
	refcount_inc(&shared->descriptors);
	kcr_gates_get();
	ret = anon_inode_getfd("[kcr-gate]", &kcr_gate_fops, gate, O_RDWR | O_CLOEXEC);
	if (ret >= 0)
		return ret;
	kcr_gates_put();
	kcr_shared_put(shared);
	kcr_gate_free(gate);
	return ret;
}
