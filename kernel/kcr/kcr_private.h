/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what the core's files share.
 */
#ifndef _KCR_PRIVATE_H
#define _KCR_PRIVATE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/kcr.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#define KCR_L2_SLOTS		512
#define KCR_L3_SLOTS		4096
/*
 * Buckets per slot: a u16 index, over-provisioned so that keys rarely collide.
 * Of as many keys as there are slots, 94 % find a place; with 4, 88 %.
 */
#define KCR_INDEX_FACTOR	8
/* Budget of a node's out-of-line entries, in bytes */
#define KCR_BLOB_BUDGET		(16L << 20)
#define KCR_MAX_SITES		16
/* Profit, see profit.c: timed requests that a trial takes, ... */
#define KCR_TRIAL_SAMPLES	256
/* ... requests that a probe takes, and how many repeated ones end it, ... */
#define KCR_PROBE_REQUESTS	128
#define KCR_PROBE_SEEN		2
/* ... and bypassed requests between, at first, at last, and after false alarms */
#define KCR_BACKOFF_MIN		1024
#define KCR_BACKOFF_MAX		65536
#define KCR_BACKOFF_FAILED	(16 * KCR_BACKOFF_MAX)
/* Defaults of a site's attributes */
#define KCR_AUDIT_INTERVAL	1024
#define KCR_LEARN_TARGET	100

/**
 * struct kcr_slot - one entry of a tier
 * @seq: odd while a writer is at work; 64 bits, so that it never wraps
 * @bucket: the index bucket that led here when the entry was stored
 * @ref: read since a search for a victim last passed
 * @life: how often such a search has found it read, up to KCR_LIVES
 * @born: jiffies (low 32 bits) when stored
 * @stamp: the owner's stamp; 0 if the slot is empty
 * @head: &struct kcr_query.head
 * @data: inline: result words, then key words, as many of each as the class
 *	has; out of line: see &enum kcr_blob_word
 *
 * An entry of the smallest class fits into one 64-byte line.
 */
struct kcr_slot {
	u64 seq;
	u16 bucket;
	u8 ref;
	u8 life;
	u32 born;
	u64 stamp;
	u64 head;
	u64 data[2 * KCR_INLINE_WORDS];
} __aligned(64);

static_assert(sizeof(struct kcr_slot) == 192);

/* What the data words of an out-of-line entry's slot hold */
enum kcr_blob_word {
	KCR_BLOB_PTR,
	KCR_BLOB_FINGERPRINT,
};

/* &struct kcr_slot.bucket of an empty slot; tiers have fewer buckets */
#define KCR_NO_BUCKET		U16_MAX

/**
 * struct kcr_share - what owners hold of a tier
 * @slots: entries
 * @bytes: memory of those that are out of line
 *
 * Found by the stamp, so that whoever evicts an entry finds it, too. Owners
 * whose stamps fall together count as one.
 */
struct kcr_share {
	atomic_long_t slots;
	atomic_long_t bytes;
};

#define KCR_SHARES_SHIFT	10

/**
 * struct kcr_tier - a fixed-size table of entries
 * @index: bucket to slot number, a hint only
 * @tags: bucket to the upper bits of the last fingerprint stored there, to
 *	tell a miss for an evicted entry from a cold one
 * @slots: the entries
 * @bucket_mask: number of buckets - 1
 * @nr_slots: number of slots
 * @level: 2 or 3
 * @node: memory node
 * @serial: where its entries' key streams begin, if they are encrypted
 * @blob_budget: bytes that out-of-line entries may take; 0 if none allowed
 * @shares: what each owner holds; NULL in L2, where everything was read
 * @hand: where to look for an empty slot next; racy, any value will do
 * @blob_hand: where to look for an out-of-line entry to remove next
 * @blob_bytes: bytes that out-of-line entries take
 * @nr_blobs: how many there are
 * @nr_used: how many slots hold something
 * @nr_owners: how many of @shares hold something
 */
