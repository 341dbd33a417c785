/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: remember the results of deterministic
 * computations and hand them back instead of computing them again.
 *
 * See Documentation/core-api/kcr.rst for the design.
 */
#ifndef _LINUX_KCR_H
#define _LINUX_KCR_H

#include <asm/barrier.h>
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/rmwcc.h>
#endif
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/kcr_types.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

struct kobject;

static inline u32 kcr_body_len(const struct kcr_query *q)
{
	return q->head >> KCR_HEAD_BODY_SHIFT;
}

static inline u8 kcr_side_len(const struct kcr_query *q)
{
	return q->head >> KCR_HEAD_SIDE_SHIFT;
}

#ifdef CONFIG_KCR

DECLARE_STATIC_KEY_FALSE(kcr_enabled_key);

/* /sys/kernel/kcr */
extern struct kobject *kcr_kobj;

/**
 * kcr_is_enabled() - whether reuse is enabled at all
 *
 * Context: any.
 * Return: true if the kcr_enable parameter is set and KCR has initialised.
 */
static __always_inline bool kcr_is_enabled(void)
{
	return static_branch_likely(&kcr_enabled_key);
}

int kcr_init(void);
void kcr_exit(void);

void kcr_owner_init(struct kcr_owner *owner);
void kcr_owner_renew(struct kcr_owner *owner);
void kcr_owner_kill(struct kcr_owner *owner);

int kcr_site_register(struct kcr_site *site);
void kcr_site_unregister(struct kcr_site *site);
int kcr_site_arm(struct kcr_site *site);

int kcr_call(struct kcr_site *site, struct kcr_owner *owner,
	     const struct kcr_call *call);
void kcr_object_put(struct kcr_object *object);

u64 kcr_compute_fingerprint(const void *data, size_t len, u64 seed);
u64 kcr_crypto_fingerprint(const struct kcr_query *q);

u64 kcr_clock(void);
void __kcr_query_begin(struct kcr_query *q);
bool kcr_lookup_unified(struct kcr_query *q);
bool kcr_lookup_64(struct kcr_query *q);
bool kcr_lookup_16(struct kcr_query *q);
int kcr_store_result(struct kcr_query *q);
int kcr_verify_deterministic(struct kcr_query *q);
void __kcr_compute_stop(struct kcr_query *q);
void __kcr_query_end(struct kcr_query *q, bool hit);

/**
 * KCR_GLOBAL_SITE() - define a site that is in use from boot on, with one owner
 * @_name: of the site; kcr_<name>_key, _site and _owner are called after it
 *
 * For results that nothing ever invalidates, or whatever invalidates one
 * invalidates them all.
 */
