// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what a domain knows of its functions.
 *
 * A function is not believed to be one. In learn mode user space computes every
 * time and hands in what it got; where the key is remembered, the results are
 * compared here, and after enough equal ones the function is reused. One that
 * differs rejects the function, then or later in an audit: that function, in that
 * domain.
 */
#include <linux/errno.h>
#include <linux/kcr.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/string.h>

#include <uapi/linux/kcr_track.h>

#include "domain.h"

/**
 * kcr_domain_init() - make a domain without functions
 * @domain: the domain
 * @base: zeroed memory for the region, of which it does not become the owner
 * @size: its length, kcr_region_size_valid()
 * @create: what was asked for
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kcr_domain_init(struct kcr_domain *domain, void *base, u64 size,
		    const struct kcr_create *create)
{
	mutex_init(&domain->lock);
	domain->dead = false;
	domain->nr_functions = 0;
	domain->learn_target = create->learn_target ?: KCR_USER_LEARN_TARGET;
	domain->expiry_ms = create->expiry_ms;
	domain->min_expiry_ms = 0;
	memset(&domain->stats, 0, sizeof(domain->stats));
	return kcr_region_init(&domain->region, base, size);
}

/**
 * kcr_domain_kill() - forget everything, for good
 * @domain: the domain
 *
 * Context: may sleep. Nobody may use a descriptor of it any more; the region may
 * still be mapped.
 */
void kcr_domain_kill(struct kcr_domain *domain)
{
	mutex_lock(&domain->lock);
	domain->dead = true;
	kcr_region_kill(&domain->region);
	memset(domain->functions, 0, sizeof(domain->functions));
	domain->nr_functions = 0;
	domain->min_expiry_ms = 0;
	mutex_unlock(&domain->lock);
}

/**
 * kcr_domain_destroy() - free what kcr_domain_init() has allocated
 * @domain: the domain
 *
 * Context: may sleep.
 */
void kcr_domain_destroy(struct kcr_domain *domain)
{
	kcr_region_free(&domain->region);
	mutex_destroy(&domain->lock);
}

/**
 * kcr_domain_tick() - tell a domain the time
 * @domain: the domain
 * @ms: what kcr_domain_clock() says
 *
 * Context: may sleep.
 */
void kcr_domain_tick(struct kcr_domain *domain, u64 ms)
{
	mutex_lock(&domain->lock);
	if (!domain->dead)
		kcr_region_set_clock(&domain->region, ms);
	mutex_unlock(&domain->lock);
}

static bool kcr_function_is(const struct kcr_function *f,
			    const struct kcr_register *reg)
{
	return !memcmp(f->identity, reg->identity, sizeof(f->identity)) &&
	       f->version == reg->version && f->key_max == reg->key_max &&
	       f->result_max == reg->result_max && f->sets == reg->sets;
}

static void kcr_function_add(struct kcr_domain *domain,
			     const struct kcr_register *reg)
{
	struct kcr_function *f = &domain->functions[domain->nr_functions];

	memcpy(f->identity, reg->identity, sizeof(f->identity));
	strscpy_pad(f->name, reg->name, sizeof(f->name));
	f->version = reg->version;
	f->key_max = reg->key_max;
	f->result_max = reg->result_max;
	f->max_entries = reg->max_entries;
	f->sets = reg->sets;
	f->learn_target = reg->learn_target ?: domain->learn_target;
	f->learned = 0;
	f->expiry_ms = reg->expiry_ms ?: domain->expiry_ms;
	f->state = reg->flags & KCR_REGISTER_PURE ? KCR_STATE_REUSE :
						    KCR_STATE_LEARN;
	if (f->expiry_ms && (!domain->min_expiry_ms ||
			     f->expiry_ms < domain->min_expiry_ms))
		domain->min_expiry_ms = f->expiry_ms;
	kcr_region_set_clock(&domain->region, kcr_domain_clock());
	kcr_region_set_function(&domain->region, domain->nr_functions, f->state,
				f->expiry_ms);
}

