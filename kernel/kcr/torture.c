// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: torture.
 *
 * Writing a number to /sys/kernel/debug/kcr/torture makes that many requests
 * from two threads on each CPU, from hard and soft interrupts, while another
 * thread renews and kills owners; reading it tells what came of it. A wrong
 * result is one that no computation within the request's time could have
 * given. What else may happen meanwhile (CPUs that come and go, modes that
 * change, memory pressure) is for user space to arrange.
 *
 * Writing "impure MODE" makes requests of a function that does not always give
 * the same, in that mode.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kcr_private.h"

#define TORTURE_OWNERS	4
#define TORTURE_KEYS	3000
#define TORTURE_BUF	1024
#define TORTURE_PERIOD	(200ULL * NSEC_PER_USEC)

static DEFINE_STATIC_KEY_FALSE(torture_key);

static struct kcr_site torture_site = {
	.name = "torture",
	.key = &torture_key,
	.always = true,
};

/* Its results have the salt in them, which changes before each renewal */
struct torture_owner {
	struct kcr_owner owner;
	u64 salt;
};

static struct torture_owner torture_owners[TORTURE_OWNERS];

/* Who makes requests: a thread, or a CPU's timer */
struct torture_user {
	struct rnd_state rnd;
	u8 body[TORTURE_BUF];
	u8 bulk[TORTURE_BUF];
};

struct torture_timer {
	struct hrtimer timer;
	struct torture_user user;
};

static DEFINE_PER_CPU(struct torture_timer, torture_timers);

static struct torture_stats {
	atomic64_t requests;
	atomic64_t irq_requests;
	atomic64_t hits;
	atomic64_t renewals;
	atomic64_t wrong;
} torture_stats;

static atomic64_t torture_left;
static atomic_t torture_threads;
static DECLARE_COMPLETION(torture_done);
static DEFINE_MUTEX(torture_mutex);

static const u16 torture_lens[] = { 8, 16, 24, 32, 48, 64, 80, 200, 512, 1000 };

static u64 kcr_torture_word(u64 key, u64 salt, unsigned int i)
{
	return (key * 0x9e3779b97f4a7c15ULL) ^ (salt << 20) ^ i;
}

static void kcr_torture_fill(void *buf, u32 len, u64 key, u64 salt)
{
	u64 *words = buf;
	unsigned int i;

	for (i = 0; i < len / 8; i++)
		words[i] = kcr_torture_word(key, salt, i);
}

/* Every word belongs to @key and to one and the same salt of the request's time */
static bool kcr_torture_right(const void *buf, u32 len, u64 key, u64 from, u64 to)
{
	const u64 *words = buf;
	u64 salt = (words[0] ^ key * 0x9e3779b97f4a7c15ULL) >> 20;
	unsigned int i;

	for (i = 0; i < len / 8; i++)
		if (words[i] != kcr_torture_word(key, salt, i))
			return false;
	/* Between a change and the renewal, results may be of before */
	return salt + 1 >= from && salt <= to;
}

static void kcr_torture_miss(struct kcr_query *q, struct torture_user *user,
			     u32 len, u64 key, u64 salt)
{
	if (!kcr_wants_result(q))
		return;
	if (q->size_class != KCR_CLASS_BLOB) {
		memset(q->res, 0, sizeof(q->res));
		kcr_torture_fill(q->res, len, key, salt);
		kcr_store_result(q);
		return;
	}
	q->owned_body = kmemdup(user->body, len, GFP_ATOMIC | __GFP_NOWARN);
	q->owned_bulk = kmalloc(len, GFP_ATOMIC | __GFP_NOWARN);
	if (!q->owned_body || !q->owned_bulk)
		return;
	kcr_torture_fill(q->owned_bulk, len, key, salt);
	q->body = q->owned_body;
	q->bulk = q->owned_bulk;
	kcr_store_result(q);
}

