/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what owners, sites and queries are made of.
 *
 * See linux/kcr.h for what to do with them.
 */
#ifndef _LINUX_KCR_TYPES_H
#define _LINUX_KCR_TYPES_H

#include <linux/atomic.h>
#include <linux/jump_label.h>
#include <linux/kcr_cipher.h>
#include <linux/kcr_owner.h>
#include <linux/refcount.h>
#include <linux/types.h>

/**
 * struct kcr_object - a result that is an object of the kernel's
 * @refs: references; whoever remembers or uses the object holds one
 * @bytes: memory that it takes, for the budget of what remembers it
 * @release: frees it when the last reference is gone: any context short of NMI
 * @equal: whether two objects that equal inputs gave are the same for whoever
 *	uses them (for observe and learn mode, and for audits)
 *
 * Embedded into an object that never changes once it is remembered. The same
 * object is handed to all who ask for it, each with a reference of his own.
 */
struct kcr_object {
	refcount_t refs;
	u32 bytes;
	void (*release)(struct kcr_object *object);
	bool (*equal)(const struct kcr_object *a, const struct kcr_object *b);
};

/**
 * enum kcr_mode - what a site does with requests that may be reused
 * @KCR_MODE_OFF: nothing; the site's gate is patched out
 * @KCR_MODE_OBSERVE: compute every time, but record what reuse would have
 *	saved and whether equal inputs gave equal results
 * @KCR_MODE_LEARN: as observe, until enough equal inputs have given equal
 *	results; then reuse
 * @KCR_MODE_REUSE: hand back remembered results
 * @KCR_MODE_REJECTED: caught giving different results for equal inputs: off
 *	until an administrator says otherwise
 * @KCR_NR_MODES: number of modes
 */