/**
 * kcr_domain_register() - find or add a function
 * @domain: the domain
 * @reg: what user space says of it; gets the number
 * @may_add: whether it may be added
 *
 * Context: may sleep.
 * Return: 0, -ENOENT if there is none and it may not be added, -ENOSPC if there
 * are as many as there can be.
 */
int kcr_domain_register(struct kcr_domain *domain, struct kcr_register *reg,
			bool may_add)
{
	int err = 0;
	u32 i;

	mutex_lock(&domain->lock);
	for (i = 0; i < domain->nr_functions; i++) {
		if (kcr_function_is(&domain->functions[i], reg))
			break;
	}
	if (i == domain->nr_functions) {
		if (!may_add) {
			err = -ENOENT;
		} else if (i == KCR_FUNCTIONS_MAX) {
			err = -ENOSPC;
		} else {
			kcr_function_add(domain, reg);
			domain->nr_functions++;
		}
	}
	reg->function = i;
	mutex_unlock(&domain->lock);
	return err;
}

static void kcr_function_set_state(struct kcr_domain *domain, u32 function,
				   enum kcr_state state)
{
	struct kcr_function *f = &domain->functions[function];

	f->state = state;
	kcr_region_set_function(&domain->region, function, state, f->expiry_ms);
}

static void kcr_function_reject(struct kcr_domain *domain, u32 function)
{
	struct kcr_function *f = &domain->functions[function];

	kcr_function_set_state(domain, function, KCR_STATE_REJECTED);
	kcr_region_flush(&domain->region, function);
	domain->stats.rejected++;
	/* One user's impure function is not worth more than a line now and then */
	pr_info_ratelimited("kcr: domain %llu: %s gave different results for equal inputs: rejected\n",
			    domain->stats.domain, f->name);
}

/* Whether all sets that a key begins with are as they were when computing began */
static int kcr_check_sets(const struct kcr_region_item *item, u32 sets)
{
	const struct kcr_set_key *key = (const struct kcr_set_key *)item->key;
	u32 i;

	if (!item->set_stamps || item->key_len < sets * sizeof(*key))
		return -EINVAL;
	for (i = 0; i < sets; i++) {
		if (key[i].set >= KCR_SETS_MAX || key[i].reserved)
			return -EINVAL;
		if (!key[i].stamp ||
		    key[i].stamp != READ_ONCE(item->set_stamps[key[i].set]))
			return -ESTALE;
	}
	return 0;
}

static int kcr_function_store(struct kcr_domain *domain,
			      struct kcr_region_item *item)
{
	struct kcr_function *f = &domain->functions[item->function];
	int ret = 0;

	if (item->key_len > f->key_max || item->result_len > f->result_max)
		return -E2BIG;
	if (f->state == KCR_STATE_REJECTED)
		return -EPERM;
	if (!item->stamp ||
	    item->stamp != domain->region.functions[item->function].stamp)
		return -ESTALE;
	if (f->sets)
		ret = kcr_check_sets(item, f->sets);
	if (ret)
		return ret;
	item->result_max = f->result_max;
	item->max_entries = f->max_entries;
	ret = kcr_region_store(&domain->region, item);
	if (ret == -EBADMSG)
		kcr_function_reject(domain, item->function);
	if (ret == KCR_STORED_EQUAL && f->state == KCR_STATE_LEARN &&
	    ++f->learned >= f->learn_target)
		kcr_function_set_state(domain, item->function, KCR_STATE_REUSE);
	return ret;
}

/**
 * kcr_domain_store() - remember a result, or compare it with what is remembered
 * @domain: the domain
 * @item: the result; @item->result_max and @item->max_entries need not be set
 *
 * Context: may sleep.
 * Return: what &struct kcr_entry.status says, or -ENOENT if there is no such
 * function.
 */