static void kcr_torture_request(struct torture_user *user)
{
	u32 dice = prandom_u32_state(&user->rnd);
	struct torture_owner *o = &torture_owners[dice % TORTURE_OWNERS];
	u64 key = (dice >> 8) % (dice & 16 ? TORTURE_KEYS : 50);
	u32 len = torture_lens[key % ARRAY_SIZE(torture_lens)];
	struct kcr_shape shape = { .body_len = len, .bulk_len = len };
	struct kcr_query q;
	u64 from, salt;
	bool hit;

	/* Pairs with kcr_torture_renew() */
	from = smp_load_acquire(&o->salt);
	if (!kcr_should_cache(&torture_site, len) ||
	    kcr_query_begin(&q, &torture_site, &o->owner, &shape) < 0)
		return;
	salt = READ_ONCE(o->salt);
	if (q.size_class == KCR_CLASS_BLOB) {
		kcr_torture_fill(user->body, len, key, 0);
		q.body = user->body;
		q.bulk = user->bulk;
	} else {
		kcr_torture_fill(q.key, len, key, 0);
	}
	hit = kcr_lookup_unified(&q);
	if (hit) {
		const void *res = q.size_class == KCR_CLASS_BLOB ? q.bulk : q.res;

		atomic64_inc(&torture_stats.hits);
		/* Pairs with kcr_torture_renew() */
		if (!kcr_torture_right(res, len, key, from, smp_load_acquire(&o->salt)))
			atomic64_inc(&torture_stats.wrong);
	} else {
		kcr_compute_start(&q);
		kcr_compute_stop(&q);
		kcr_torture_miss(&q, user, len, key, salt);
	}
	kcr_query_end(&q, hit);
}

static void kcr_torture_renew(struct torture_owner *o, bool kill)
{
	/* Pairs with kcr_torture_request() */
	smp_store_release(&o->salt, o->salt + 1);
	if (kill)
		kcr_owner_kill(&o->owner);
	kcr_owner_renew(&o->owner);
	atomic64_inc(&torture_stats.renewals);
}

static void kcr_torture_thread_ends(void)
{
	if (atomic_dec_and_test(&torture_threads))
		complete(&torture_done);
}

static int kcr_torture_thread(void *arg)
{
	struct torture_user *user = arg;

	while (atomic64_dec_return(&torture_left) >= 0) {
		kcr_torture_request(user);
		atomic64_inc(&torture_stats.requests);
		cond_resched();
	}
	kfree(user);
	kcr_torture_thread_ends();
	return 0;
}

static int kcr_torture_renewer(void *arg)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	do {
		u32 dice = prandom_u32_state(&rnd);

		kcr_torture_renew(&torture_owners[dice % TORTURE_OWNERS], !(dice & 0x700));
		usleep_range(100, 2000);
	} while (atomic64_read(&torture_left) > 0);
	kcr_torture_thread_ends();
	return 0;
}

static enum hrtimer_restart kcr_torture_tick(struct hrtimer *timer)
{
	struct torture_timer *t = container_of(timer, struct torture_timer, timer);
	u64 start = ktime_get_ns(), took;

	if (atomic64_read(&torture_left) <= 0)
		return HRTIMER_NORESTART;
	kcr_torture_request(&t->user);
	atomic64_inc(&torture_stats.irq_requests);
	/* On a slow machine threads want their turn, too */
	took = ktime_get_ns() - start;
	hrtimer_forward_now(timer, ns_to_ktime(max(TORTURE_PERIOD, 10 * took)));
	return HRTIMER_RESTART;
}

/* On each CPU; every other one from a soft interrupt */
static void kcr_torture_start_timer(void *unused)
{
	struct torture_timer *t = this_cpu_ptr(&torture_timers);
	enum hrtimer_mode mode = smp_processor_id() & 1 ?
				 HRTIMER_MODE_REL_PINNED_SOFT :
				 HRTIMER_MODE_REL_PINNED_HARD;

	prandom_seed_state(&t->user.rnd, smp_processor_id() + 100);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, mode);
	t->timer.function = kcr_torture_tick;
	hrtimer_start(&t->timer, ns_to_ktime(TORTURE_PERIOD), mode);
}

static void kcr_torture_start_thread(int (*fn)(void *), void *arg, int cpu)
{
	struct task_struct *task = kthread_create(fn, arg, "kcr_torture/%d", cpu);

	if (IS_ERR(task)) {
		kfree(arg);
		return;
	}
	atomic_inc(&torture_threads);
	/* Only a wish: the CPU may go away */
	if (cpu >= 0)
		set_cpus_allowed_ptr(task, cpumask_of(cpu));
	wake_up_process(task);
}

