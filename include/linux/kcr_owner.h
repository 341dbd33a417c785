/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what is embedded into objects that own results.
 *
 * Apart from the rest because headers that everybody includes embed it.
 */
#ifndef _LINUX_KCR_OWNER_H
#define _LINUX_KCR_OWNER_H

#include <linux/types.h>

/**
 * struct kcr_owner - whatever the validity of a result hangs on
 * @stamp: names the owner at a moment; never reused within a boot, 0 means
 *	that nothing may be reused or stored
 * @stored: entries may exist under the current stamp, so that a sweep has
 *	something to look for
 *
 * Embedded into the object that owns results (a keyed transform, ...).
 * Whatever copies an owner must give the copy a new stamp with
 * kcr_owner_init() or leave it at 0. The owner must outlive every query
 * begun on it, and kcr_owner_kill() must be called before it is freed.
 */
struct kcr_owner {
	u64 stamp;
	u32 stored;
};

#endif /* _LINUX_KCR_OWNER_H */