int kcr_domain_store(struct kcr_domain *domain, struct kcr_region_item *item)
{
	int ret = -ENOENT;

	mutex_lock(&domain->lock);
	if (item->function < domain->nr_functions) {
		kcr_region_set_clock(&domain->region, kcr_domain_clock());
		ret = kcr_function_store(domain, item);
	}
	switch (ret) {
	case KCR_STORED_NEW:
		domain->stats.stored++;
		break;
	case KCR_STORED_EQUAL:
		domain->stats.equal++;
		break;
	case KCR_STORED_REFUSED:
	case -EDQUOT:
	case -E2BIG:
		domain->stats.refused++;
		break;
	case -ESTALE:
		domain->stats.stale++;
		break;
	}
	mutex_unlock(&domain->lock);
	return ret;
}

/**
 * kcr_domain_new_stamp() - a stamp that nothing in a domain has had
 * @domain: the domain
 *
 * Context: may sleep.
 * Return: the stamp, never 0.
 */
u64 kcr_domain_new_stamp(struct kcr_domain *domain)
{
	u64 stamp;

	mutex_lock(&domain->lock);
	stamp = domain->region.next_stamp++;
	mutex_unlock(&domain->lock);
	return stamp;
}

/**
 * kcr_domain_flush() - forget results
 * @domain: the domain
 * @function: of this function, or KCR_ALL_FUNCTIONS
 * @state: its state from then on, KCR_STATE_NONE to leave it
 *
 * Context: may sleep.
 * Return: 0 or -ENOENT if there is no such function.
 */
int kcr_domain_flush(struct kcr_domain *domain, u32 function,
		     enum kcr_state state)
{
	u32 i, first = function, last = function;
	int err = 0;

	mutex_lock(&domain->lock);
	if (function == KCR_ALL_FUNCTIONS) {
		first = 0;
		last = domain->nr_functions - 1;
	} else if (function >= domain->nr_functions) {
		err = -ENOENT;
		goto out;
	}
	for (i = first; i <= last && i < domain->nr_functions; i++) {
		if (state == KCR_STATE_LEARN)
			domain->functions[i].learned = 0;
		if (state != KCR_STATE_NONE)
			kcr_function_set_state(domain, i, state);
		kcr_region_flush(&domain->region, i);
	}
	domain->stats.flushes++;
out:
	mutex_unlock(&domain->lock);
	return err;
}

/**
 * kcr_domain_info() - a domain's statistics
 * @domain: the domain
 * @info: gets all but what depends on the descriptor
 *
 * Context: may sleep.
 */
void kcr_domain_info(struct kcr_domain *domain, struct kcr_info *info)
{
	mutex_lock(&domain->lock);
	*info = domain->stats;
	info->region_size = domain->region.size;
	info->functions = domain->nr_functions;
	info->entries = domain->region.entries;
	info->blob_bytes = domain->region.blob_bytes;
	info->evicted = domain->region.evicted;
	mutex_unlock(&domain->lock);
}

/**
 * kcr_domain_function_info() - a function's statistics
 * @domain: the domain
 * @info: with @info->function; gets the rest
 *
 * Context: may sleep.
 * Return: 0 or -ENOENT if there is no such function.
 */
int kcr_domain_function_info(struct kcr_domain *domain,
			     struct kcr_function_info *info)
{
	const struct kcr_function *f;
	int err = -ENOENT;

	mutex_lock(&domain->lock);
	if (info->function < domain->nr_functions) {
		f = &domain->functions[info->function];
		memcpy(info->identity, f->identity, sizeof(info->identity));
		memcpy(info->name, f->name, sizeof(info->name));
		info->version = f->version;
		info->key_max = f->key_max;
		info->result_max = f->result_max;
		info->max_entries = f->max_entries;
		info->learn_target = f->learn_target;
		info->expiry_ms = f->expiry_ms;
		info->state = f->state;
		info->learned = f->learned;
		info->sets = f->sets;
		info->reserved = 0;
		info->entries = domain->region.entries_of[info->function];
		err = 0;
	}
	mutex_unlock(&domain->lock);
	return err;
}
