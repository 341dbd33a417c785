// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what checksums of packets cost, measured in place.
 *
 * Reading /sys/kernel/debug/kcr/bench_csum has packets with fragments of a sealed
 * memfd go through skb_checksum_help(), and prints the cheapest run in ticks of
 * get_cycles(), with interrupts off around the call: "compute" copies and sums, as
 * without KCR; "hit" knows the fragments' sums; "bypassed" sums them where they
 * are. Then linear packets through skb_checksum(), for the site csum_content.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/net.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/timex.h>
#include <net/kcr_csum.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "kcr_private.h"

#define BENCH_ROUNDS	32
#define BENCH_PAGES	4
/* Ethernet, IPv4, TCP with time stamps */
#define BENCH_NET	14
#define BENCH_TRANSPORT	34
#define BENCH_HEADERS	66
/* Enough for 256 samples and more */
#define BENCH_SETTLE	16384

struct bench_case {
	const char *name;
	unsigned int len;	/* of all fragments */
	unsigned int first;	/* of the first, if there are two */
};

static const struct bench_case bench_cases[] = {
	{ "1448", 1448, 1448 },
	{ "4096", 4096, 4096 },
	{ "1448_in_two", 1448, 700 },
	{ "4096_in_two", 4096, 2100 },
};

struct bench_memory {
	struct file *file;
	struct page *pages[BENCH_PAGES];
};

enum bench_way { BENCH_COMPUTE, BENCH_HIT, BENCH_BYPASSED };

static const char * const bench_ways[] = { "compute", "hit", "bypassed" };

static struct sk_buff *bench_packet(const struct bench_memory *mem,
				    const struct bench_case *c)
{
	struct sk_buff *skb = alloc_skb(512, GFP_KERNEL);
	unsigned int i, n = 0, len;

	if (!skb)
		return NULL;
	memset(skb_put(skb, BENCH_HEADERS), 0x45, BENCH_HEADERS);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, BENCH_NET);
	skb_set_transport_header(skb, BENCH_TRANSPORT);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + BENCH_TRANSPORT;
	skb->csum_offset = offsetof(struct tcphdr, check);
	for (i = 0; n < c->len; i++, n += len) {
		len = i ? c->len - n : c->first;
		get_page(mem->pages[i]);
		skb_fill_page_desc(skb, i, mem->pages[i],
				   i ? 0 : PAGE_SIZE - c->first, len);
		skb_len_add(skb, len);
	}
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	return skb;
}

/* The cheapest of some runs, in ticks, or a negative error; also the checksum */
static s64 bench_way(const struct bench_memory *mem, const struct bench_case *c,
		     enum bench_way way, u16 *check)
{
	u64 best = U64_MAX, start, ticks;
	struct sk_buff *skb;
	unsigned int i, s;
	int err;

	for (i = 0; i < BENCH_ROUNDS; i++) {
		skb = bench_packet(mem, c);
		if (!skb)
			return -ENOMEM;
		local_irq_disable();
		for (s = 0; way == BENCH_BYPASSED && s < KCR_NR_PACES; s++)
			this_cpu_ptr(kcr_csum_site.stats)->pace[s] = -BENCH_ROUNDS;
		start = get_cycles();
		err = skb_checksum_help(skb);
		ticks = get_cycles() - start;
		for (s = 0; way == BENCH_BYPASSED && s < KCR_NR_PACES; s++)
			this_cpu_ptr(kcr_csum_site.stats)->pace[s] = 0;
		local_irq_enable();
		*check = (__force u16)tcp_hdr(skb)->check;
		kfree_skb(skb);
		if (err)
			return err;
		best = min(best, ticks);
	}
	return best;
}

static void bench_pages(struct seq_file *m, const struct bench_memory *mem)
{
	unsigned int i, way;
	u16 check, want = 0;
	s64 ticks;

	for (i = 0; i < ARRAY_SIZE(bench_cases); i++) {
		for (way = 0; way < ARRAY_SIZE(bench_ways); way++) {
			kcr_site_set_mode(&kcr_csum_site, way == BENCH_COMPUTE ?
					  KCR_MODE_OFF : KCR_MODE_REUSE);
			kcr_site_set_always(&kcr_csum_site, way == BENCH_HIT);
			ticks = bench_way(mem, &bench_cases[i], way, &check);
			if (way == BENCH_COMPUTE)
				want = check;
			if (ticks < 0 || check != want)
				seq_printf(m, "# csum_page_%s failed: %lld, %04x for %04x\n",
					   bench_cases[i].name, ticks, check, want);
			else
				seq_printf(m, "guest.csum_page_%s_%s_insns %lld\n",
					   bench_cases[i].name, bench_ways[way], ticks);
		}
	}
}

/* Make many packets, and say what the profit model thinks of them */
static void bench_settle(struct seq_file *m, const struct bench_memory *mem)
{
	const struct kcr_profit *p;
	struct sk_buff *skb;
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		for (n = 0; n < BENCH_SETTLE; n++) {
			skb = bench_packet(mem, &bench_cases[i]);
			if (!skb)
				return;
			local_irq_disable();
			skb_checksum_help(skb);
			local_irq_enable();
			kfree_skb(skb);
			cond_resched();
		}
		p = &this_cpu_ptr(kcr_csum_site.stats)->profit[kcr_size(bench_cases[i].len)];
		seq_printf(m, "# csum_page_%s settled in %s: a hit %u, summing in place %u\n",
			   bench_cases[i].name,
			   p->state == KCR_PROFIT_TRIAL ? "reuse" : "bypass",
			   p->hit, p->compute);
	}
}

