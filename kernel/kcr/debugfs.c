// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: /sys/kernel/debug/kcr.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>

#include "kcr_private.h"

/* stats: "<site> <counter> <value>", one a line; writing anything resets */
static int kcr_stats_show(struct seq_file *m, void *v)
{
	struct kcr_site *site;
	unsigned int i, c;

	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++) {
		site = kcr_sites[i];
		if (!site)
			continue;
		seq_printf(m, "%s lookups %llu\n", site->name,
			   kcr_site_lookups(site));
		for (c = 0; c < KCR_NR_COUNTERS; c++)
			seq_printf(m, "%s %s %lld\n", site->name,
				   kcr_counter_names[c],
				   (s64)kcr_site_sum(site, c));
		seq_printf(m, "%s ticks_saved %lld\n", site->name,
			   kcr_site_ticks_saved(site));
	}
	mutex_unlock(&kcr_mutex);
	return 0;
}

static int kcr_stats_open(struct inode *inode, struct file *file)
{
	return single_open(file, kcr_stats_show, NULL);
}

static ssize_t kcr_stats_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	unsigned int i;

	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			kcr_site_reset(kcr_sites[i]);
	mutex_unlock(&kcr_mutex);
	return count;
}

static const struct file_operations kcr_stats_fops = {
	.owner = THIS_MODULE,
	.open = kcr_stats_open,
	.read = seq_read,
	.write = kcr_stats_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static void kcr_config_node(struct seq_file *m, int node)
{
	struct kcr_tier *tier = kcr_node_tier(node);

	if (!tier)
		return;
	seq_printf(m, "node%d_l3_used %u\n", node, kcr_tier_used(tier));
	seq_printf(m, "node%d_blobs %ld\n", node,
		   atomic_long_read(&tier->nr_blobs));
	seq_printf(m, "node%d_blob_bytes %ld\n", node,
		   atomic_long_read(&tier->blob_bytes));
}

static void kcr_config_site(struct seq_file *m, const struct kcr_site *site)
{
	seq_printf(m, "%s_mode %s\n", site->name, kcr_mode_names[site->mode]);
	seq_printf(m, "%s_armed %d\n", site->name, site->armed);
	seq_printf(m, "%s_gate_open %d\n", site->name,
		   static_key_enabled(site->key));
	seq_printf(m, "%s_max_body %u\n", site->name, site->max_body);
}

/* config: "<name> <value>", one a line */
static int kcr_config_show(struct seq_file *m, void *v)
{
	struct kcr_tier *tier;
	unsigned int i;
	int node, cpu;

	seq_printf(m, "enabled %d\n", kcr_is_enabled());
	seq_printf(m, "kcr_enable %d\n", kcr_param_enabled());
	seq_printf(m, "fingerprint %s\n",
		   IS_ENABLED(CONFIG_KCR_FINGERPRINT_FOLDED) ? "folded" : "xxh64");
	seq_printf(m, "l2_slots %u\n", KCR_L2_SLOTS);
	seq_printf(m, "l3_slots %u\n", KCR_L3_SLOTS);
	seq_printf(m, "slot_bytes %zu\n", sizeof(struct kcr_slot));
	seq_printf(m, "inline_max %u\n", KCR_INLINE_MAX);
	seq_printf(m, "blob_budget %ld\n", KCR_BLOB_BUDGET);
	seq_printf(m, "sample_interval %u\n", (KCR_SAMPLE_MAX + 1) / 2);
	seq_printf(m, "trial_samples %u\n", KCR_TRIAL_SAMPLES);
	seq_printf(m, "probe_requests %u\n", KCR_PROBE_REQUESTS);
	seq_printf(m, "backoff_max %u\n", KCR_BACKOFF_MAX);
	seq_printf(m, "backoff_failed_max %u\n", KCR_BACKOFF_FAILED);

	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			kcr_config_site(m, kcr_sites[i]);
	for_each_node(node)
		kcr_config_node(m, node);
	for_each_possible_cpu(cpu) {
		tier = kcr_cpu_tier(cpu);
		if (tier)
			seq_printf(m, "cpu%d_l2_used %u\n", cpu,
				   kcr_tier_used(tier));
	}
	mutex_unlock(&kcr_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_config);

static const char * const kcr_profit_names[KCR_PROFIT_NR_STATES] = {
	[KCR_PROFIT_TRIAL] = "trial",
	[KCR_PROFIT_BYPASS] = "bypass",
	[KCR_PROFIT_PROBE] = "probe",
};

static void kcr_profit_show_site(struct seq_file *m, const struct kcr_site *site)
{
	const struct kcr_profit *p;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < KCR_NR_SIZES; i++) {
			p = &per_cpu_ptr(site->stats, cpu)->profit[i];
			if (!p->compute && p->state == KCR_PROFIT_TRIAL)
				continue;
			seq_printf(m, "%s %d %u %s %u %u %u %u %lld %lld\n",
				   site->name, cpu, 1U << i,
				   kcr_profit_names[p->state], p->backoff,
				   p->compute, p->hit, p->miss, p->balance,
				   p->saved);
		}
	}
}

/*
 * profit: "<site> <cpu> <size> <state> <next back-off> <mean ticks: compute>
 * <hit> <miss> <balance of this trial> <saved in all>"
 */
static int kcr_profit_show(struct seq_file *m, void *v)
{
	unsigned int i;

	seq_puts(m, "# site cpu size state backoff compute hit miss balance saved\n");
	mutex_lock(&kcr_mutex);
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			kcr_profit_show_site(m, kcr_sites[i]);
	mutex_unlock(&kcr_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_profit);

/* kcr_debugfs_init() - make the directory and its files */
void __init kcr_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("kcr", NULL);

	debugfs_create_file("stats", 0600, dir, NULL, &kcr_stats_fops);
	debugfs_create_file("config", 0400, dir, NULL, &kcr_config_fops);
	debugfs_create_file("profit", 0400, dir, NULL, &kcr_profit_fops);
}
