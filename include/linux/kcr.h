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
#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/timex.h>
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

/**
 * enum kcr_mode - what a site does with requests that may be reused
 * @KCR_MODE_OFF: nothing; the site's gate is patched out
 * @KCR_MODE_OBSERVE: compute every time, but record what reuse would have
 *	saved and whether equal inputs gave equal results
 * @KCR_MODE_REUSE: hand back remembered results
 * @KCR_NR_MODES: number of modes
 */
enum kcr_mode {
	KCR_MODE_OFF,
	KCR_MODE_OBSERVE,
	KCR_MODE_REUSE,
	KCR_NR_MODES
};

/**
 * enum kcr_class - how an entry is laid out
 * @KCR_CLASS_16: inline, up to 16 bytes of key and of result
 * @KCR_CLASS_32: inline, up to 32 bytes each
 * @KCR_CLASS_64: inline, up to 64 bytes each and 16 more for an IV or the like
 * @KCR_CLASS_BLOB: out of line, in the node's tier only
 */
enum kcr_class {
	KCR_CLASS_16,
	KCR_CLASS_32,
	KCR_CLASS_64,
	KCR_CLASS_BLOB
};

/* Largest inline key and largest inline result */
#define KCR_INLINE_WORDS	10
#define KCR_INLINE_MAX		(KCR_INLINE_WORDS * 8)
/* Out-of-line entries: the part of the key beside the body, of the result beside the bulk */
#define KCR_SIDE_MAX		32
#define KCR_SMALL_MAX		64
/* Largest body or bulk that a site gets unless it asks for more, and what it may ask for */
#define KCR_BODY_DEFAULT	4096
#define KCR_BODY_MAX		32768

/* One lookup in this many is timed */
#define KCR_SAMPLE_INTERVAL	16

/*
 * &struct kcr_query.head: | body length 32 | 0 | site 8 | side 8 | class 2 | param 6 |
 * What distinguishes requests for the same data is in the low bits, from where
 * the fingerprint's multiplication spreads it upwards.
 */
#define KCR_HEAD_BODY_SHIFT	32
#define KCR_HEAD_SITE_SHIFT	16
#define KCR_HEAD_SIDE_SHIFT	8
#define KCR_HEAD_CLASS_SHIFT	6

/**
 * enum kcr_counter - per-CPU event counts and tick sums of a site
 * @KCR_LOOKUPS: keys looked up
 * @KCR_L2_HITS: answered by the CPU's tier
 * @KCR_L3_HITS: answered by the node's tier
 * @KCR_MISS_COLD: never stored, as far as the tier remembers
 * @KCR_MISS_EVICTED: stored once, but displaced since
 * @KCR_MISS_STALE: there, but from before the owner's last invalidation
 * @KCR_MISS_EXPIRED: there, but older than the site allows
 * @KCR_MISS_TOO_LARGE: key or result exceed what the site keeps (no lookup)
 * @KCR_MISS_UNVERIFIED: there, but not yet trusted
 * @KCR_STORES: results stored
 * @KCR_STORES_DROPPED: results not stored: contention, no memory, no room
 *	in the budget, or invalidated while being computed
 * @KCR_PASSED: requests that a site passed through for another reason
 * @KCR_OBSERVE_EQUAL: in observe mode, a stored result equalled the new one
 * @KCR_OBSERVE_DIFFER: in observe mode, it did not
 * @KCR_SAMPLED_HITS: hits whose cost was measured
 * @KCR_HIT_TICKS: sum of their costs, in ticks of get_cycles()
 * @KCR_SAMPLED_MISSES: misses whose extra cost was measured
 * @KCR_MISS_TICKS: sum of their costs beyond computing, in ticks
 * @KCR_SAMPLED_COMPUTES: computations whose cost was measured
 * @KCR_COMPUTE_TICKS: sum of their costs, in ticks
 * @KCR_NR_COUNTERS: number of counters
 */
enum kcr_counter {
	KCR_LOOKUPS,
	KCR_L2_HITS,
	KCR_L3_HITS,
	KCR_MISS_COLD,
	KCR_MISS_EVICTED,
	KCR_MISS_STALE,
	KCR_MISS_EXPIRED,
	KCR_MISS_TOO_LARGE,
	KCR_MISS_UNVERIFIED,
	KCR_STORES,
	KCR_STORES_DROPPED,
	KCR_PASSED,
	KCR_OBSERVE_EQUAL,
	KCR_OBSERVE_DIFFER,
	KCR_SAMPLED_HITS,
	KCR_HIT_TICKS,
	KCR_SAMPLED_MISSES,
	KCR_MISS_TICKS,
	KCR_SAMPLED_COMPUTES,
	KCR_COMPUTE_TICKS,
	KCR_NR_COUNTERS
};

/**
 * struct kcr_stats - the counters of a site on one CPU
 * @c: indexed by &enum kcr_counter
 */
struct kcr_stats {
	u64 c[KCR_NR_COUNTERS];
};

struct kcr_site_dir;

/**
 * struct kcr_site - one place where a computation may be reused
 * @name: name in sysfs, debugfs and trace events
 * @key: the static key of the site's gate
 * @max_body: largest body or bulk in bytes that is kept out of line
 * @ttl: jiffies after which an entry is no longer used, or 0
 * @head: part of every key, so that sites never share entries (core)
 * @mode: &enum kcr_mode (core; write under the core's mutex)
 * @armed: somebody uses the site: its gate may be opened (core)
 * @stats: per-CPU counters (core)
 * @dir: the site's directory in sysfs (core)
 */
