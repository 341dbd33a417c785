// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: the tiers of this system, and the switch.
 */
#include <linux/cpuhotplug.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/shrinker.h>
#include <linux/topology.h>

#include "encrypt.h"
#include "kcr_private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/kcr.h>

DEFINE_STATIC_KEY_FALSE(kcr_enabled_key);
EXPORT_SYMBOL_GPL(kcr_enabled_key);

/* Protects the list of sites, their modes and the state of all gates */
DEFINE_MUTEX(kcr_mutex);

/*
 * NULL until somebody uses a site. Once published (with release, read with
 * dependency ordering) a tier stays until the system goes down: readers need
 * no protection against its removal.
 */
DEFINE_PER_CPU(struct kcr_tier *, kcr_l2);
DEFINE_PER_CPU(struct kcr_tier *, kcr_l3_local);
static struct kcr_tier *kcr_l3[MAX_NUMNODES];
struct kcr_tier *kcr_l3_objects;

static bool kcr_enable = true;		/* what the administrator wants */
static bool kcr_ready;			/* kcr_init() has run; under kcr_mutex */

/*
 * Protects the allocation of tiers. Apart from kcr_mutex, under which gates
 * are patched and CPU hotplug is held off, because this one nests inside
 * CPU hotplug.
 */
static DEFINE_MUTEX(kcr_tiers_mutex);
static bool kcr_tiers_ready;

/**
 * kcr_param_enabled() - what the kcr_enable parameter says
 *
 * Context: any.
 * Return: its value.
 */
bool kcr_param_enabled(void)
{
	return READ_ONCE(kcr_enable);
}

/* Make gates follow kcr_enable; what is remembered is forgotten when it goes off */
static void kcr_apply_enable(void)
{
	lockdep_assert_held(&kcr_mutex);

	if (!kcr_ready)
		return;
	if (kcr_enable)
		static_branch_enable(&kcr_enabled_key);
	else
		static_branch_disable(&kcr_enabled_key);
	kcr_sites_update();
	if (!kcr_enable)
		kcr_flush();
}

static int kcr_enable_set(const char *val, const struct kernel_param *kp)
{
	int err;

	/* On the command line it is parsed before anything else is up */
	if (system_state < SYSTEM_SCHEDULING)
		return param_set_bool(val, kp);

	mutex_lock(&kcr_mutex);
	err = param_set_bool(val, kp);
	if (!err)
		kcr_apply_enable();
	mutex_unlock(&kcr_mutex);
	return err;
}

static const struct kernel_param_ops kcr_enable_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = kcr_enable_set,
	.get = param_get_bool,
};

/* As core_param() would, but with our own setter: "kcr_enable", no prefix */
__module_param_call("", kcr_enable, &kcr_enable_ops, &kcr_enable, 0644, -1, 0);

/**
 * kcr_cpu_tier() - a CPU's tier
 * @cpu: the CPU
 *
 * Context: any.
 * Return: the tier or NULL.
 */
struct kcr_tier *kcr_cpu_tier(unsigned int cpu)
{
	/* Pairs with kcr_publish() */
	return smp_load_acquire(per_cpu_ptr(&kcr_l2, cpu));
}

/**
 * kcr_node_tier() - a node's tier
 * @node: the node
 *
 * Context: any.
 * Return: the tier or NULL.
 */
struct kcr_tier *kcr_node_tier(int node)
{
	/* Pairs with kcr_publish() */
	return smp_load_acquire(&kcr_l3[node]);
}

static void kcr_publish(struct kcr_tier **where, struct kcr_tier *tier)
{
	/* Initialised before visible; pairs with whoever loads the pointer */
	smp_store_release(where, tier);
}

/* Give @cpu its tiers */
static int kcr_cpu_alloc(unsigned int cpu)
{
	int node = cpu_to_node(cpu);
	struct kcr_tier *tier;

	lockdep_assert_held(&kcr_tiers_mutex);
	if (!kcr_l3[node]) {
		tier = kcr_tier_create(KCR_L3_SLOTS, 3, node, KCR_BLOB_BUDGET);
		if (!tier)
			return -ENOMEM;
		kcr_publish(&kcr_l3[node], tier);
		if (!kcr_l3_objects)
			kcr_publish(&kcr_l3_objects, tier);
	}
	if (!per_cpu(kcr_l2, cpu)) {
		tier = kcr_tier_create(KCR_L2_SLOTS, 2, node, 0);
		if (!tier)
			return -ENOMEM;
		kcr_publish(per_cpu_ptr(&kcr_l2, cpu), tier);
	}
	kcr_publish(per_cpu_ptr(&kcr_l3_local, cpu), kcr_l3[node]);
	return 0;
}

