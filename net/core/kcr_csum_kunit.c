// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of immutable mappings and of the csum sites.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/kcr_mapping.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/prandom.h>
#include <linux/shmem_fs.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/kcr_csum.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "tests/kcr_test.h"

#define NR_PAGES	8
#define SEALED		(F_SEAL_WRITE | F_SEAL_SHRINK)
#define HEAD		66
#define START		34
#define ROUNDS		2000

/* A file of random bytes that nobody but the test has open */
struct memory {
	struct file *file;
	struct page *pages[NR_PAGES];
};

static struct memory sealed, loose;
static struct rnd_state rnd;

static void seal(struct memory *mem, unsigned int seals)
{
	WRITE_ONCE(SHMEM_I(file_inode(mem->file))->seals, seals);
}

static int memory_get(struct memory *mem)
{
	unsigned int i;

	mem->file = shmem_file_setup("kcr_test", NR_PAGES * PAGE_SIZE, 0);
	if (IS_ERR(mem->file))
		return PTR_ERR(mem->file);
	for (i = 0; i < NR_PAGES; i++) {
		mem->pages[i] = shmem_read_mapping_page(mem->file->f_mapping, i);
		if (IS_ERR(mem->pages[i]))
			return PTR_ERR(mem->pages[i]);
		prandom_bytes_state(&rnd, page_address(mem->pages[i]), PAGE_SIZE);
		set_page_dirty(mem->pages[i]);
	}
	return 0;
}

static void memory_put(struct memory *mem)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++)
		if (!IS_ERR_OR_NULL(mem->pages[i]))
			put_page(mem->pages[i]);
	if (!IS_ERR_OR_NULL(mem->file))
		fput(mem->file);
	memset(mem, 0, sizeof(*mem));
}

static u64 stamp_of(struct page *page)
{
	u64 stamp = 0;

	rcu_read_lock();
	if (!kcr_folio_owner(page_folio(page), &stamp))
		stamp = 0;
	rcu_read_unlock();
	return stamp;
}

static u64 hits(const struct kcr_site *site)
{
	return kcr_site_sum(site, KCR_L2_HITS) + kcr_site_sum(site, KCR_L3_HITS);
}

static struct sk_buff *packet(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(512, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	prandom_bytes_state(&rnd, skb_put(skb, HEAD), HEAD);
	skb_reset_mac_header(skb);
	skb_set_transport_header(skb, START);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + START;
	skb->csum_offset = 16;
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	return skb;
}

static void add(struct sk_buff *skb, struct page *page, u32 offset, u32 len)
{
	get_page(page);
	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, page, offset, len);
	skb_len_add(skb, len);
}

static u16 check_of(const struct sk_buff *skb)
{
	return *(u16 *)(skb->data + START + skb->csum_offset);
}

/* What skb_checksum_help() fills in without KCR */
static u16 plain_check(const struct sk_buff *skb)
{
	__wsum sum = __skb_checksum(skb, START, skb->len - START, 0,
				    &(const struct skb_checksum_ops) {
					.update = csum_partial_ext,
					.combine = csum_block_add_ext,
				    });

	return (__force u16)(csum_fold(sum) ?: CSUM_MANGLED_0);
}

/* Seals: both or nothing */
static void seals_test(struct kunit *test)
{
	static const unsigned int half[] = {
		0, F_SEAL_SEAL, F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW,
		F_SEAL_FUTURE_WRITE, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_EXEC,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(half); i++) {
		seal(&loose, half[i]);
		KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[0]), 0);
	}
	seal(&loose, SEALED);
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), 0);
	KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[0]), stamp_of(loose.pages[1]));
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), stamp_of(sealed.pages[0]));
	seal(&loose, 0);
	KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[0]), 0);
}

/* Verity, and what KCR itself may write to */
static void deny_test(struct kunit *test)
{
	struct inode *inode = file_inode(loose.file);

	inode->i_flags |= S_VERITY;
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), 0);
	kcr_mapping_deny(loose.file->f_mapping);
	KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[0]), 0);
	inode->i_flags &= ~S_VERITY;
	seal(&loose, SEALED);
	KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[0]), 0);
	clear_bit(AS_KCR_DENIED, &loose.file->f_mapping->flags);
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), 0);
	seal(&loose, 0);
}