enum kcr_mode {
	KCR_MODE_OFF,
	KCR_MODE_OBSERVE,
	KCR_MODE_LEARN,
	KCR_MODE_REUSE,
	KCR_MODE_REJECTED,
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

/* At most this many requests from one that is timed to the next */
#define KCR_SAMPLE_MAX		31
/* Requests are told apart by the power of two that their body has reached */
#define KCR_NR_SIZES		16
/* One for each value of ilog2() of a 32-bit length, so that none needs a check */
#define KCR_NR_PACES		32

/*
 * &struct kcr_query.head:
 * | body length 32 | era 8 | site 8 | side 8 | class 2 | param 6 |
 * What distinguishes requests for the same data is in the low bits, from where
 * the fingerprint's multiplication spreads it upwards.
 */
#define KCR_HEAD_BODY_SHIFT	32
#define KCR_HEAD_ERA_SHIFT	24
#define KCR_HEAD_SITE_SHIFT	16
#define KCR_HEAD_SIDE_SHIFT	8
#define KCR_HEAD_CLASS_SHIFT	6

/**
 * enum kcr_counter - per-CPU event counts and tick sums of a site
 * @KCR_L2_HITS: answered by the CPU's tier
 * @KCR_L3_HITS: answered by the node's tier
 * @KCR_MISS_COLD: never stored, as far as the tier remembers
 * @KCR_MISS_EVICTED: seen before, but displaced since or not admitted then
 * @KCR_MISS_STALE: there, but from before the owner's last invalidation
 * @KCR_MISS_EXPIRED: there, but older than the site allows
 * @KCR_MISS_TOO_LARGE: key or result exceed what the site keeps (no lookup)
 * @KCR_MISS_UNVERIFIED: there, but computed all the same, to be compared (an
 *	audit, or in learn mode)
 * @KCR_STORES: results stored
 * @KCR_STORES_DROPPED: results not stored: contention, no memory, no room
 *	in the budget, or invalidated while being computed
 * @KCR_NOT_ADMITTED: results not stored because the key was seen for the
 *	first time, and the tier had nothing worse to give up
 * @KCR_PASSED: requests that a site passed through for another reason
 * @KCR_BYPASSED: requests computed without a lookup, because it did not pay
 * @KCR_PROBES: requests that were only noted, to find out whether it would
 *	pay again
 * @KCR_OBSERVE_EQUAL: in observe or learn mode, a stored result equalled the
 *	new one
 * @KCR_OBSERVE_DIFFER: in observe or learn mode, it did not
 * @KCR_AUDITS: hits that were recomputed and found right
 * @KCR_MISMATCHES: results that differed from what equal inputs gave before,
 *	in learn or reuse mode: the site is rejected
 * @KCR_HIT_GAIN: what the hits that were sampled saved, each times the requests
 *	that it stands for, in ticks; may be negative
 * @KCR_HIT_WEIGHT: how many hits that should be
 * @KCR_MISS_LOSS: what the misses that were sampled cost beyond computing, likewise
 * @KCR_MISS_WEIGHT: how many misses that should be
 * @KCR_AUDIT_LOSS: what audits cost beyond computing, in ticks
 * @KCR_SAMPLED_HITS: hits whose cost was measured
 * @KCR_HIT_TICKS: sum of their costs, in ticks of get_cycles()
 * @KCR_SAMPLED_MISSES: misses whose extra cost was measured
 * @KCR_MISS_TICKS: sum of their costs beyond computing, in ticks
 * @KCR_SAMPLED_COMPUTES: computations whose cost was measured
 * @KCR_COMPUTE_TICKS: sum of their costs, in ticks
 * @KCR_NR_COUNTERS: number of counters
 */
enum kcr_counter {
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
	KCR_NOT_ADMITTED,
	KCR_PASSED,
	KCR_BYPASSED,
	KCR_PROBES,
	KCR_OBSERVE_EQUAL,
	KCR_OBSERVE_DIFFER,
	KCR_AUDITS,
	KCR_MISMATCHES,
	KCR_HIT_GAIN,
	KCR_HIT_WEIGHT,
	KCR_MISS_LOSS,
	KCR_MISS_WEIGHT,
	KCR_AUDIT_LOSS,
	KCR_SAMPLED_HITS,
	KCR_HIT_TICKS,
	KCR_SAMPLED_MISSES,
	KCR_MISS_TICKS,
	KCR_SAMPLED_COMPUTES,
	KCR_COMPUTE_TICKS,
	KCR_NR_COUNTERS
};

/**
 * struct kcr_profit - whether reuse pays for requests of one size on one CPU
 * @saved: ticks saved since the counters were reset; negative if lost
 * @balance: ticks saved in this trial and, fading, in the ones before
 * @hit: mean ticks of a hit
 * @miss: mean ticks of a miss beyond computing
 * @compute: mean ticks of computing
 * @backoff: requests to bypass the next time that reuse does not pay
 * @rest: in observe mode: requests left to bypass in theory
 * @audit: requests until the next audit
 * @samples: requests timed in this trial, or noted in this probe
 * @seen: how many of those noted had been seen before
 * @state: &enum kcr_profit_state
 */
struct kcr_profit {
	s64 saved;
	s64 balance;
	u32 hit;
	u32 miss;
	u32 compute;
	u32 backoff;
	s32 rest;
	s32 audit;
	u16 samples;
	u16 seen;
	u16 state;
};

/**
 * struct kcr_stats - what a site knows and counts on one CPU
 * @pace: for each size of request: if negative, how many to bypass
 * @until_sample: requests until one is looked at closely
 * @weight: what that was at first: the requests that the next sample stands for
 * @random: state of the generator that draws the distance of samples
 * @c: indexed by &enum kcr_counter
 * @profit: for each size of request
 */
struct kcr_stats {
	s32 pace[KCR_NR_PACES];
	u32 until_sample;
	u32 weight;
	u32 random;
	u64 c[KCR_NR_COUNTERS];
	struct kcr_profit profit[KCR_NR_SIZES];
};

/**
 * struct kcr_verdict - what the core says when it rejects a site
 * @fingerprint: of the diverging key
 * @body_len: its length in bytes
 * @offset: first byte of the result that differs
 * @mode: the mode that the site was in
 * @announced: whether the log has it
 */
struct kcr_verdict {
	u64 fingerprint;
	u32 body_len;
	u32 offset;
	u8 mode;
	bool announced;
};

struct kcr_site_dir;

/**
 * struct kcr_site - one place where a computation may be reused
 * @name: name in sysfs, debugfs and trace events
 * @key: the static key of the site's gate
 * @max_body: largest body or bulk in bytes that is kept out of line
 * @ttl: jiffies after which an entry is no longer used, or 0
 * @audit_interval: one request in this many is audited; 0 for none
 * @learn_target: equal results after which learn mode ends
 * @always: never bypass, even if reuse does not pay
 * @automatic: in use without anybody asking: its gate is open from
 *	registration on, and its first miss has the tiers allocated
 * @secret: its results may be secrets: with CONFIG_KCR_ENCRYPTION they are
 *	encrypted, and found by the process only that stored them
 * @objects: its results are objects, see &struct kcr_object; there is one tier
 *	for them in the system, so that equal inputs give the same object on
 *	all nodes
 * @head: part of every key, so that sites never share entries, nor does a
 *	site with itself before it was rejected (core)
 * @mode: &enum kcr_mode (core; write under the core's mutex)
 * @armed: somebody uses the site: its gate may be opened (core)
 * @learned: equal results seen in learn mode (core)
 * @verdict: why the site was rejected (core)
 * @stats: per-CPU counters (core)
 * @dir: the site's directory in sysfs (core)
 */
struct kcr_site {
	const char *name;
	struct static_key_false *key;
	u32 max_body;
	unsigned long ttl;
	u32 audit_interval;
	u32 learn_target;
	bool always;
	bool automatic;
	bool secret;
	bool objects;

