// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: a hit against the kernel's other hash tables.
 *
 * Reading /sys/kernel/debug/kcr/bench_peers looks up 512 keys of 64 bytes that
 * are there, and copies out their values of 64 bytes, with interrupts off, in
 * KCR, in a resizable hash table and in BPF's hash and LRU hash maps. Prints
 * the mean of the cheapest round in ticks of get_cycles(), less the loop's.
 */
#include <linux/bpf.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kcr.h>
#include <linux/rhashtable.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "kcr_private.h"

#define BENCH_KEYS	KCR_L2_SLOTS
#define BENCH_ROUNDS	8
#define BENCH_WORDS	8

static DEFINE_STATIC_KEY_FALSE(bench_key);

static struct kcr_site bench_site = {
	.name = "bench",
	.key = &bench_key,
	.always = true,
};

struct bench_entry {
	u64 key[BENCH_WORDS];
	u64 value[BENCH_WORDS];
	struct rhash_head node;
};

struct bench {
	struct bench_entry *entries;
	struct rhashtable table;
	struct bpf_map *map;
	struct kcr_owner owner;
	u64 out[BENCH_WORDS];
	u64 found;
};

typedef void (*bench_fn)(struct bench *b, const struct bench_entry *e);

static void bench_nothing(struct bench *b, const struct bench_entry *e)
{
	barrier();
}

static void bench_kcr_begin(struct bench *b, struct kcr_query *q,
			    const struct bench_entry *e)
{
	struct kcr_shape shape = {
		.body_len = sizeof(e->key),
		.bulk_len = sizeof(e->value),
	};

	kcr_query_begin(q, &bench_site, &b->owner, &shape);
	memcpy(q->key, e->key, sizeof(e->key));
}

static void bench_kcr(struct bench *b, const struct bench_entry *e)
{
	struct kcr_query q;

	bench_kcr_begin(b, &q, e);
	if (!kcr_lookup_64(&q))
		return;
	memcpy(b->out, q.res, sizeof(b->out));
	b->found++;
}

static const struct rhashtable_params bench_params = {
	.head_offset = offsetof(struct bench_entry, node),
	.key_offset = offsetof(struct bench_entry, key),
	.key_len = sizeof_field(struct bench_entry, key),
	.nelem_hint = BENCH_KEYS,
};

static void bench_rhashtable(struct bench *b, const struct bench_entry *e)
{
	struct bench_entry *found;

	rcu_read_lock();
	found = rhashtable_lookup(&b->table, e->key, bench_params);
	if (found) {
		memcpy(b->out, found->value, sizeof(b->out));
		b->found++;
	}
	rcu_read_unlock();
}

static void __maybe_unused bench_bpf(struct bench *b, const struct bench_entry *e)
{
	void *found;

	rcu_read_lock();
	found = b->map->ops->map_lookup_elem(b->map, (void *)e->key);
	if (found) {
		memcpy(b->out, found, sizeof(b->out));
		b->found++;
	}
	rcu_read_unlock();
}

static u64 bench_rounds(struct bench *b, bench_fn fn)
{
	u64 best = U64_MAX, start;
	unsigned long flags;
	unsigned int i, n;

	for (i = 0; i < BENCH_ROUNDS; i++) {
		b->found = 0;
		local_irq_save(flags);
		start = get_cycles();
		for (n = 0; n < BENCH_KEYS; n++)
			fn(b, &b->entries[n]);
		best = min(best, get_cycles() - start);
		local_irq_restore(flags);
	}
	return best;
}

static void bench_print(struct seq_file *m, struct bench *b, const char *name,
			bench_fn fn)
{
	u64 ticks = bench_rounds(b, fn), found = b->found;

	ticks -= min(ticks, bench_rounds(b, bench_nothing));
	seq_printf(m, "guest.%s_64_64_insns %llu\n", name,
		   div_u64(ticks, BENCH_KEYS));
	seq_printf(m, "# %s found %llu of %u\n", name, found, BENCH_KEYS);
}

static void bench_run_kcr(struct seq_file *m, struct bench *b)
{
	struct kcr_query q;
	unsigned int n;

	if (kcr_site_arm(&bench_site))
		return;
	kcr_owner_init(&b->owner);
	for (n = 0; n < BENCH_KEYS; n++) {
		bench_kcr_begin(b, &q, &b->entries[n]);
		if (kcr_lookup_64(&q))
			continue;
		memset(q.res, 0, sizeof(q.res));
		memcpy(q.res, b->entries[n].value, sizeof(b->entries[n].value));
		kcr_store_result(&q);
	}
	bench_print(m, b, "tier_hit", bench_kcr);
	kcr_owner_kill(&b->owner);
}

static void bench_run_rhashtable(struct seq_file *m, struct bench *b)
{
	unsigned int n;

	if (rhashtable_init(&b->table, &bench_params))
		return;
	for (n = 0; n < BENCH_KEYS; n++)
		if (rhashtable_insert_fast(&b->table, &b->entries[n].node, bench_params))
			break;
	bench_print(m, b, "peer_rhashtable", bench_rhashtable);
	rhashtable_destroy(&b->table);
}

#ifdef CONFIG_BPF_SYSCALL
static void bench_run_bpf(struct seq_file *m, struct bench *b, const char *name,
			  const struct bpf_map_ops *ops, enum bpf_map_type type)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = sizeof_field(struct bench_entry, key),
		.value_size = sizeof_field(struct bench_entry, value),
		.max_entries = 2 * BENCH_KEYS,
	};
	unsigned int n;

	b->map = ops->map_alloc(&attr);
	if (IS_ERR(b->map))
		return;
	b->map->ops = ops;
	rcu_read_lock();
	for (n = 0; n < BENCH_KEYS; n++)
		if (ops->map_update_elem(b->map, b->entries[n].key,
					 b->entries[n].value, BPF_ANY))
			break;
	rcu_read_unlock();
	bench_print(m, b, name, bench_bpf);
	ops->map_free(b->map);
}
#endif

static int bench_show(struct seq_file *m, void *v)
{
	struct bench *b = kzalloc(sizeof(*b), GFP_KERNEL);
	unsigned int n, i;

	if (!b)
		return -ENOMEM;
	b->entries = kcalloc(BENCH_KEYS, sizeof(*b->entries), GFP_KERNEL);
	if (!b->entries) {
		kfree(b);
		return -ENOMEM;
	}
	for (n = 0; n < BENCH_KEYS; n++)
		for (i = 0; i < BENCH_WORDS; i++) {
			b->entries[n].key[i] = n * 0x9e3779b97f4a7c15ULL + i;
			b->entries[n].value[i] = ~b->entries[n].key[i];
		}
	migrate_disable();
	bench_run_kcr(m, b);
	bench_run_rhashtable(m, b);
#ifdef CONFIG_BPF_SYSCALL
	bench_run_bpf(m, b, "peer_bpf_hash", &htab_map_ops, BPF_MAP_TYPE_HASH);
	bench_run_bpf(m, b, "peer_bpf_lru_hash", &htab_lru_map_ops,
		      BPF_MAP_TYPE_LRU_HASH);
#endif
	migrate_enable();
	kfree(b->entries);
	kfree(b);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench);

static int __init bench_init(void)
{
	struct dentry *dir;
	int err = kcr_site_register(&bench_site);

	if (err)
		return err;
	dir = debugfs_lookup("kcr", NULL);
	debugfs_create_file("bench_peers", 0400, dir, NULL, &bench_fops);
	dput(dir);
	return 0;
}
late_initcall(bench_init);
