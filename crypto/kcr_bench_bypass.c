// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what a site costs that never repeats.
 *
 * Reading /sys/kernel/debug/kcr/bench_bypass makes requests that differ, with
 * the site off, and then in reuse, until the profit model has settled, and
 * prints the means in ticks of get_cycles(), probes included; then repeats one
 * request and prints how many it took until the first hit.
 */
#include <crypto/hash.h>
#include <crypto/kcr.h>
#include <crypto/skcipher.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "kcr_private.h"

/* Requests that are measured: one back-off and one probe, all states in it */
#define BENCH_MEASURED	(KCR_BACKOFF_MAX + KCR_PROBE_REQUESTS)
/* Requests until the back-off has reached its end */
#define BENCH_SETTLE	(4 * KCR_BACKOFF_MAX)
#define BENCH_PLAIN	4096

struct bench_request {
	struct kcr_site *site;
	const char *name;
	int (*run)(struct bench_request *r);
	struct skcipher_request *cipher;
	struct shash_desc *hash;
	u8 *src;
	u8 *dst;
	unsigned int len;
	u8 iv[16];
};

static int bench_cipher(struct bench_request *r)
{
	return crypto_skcipher_encrypt(r->cipher);
}

static int bench_hash(struct bench_request *r)
{
	return crypto_shash_digest(r->hash, r->src, r->len, r->dst);
}

/* @n requests, each different if @differ; their mean, or a negative error */
static s64 bench_requests(struct bench_request *r, u32 n, bool differ)
{
	static u64 serial = 1;
	u64 sum = 0, start;
	u32 i;
	int err;

	for (i = 0; i < n; i++) {
		if (differ)
			*(u64 *)r->src = serial++;
		memset(r->iv, 0, sizeof(r->iv));
		local_irq_disable();
		start = get_cycles();
		err = r->run(r);
		sum += get_cycles() - start;
		local_irq_enable();
		if (err)
			return err;
		cond_resched();
	}
	return div_u64(sum, n);
}

static u64 bench_hits(const struct kcr_site *site)
{
	return kcr_site_sum(site, KCR_L2_HITS) + kcr_site_sum(site, KCR_L3_HITS);
}

static void bench_notice(struct seq_file *m, struct bench_request *r)
{
	u64 before = bench_hits(r->site);
	u32 n;

	for (n = 1; n <= 2 * BENCH_MEASURED; n++) {
		if (bench_requests(r, 1, false) < 0)
			return;
		if (bench_hits(r->site) != before)
			break;
	}
	seq_printf(m, "guest.%s_%u_noticed_after_requests %u\n", r->name, r->len, n);
}

static void bench_sizes(struct seq_file *m, struct bench_request *r)
{
	static const unsigned int sizes[] = { 64, 4096 };
	struct scatterlist src, dst;
	s64 plain, settled;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		r->len = sizes[i];
		sg_init_one(&src, r->src, r->len);
		sg_init_one(&dst, r->dst, r->len);
		if (r->cipher)
			skcipher_request_set_crypt(r->cipher, &src, &dst, r->len, r->iv);
		kcr_site_set_mode(r->site, KCR_MODE_OFF);
		plain = bench_requests(r, BENCH_PLAIN, true);
		kcr_site_set_mode(r->site, KCR_MODE_REUSE);
		settled = bench_requests(r, BENCH_SETTLE, true);
		if (settled >= 0)
			settled = bench_requests(r, BENCH_MEASURED, true);
		if (plain < 0 || settled < 0) {
			seq_printf(m, "# %s_%u failed: %lld\n", r->name, r->len,
				   min(plain, settled));
			continue;
		}
		seq_printf(m, "guest.%s_%u_never_plain_insns %lld\n", r->name,
			   r->len, plain);
		seq_printf(m, "guest.%s_%u_never_reuse_insns %lld\n", r->name,
			   r->len, settled);
		seq_printf(m, "guest.%s_%u_never_extra_insns %lld\n", r->name,
			   r->len, settled - plain);
		bench_notice(m, r);
	}
}

static void bench_one_cipher(struct seq_file *m, struct bench_request *r)
{
	struct crypto_skcipher *tfm = crypto_alloc_skcipher("cbc(aes)", 0, 0);
	static const u8 key[16] = "kcr bench key 1";

	if (IS_ERR(tfm))
		return;
	r->site = &kcr_skcipher_site;
	r->name = "skcipher_cbc_aes";
	r->run = bench_cipher;
	r->cipher = skcipher_request_alloc(tfm, GFP_KERNEL);
	if (r->cipher && !crypto_skcipher_setkey(tfm, key, sizeof(key)) &&
	    !crypto_skcipher_set_reuse(tfm, true))
		bench_sizes(m, r);
	skcipher_request_free(r->cipher);
	crypto_free_skcipher(tfm);
	r->cipher = NULL;
}

static void bench_one_hash(struct seq_file *m, struct bench_request *r)
{
	struct crypto_shash *tfm = crypto_alloc_shash("sha256", 0, 0);

	if (IS_ERR(tfm))
		return;
	r->site = &kcr_hash_site;
	r->name = "shash_sha256";
	r->run = bench_hash;
	r->hash = kzalloc(sizeof(*r->hash) + crypto_shash_descsize(tfm), GFP_KERNEL);
	if (r->hash) {
		r->hash->tfm = tfm;
		if (!crypto_shash_set_reuse(tfm, true))
			bench_sizes(m, r);
	}
	kfree(r->hash);
	crypto_free_shash(tfm);
}

static int bench_bypass_show(struct seq_file *m, void *v)
{
	struct bench_request *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	r->src = kzalloc(PAGE_SIZE, GFP_KERNEL);
	r->dst = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (r->src && r->dst) {
		migrate_disable();
		bench_one_cipher(m, r);
		bench_one_hash(m, r);
		migrate_enable();
	}
	kfree(r->src);
	kfree(r->dst);
	kfree(r);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench_bypass);

static int __init bench_bypass_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("bench_bypass", 0400, dir, NULL, &bench_bypass_fops);
	dput(dir);
	return 0;
}
late_initcall(bench_bypass_init);
