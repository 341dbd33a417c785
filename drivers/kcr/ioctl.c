// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what user space asks of a domain.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kcr.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <uapi/linux/kcr_track.h>

#include "domain.h"

/* Larger keys and results are copied to allocated memory, in bytes */
#define KCR_ON_STACK	256

/**
 * kcr_copy_arg() - copy a structure that begins with its size
 * @to: gets it
 * @size: what this kernel knows of it
 * @arg: where it is
 *
 * Context: may sleep.
 * Return: 0, -EFAULT, -EINVAL if it is shorter than it ever was, -E2BIG if it has
 * fields that are not known and not zero.
 */
int kcr_copy_arg(void *to, size_t size, const void __user *arg)
{
	u32 their_size;

	if (get_user(their_size, (const u32 __user *)arg))
		return -EFAULT;
	/* All structures are as long as they were at first */
	if (their_size < size || their_size > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(to, size, arg, their_size);
}

/**
 * kcr_check_create() - whether a domain can be what was asked for
 * @create: what was
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int kcr_check_create(const struct kcr_create *create)
{
	if (create->flags)
		return -EINVAL;
	if (create->region_size && !kcr_region_size_valid(create->region_size))
		return -EINVAL;
	return 0;
}

static bool kcr_sets_valid(const struct kcr_register *reg)
{
	if (!reg->sets)
		return true;
	return IS_ENABLED(CONFIG_KCR_TRACK) && reg->sets <= KCR_FUNCTION_SETS_MAX &&
	       reg->key_max >= reg->sets * sizeof(struct kcr_set_key);
}

static long kcr_ioctl_register(struct kcr_domain *domain, u32 access,
			       void __user *arg)
{
	struct kcr_register reg;
	size_t i, len;
	int err;

	err = kcr_copy_arg(&reg, sizeof(reg), arg);
	if (err)
		return err;
	len = strnlen(reg.name, sizeof(reg.name));
	if (reg.flags & ~KCR_REGISTER_PURE || !len || len == sizeof(reg.name) ||
	    reg.key_max > KCR_KEY_MAX || reg.result_max > KCR_RESULT_MAX ||
	    reg.reserved || !kcr_sets_valid(&reg))
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isascii(reg.name[i]) || !isgraph(reg.name[i]))
			return -EINVAL;
	}
	err = kcr_domain_register(domain, &reg, access & KCR_ACCESS_STORE);
	if (err)
		return err;
	return put_user(reg.function,
			&((struct kcr_register __user *)arg)->function);
}

/* Key and result, one after the other, each padded with zeroes */
static int kcr_copy_item(u64 *to, u32 key_words, const struct kcr_entry *entry)
{
	u64 *result = to + key_words;

	if (key_words)
		to[key_words - 1] = 0;
	if (entry->result_len)
		result[DIV_ROUND_UP(entry->result_len, 8) - 1] = 0;
	if (copy_from_user(to, u64_to_user_ptr(entry->key), entry->key_len) ||
	    copy_from_user(result, u64_to_user_ptr(entry->result),
			   entry->result_len))
		return -EFAULT;
	return 0;
}

/* What becomes of an entry; only errors in *@err are the ioctl's */
static int kcr_store_entry(struct kcr_domain *domain,
			   const u64 *set_stamps,
			   const struct kcr_entry *entry, int *err)
{
	u32 key_words = DIV_ROUND_UP(entry->key_len, 8);
	u32 words = key_words + DIV_ROUND_UP(entry->result_len, 8);
	u64 small[KCR_ON_STACK / 8], *copy = small;
	struct kcr_region_item item = {
		.stamp = entry->stamp,
		.function = entry->function,
		.key_len = entry->key_len,
		.result_len = entry->result_len,
		.set_stamps = set_stamps,
	};
	int status = 0;

	if (words > ARRAY_SIZE(small)) {
		copy = kvmalloc_array(words, sizeof(*copy), GFP_KERNEL_ACCOUNT);
		if (!copy) {
			*err = -ENOMEM;
			return 0;
		}
	}
	*err = kcr_copy_item(copy, key_words, entry);
	if (!*err) {
		item.key = copy;
		item.result = copy + key_words;
		status = kcr_domain_store(domain, &item);
	}
	if (copy == small)
		memzero_explicit(small, words * sizeof(*small));
	else
		kvfree_sensitive(copy, words * sizeof(*copy));
	return status;
}

static int kcr_ioctl_store_one(struct kcr_domain *domain,
			       const u64 *set_stamps,
			       struct kcr_entry __user *uentry)
{
	struct kcr_entry entry;
	int status, err;

	if (copy_from_user(&entry, uentry, sizeof(entry)))
		return -EFAULT;
	if (entry.key_len > KCR_KEY_MAX || entry.result_len > KCR_RESULT_MAX)
		return -EINVAL;
	status = kcr_store_entry(domain, set_stamps, &entry, &err);
	if (err)
		return err;
	return put_user(status, &uentry->status);
}

/**
 * kcr_ioctl_store() - KCR_IOC_STORE
 * @domain: the domain
 * @set_stamps: stamps of the tracked sets that may be named, or NULL
 * @arg: its structure
 *
 * Context: may sleep.
 * Return: 0 or an error, see uapi/linux/kcr.h.
 */
long kcr_ioctl_store(struct kcr_domain *domain, const u64 *set_stamps,
		     void __user *arg)
{
	struct kcr_entry __user *entries;
	struct kcr_store store;
	u32 done;
	int err;

	err = kcr_copy_arg(&store, sizeof(store), arg);
	if (err)
		return err;
	if (store.flags || !store.nr || store.nr > KCR_STORE_MAX)
		return -EINVAL;
	entries = u64_to_user_ptr(store.entries);
	for (done = 0; done < store.nr; done++) {
		err = done && signal_pending(current) ? -EINTR :
		      kcr_ioctl_store_one(domain, set_stamps, &entries[done]);
		if (err)
			break;
		cond_resched();
	}
	if (put_user(done, &((struct kcr_store __user *)arg)->done))
		return -EFAULT;
	return err;
}

static long kcr_ioctl_flush(struct kcr_domain *domain, void __user *arg)
{
	struct kcr_flush flush;
	int err;

	err = kcr_copy_arg(&flush, sizeof(flush), arg);
	if (err)
		return err;
	if (flush.flags || flush.state > KCR_STATE_REJECTED)
		return -EINVAL;
	return kcr_domain_flush(domain, flush.function, flush.state);
}

static long kcr_ioctl_info(struct kcr_domain *domain, u32 access,
			   void __user *arg)
{
	struct kcr_info info, out;
	int err;

	err = kcr_copy_arg(&info, sizeof(info), arg);
	if (err)
		return err;
	kcr_domain_info(domain, &out);
	out.size = info.size;
	out.access = access;
	out.counts_size = KCR_COUNTS_SIZE;
	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static long kcr_ioctl_function(struct kcr_domain *domain, void __user *arg)
{
	struct kcr_function_info info;
	int err;

	err = kcr_copy_arg(&info, sizeof(info), arg);
	if (err)
		return err;
	err = kcr_domain_function_info(domain, &info);
	if (err)
		return err;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/**
 * kcr_domain_ioctl() - do what user space asks of a domain
 * @domain: the domain
 * @access: what the descriptor may do
 * @cmd: what is asked
 * @arg: its structure
 *
 * Context: may sleep.
 * Return: 0 or an error, see uapi/linux/kcr.h; -ENOIOCTLCMD if @cmd is not known.
 */
long kcr_domain_ioctl(struct kcr_domain *domain, u32 access, unsigned int cmd,
		      void __user *arg)
{
	switch (cmd) {
	case KCR_IOC_REGISTER:
		return kcr_ioctl_register(domain, access, arg);
	case KCR_IOC_INFO:
		return kcr_ioctl_info(domain, access, arg);
	case KCR_IOC_FUNCTION:
		return kcr_ioctl_function(domain, arg);
	case KCR_IOC_STORE:
	case KCR_IOC_FLUSH:
		if (!(access & KCR_ACCESS_STORE))
			return -EACCES;
		if (!kcr_is_enabled())
			return -EOPNOTSUPP;
		return cmd == KCR_IOC_STORE ? kcr_ioctl_store(domain, NULL, arg) :
					      kcr_ioctl_flush(domain, arg);
	default:
		return -ENOIOCTLCMD;
	}
}
