// SPDX-License-Identifier: GPL-2.0-only
/*
 * liburcu's lock-free hash table, to compare with, in the flavour of RCU whose
 * readers cost nothing.
 */
/* liburcu has much by the kernel's names */
#define URCU_INLINE_SMALL_FUNCTIONS
#define rcu_head urcu_rcu_head
#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>
#undef rcu_head
#undef call_rcu
#undef rcu_read_lock
#undef rcu_read_unlock
#undef static_assert
#undef barrier
#undef cpu_relax
#undef smp_mb
#undef smp_rmb
#undef smp_wmb
#undef container_of
#undef likely
#undef unlikely

#include "bench_core.h"

struct kcr_bench_lfht {
	struct cds_lfht *table;
	u32 bytes;
};

struct entry {
	struct cds_lfht_node node;
	u64 data[];		/* key, then value */
};

struct kcr_bench_lfht *kcr_bench_lfht_create(u32 buckets, u32 bytes)
{
	struct kcr_bench_lfht *table = kcr_shim_alloc(sizeof(*table), true);
	static __thread bool registered;

	if (!registered)
		urcu_qsbr_register_thread();
	registered = true;
	table->bytes = bytes;
	table->table = cds_lfht_new_flavor(buckets, buckets, buckets, 0,
					   &urcu_qsbr_flavor, NULL);
	if (!table->table)
		abort();
	return table;
}

void kcr_bench_lfht_add(struct kcr_bench_lfht *table, u64 hash,
			const u64 *key, const u64 *value)
{
	struct entry *entry = kmalloc(sizeof(*entry) + 2 * table->bytes, GFP_KERNEL);

	cds_lfht_node_init(&entry->node);
	memcpy(entry->data, key, table->bytes);
	memcpy(entry->data + table->bytes / 8, value, table->bytes);
	urcu_qsbr_read_lock();
	cds_lfht_add(table->table, hash, &entry->node);
	urcu_qsbr_read_unlock();
}

void kcr_bench_lfht_destroy(struct kcr_bench_lfht *table)
{
	struct cds_lfht_iter iter;
	struct entry *entry;

	urcu_qsbr_read_lock();
	cds_lfht_for_each_entry(table->table, &iter, entry, node) {
		cds_lfht_del(table->table, &entry->node);
		/* There are no readers; the next is found by the iterator */
		kfree(entry);
	}
	urcu_qsbr_read_unlock();
	cds_lfht_destroy(table->table, NULL);
	kfree(table);
}

static __always_inline bool lookup(const struct kcr_bench_lfht *table,
				   struct kcr_query *q, const u64 *key,
				   u64 hash, size_t bytes,
				   cds_lfht_match_fct match)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;
	bool found = false;

	urcu_qsbr_read_lock();
	cds_lfht_lookup(table->table, hash, match, key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node) {
		memcpy(q->res, container_of(node, struct entry, node)->data + bytes / 8,
		       bytes);
		found = true;
	}
	urcu_qsbr_read_unlock();
	return found;
}

static int match_16(struct cds_lfht_node *node, const void *key)
{
	return !memcmp(container_of(node, struct entry, node)->data, key, 16);
}

static int match_32(struct cds_lfht_node *node, const void *key)
{
	return !memcmp(container_of(node, struct entry, node)->data, key, 32);
}

static int match_64(struct cds_lfht_node *node, const void *key)
{
	return !memcmp(container_of(node, struct entry, node)->data, key, 64);
}

bool kcr_bench_lfht_16(void *table, struct kcr_query *q, const u64 *key,
		       u64 hash)
{
	return lookup(table, q, key, hash, 16, match_16);
}

bool kcr_bench_lfht_32(void *table, struct kcr_query *q, const u64 *key,
		       u64 hash)
{
	return lookup(table, q, key, hash, 32, match_32);
}

bool kcr_bench_lfht_64(void *table, struct kcr_query *q, const u64 *key,
		       u64 hash)
{
	return lookup(table, q, key, hash, 64, match_64);
}