struct kcr_site {
	const char *name;
	struct static_key_false *key;
	u32 max_body;
	unsigned long ttl;

	u64 head;
	u8 mode;
	bool armed;
	struct kcr_stats __percpu *stats;
	struct kcr_site_dir *dir;
};

/**
 * struct kcr_query - one request on its way through a site
 * @site: the site
 * @owner: the owner of the result
 * @stamp: the owner's stamp when the request began
 * @head: site, class, parameters and lengths: the first word of the key
 * @fingerprint: keyed hash of owner and key; picks where to look
 * @start: get_cycles() at the beginning if this request is sampled, else 0
 * @compute: ticks that computing took, filled in by the site if sampled
 * @bulk_len: out of line: bytes of result at @bulk
 * @small_len: out of line: bytes of result in @res
 * @size_class: &enum kcr_class
 * @body: out of line: the body, stable kernel memory or, for a lookup only,
 *	memory that is read once
 * @bulk: out of line: where a hit puts the bulk of the result (undefined
 *	after a miss); for a store, the bulk
 * @owned_body: out of line: a kmalloc()ed @body that a store may keep
 * @owned_bulk: out of line: a kmalloc()ed @bulk that a store may keep
 * @key: inline: the whole key, side then body; out of line: the side
 * @res: inline: the whole result; out of line: its small part. Scratch: it
 *	holds anything, even another owner's result, unless there was a hit
 *
 * Lives on the stack of the site's out-of-line half.
 */
struct kcr_query {
	struct kcr_site *site;
	struct kcr_owner *owner;
	u64 stamp;
	u64 head;
	u64 fingerprint;
	u64 start;
	u64 compute;
	u32 bulk_len;
	u8 small_len;
	u8 size_class;
	const void *body;
	void *bulk;
	void *owned_body;
	void *owned_bulk;
	u64 key[KCR_INLINE_WORDS];
	u64 res[KCR_INLINE_WORDS];
};

/**
 * struct kcr_shape - the lengths and parameters of a request
 * @param: the site's own parameter (direction, ...), 0 to 63, part of the key
 * @side_len: bytes of key beside the body (an IV); at most KCR_SIDE_MAX
 * @small_len: bytes of result beside the bulk; at most KCR_SMALL_MAX
 * @body_len: bytes of body
 * @bulk_len: bytes of bulk
 */
struct kcr_shape {
	u32 param;
	u32 side_len;
	u32 small_len;
	u32 body_len;
	u32 bulk_len;
};

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

u64 kcr_compute_fingerprint(const void *data, size_t len, u64 seed);
u64 kcr_crypto_fingerprint(const struct kcr_query *q);

bool kcr_lookup_unified(struct kcr_query *q);
int kcr_store_result(struct kcr_query *q);
void __kcr_query_end(struct kcr_query *q, bool hit);

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

/* Zero what a key of @len bytes leaves of @words words; the last may be partial */
static __always_inline void kcr_zero_key(struct kcr_query *q, u32 len,
					 unsigned int words)
{
	unsigned int i;

	/* A word or two, if any: WRITE_ONCE() keeps it from becoming a memset() */
	for (i = len / 8; i < words; i++)
		WRITE_ONCE(q->key[i], 0);
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
	struct kcr_stats __percpu *stats = site->stats;
	enum kcr_class size_class;

	/* Pairs with the xchg() in kcr_owner_restamp(): a new stamp, a new key */
	q->stamp = smp_load_acquire(&owner->stamp);
	if (unlikely(!q->stamp)) {
		kcr_site_count(site, KCR_PASSED, 1);
		return -EOPNOTSUPP;
	}
	if (likely(len > 32 && len <= KCR_INLINE_MAX)) {
		size_class = KCR_CLASS_64;
		kcr_zero_key(q, key_len, KCR_INLINE_WORDS);
	} else if (len <= 32) {
		size_class = len > 16 ? KCR_CLASS_32 : KCR_CLASS_16;
		kcr_zero_key(q, key_len, 4);
	} else {
		if (max(shape->body_len, shape->bulk_len) > site->max_body) {
			kcr_site_count(site, KCR_MISS_TOO_LARGE, 1);
			return -E2BIG;
		}
		size_class = KCR_CLASS_BLOB;
		kcr_zero_key(q, shape->side_len, KCR_SIDE_MAX / 8);
		q->bulk_len = shape->bulk_len;
		q->small_len = shape->small_len;
		q->owned_body = NULL;
		q->owned_bulk = NULL;
	}
	q->site = site;
	q->owner = owner;
	q->size_class = size_class;
	q->head = site->head |
		  (u64)shape->body_len << KCR_HEAD_BODY_SHIFT |
		  shape->side_len << KCR_HEAD_SIDE_SHIFT |
		  size_class << KCR_HEAD_CLASS_SHIFT |
		  shape->param;

	q->start = 0;
	this_cpu_inc(stats->c[KCR_LOOKUPS]);
	if (unlikely(!(this_cpu_read(stats->c[KCR_LOOKUPS]) %
		       KCR_SAMPLE_INTERVAL))) {
		q->start = get_cycles();
		q->compute = 0;
	}
	return size_class;
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
	kcr_site_count(q->site, KCR_LOOKUPS, -1);
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
		q->compute = get_cycles();
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
		q->compute = get_cycles() - q->compute;
}

#else /* !CONFIG_KCR */

static inline bool kcr_is_enabled(void) { return false; }

#endif /* CONFIG_KCR */

#endif /* _LINUX_KCR_H */
