// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: functions.
 */
#include "region.h"
#include "track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KCR_AUDIT_INTERVAL 1024
/* A function's expiry and its pace are 32 bits: no longer interval */
#define KCR_AUDIT_MAX (1U << 30)

static const struct kcr_region_function kcr_nowhere = { .state = KCR_STATE_NONE };
static const struct kcr_region_function kcr_distrusted = { .state = KCR_STATE_REJECTED };

/* Stands in for NULL, and where there is not even memory for a function */
struct kcr_function kcr_nothing = {
	.shared = &kcr_nowhere,
	.counts = kcr_nothing.private_counts,
	.status = -ENOMEM,
};

/* kcr_function_distrust() - do not reuse it any more in this process */
void kcr_function_distrust(struct kcr_function *f)
{
	__atomic_store_n(&f->shared, &kcr_distrusted, __ATOMIC_RELEASE);
}

static const struct kcr_region_function *kcr_function_home(const struct kcr_function *f)
{
	const void *functions = f->domain->region + f->domain->header.functions_offset;

	return (const struct kcr_region_function *)functions + f->number;
}

/* Where names are hashed it is no secret how: who may store is trusted */
static void kcr_hash_identity(void *identity, const void *data, size_t len)
{
	uint64_t part;
	size_t i;

	for (i = 0; i < KCR_IDENTITY_BYTES / sizeof(part); i++) {
		part = kcr_hash(data, len, i + 1);
		memcpy((char *)identity + i * sizeof(part), &part, sizeof(part));
	}
}

/* The kernel takes what is printable and no space */
static void kcr_copy_name(char *to, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i < KCR_NAME_LEN - 1; i++)
		to[i] = name[i];
	to[i] = '\0';
	for (i = 0; to[i]; i++) {
		if (to[i] <= ' ' || to[i] > '~')
			to[i] = '_';
	}
}

/**
 * kcr_function_register() - find a function in a domain, or add it
 * @domain: the domain
 * @o: what it is, complete
 * @number: out: its number
 *
 * Context: process; makes a system call.
 * Return: 0 or a negative errno.
 */
int kcr_function_register(const struct kcr_domain *domain, const struct kcr_function_options *o,
			  uint32_t *number)
{
	struct kcr_register reg = {
		.size = sizeof(reg),
		.flags = o->flags & KCR_PURE ? KCR_REGISTER_PURE : 0,
		.version = o->version,
		.key_max = o->key_max,
		.result_max = o->result_max,
		.max_entries = o->max_entries,
		.learn_target = o->learn_target,
		.expiry_ms = o->expiry_ms,
		.sets = o->sets,
	};
	int err;

	if (load_relaxed(&domain->quiet))
		return -EPERM;
	kcr_copy_name(reg.name, o->name);
	if (o->identity)
		memcpy(reg.identity, o->identity, sizeof(reg.identity));
	else
		kcr_hash_identity(reg.identity, o->name, strlen(o->name));
	err = kcr_domain_ioctl(domain, KCR_IOC_REGISTER, &reg);
	if (err < 0)
		return err;
	*number = reg.function;
	return reg.function < domain->header.nr_functions ? 0 : -EPROTO;
}

/* All that a lookup needs */
static int kcr_function_attach(struct kcr_function *f)
{
	const struct kcr_domain *domain = f->domain;
	const struct kcr_region_header *h = &domain->header;
	unsigned int i;

	f->tag_mask = h->nr_slots - 1;
	f->tags = calloc(h->nr_slots, sizeof(*f->tags));
	if (!f->tags)
		return -ENOMEM;
	f->region = domain->region;
	f->index = (const void *)(domain->region + h->index_offset);
	f->index_mask = h->index_mask;
	f->slots = (const void *)(domain->region + h->slots_offset);
	f->nr_slots = h->nr_slots;
	f->head = (uint64_t)f->number << 16;
	memcpy(f->secrets, h->secrets, sizeof(f->secrets));
	for (i = 0; i < KCR_PAIRS; i++) {
		f->zeroes[0][i] = kcr_fold_zeroes(f->secrets, i, 1);
		f->zeroes[1][i] = kcr_fold_zeroes(f->secrets, i, 2);
		f->zeroes[2][i] = kcr_fold_zeroes(f->secrets, i, KCR_PAIRS);
	}
	if (domain->counts && f->number < KCR_COUNTS_FUNCTIONS)
		f->counts = &domain->counts[f->number * KCR_COUNTS_LINES];
	f->shared = kcr_function_home(f);
	return 0;
}

/* One more than the longest key of a class of that many bytes, 0 if it has none */
static uint32_t kcr_keys_below(const struct kcr_function *f, uint32_t bytes)
{
	if (f->result_max > bytes)
		return 0;
	return (f->key_max < bytes ? f->key_max : bytes) + 1;
}