static s64 bench_sums(struct sk_buff *skb, unsigned int len, unsigned int n)
{
	u64 best = U64_MAX, start;
	__wsum sum = 0;

	while (n--) {
		local_irq_disable();
		start = get_cycles();
		sum = skb_checksum(skb, 0, len, 0);
		best = min(best, get_cycles() - start);
		local_irq_enable();
		cond_resched();
	}
	return csum_fold(sum) == csum_fold(csum_partial(skb->data, len, 0)) ?
	       (s64)best : -EILSEQ;
}

static void bench_content(struct seq_file *m, struct sk_buff *skb)
{
	static const unsigned int lens[] = { 1448, 4096 };
	struct kcr_site *site = &kcr_csum_content_site;
	struct kcr_stats *stats;
	unsigned int i, n, len;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		len = lens[i];
		kcr_site_set_mode(site, KCR_MODE_OFF);
		seq_printf(m, "guest.csum_content_%u_compute_insns %lld\n", len,
			   bench_sums(skb, len, BENCH_ROUNDS));
		kcr_site_set_mode(site, KCR_MODE_REUSE);
		kcr_site_set_always(site, true);
		seq_printf(m, "guest.csum_content_%u_hit_insns %lld\n", len,
			   bench_sums(skb, len, BENCH_ROUNDS));
		kcr_site_set_always(site, false);
		stats = this_cpu_ptr(site->stats);
		for (n = 0; n < BENCH_SETTLE; n++) {
			if (stats->profit[kcr_size(len)].state == KCR_PROFIT_BYPASS)
				break;
			bench_sums(skb, len, 1);
		}
		seq_printf(m, "# csum_content_%u %s after %u requests\n", len,
			   n < BENCH_SETTLE ? "is bypassed" : "is reused", n);
		seq_printf(m, "guest.csum_content_%u_settled_insns %lld\n", len,
			   bench_sums(skb, len, BENCH_ROUNDS));
	}
}

static void bench_linear(struct seq_file *m)
{
	u8 mode = kcr_csum_content_site.mode;
	struct socket *sock;
	struct sk_buff *skb;
	unsigned int i;

	if (sock_create_kern(&init_net, PF_INET, SOCK_DGRAM, 0, &sock))
		return;
	skb = alloc_skb(4096, GFP_KERNEL);
	if (skb) {
		for (i = 0; i < 4096; i++)
			skb_put_u8(skb, i * 167 + (i >> 8));
		skb->sk = sock->sk;
		bench_content(m, skb);
		skb->sk = NULL;
		kfree_skb(skb);
	}
	kcr_site_set_mode(&kcr_csum_content_site, mode);
	sock_release(sock);
}

/* Pages as of a memfd that was sealed after it was filled */
static int bench_memory_get(struct bench_memory *mem)
{
	unsigned int i, n;

	mem->file = shmem_file_setup("kcr_bench", BENCH_PAGES * PAGE_SIZE, 0);
	if (IS_ERR(mem->file))
		return PTR_ERR(mem->file);
	for (i = 0; i < BENCH_PAGES; i++) {
		struct page *page = shmem_read_mapping_page(mem->file->f_mapping, i);

		if (IS_ERR(page))
			return PTR_ERR(page);
		mem->pages[i] = page;
		for (n = 0; n < PAGE_SIZE; n++)
			((u8 *)page_address(page))[n] = n * 167 + (n >> 8) + i;
		set_page_dirty(page);
	}
	WRITE_ONCE(SHMEM_I(file_inode(mem->file))->seals, F_SEAL_WRITE | F_SEAL_SHRINK);
	return 0;
}

static void bench_memory_put(struct bench_memory *mem)
{
	unsigned int i;

	if (IS_ERR(mem->file))
		return;
	for (i = 0; i < BENCH_PAGES; i++)
		if (mem->pages[i])
			put_page(mem->pages[i]);
	fput(mem->file);
}

static int bench_csum_show(struct seq_file *m, void *v)
{
	u8 mode = kcr_csum_site.mode;
	bool always = kcr_csum_site.always;
	struct bench_memory mem = { };
	int err;

	err = bench_memory_get(&mem);
	if (!err)
		err = kcr_tiers_alloc();
	if (!err) {
		migrate_disable();
		bench_pages(m, &mem);
		kcr_site_set_always(&kcr_csum_site, false);
		bench_settle(m, &mem);
		kcr_site_set_mode(&kcr_csum_site, mode);
		kcr_site_set_always(&kcr_csum_site, always);
		bench_linear(m);
		migrate_enable();
	}
	bench_memory_put(&mem);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(bench_csum);

static int __init bench_csum_init(void)
{
	struct dentry *dir = debugfs_lookup("kcr", NULL);

	debugfs_create_file("bench_csum", 0400, dir, NULL, &bench_csum_fops);
	dput(dir);
	return 0;
}
late_initcall(bench_csum_init);
