// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what a user may take.
 *
 * The memory is charged to memory control groups as well; this keeps one user
 * from taking all of it where there is none.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "memory.h"

static unsigned int max_domains = 256;
module_param(max_domains, uint, 0644);
MODULE_PARM_DESC(max_domains, "domains that a user may have at a time");

static unsigned long max_memory = 1UL << 30;
module_param(max_memory, ulong, 0644);
MODULE_PARM_DESC(max_memory, "bytes that a user's domains may take");

/* A user who has domains; protected by kcr_users_lock */
struct kcr_user {
	struct list_head node;
	kuid_t uid;
	u32 domains;
	u64 bytes;
};

static DEFINE_MUTEX(kcr_users_lock);
static LIST_HEAD(kcr_users);

static struct kcr_user *kcr_user_find(kuid_t uid)
{
	struct kcr_user *user;

	lockdep_assert_held(&kcr_users_lock);
	list_for_each_entry(user, &kcr_users, node) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->uid = uid;
	list_add(&user->node, &kcr_users);
	return user;
}

static void kcr_user_release(struct kcr_user *user)
{
	lockdep_assert_held(&kcr_users_lock);
	if (!user->domains && !user->bytes) {
		list_del(&user->node);
		kfree(user);
	}
}

/**
 * kcr_user_get() - count something against the limits of the current user
 * @domains: how many domains
 * @bytes: how much memory
 *
 * Context: may sleep.
 * Return: the user, for kcr_user_put() of the same, or an error pointer: -ENOMEM,
 * -EDQUOT if a limit is reached.
 */
struct kcr_user *kcr_user_get(u32 domains, u64 bytes)
{
	struct kcr_user *user;

	mutex_lock(&kcr_users_lock);
	user = kcr_user_find(current_uid());
	if (IS_ERR(user))
		goto out;
	if ((domains && user->domains + domains > READ_ONCE(max_domains)) ||
	    (bytes && user->bytes + bytes > READ_ONCE(max_memory))) {
		kcr_user_release(user);
		user = ERR_PTR(-EDQUOT);
		goto out;
	}
	user->domains += domains;
	user->bytes += bytes;
out:
	mutex_unlock(&kcr_users_lock);
	return user;
}

/**
 * kcr_user_put() - give back what kcr_user_get() counted
 * @user: what it returned
 * @domains: as then
 * @bytes: as then
 *
 * Context: may sleep.
 */
void kcr_user_put(struct kcr_user *user, u32 domains, u64 bytes)
{
	mutex_lock(&kcr_users_lock);
	user->domains -= domains;
	user->bytes -= bytes;
	kcr_user_release(user);
	mutex_unlock(&kcr_users_lock);
}
