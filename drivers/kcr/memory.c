// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: memory that is shared with user space.
 *
 * Kernel memory, as of a BPF ring buffer, behind a file of its own that no
 * process ever has a descriptor of: mappings keep that file, and so the memory,
 * and not the descriptor that they were made with. An anonymous inode cannot be
 * opened again, by /proc/PID/fd or by /proc/PID/map_files, and nothing but its
 * mappings leads to the pages. There is no page cache that could be spliced,
 * sealed, truncated or written back.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "memory.h"

struct kcr_memory {
	void *base;
	size_t size;
	struct kcr_user *user;
};

static void kcr_memory_free(struct kcr_memory *memory)
{
	vfree(memory->base);
	kcr_user_put(memory->user, 0, memory->size);
	kfree(memory);
}

static int kcr_memory_release(struct inode *inode, struct file *file)
{
	kcr_memory_free(file->private_data);
	return 0;
}

static const struct file_operations kcr_memory_fops = {
	.owner = THIS_MODULE,
	.release = kcr_memory_release,
};

/**
 * kcr_memory_create() - allocate zeroed memory that can be mapped
 * @name: of its file, for people
 * @size: bytes, a multiple of the page size
 *
 * It is charged to the current process's memory control group and user.
 *
 * Context: may sleep.
 * Return: a file, with whose last reference the memory goes; or an error pointer:
 * -ENOMEM, -ENFILE, or -EDQUOT if a limit of the user's is reached.
 */
struct file *kcr_memory_create(const char *name, size_t size)
{
	struct kcr_memory *memory;
	struct file *file;
	int err;

	memory = kzalloc(sizeof(*memory), GFP_KERNEL_ACCOUNT);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	memory->size = size;
	memory->user = kcr_user_get(0, size);
	if (IS_ERR(memory->user)) {
		err = PTR_ERR(memory->user);
		kfree(memory);
		return ERR_PTR(err);
	}
	/* Where a group's limit is reached, an error, and nobody is killed */
	memory->base = __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO |
				 __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	file = memory->base ? anon_inode_getfile(name, &kcr_memory_fops, memory,
						 O_RDWR) :
			      ERR_PTR(-ENOMEM);
	if (IS_ERR(file))
		kcr_memory_free(memory);
	return file;
}

/**
 * kcr_memory_base() - where memory is
 * @file: of kcr_memory_create()
 *
 * Context: any.
 * Return: its address.
 */
void *kcr_memory_base(const struct file *file)
{
	const struct kcr_memory *memory = file->private_data;

	return memory->base;
}

static vm_fault_t kcr_memory_fault(struct vm_fault *vmf)
{
	const struct kcr_memory *memory = vmf->vma->vm_file->private_data;
	/* The mapping begins where the memory does, and cannot grow */
	unsigned long offset = vmf->address - vmf->vma->vm_start +
			       (vmf->vma->vm_pgoff << PAGE_SHIFT);

	if (offset >= memory->size)
		return VM_FAULT_SIGBUS;
	vmf->page = vmalloc_to_page(memory->base + offset);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct kcr_memory_vm_ops = {
	.fault = kcr_memory_fault,
};

/**
 * kcr_memory_mmap() - map memory
 * @file: of kcr_memory_create()
 * @vma: what was asked for; from its offset on whole, or not at all
 * @writable: whether it may be writable; if not, it never will be
 *
 * Context: from a file's mmap().
 * Return: 0; -EINVAL if the mapping is private, executable, or not of the
 * memory's size; -EPERM if it is writable and may not be.
 */
int kcr_memory_mmap(struct file *file, struct vm_area_struct *vma,
		    bool writable)
{
	const struct kcr_memory *memory = file->private_data;
	vm_flags_t never = VM_MAYEXEC;

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_end - vma->vm_start != memory->size)
		return -EINVAL;
	if (!writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		never |= VM_MAYWRITE;
	}
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, never);
	vma->vm_pgoff = 0;
	vma->vm_ops = &kcr_memory_vm_ops;
	vma_set_file(vma, file);
	return 0;
}
