// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: computing against reusing, measured in place.
 *
 * Reading /sys/kernel/debug/kcr/bench runs each case a few times, with
 * interrupts off around the measured call, and prints the cheapest run in
 * ticks of get_cycles(). Under QEMU's -icount shift=0 with one CPU a tick is
 * an instruction and every run costs the same.
 */
#include <crypto/hash.h>
#include <crypto/kcr.h>
#include <crypto/skcipher.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kcr_private.h"

#define KCR_BENCH_ROUNDS	32
/* Source, destination and digest, each with room for an odd offset */
#define KCR_BENCH_ORDER		2
#define KCR_BENCH_DST		(2 * PAGE_SIZE)
#define KCR_BENCH_ODD		3

struct kcr_bench_case {
	const char *name;		/* of the figures */
	const char *alg;		/* what the crypto API is asked for */
};

static const struct kcr_bench_case kcr_bench_ciphers[] = {
	{ "skcipher_cbc_aes", "cbc(aes)" },
	{ "skcipher_cbc_aes_generic", "cbc(aes-generic)" },
};

static const struct kcr_bench_case kcr_bench_hashes[] = {
	{ "shash_sha256", "sha256" },
	{ "shash_sha256_generic", "sha256-generic" },
};

static const unsigned int kcr_bench_sizes[] = { 64, 512, 4096 };

/* One measured operation: set up what it consumes, then run it */
struct kcr_bench_op {
	int (*run)(struct kcr_bench_op *op);
	struct skcipher_request *req;
	struct shash_desc *desc;
	u8 *src;
	u8 *dst;
	unsigned int len;
	u8 iv[16];
};

static int kcr_bench_cipher(struct kcr_bench_op *op)
{
	return crypto_skcipher_encrypt(op->req);
}

static int kcr_bench_hash(struct kcr_bench_op *op)
{
	return crypto_shash_digest(op->desc, op->src, op->len, op->dst);
}

static int kcr_bench_nothing(struct kcr_bench_op *op)
{
	return 0;
}

/* The cheapest of some runs, in ticks, or a negative error */
static s64 kcr_bench_run(struct kcr_bench_op *op)
{
	u64 best = U64_MAX, start, ticks;
	unsigned long flags;
	unsigned int i;
	int err;

	for (i = 0; i < KCR_BENCH_ROUNDS; i++) {
		memset(op->iv, 0x5a, sizeof(op->iv));
		local_irq_save(flags);
		start = get_cycles();
		err = op->run(op);
		ticks = get_cycles() - start;
		local_irq_restore(flags);
		if (err)
			return err;
		best = min(best, ticks);
	}
	return best;
}

static u64 kcr_bench_hits(enum kcr_counter level)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i])
			sum += kcr_site_sum(kcr_sites[i], level);
	return sum;
}

/* Print what @op costs; returns a negative error after printing it */
static int kcr_bench_print(struct seq_file *m, struct kcr_bench_op *op,
			   const char *name, const char *suffix,
			   const char *what)
{
	u64 l2 = kcr_bench_hits(KCR_L2_HITS), l3 = kcr_bench_hits(KCR_L3_HITS);
	struct kcr_bench_op nothing = { .run = kcr_bench_nothing };
	s64 ticks = kcr_bench_run(op);

	if (ticks < 0) {
		seq_printf(m, "# %s_%u%s_%s failed: %lld\n", name, op->len,
			   suffix, what, ticks);
		return ticks;
	}
	l2 = kcr_bench_hits(KCR_L2_HITS) - l2;
	l3 = kcr_bench_hits(KCR_L3_HITS) - l3;
	seq_printf(m, "guest.%s_%u%s_%s_insns %lld\n", name, op->len, suffix,
		   what, ticks - kcr_bench_run(&nothing));
	if (l2 || l3)
		seq_printf(m, "# %s_%u%s_%s answered by %s\n", name, op->len,
			   suffix, what, l2 > l3 ? "L2" : "L3");
	return 0;
}

static void kcr_bench_cipher_sizes(struct seq_file *m, u8 *mem,
				   const struct kcr_bench_case *c,
				   struct kcr_bench_op *op, const char *what)
{
	struct scatterlist src, dst;
	unsigned int i, odd;

	for (i = 0; i < ARRAY_SIZE(kcr_bench_sizes); i++) {
		for (odd = 0; odd <= KCR_BENCH_ODD; odd += KCR_BENCH_ODD) {
			op->len = kcr_bench_sizes[i];
			sg_init_one(&src, mem + odd, op->len);
			sg_init_one(&dst, mem + KCR_BENCH_DST + odd, op->len);
			skcipher_request_set_crypt(op->req, &src, &dst, op->len,
						   op->iv);
			kcr_bench_print(m, op, c->name, odd ? "_unaligned" : "",
					what);
		}
	}
}