static int kcr_function_init(struct kcr_function *f, const struct kcr_function_options *options)
{
	struct kcr_function_options o = { 0 };
	int err;

	if (options)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (!o.name || !o.name[0] || o.key_max > KCR_KEY_MAX || o.result_max > KCR_RESULT_MAX ||
	    o.flags & ~(uint32_t)(KCR_PURE | KCR_ALWAYS) || o.overhead > INT32_MAX ||
	    o.sets > KCR_FUNCTION_SETS_MAX || o.reserved ||
	    o.key_max < o.sets * sizeof(struct kcr_tracked_key))
		return -EINVAL;
	if (f->domain->status)
		return f->domain->status;
	f->key_max = o.key_max;
	f->result_max = o.result_max;
	f->below_16 = kcr_keys_below(f, 16);
	f->below_32 = kcr_keys_below(f, 32);
	f->below_80 = kcr_keys_below(f, 80);
	f->always = o.flags & KCR_ALWAYS;
	f->overhead = o.overhead;
	f->sets = o.sets;
	f->audit_interval = o.audit_interval ? o.audit_interval : KCR_AUDIT_INTERVAL;
	if (o.audit_interval == KCR_NO_AUDIT)
		f->audit_interval = 0;
	else if (f->audit_interval > KCR_AUDIT_MAX)
		f->audit_interval = KCR_AUDIT_MAX;
	err = kcr_function_register(f->domain, &o, &f->number);
	return err ? err : kcr_function_attach(f);
}

struct kcr_function *kcr_function_create(struct kcr_domain *domain,
					 const struct kcr_function_options *options)
{
	struct kcr_function *f;
	int saved = errno;
	uint32_t nr;

	f = aligned_alloc(KCR_CACHE_LINE, sizeof(*f));
	if (!f) {
		errno = saved;
		return &kcr_nothing;
	}
	memset(f, 0, sizeof(*f));
	f->shared = &kcr_nowhere;
	f->counts = f->private_counts;
	f->domain = kcr_domain_get(domain);
	f->status = kcr_function_init(f, options);
	for (nr = 0; nr < KCR_LINES; nr++)
		f->lines[nr].random = nr * 0x9e3779b9 + f->number;
	kcr_profit_reset(f);
	errno = saved;
	return f;
}

void kcr_function_destroy(struct kcr_function *f)
{
	if (!f || f == &kcr_nothing)
		return;
	kcr_domain_put(f->domain);
	free(f->tags);
	free(f);
}

int kcr_function_status(const struct kcr_function *f, const char **text)
{
	int status = f ? f->status : -EBADF;

	if (!status && READ_ONCE(load_relaxed(&f->shared)->state) == KCR_STATE_REJECTED)
		status = -EBADMSG;
	if (text)
		*text = kcr_status_text(status);
	return status;
}

int kcr_function_flush(struct kcr_function *f, int relearn)
{
	struct kcr_flush flush = {
		.size = sizeof(flush),
		.state = relearn ? KCR_STATE_LEARN : KCR_STATE_NONE,
	};
	int err;

	if (!f || f->status)
		return -EBADF;
	if (load_relaxed(&f->domain->quiet))
		return -EPERM;
	flush.function = f->number;
	err = kcr_domain_ioctl(f->domain, KCR_IOC_FLUSH, &flush);
	if (!err && relearn) {
		__atomic_store_n(&f->shared, kcr_function_home(f), __ATOMIC_RELEASE);
		kcr_profit_reset(f);
	}
	return err;
}

int kcr_function_get_stats(const struct kcr_function *f, struct kcr_function_stats *stats)
{
	size_t size = stats->size;
	uint32_t nr;

	if (size < sizeof(*stats))
		return -EINVAL;
	if (!f)
		f = &kcr_nothing;
	*stats = (struct kcr_function_stats){
		.size = size,
		.state = READ_ONCE(load_relaxed(&f->shared)->state),
		.number = f->number,
	};
	for (nr = 0; nr < KCR_LINES; nr++) {
		const struct kcr_counts *c = &f->counts[nr];
		int32_t pace = load_relaxed(&f->lines[nr].pace);

		stats->hits += load_relaxed(&c->hits);
		stats->misses += load_relaxed(&c->misses);
		stats->bypassed += load_relaxed(&c->bypassed);
		/* They are counted when they begin */
		if (pace < 0 && !f->status)
			stats->bypassed += pace;
		stats->audits += load_relaxed(&c->audits);
		stats->learned += load_relaxed(&c->learned);
		stats->failed += load_relaxed(&c->failed);
		stats->saved += load_relaxed(&c->saved);
	}
	return 0;
}