/* Truncation gives another stamp, and a folio that has left has no owner */
static void truncate_test(struct kunit *test)
{
	u64 before;

	seal(&loose, SEALED);
	before = stamp_of(loose.pages[0]);
	KUNIT_EXPECT_NE(test, before, 0);
	shmem_truncate_range(file_inode(loose.file), (NR_PAGES - 1) * PAGE_SIZE, -1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(loose.file->f_mapping->kcr.stamp), 0);
	KUNIT_EXPECT_EQ(test, stamp_of(loose.pages[NR_PAGES - 1]), 0);
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), 0);
	KUNIT_EXPECT_NE(test, stamp_of(loose.pages[0]), before);
	seal(&loose, 0);
}

static void anonymous_test(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, stamp_of(page), 0);
	KUNIT_EXPECT_EQ(test, stamp_of(ZERO_PAGE(0)), 0);
	put_page(page);
}

/* Fill in one checksum: is it right, and was the packet copied? */
static void help_once(struct kunit *test, struct sk_buff *skb, bool copied)
{
	u16 want = plain_check(skb);

	KUNIT_ASSERT_EQ(test, skb_checksum_help(skb), 0);
	KUNIT_EXPECT_EQ(test, check_of(skb), want);
	KUNIT_EXPECT_EQ(test, (int)skb->ip_summed, CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, !skb_is_nonlinear(skb), copied);
	kfree_skb(skb);
}

/* Hits are right wherever they land; positions and lengths are told apart */
static void random_test(struct kunit *test)
{
	u64 before = hits(&kcr_csum_site);
	unsigned int i, n;

	for (i = 0; i < ROUNDS; i++) {
		struct sk_buff *skb = packet(test);

		for (n = 1 + prandom_u32_state(&rnd) % 4; n; n--) {
			/* Few enough to come again */
			u32 offset = prandom_u32_state(&rnd) % 4;
			u32 len = 300 + prandom_u32_state(&rnd) % 3;

			add(skb, sealed.pages[prandom_u32_state(&rnd) % NR_PAGES],
			    offset, n & 1 ? len : PAGE_SIZE - offset);
		}
		help_once(test, skb, false);
	}
	KUNIT_EXPECT_GT(test, hits(&kcr_csum_site) - before, ROUNDS);
}

/* One fragment that may change, and the packet is copied, as without KCR */
static void foreign_test(struct kunit *test)
{
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		skb = packet(test);
		add(skb, i == 0 ? loose.pages[0] : sealed.pages[0], 0, 1000);
		add(skb, i == 1 ? loose.pages[0] : sealed.pages[1], 0, 1000);
		help_once(test, skb, i < 2);
	}
}

/* What changes under a mapping that may change is seen, each time */
static void change_test(struct kunit *test)
{
	u8 *data = page_address(loose.pages[1]);
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		data[i] ^= 0x55;
		skb = packet(test);
		add(skb, loose.pages[1], 0, PAGE_SIZE);
		help_once(test, skb, true);
	}
}

/* The same place in another file, and in this one after it was truncated */
static void owner_test(struct kunit *test)
{
	struct sk_buff *skb;
	unsigned int i;

	seal(&loose, SEALED);
	for (i = 0; i < 8; i++) {
		if (i == 4) {
			kcr_mapping_changed(loose.file->f_mapping);
			((u8 *)page_address(loose.pages[2]))[5] ^= 0x77;
		}
		skb = packet(test);
		add(skb, i & 1 ? sealed.pages[2] : loose.pages[2], 0, PAGE_SIZE);
		help_once(test, skb, false);
	}
	seal(&loose, 0);
}

/* Nothing but zeroes: 0 and 0xffff are told apart as without KCR */
static void zero_test(struct kunit *test)
{
	struct sk_buff *skb;
	__wsum sum;
	unsigned int i;

	memset(page_address(sealed.pages[3]), 0, PAGE_SIZE);
	kcr_mapping_changed(sealed.file->f_mapping);
	for (i = 0; i < 4; i++) {
		skb = packet(test);
		memset(skb->data, 0, HEAD);
		add(skb, sealed.pages[3], 1, 1001);
		KUNIT_EXPECT_TRUE(test, __kcr_csum_known(skb, START, &sum));
		KUNIT_EXPECT_EQ(test, (__force u32)sum, 0);
		skb->data[START] = i & 2 ? 1 : 0;
		help_once(test, skb, false);
	}
}

