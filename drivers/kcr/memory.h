/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: memory that is shared with user space.
 */
#ifndef _KCR_MEMORY_H
#define _KCR_MEMORY_H

#include <linux/types.h>

struct file;
struct vm_area_struct;
struct kcr_user;

struct kcr_user *kcr_user_get(u32 domains, u64 bytes);
void kcr_user_put(struct kcr_user *user, u32 domains, u64 bytes);

struct file *kcr_memory_create(const char *name, size_t size);
void *kcr_memory_base(const struct file *file);
int kcr_memory_mmap(struct file *file, struct vm_area_struct *vma,
		    bool writable);

#endif /* _KCR_MEMORY_H */