struct kcr_tier {
	u16 *index;
	u16 *tags;
	struct kcr_slot *slots;
	u32 bucket_mask;
	u32 nr_slots;
	u8 level;
	int node;
#ifdef CONFIG_KCR_ENCRYPTION
	u32 serial;
#endif
	long blob_budget;
	struct kcr_share *shares;

	/* Written by stores: apart from what every lookup reads */
	u32 hand ____cacheline_aligned_in_smp;
	u32 blob_hand;
	atomic_long_t blob_bytes;
	atomic_long_t nr_blobs;
	atomic_long_t nr_used;
	atomic_long_t nr_owners;
};

/**
 * struct kcr_blob - an entry that does not fit into a slot
 * @rcu: for freeing
 * @bytes: memory accounted to the tier
 * @body_len: bytes at @body
 * @bulk_len: bytes at @bulk
 * @object: the result if it is an object, with a reference, or NULL
 * @tag: of the process that stored it, if it is encrypted
 * @number: where its key stream begins, if it is encrypted
 * @side: the part of the key beside the body, zero-padded
 * @small: the part of the result beside the bulk, zero-padded
 * @body: the body of the key
 * @bulk: the bulk of the result, or NULL
 *
 * Readers hold the RCU read lock and re-check the slot's sequence when they
 * are done: the bytes may be zeroed under them, the memory stays, and so does
 * the object.
 */
struct kcr_blob {
	struct rcu_head rcu;
	long bytes;
	u32 body_len;
	u32 bulk_len;
	struct kcr_object *object;
#ifdef CONFIG_KCR_ENCRYPTION
	u64 tag;
	u64 number;
#endif
	u64 side[KCR_SIDE_MAX / 8];
	u64 small[KCR_SMALL_MAX / 8];
	void *body;
	void *bulk;
};

/* core.c */
extern struct mutex kcr_mutex;		/* modes, arming, gates */
DECLARE_PER_CPU(struct kcr_tier *, kcr_l2);
DECLARE_PER_CPU(struct kcr_tier *, kcr_l3_local);
extern struct kcr_tier *kcr_l3_objects;	/* one node's, for all */
struct kcr_tier *kcr_cpu_tier(unsigned int cpu);
struct kcr_tier *kcr_node_tier(int node);
bool kcr_param_enabled(void);
int kcr_tiers_alloc(void);
void kcr_sweep(u64 stamp);
void kcr_flush(void);

/* stamp.c */
u64 kcr_stamp_new(void);

/* fingerprint.c */
void kcr_fingerprint_init(void);
u64 kcr_fingerprint(const struct kcr_query *q);

/* tier.c */
struct kcr_tier *kcr_tier_create(u32 nr_slots, u8 level, int node,
				 long blob_budget);
void kcr_tier_destroy(struct kcr_tier *tier);
bool kcr_tier_lookup(struct kcr_tier *tier, struct kcr_query *q);
enum kcr_counter kcr_tier_miss_reason(struct kcr_tier *tier,
				      const struct kcr_query *q);
int kcr_tier_store(struct kcr_tier *tier, struct kcr_query *q,
		   struct kcr_blob *blob);
bool kcr_tier_seen(struct kcr_tier *tier, const struct kcr_query *q);
bool kcr_tier_noted(const struct kcr_tier *tier, const struct kcr_query *q);
void kcr_tier_sweep(struct kcr_tier *tier, u64 stamp);
u32 kcr_tier_used(const struct kcr_tier *tier);
bool kcr_slot_claim(struct kcr_slot *slot);
void kcr_slot_release(struct kcr_slot *slot);
bool kcr_slot_has_blob(const struct kcr_slot *slot);
bool kcr_slot_evict(struct kcr_tier *tier, struct kcr_slot *slot, u64 stamp,
		    bool wait);

/* Seize all slots; what kcr_tier_sweep() takes for "every stamp" */
#define KCR_ANY_STAMP		0