/* Packets that are wrong, or not what the site knows, are left alone */
static void refuse_test(struct kunit *test)
{
	struct sk_buff *skb = packet(test), *list = packet(test);
	__wsum sum;

	add(skb, sealed.pages[0], 0, 1000);
	KUNIT_EXPECT_FALSE(test, __kcr_csum_known(skb, HEAD + 1, &sum));
	KUNIT_EXPECT_TRUE(test, __kcr_csum_known(skb, HEAD, &sum));
	skb->csum_offset = HEAD - START - 1;
	KUNIT_EXPECT_FALSE(test, __kcr_csum_help(skb));
	skb->csum_offset = HEAD - START - 2;
	skb_shinfo(skb)->frag_list = list;
	KUNIT_EXPECT_FALSE(test, __kcr_csum_help(skb));
	skb_shinfo(skb)->frag_list = NULL;
	KUNIT_EXPECT_TRUE(test, __kcr_csum_help(skb));
	kfree_skb(list);
	kfree_skb(skb);
}

static void page_test(struct kunit *test)
{
	__wsum sum = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, __kcr_csum_page(sealed.pages[4], i & 1, 999, &sum));
		KUNIT_EXPECT_EQ(test, (__force u32)csum_fold(sum), (__force u32)
				csum_fold(csum_partial(page_address(sealed.pages[4]) +
						       (i & 1), 999, 0)));
	}
	KUNIT_EXPECT_FALSE(test, __kcr_csum_page(loose.pages[4], 0, 999, &sum));
	KUNIT_EXPECT_FALSE(test, __kcr_csum_page(sealed.pages[4], 1, PAGE_SIZE, &sum));
}

/* By content: right, whatever it is added to, and nothing but linear bytes */
static void content_test(struct kunit *test)
{
	struct sock *sk = kunit_kzalloc(test, sizeof(*sk), GFP_KERNEL);
	struct sk_buff *skb = packet(test);
	u64 before = hits(&kcr_csum_content_site);
	unsigned int i;
	__wsum sum;

	KUNIT_ASSERT_NOT_NULL(test, sk);
	sock_net_set(sk, &init_net);
	prandom_bytes_state(&rnd, skb_put(skb, 400), 400);
	KUNIT_EXPECT_FALSE(test, __kcr_csum_content(skb, 0, 400, &sum));
	skb->sk = sk;
	for (i = 0; i < 8; i++) {
		skb->data[7] ^= i & 4;
		sum = (__force __wsum)(i * 0x12345678);
		KUNIT_EXPECT_TRUE(test, __kcr_csum_content(skb, i & 1, 301, &sum));
		KUNIT_EXPECT_EQ(test, (__force u32)csum_fold(sum), (__force u32)
				csum_fold(csum_partial(skb->data + (i & 1), 301,
						       (__force __wsum)(i * 0x12345678))));
	}
	KUNIT_EXPECT_GE(test, hits(&kcr_csum_content_site) - before, 3);
	add(skb, sealed.pages[0], 0, 1000);
	KUNIT_EXPECT_FALSE(test, __kcr_csum_content(skb, 0, HEAD + 401, &sum));
	skb->sk = NULL;
	kfree_skb(skb);
}

static int init(struct kunit *test)
{
	int err;

	if (!IS_ENABLED(CONFIG_SHMEM))
		kunit_skip(test, "no CONFIG_SHMEM");
	if (!kcr_is_enabled())
		kunit_skip(test, "kcr_enable is off");
	KUNIT_ASSERT_EQ(test, kcr_tiers_alloc(), 0);
	kcr_site_set_always(&kcr_csum_site, true);
	kcr_site_set_always(&kcr_csum_content_site, true);
	kcr_site_set_mode(&kcr_csum_content_site, KCR_MODE_REUSE);
	prandom_seed_state(&rnd, 1);
	err = memory_get(&sealed);
	if (!err)
		err = memory_get(&loose);
	if (!err)
		seal(&sealed, SEALED);
	return err;
}

static void done(struct kunit *test)
{
	kcr_site_set_mode(&kcr_csum_content_site, KCR_MODE_OFF);
	kcr_site_set_always(&kcr_csum_content_site, false);
	kcr_site_set_always(&kcr_csum_site, false);
	memory_put(&sealed);
	memory_put(&loose);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(seals_test),
	KUNIT_CASE(deny_test),
	KUNIT_CASE(truncate_test),
	KUNIT_CASE(anonymous_test),
	KUNIT_CASE(random_test),
	KUNIT_CASE(foreign_test),
	KUNIT_CASE(change_test),
	KUNIT_CASE(owner_test),
	KUNIT_CASE(zero_test),
	KUNIT_CASE(refuse_test),
	KUNIT_CASE(page_test),
	KUNIT_CASE(content_test),
	{}
};

static struct kunit_suite suite = {
	.name = "kcr_csum",
	.init = init,
	.exit = done,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of the csum sites of Kernel Computation Reuse");
MODULE_LICENSE("GPL");