static void kcr_bench_one_cipher(struct seq_file *m, u8 *mem,
				 const struct kcr_bench_case *c, bool reuse)
{
	struct kcr_bench_op op = { .run = kcr_bench_cipher };
	static const u8 key[16] = "kcr bench key 1";
	struct crypto_skcipher *tfm;
	int err;

	tfm = crypto_alloc_skcipher(c->alg, 0, 0);
	if (IS_ERR(tfm)) {
		seq_printf(m, "# %s: %s is not there: %ld\n", c->name, c->alg,
			   PTR_ERR(tfm));
		return;
	}
	err = crypto_skcipher_setkey(tfm, key, sizeof(key));
	if (!err && reuse)
		err = crypto_skcipher_set_reuse(tfm, true);
	op.req = skcipher_request_alloc(tfm, GFP_KERNEL);
	if (err || !op.req) {
		seq_printf(m, "# %s: cannot be measured: %d\n", c->name, err);
		goto out;
	}
	seq_printf(m, "# %s %s: driver %s\n", c->name,
		   reuse ? "hit" : "compute",
		   crypto_skcipher_driver_name(tfm));
	kcr_bench_cipher_sizes(m, mem, c, &op, reuse ? "hit" : "compute");
out:
	skcipher_request_free(op.req);
	crypto_free_skcipher(tfm);
}

static void kcr_bench_one_hash(struct seq_file *m, u8 *mem,
			       const struct kcr_bench_case *c, bool reuse)
{
	struct kcr_bench_op op = { .run = kcr_bench_hash };
	struct crypto_shash *tfm;
	unsigned int i, odd;
	int err = 0;

	tfm = crypto_alloc_shash(c->alg, 0, 0);
	if (IS_ERR(tfm)) {
		seq_printf(m, "# %s: %s is not there: %ld\n", c->name, c->alg,
			   PTR_ERR(tfm));
		return;
	}
	if (reuse)
		err = crypto_shash_set_reuse(tfm, true);
	op.desc = kzalloc(sizeof(*op.desc) + crypto_shash_descsize(tfm),
			  GFP_KERNEL);
	if (err || !op.desc) {
		seq_printf(m, "# %s: cannot be measured: %d\n", c->name, err);
		goto out;
	}
	op.desc->tfm = tfm;
	op.dst = mem + KCR_BENCH_DST;
	seq_printf(m, "# %s %s: driver %s\n", c->name,
		   reuse ? "hit" : "compute", crypto_shash_driver_name(tfm));
	for (i = 0; i < ARRAY_SIZE(kcr_bench_sizes); i++) {
		for (odd = 0; odd <= KCR_BENCH_ODD; odd += KCR_BENCH_ODD) {
			op.len = kcr_bench_sizes[i];
			op.src = mem + odd;
			kcr_bench_print(m, &op, c->name,
					odd ? "_unaligned" : "",
					reuse ? "hit" : "compute");
		}
	}
out:
	kfree(op.desc);
	crypto_free_shash(tfm);
}

static int kcr_bench_show(struct seq_file *m, void *v)
{
	unsigned long mem = __get_free_pages(GFP_KERNEL | __GFP_ZERO,
					     KCR_BENCH_ORDER);
	unsigned int i, n;

	if (!mem)
		return -ENOMEM;
	for (n = 0; n < KCR_BENCH_DST; n++)
		((u8 *)mem)[n] = n * 167 + (n >> 8);
	seq_puts(m, "# ticks of get_cycles(); instructions under -icount shift=0\n");
	for (i = 0; i < ARRAY_SIZE(kcr_bench_ciphers); i++) {
		kcr_bench_one_cipher(m, (u8 *)mem, &kcr_bench_ciphers[i], false);
		kcr_bench_one_cipher(m, (u8 *)mem, &kcr_bench_ciphers[i], true);
	}
	for (i = 0; i < ARRAY_SIZE(kcr_bench_hashes); i++) {
		kcr_bench_one_hash(m, (u8 *)mem, &kcr_bench_hashes[i], false);
		kcr_bench_one_hash(m, (u8 *)mem, &kcr_bench_hashes[i], true);
	}
	free_pages(mem, KCR_BENCH_ORDER);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kcr_bench);

static int __init kcr_bench_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("bench", 0400, dir, NULL, &kcr_bench_fops);
	dput(dir);
	return 0;
}
late_initcall(kcr_bench_init);