static int kcr_torture_run(u64 requests)
{
	struct torture_user *user;
	int cpu, i, err;

	err = kcr_site_arm(&torture_site);
	if (err)
		return err;
	memset(&torture_stats, 0, sizeof(torture_stats));
	atomic64_set(&torture_left, requests);
	atomic_set(&torture_threads, 1);
	reinit_completion(&torture_done);
	cpus_read_lock();
	on_each_cpu(kcr_torture_start_timer, NULL, true);
	for_each_online_cpu(cpu) {
		for (i = 0; i < 2; i++) {
			user = kzalloc(sizeof(*user), GFP_KERNEL);
			if (!user)
				break;
			prandom_seed_state(&user->rnd, cpu * 2 + i);
			kcr_torture_start_thread(kcr_torture_thread, user, cpu);
		}
	}
	kcr_torture_start_thread(kcr_torture_renewer, NULL, -1);
	cpus_read_unlock();
	kcr_torture_thread_ends();
	wait_for_completion(&torture_done);
	for_each_possible_cpu(cpu)
		if (per_cpu(torture_timers, cpu).timer.function)
			hrtimer_cancel(&per_cpu(torture_timers, cpu).timer);
	return 0;
}

/* Results of a function that counts its calls: how many were served? */
static int kcr_torture_impure(const char *name)
{
	struct kcr_shape shape = { .body_len = 64, .bulk_len = 64 };
	struct kcr_owner *owner = &torture_owners[0].owner;
	int mode = match_string(kcr_mode_names, KCR_NR_MODES, name);
	unsigned int i, interval = READ_ONCE(torture_site.audit_interval);
	struct kcr_query q;
	u64 served = 0;
	int err;

	if (mode != KCR_MODE_LEARN && mode != KCR_MODE_REUSE)
		return -EINVAL;
	err = kcr_site_arm(&torture_site) ?: kcr_site_set_mode(&torture_site, mode);
	if (err)
		return err;
	memset(&torture_stats, 0, sizeof(torture_stats));
	for (i = 0; i < 4 * interval + 100; i++) {
		if (!kcr_should_cache(&torture_site, 64) ||
		    kcr_query_begin(&q, &torture_site, owner, &shape) < 0)
			continue;
		kcr_torture_fill(q.key, 64, 1, 0);
		atomic64_inc(&torture_stats.requests);
		if (kcr_lookup_unified(&q)) {
			served++;
			kcr_query_end(&q, true);
			continue;
		}
		/* What the first call gave comes never again */
		memset(q.res, i ? 1 + i % 250 : 0, sizeof(q.res));
		kcr_store_result(&q);
		kcr_query_end(&q, false);
		if (READ_ONCE(torture_site.mode) == KCR_MODE_REJECTED)
			break;
	}
	atomic64_set(&torture_stats.hits, served);
	kcr_sites_flush_work();
	return 0;
}

static ssize_t kcr_torture_write(struct file *file, const char __user *ubuf,
				 size_t count, loff_t *ppos)
{
	char buf[32] = "";
	u64 requests;
	int err;

	if (count >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	mutex_lock(&torture_mutex);
	if (!strncmp(buf, "impure ", 7))
		err = kcr_torture_impure(strim(buf + 7));
	else
		err = kstrtou64(buf, 0, &requests) ?: kcr_torture_run(requests);
	mutex_unlock(&torture_mutex);
	return err ?: count;
}

static int kcr_torture_show(struct seq_file *m, void *v)
{
	seq_printf(m, "requests %lld\n", atomic64_read(&torture_stats.requests));
	seq_printf(m, "irq_requests %lld\n",
		   atomic64_read(&torture_stats.irq_requests));
	seq_printf(m, "hits %lld\n", atomic64_read(&torture_stats.hits));
	seq_printf(m, "renewals %lld\n", atomic64_read(&torture_stats.renewals));
	seq_printf(m, "wrong %lld\n", atomic64_read(&torture_stats.wrong));
	return 0;
}

static int kcr_torture_open(struct inode *inode, struct file *file)
{
	return single_open(file, kcr_torture_show, NULL);
}

static const struct file_operations kcr_torture_fops = {
	.owner = THIS_MODULE,
	.open = kcr_torture_open,
	.read = seq_read,
	.write = kcr_torture_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init kcr_torture_init(void)
{
	struct dentry *dir;
	int i, err;

	err = kcr_site_register(&torture_site);
	if (err)
		return err;
	for (i = 0; i < TORTURE_OWNERS; i++)
		kcr_owner_init(&torture_owners[i].owner);
	dir = debugfs_lookup("kcr", NULL);
	debugfs_create_file("torture", 0600, dir, NULL, &kcr_torture_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_torture_init);
