// SPDX-License-Identifier: GPL-2.0-only
/*
 * The textbook design, to compare with: an array of buckets, each with a list
 * and a lock; readers walk the list under RCU, compare the key and copy the
 * value. Entries do not change once they are on a list.
 */
#include <stdlib.h>

#include "bench_core.h"

struct entry {
	struct entry *next;
	u64 hash;
	u64 data[];		/* key, then value */
};

struct bucket {
	struct entry *first;
	pthread_spinlock_t lock;
};

struct kcr_bench_hlist {
	u32 mask;
	u32 bytes;
	struct bucket buckets[];
};

struct kcr_bench_hlist *kcr_bench_hlist_create(u32 buckets, u32 bytes)
{
	struct kcr_bench_hlist *table;
	u32 i;

	table = kcr_shim_alloc(sizeof(*table) + buckets * sizeof(struct bucket), true);
	table->mask = buckets - 1;
	table->bytes = bytes;
	for (i = 0; i < buckets; i++)
		pthread_spin_init(&table->buckets[i].lock, 0);
	return table;
}

void kcr_bench_hlist_add(struct kcr_bench_hlist *table, u64 hash,
			 const u64 *key, const u64 *value)
{
	struct bucket *bucket = &table->buckets[hash & table->mask];
	struct entry *entry;

	entry = kmalloc(sizeof(*entry) + 2 * table->bytes, GFP_KERNEL);
	entry->hash = hash;
	memcpy(entry->data, key, table->bytes);
	memcpy(entry->data + table->bytes / 8, value, table->bytes);
	pthread_spin_lock(&bucket->lock);
	entry->next = bucket->first;
	/* Complete before it can be seen */
	smp_store_release(&bucket->first, entry);
	pthread_spin_unlock(&bucket->lock);
}

void kcr_bench_hlist_destroy(struct kcr_bench_hlist *table)
{
	struct entry *entry, *next;
	u32 i;

	for (i = 0; i <= table->mask; i++) {
		for (entry = table->buckets[i].first; entry; entry = next) {
			next = entry->next;
			kfree(entry);
		}
	}
	kfree(table);
}

static __always_inline bool lookup(const struct kcr_bench_hlist *table,
				   struct kcr_query *q, const u64 *key,
				   u64 hash, size_t bytes)
{
	const struct bucket *bucket = &table->buckets[hash & table->mask];
	const struct entry *entry;

	/* rcu_read_lock() is nothing in a kernel without preemption */
	for (entry = READ_ONCE(bucket->first); entry; entry = READ_ONCE(entry->next)) {
		if (entry->hash != hash || memcmp(entry->data, key, bytes))
			continue;
		memcpy(q->res, entry->data + bytes / 8, bytes);
		return true;
	}
	return false;
}

bool kcr_bench_hlist_16(void *table, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return lookup(table, q, key, hash, 16);
}

bool kcr_bench_hlist_32(void *table, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return lookup(table, q, key, hash, 32);
}

bool kcr_bench_hlist_64(void *table, struct kcr_query *q, const u64 *key,
			u64 hash)
{
	return lookup(table, q, key, hash, 64);
}