	u64 head;
	u8 mode;
	bool armed;
	atomic_t learned;
	struct kcr_verdict verdict;
	struct kcr_stats __percpu *stats;
	struct kcr_site_dir *dir;
};

/**
 * enum kcr_query_flags - what is special about a query
 * @KCR_QUERY_PROBE: only find out whether it was seen before
 * @KCR_QUERY_AUDIT: compute, and compare with what is remembered
 * @KCR_QUERY_DROP: the result is not to be remembered
 * @KCR_QUERY_FOUND: a remembered result was found, to be compared
 * @KCR_QUERY_DIRECT: in observe mode: a hit would have put its bulk where it
 *	is wanted
 */
enum kcr_query_flags {
	KCR_QUERY_PROBE = 1,
	KCR_QUERY_AUDIT = 2,
	KCR_QUERY_DROP = 4,
	KCR_QUERY_FOUND = 8,
	KCR_QUERY_DIRECT = 16,
};

/**
 * struct kcr_query - one request on its way through a site
 * @site: the site
 * @owner: the owner of the result
 * @stamp: the owner's stamp when the request began; meanwhile 0, which matches
 *	nothing, if the query is special
 * @head: site, class, parameters and lengths: the first word of the key
 * @fingerprint: keyed hash of owner and key; picks where to look
 * @start: get_cycles() at the beginning if this request is sampled, else 0
 * @true_stamp: @stamp of a sampled request
 * @compute: ticks that computing took, filled in by the site if sampled
 * @computed: get_cycles() when it had, if sampled
 * @lookup: in observe mode: ticks that finding the result took, if sampled
 * @bulk_len: out of line: bytes of result at @bulk
 * @small_len: out of line: bytes of result in @res
 * @size_class: &enum kcr_class
 * @flags: &enum kcr_query_flags; undefined until sampled or missed
 * @weight: requests that this sample stands for
 * @owned: in observe mode: buffers that a hit would have to free, if sampled
 * @body: out of line: the body, stable kernel memory or, for a lookup only,
 *	memory that is read once
 * @bulk: out of line: where a hit puts the bulk of the result (undefined
 *	after a miss); for a store, the bulk
 * @owned_body: out of line: a kmalloc()ed @body that a store may keep
 * @owned_bulk: out of line: a kmalloc()ed @bulk that a store may keep
 * @object: of sites with objects: after a hit, the result, with a reference
 *	that is the caller's; for a store, the result, of which it takes a
 *	reference of its own
 * @cipher: the key that it is encrypted with, or NULL if it is not
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
	u64 true_stamp;
	u64 compute;
	u64 computed;
	u64 lookup;
	u32 bulk_len;
	u8 small_len;
	u8 size_class;
	u8 flags;
	u8 weight;
	u8 owned;
	const void *body;
	void *bulk;
	void *owned_body;
	void *owned_bulk;
	struct kcr_object *object;
#ifdef CONFIG_KCR_ENCRYPTION
	const struct kcr_cipher *cipher;
#endif
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

/**
 * struct kcr_part - a piece of memory that a call depends on
 * @data: the memory; NULL only if @len is 0
 * @len: its length in bytes
 */
struct kcr_part {
	const void *data;
	u32 len;
};

/**
 * struct kcr_call - a call that may be reused
 * @parts: everything that it depends on
 * @nr_parts: how many there are
 * @compute: makes the call
 * @arg: for @compute
 * @keep: whether what it returned may be remembered
 */
struct kcr_call {
	const struct kcr_part *parts;
	unsigned int nr_parts;
	int (*compute)(const void *arg);
	const void *arg;
	bool (*keep)(int ret);
};

#endif /* _LINUX_KCR_TYPES_H */