/* evict.c */
int kcr_tier_place(struct kcr_tier *tier, const struct kcr_query *q);
/* Whether to store a result at all; call it before effort goes into storing */
bool kcr_tier_admits(struct kcr_tier *tier, const struct kcr_query *q);
void kcr_tier_charge(struct kcr_tier *tier, u64 old,
		     const struct kcr_blob *old_blob, u64 stamp,
		     const struct kcr_blob *blob);
bool kcr_tier_evict_blob(struct kcr_tier *tier, const struct kcr_query *q);
u32 kcr_tier_evict_blobs(struct kcr_tier *tier, u32 want, u32 steps);

/* blob.c */
int kcr_blob_init(void);
struct kcr_blob *kcr_blob_create(struct kcr_query *q);
void kcr_blob_retire(struct kcr_tier *tier, struct kcr_blob *blob);
void kcr_blob_discard(struct kcr_blob *blob);
void kcr_blob_drop(struct kcr_blob *blob);
bool kcr_blob_read(const struct kcr_blob *blob, struct kcr_query *q);
bool kcr_blob_make_room(struct kcr_tier *tier, const struct kcr_query *q,
			long bytes);
void kcr_query_put_object(struct kcr_query *q);

/* site.c */
extern struct kcr_site *kcr_sites[KCR_MAX_SITES];
extern const char * const kcr_mode_names[KCR_NR_MODES];
extern const char * const kcr_counter_names[KCR_NR_COUNTERS];
DECLARE_STATIC_KEY_FALSE(kcr_rare_key);
void kcr_sites_update(void);
int kcr_site_set_mode(struct kcr_site *site, enum kcr_mode mode);
void kcr_site_set_ttl(struct kcr_site *site, unsigned long ttl);
u64 kcr_site_sum(const struct kcr_site *site, enum kcr_counter counter);
s64 kcr_site_ticks_saved(const struct kcr_site *site);
void kcr_site_reset(struct kcr_site *site);

u64 kcr_site_lookups(const struct kcr_site *site);
void kcr_site_change_mode(struct kcr_site *site, u8 old, enum kcr_mode mode);
void kcr_site_set_learn_target(struct kcr_site *site, u32 target);
void kcr_site_set_always(struct kcr_site *site, bool always);

/* verdict.c */
void kcr_sites_settle(void);
void kcr_tiers_request(void);
void kcr_sites_flush_work(void);
void kcr_site_learned(struct kcr_site *site);
void kcr_site_reject(const struct kcr_query *q, u32 offset);

/* profit.c */
enum kcr_profit_state {
	KCR_PROFIT_TRIAL,
	KCR_PROFIT_BYPASS,
	KCR_PROFIT_PROBE,
	KCR_PROFIT_NR_STATES
};

extern u32 kcr_clock_cost;
void kcr_profit_init(void);
void kcr_profit_probed(struct kcr_query *q, bool seen);
void kcr_profit_hit(const struct kcr_query *q, u64 ticks);
void kcr_profit_miss(struct kcr_query *q, u64 ticks);
void kcr_profit_reset(struct kcr_site *site);

/* sysfs.c */
int kcr_sysfs_init(void);
int kcr_sysfs_add_site(struct kcr_site *site);
void kcr_sysfs_del_site(struct kcr_site *site);

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void kcr_debugfs_init(void);
#else
static inline void kcr_debugfs_init(void) { }
#endif

/* The tier beyond the CPU's own; NULL if nobody has used a site yet */
static inline struct kcr_tier *kcr_query_tier(const struct kcr_query *q)
{
	if (unlikely(q->site->objects))
		return smp_load_acquire(&kcr_l3_objects); /* see kcr_publish() */
	return raw_cpu_read(kcr_l3_local);
}

static inline unsigned int kcr_class_words(u8 size_class)
{
	return size_class == KCR_CLASS_16 ? 2 :
	       size_class == KCR_CLASS_32 ? 4 : KCR_INLINE_WORDS;
}

#endif /* _KCR_PRIVATE_H */
