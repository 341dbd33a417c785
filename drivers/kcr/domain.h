/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: domains of user space.
 */
#ifndef _KCR_DOMAIN_H
#define _KCR_DOMAIN_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "region.h"

#define KCR_USER_LEARN_TARGET	100
#define KCR_COUNTS_SIZE	(KCR_COUNTS_FUNCTIONS * KCR_COUNTS_LINES * \
			 sizeof(struct kcr_counts))

/**
 * struct kcr_function - a function whose results a domain remembers
 * @identity: what it is, as user space says
 * @name: for people
 * @version: of it
 * @key_max: longest key in bytes
 * @result_max: longest result in bytes
 * @max_entries: most entries at a time, 0 for no limit
 * @learn_target: equal results after which it is reused
 * @learned: equal results so far
 * @expiry_ms: how long an entry is good, 0 for ever
 * @sets: how many tracked sets its keys begin with
 * @state: what may be done with its entries
 */
struct kcr_function {
	u8 identity[KCR_IDENTITY_LEN];
	char name[KCR_NAME_LEN];
	u64 version;
	u32 key_max;
	u32 result_max;
	u32 max_entries;
	u32 learn_target;
	u32 learned;
	u32 expiry_ms;
	u32 sets;
	enum kcr_state state;
};

/**
 * struct kcr_domain - whose results are whose
 * @lock: protects all that follows and the region, for those who write
 * @dead: the last descriptor is gone, and the region is zeroed
 * @region: what user space sees
 * @functions: by number, what they are
 * @nr_functions: how many there are
 * @learn_target: of functions that do not say
 * @expiry_ms: of functions that do not say
 * @min_expiry_ms: the shortest of all functions' that is not 0; 0 if none is
 * @stats: what KCR_IOC_INFO tells
 */
struct kcr_domain {
	struct mutex lock; /* of everything here, for writers */
	bool dead;
	struct kcr_region region;
	struct kcr_function functions[KCR_FUNCTIONS_MAX];
	u32 nr_functions;
	u32 learn_target;
	u32 expiry_ms;
	u32 min_expiry_ms;
	struct kcr_info stats;
};

int kcr_domain_init(struct kcr_domain *domain, void *base, u64 size,
		    const struct kcr_create *create);
void kcr_domain_kill(struct kcr_domain *domain);
void kcr_domain_destroy(struct kcr_domain *domain);
void kcr_domain_tick(struct kcr_domain *domain, u64 ms);
int kcr_domain_register(struct kcr_domain *domain, struct kcr_register *reg,
			bool may_add);
int kcr_domain_store(struct kcr_domain *domain, struct kcr_region_item *item);
u64 kcr_domain_new_stamp(struct kcr_domain *domain);
int kcr_domain_flush(struct kcr_domain *domain, u32 function,
		     enum kcr_state state);
void kcr_domain_info(struct kcr_domain *domain, struct kcr_info *info);
int kcr_domain_function_info(struct kcr_domain *domain,
			     struct kcr_function_info *info);

long kcr_domain_ioctl(struct kcr_domain *domain, u32 access, unsigned int cmd,
		      void __user *arg);
long kcr_ioctl_store(struct kcr_domain *domain, const u64 *set_stamps,
		     void __user *arg);
int kcr_copy_arg(void *to, size_t size, const void __user *arg);
int kcr_check_create(const struct kcr_create *create);

u64 kcr_domain_clock(void);

#endif /* _KCR_DOMAIN_H */