#define KCR_GLOBAL_SITE(_name)						\
	DEFINE_STATIC_KEY_FALSE(kcr_##_name##_key);			\
	static struct kcr_owner kcr_##_name##_owner;			\
	static struct kcr_site kcr_##_name##_site = {			\
		.name = #_name,						\
		.key = &kcr_##_name##_key,				\
		.automatic = true,					\
	};								\
	static int __init kcr_##_name##_init(void)			\
	{								\
		kcr_owner_init(&kcr_##_name##_owner);			\
		return kcr_site_register(&kcr_##_name##_site);		\
	}								\
	subsys_initcall(kcr_##_name##_init)

/**
 * kcr_site_count() - count an event of a site
 * @site: the site
 * @counter: which one
 * @n: by how much
 *
 * Context: any.
 */
static inline void kcr_site_count(struct kcr_site *site,
				  enum kcr_counter counter, u64 n)
{
	this_cpu_add(site->stats->c[counter], n);
}

/* A request's size as profit is accounted: the power of two that it has reached */
static __always_inline unsigned long kcr_size(u32 body_len)
{
	return __fls(body_len | 1);
}

/*
 * Count a per-CPU counter up; true if it still is negative. A count may be lost
 * to an interrupt, or be made on the CPU before last: that decides about when a
 * request is looked at, not about what it gets.
 */
static __always_inline bool kcr_inc_negative(s32 __percpu *counter)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	/* One instruction and a branch; it is most of what a bypass costs */
	return GEN_UNARY_RMWcc("incl", *__my_cpu_ptr(counter), s,
			       __percpu_arg([var]));
#else
	return raw_cpu_inc_return(*counter) < 0;
#endif
}

/* Count a per-CPU counter down; true if it is zero then */
static __always_inline bool kcr_dec_zero(u32 __percpu *counter)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
	return GEN_UNARY_RMWcc("decl", *__my_cpu_ptr(counter), e,
			       __percpu_arg([var]));
#else
	return !raw_cpu_dec_return(*counter);
#endif
}

/**
 * kcr_should_cache() - whether reuse is worth trying for a request
 * @site: the site
 * @body_len: bytes of body
 *
 * Part of a site's gate, to be asked once for each request. Where requests of
 * this size were found not to pay on this CPU, counts up to the next time that
 * they are given a chance.
 *
 * Context: any.
 * Return: false if the request is to be computed without further ado.
 */
static __always_inline bool kcr_should_cache(const struct kcr_site *site,
					     u32 body_len)
{
	return likely(!kcr_inc_negative(&site->stats->pace[kcr_size(body_len)]));
}

/**
 * kcr_should_cache_size() - kcr_should_cache() if the size is known
 * @site: the site
 * @size: what kcr_size() says of the request, less than KCR_NR_PACES
 *
 * Context: any.
 * Return: as kcr_should_cache().
 */
static __always_inline bool kcr_should_cache_size(const struct kcr_site *site,
						  unsigned long size)
{
	return likely(!kcr_inc_negative(&site->stats->pace[size]));
}

/**
 * kcr_wants_result() - whether the result of a miss may be remembered
 * @q: the query that missed
 *
 * If not, the site need not take a copy of the input, nor call
 * kcr_store_result().
 *
 * Context: any.
 * Return: true if kcr_store_result() should be called.
 */
static inline bool kcr_wants_result(const struct kcr_query *q)
{
	return !(q->flags & KCR_QUERY_DROP);
}

/* Zero what a key of @len bytes leaves of @words words; the last may be partial */
static __always_inline void kcr_zero_key(struct kcr_query *q, u32 len,
					 unsigned int words)
{
	unsigned int i;

	/* A word or two, if any: WRITE_ONCE() keeps it from becoming a memset() */
	for (i = len / 8; i < words; i++)
		WRITE_ONCE(q->key[i], 0);
}

#ifdef CONFIG_KCR_ENCRYPTION
const struct kcr_cipher *kcr_process_cipher(void);

static __always_inline void kcr_begin_cipher(struct kcr_query *q)
{
	q->cipher = q->site->secret ? kcr_process_cipher() : NULL;
}
#else
static __always_inline void kcr_begin_cipher(struct kcr_query *q) { }
#endif

static __always_inline void kcr_begin_head(struct kcr_query *q, u64 head,
					   enum kcr_class size_class)
{
	q->size_class = size_class;
	q->head = q->site->head | head | size_class << KCR_HEAD_CLASS_SHIFT;
	q->start = 0;
	kcr_begin_cipher(q);
	if (unlikely(kcr_dec_zero(&q->site->stats->until_sample)))
		__kcr_query_begin(q);
}

/* The end of kcr_query_begin(), by class, so that it is a constant in each */
static __always_inline int kcr_begin_class(struct kcr_query *q,
					   const struct kcr_shape *shape,
					   enum kcr_class size_class)
{
	kcr_begin_head(q, (u64)shape->body_len << KCR_HEAD_BODY_SHIFT |
			  shape->side_len << KCR_HEAD_SIDE_SHIFT | shape->param,
		       size_class);
	return size_class;
}

/**
 * kcr_begin_inline() - begin a request of which the class is known
 * @q: the query, with @site, @owner, @stamp (not 0) and the whole key
 * @size: by which requests are told apart when profit is accounted; part of
 *	the key
 * @size_class: not KCR_CLASS_BLOB
 *
 * Instead of kcr_query_begin(), where every instruction counts.
 *
 * Context: any.
 */
static __always_inline void kcr_begin_inline(struct kcr_query *q, u32 size,
					     enum kcr_class size_class)
{
	kcr_begin_head(q, (u64)size << KCR_HEAD_BODY_SHIFT, size_class);
}

/**
 * kcr_query_begin() - begin a request
 * @q: the query, which need not be initialised
 * @site: the site
 * @owner: the owner of the result
 * @shape: lengths and parameters
 *
 * Takes the owner's stamp: whatever invalidates the owner from now on keeps
 * the result from being stored. After success the site fills in the key: if
 * @q->size_class is KCR_CLASS_BLOB, the side goes to @q->key, @q->body points to
 * the body, and @q->bulk to where the bulk is wanted; otherwise side and body
 * follow each other in @q->key. What they do not fill of it is zero.
 *
 * Context: any.
 * Return: &enum kcr_class, also in @q->size_class, or if this request is not for
 * reuse and is to be computed, -EOPNOTSUPP if the owner has opted out or -E2BIG
 * if it is too large.
 */
static __always_inline int kcr_query_begin(struct kcr_query *q,
					   struct kcr_site *site,
					   struct kcr_owner *owner,
					   const struct kcr_shape *shape)
{
	u32 key_len = shape->side_len + shape->body_len;
	u32 res_len = shape->small_len + shape->bulk_len;
	u32 len = max(key_len, res_len);

	/* Pairs with the xchg() in kcr_owner_restamp(): a new stamp, a new key */
	q->stamp = smp_load_acquire(&owner->stamp);
	if (unlikely(!q->stamp)) {
		kcr_site_count(site, KCR_PASSED, 1);
		return -EOPNOTSUPP;
	}
	q->site = site;
	q->owner = owner;
	if (likely(len > 32 && len <= KCR_INLINE_MAX)) {
		kcr_zero_key(q, key_len, KCR_INLINE_WORDS);
		return kcr_begin_class(q, shape, KCR_CLASS_64);
	}
	if (len <= 32) {
		kcr_zero_key(q, key_len, 4);
		return kcr_begin_class(q, shape, len > 16 ? KCR_CLASS_32 : KCR_CLASS_16);
	}
	if (max(shape->body_len, shape->bulk_len) > site->max_body) {
		kcr_site_count(site, KCR_MISS_TOO_LARGE, 1);
		return -E2BIG;
	}
	kcr_zero_key(q, shape->side_len, KCR_SIDE_MAX / 8);
	q->bulk_len = shape->bulk_len;
	q->small_len = shape->small_len;
	q->owned_body = NULL;
	q->owned_bulk = NULL;
	q->object = NULL;
	return kcr_begin_class(q, shape, KCR_CLASS_BLOB);
}

/**
 * kcr_query_end_inline() - kcr_query_end() of a query that is not out of line
 * @q: the query
 * @hit: whether a remembered result was handed out
 *
 * Context: any.
 */
static __always_inline void kcr_query_end_inline(struct kcr_query *q, bool hit)
{
	if (unlikely(q->start))
		__kcr_query_end(q, hit);
}

/**
 * kcr_query_abandon() - end a request that was not looked up after all
 * @q: the query
 *
 * Context: any short of NMI.
 */
static inline void kcr_query_abandon(struct kcr_query *q)
{
	kcr_site_count(q->site, KCR_PASSED, 1);
	q->start = 0;
	if (q->size_class == KCR_CLASS_BLOB)
		__kcr_query_end(q, false);
}

/**
 * kcr_query_end() - end a request: free what it still owns, account its cost
 * @q: the query
 * @hit: whether a remembered result was handed out
 *
 * Context: any short of NMI.
 */
static __always_inline void kcr_query_end(struct kcr_query *q, bool hit)
{
	if (unlikely(q->start || q->size_class == KCR_CLASS_BLOB))
		__kcr_query_end(q, hit);
}

/**
 * kcr_compute_start() - note when a computation begins
 * @q: the query
 *
 * Context: any.
 */
static inline void kcr_compute_start(struct kcr_query *q)
{
	if (unlikely(q->start))
		q->compute = kcr_clock();
}

/**
 * kcr_compute_stop() - note that a computation has ended
 * @q: the query
 *
 * Context: any.
 */
static inline void kcr_compute_stop(struct kcr_query *q)
{
	if (unlikely(q->start))
		__kcr_compute_stop(q);
}

#else /* !CONFIG_KCR */

static inline bool kcr_is_enabled(void) { return false; }

#endif /* CONFIG_KCR */

#endif /* _LINUX_KCR_H */
