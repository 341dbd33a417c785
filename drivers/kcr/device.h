/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what the device's files share.
 */
#ifndef _KCR_DEVICE_H
#define _KCR_DEVICE_H

#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include <uapi/linux/kcr_track.h>

#include "domain.h"
#include "memory.h"

struct file;
struct seq_file;

/**
 * struct kcr_shared - a domain with what keeps it
 * @domain: the domain
 * @descriptors: its descriptors; mappings do not count
 * @region: the file behind its region
 * @user: whose limits it counts against
 * @tick: tells it the time
 * @tick_ms: the shortest expiry that @tick was made for
 */
struct kcr_shared {
	struct kcr_domain domain;
	refcount_t descriptors;
	struct file *region;
	struct kcr_user *user;
	struct delayed_work tick;
	u32 tick_ms;
};

/**
 * struct kcr_descriptor - a descriptor of a domain
 * @shared: the domain, with a reference
 * @access: what may be done, &enum kcr_access
 * @lock: protects the making of @counts
 * @counts: the file behind what user space counts, or NULL
 */
struct kcr_descriptor {
	struct kcr_shared *shared;
	u32 access;
	struct mutex lock; /* of the making of counts */
	struct file *counts;
};

void kcr_shared_put(struct kcr_shared *shared);

#ifdef CONFIG_KCR_TRACK
long kcr_ioctl_tracker(struct kcr_shared *shared, void __user *arg);
#else
static inline long kcr_ioctl_tracker(struct kcr_shared *shared,
				     void __user *arg)
{
	return -ENOIOCTLCMD;
}
#endif

#ifdef CONFIG_KCR_GATE
long kcr_ioctl_gate(struct kcr_shared *shared, void __user *arg);
#else
static inline long kcr_ioctl_gate(struct kcr_shared *shared, void __user *arg)
{
	return -ENOIOCTLCMD;
}
#endif

void kcr_descriptor_show(struct seq_file *m, struct file *file);

extern unsigned long kcr_region_size;
int kcr_settings_init(void);
void kcr_settings_exit(void);

#endif /* _KCR_DEVICE_H */