/**
 * kcr_tiers_alloc() - allocate the tiers, unless they are
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM; what was allocated stays for the next try.
 */
int kcr_tiers_alloc(void)
{
	unsigned int cpu;
	int err = 0;

	mutex_lock(&kcr_tiers_mutex);
	if (!kcr_tiers_ready) {
		/* A CPU that appears later gets its own by kcr_cpu_prepare() */
		for_each_present_cpu(cpu) {
			err = kcr_cpu_alloc(cpu);
			if (err)
				break;
		}
		kcr_tiers_ready = !err;
	}
	mutex_unlock(&kcr_tiers_mutex);
	return err;
}

static int kcr_cpu_prepare(unsigned int cpu)
{
	int err = 0;

	mutex_lock(&kcr_tiers_mutex);
	/* Without its tiers the CPU computes everything itself: not an error */
	if (kcr_tiers_ready)
		err = kcr_cpu_alloc(cpu);
	mutex_unlock(&kcr_tiers_mutex);
	if (err)
		pr_warn_once("kcr: no memory for the tiers of CPU %u\n", cpu);
	return 0;
}

static int kcr_cpu_dead(unsigned int cpu)
{
	struct kcr_tier *l2 = kcr_cpu_tier(cpu);

	if (l2)
		kcr_tier_sweep(l2, KCR_ANY_STAMP);
	return 0;
}

/**
 * kcr_sweep() - zero all entries of a stamp, on all CPUs and nodes
 * @stamp: the stamp, no longer its owner's, or KCR_ANY_STAMP
 *
 * Context: any short of NMI.
 */
void kcr_sweep(u64 stamp)
{
	struct kcr_tier *tier;
	int i;

	for_each_possible_cpu(i) {
		tier = kcr_cpu_tier(i);
		if (tier)
			kcr_tier_sweep(tier, stamp);
	}
	for_each_node(i) {
		tier = kcr_node_tier(i);
		if (tier)
			kcr_tier_sweep(tier, stamp);
	}
}

/**
 * kcr_flush() - forget everything
 *
 * Requests under way may still store.
 *
 * Context: any short of NMI.
 */
void kcr_flush(void)
{
	kcr_sweep(KCR_ANY_STAMP);
}

static unsigned long kcr_shrink_count(struct shrinker *shrinker,
				      struct shrink_control *sc)
{
	struct kcr_tier *tier = kcr_node_tier(sc->nid);

	return tier ? atomic_long_read(&tier->nr_blobs) ?: SHRINK_EMPTY :
		      SHRINK_EMPTY;
}

static unsigned long kcr_shrink_scan(struct shrinker *shrinker,
				     struct shrink_control *sc)
{
	struct kcr_tier *tier = kcr_node_tier(sc->nid);

	if (!tier)
		return SHRINK_STOP;
	return kcr_tier_evict_blobs(tier, sc->nr_to_scan, tier->nr_slots);
}

static int __init kcr_shrinker_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "kcr");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = kcr_shrink_count;
	shrinker->scan_objects = kcr_shrink_scan;
	shrinker_register(shrinker);
	return 0;
}

/* Nothing that was remembered may be found by the next kernel */
static int kcr_reboot(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	kcr_exit();
	return NOTIFY_DONE;
}

static struct notifier_block kcr_reboot_nb = {
	.notifier_call = kcr_reboot,
};

/**
 * kcr_init() - start Kernel Computation Reuse
 *
 * Allocates no tiers yet: that is for the first user.
 *
 * Context: may sleep; once, at boot.
 * Return: 0 or a negative error.
 */
int __init kcr_init(void)
{
	int err;

	kcr_fingerprint_init();
	kcr_encrypt_init();
	kcr_profit_init();
	err = kcr_blob_init();
	if (err)
		return err;
	err = kcr_sysfs_init();
	if (err)
		return err;
	err = kcr_shrinker_init();
	if (err)
		return err;
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "kcr:prepare",
					kcr_cpu_prepare, kcr_cpu_dead);
	if (err < 0)
		return err;
	kcr_debugfs_init();
	register_reboot_notifier(&kcr_reboot_nb);

	mutex_lock(&kcr_mutex);
	kcr_ready = true;
	kcr_apply_enable();
	mutex_unlock(&kcr_mutex);
	return 0;
}
subsys_initcall(kcr_init);

/**
 * kcr_exit() - stop reuse for good and zero everything remembered
 *
 * Context: may sleep; when the system goes down.
 */
void kcr_exit(void)
{
	mutex_lock(&kcr_mutex);
	WRITE_ONCE(kcr_enable, false);
	kcr_apply_enable();
	mutex_unlock(&kcr_mutex);
}
