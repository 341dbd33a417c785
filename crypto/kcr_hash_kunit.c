// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of the hash site through the crypto API.
 */
#include <crypto/hash.h>
#include <crypto/kcr.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "tests/kcr_test.h"

#define MAX_LEN 8192

static struct kcr_site *site;
static u8 *data;
static u8 want[HASH_MAX_DIGESTSIZE], got[HASH_MAX_DIGESTSIZE];

static const unsigned int lens[] = {
	0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 79, 80, 81, 127, 128, 511,
	4095, 4096, 4097, 8192
};

static u64 hits(void)
{
	return kcr_site_sum(site, KCR_L2_HITS) + kcr_site_sum(site, KCR_L3_HITS);
}

static struct crypto_shash *new_shash(struct kunit *test, const char *name)
{
	struct crypto_shash *tfm = crypto_alloc_shash(name, 0, 0);

	if (IS_ERR(tfm))
		kunit_skip(test, "no %s", name);
	return tfm;
}

static void sizes_test(struct kunit *test, const char *name)
{
	struct crypto_shash *plain = new_shash(test, name);
	struct crypto_shash *reuse = new_shash(test, name);
	unsigned int i, n, odd;
	u64 before;

	KUNIT_ASSERT_EQ(test, crypto_shash_set_reuse(reuse, true), 0);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		/* What another length left might want the same bucket */
		kcr_flush();
		before = hits();
		for (n = 0; n < 4; n++) {
			odd = n / 2;
			crypto_shash_tfm_digest(plain, data + odd, lens[i], want);
			memset(got, 0, sizeof(got));
			KUNIT_EXPECT_EQ(test, crypto_shash_tfm_digest(reuse, data + odd,
								      lens[i], got), 0);
			KUNIT_EXPECT_MEMEQ(test, want, got,
					   crypto_shash_digestsize(plain));
		}
		/* Two offsets are two messages, but for the empty one */
		n = lens[i] == 0 ? 3 : lens[i] <= KCR_BODY_DEFAULT ? 2 : 0;
		KUNIT_EXPECT_EQ(test, hits() - before, n);
	}
	crypto_free_shash(plain);
	crypto_free_shash(reuse);
}

static void sha1_test(struct kunit *test) { sizes_test(test, "sha1"); }
static void sha256_test(struct kunit *test) { sizes_test(test, "sha256"); }
static void sha512_test(struct kunit *test) { sizes_test(test, "sha512"); }

/* A message in one piece and in three, aligned or not: the same digest */
static void ahash_test(struct kunit *test)
{
	struct crypto_ahash *tfm = crypto_alloc_ahash("sha256", 0, CRYPTO_ALG_ASYNC);
	struct crypto_shash *plain = new_shash(test, "sha256");
	struct ahash_request *req;
	struct scatterlist sg[3];
	unsigned int i, n, len;

	KUNIT_ASSERT_FALSE(test, IS_ERR(tfm));
	KUNIT_ASSERT_EQ(test, crypto_ahash_set_reuse(tfm, true), 0);
	req = ahash_request_alloc(tfm, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, req);
	ahash_request_set_callback(req, 0, NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		len = lens[i];
		crypto_shash_tfm_digest(plain, data, len, want);
		for (n = 0; n < 4; n++) {
			memset(got, 0, sizeof(got));
			if (n % 2 && len > 8) {
				sg_init_table(sg, 3);
				sg_set_buf(&sg[0], data, 3);
				sg_set_buf(&sg[1], data + 3, 5);
				sg_set_buf(&sg[2], data + 8, len - 8);
			} else {
				sg_init_one(sg, data, len);
			}
			ahash_request_set_crypt(req, sg, got, len);
			KUNIT_EXPECT_EQ(test, crypto_ahash_digest(req), 0);
			KUNIT_EXPECT_MEMEQ(test, want, got, 32);
		}
	}
	KUNIT_EXPECT_EQ(test, hits(), 3 * (ARRAY_SIZE(lens) - 2));
	ahash_request_free(req);
	crypto_free_ahash(tfm);
	crypto_free_shash(plain);
}

static void keyed_test(struct kunit *test)
{
	struct crypto_shash *plain = new_shash(test, "hmac(sha256)");
	struct crypto_shash *reuse = new_shash(test, "hmac(sha256)");
	struct crypto_shash *clone;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, crypto_shash_set_reuse(reuse, true), 0);
	/* No key yet: refused before anything is looked up */
	KUNIT_EXPECT_EQ(test, crypto_shash_tfm_digest(reuse, data, 64, got), -ENOKEY);
	KUNIT_EXPECT_EQ(test, kcr_site_lookups(site), 0);

	for (i = 0; i < 6; i++) {
		/* Two digests with each of three keys, the third as the first */
		if (i % 2 == 0) {
			crypto_shash_setkey(plain, i == 2 ? "two" : "one", 3);
			crypto_shash_setkey(reuse, i == 2 ? "two" : "one", 3);
		}
		crypto_shash_tfm_digest(plain, data, 64, want);
		crypto_shash_tfm_digest(reuse, data, 64, got);
		KUNIT_EXPECT_MEMEQ(test, want, got, 32);
	}
	KUNIT_EXPECT_EQ(test, hits(), 3);

	clone = crypto_clone_shash(reuse);
	if (!IS_ERR(clone)) {
		KUNIT_EXPECT_PTR_NE(test, clone, reuse);
		KUNIT_EXPECT_NULL(test, crypto_shash_tfm(clone)->kcr);
		crypto_shash_setkey(clone, "new", 3);
		crypto_shash_setkey(plain, "new", 3);
		crypto_shash_tfm_digest(plain, data, 64, want);
		crypto_shash_tfm_digest(clone, data, 64, got);
		KUNIT_EXPECT_MEMEQ(test, want, got, 32);
		crypto_free_shash(clone);
	}
	KUNIT_EXPECT_EQ(test, hits(), 3);
	crypto_free_shash(plain);
	crypto_free_shash(reuse);
}

static void swept_when_freed_test(struct kunit *test)
{
	struct crypto_shash *reuse = new_shash(test, "sha256");
	u64 stamp;

	KUNIT_ASSERT_EQ(test, crypto_shash_set_reuse(reuse, true), 0);
	stamp = crypto_shash_tfm(reuse)->kcr->stamp;
	crypto_shash_tfm_digest(reuse, data, 64, got);
	crypto_shash_tfm_digest(reuse, data, 4096, got);
	KUNIT_EXPECT_GT(test, kcr_test_count_all(stamp), 0);
	crypto_free_shash(reuse);
	KUNIT_EXPECT_EQ(test, kcr_test_count_all(stamp), 0);
}

static void output_over_input_test(struct kunit *test)
{
	struct crypto_shash *reuse = new_shash(test, "sha256");
	unsigned int n;
	u8 *buf = kunit_kzalloc(test, 4096, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, crypto_shash_set_reuse(reuse, true), 0);
	memcpy(buf, data, 4096);
	crypto_shash_tfm_digest(reuse, buf, 4096, want);
	for (n = 0; n < 3; n++) {
		memcpy(buf, data, 4096);
		crypto_shash_tfm_digest(reuse, buf, 4096, buf);
		KUNIT_EXPECT_MEMEQ(test, want, buf, 32);
	}
	KUNIT_EXPECT_EQ(test, hits(), 3);
	crypto_free_shash(reuse);
}

static int hash_init(struct kunit *test)
{
	unsigned int i;

	if (!kcr_is_enabled())
		kunit_skip(test, "kcr_enable is off");
	kcr_flush();
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i] && !strcmp(kcr_sites[i]->name, "hash"))
			site = kcr_sites[i];
	if (!site)
		return -ENODEV;
	kcr_site_reset(site);
	data = kunit_kzalloc(test, MAX_LEN + 1, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	for (i = 0; i < MAX_LEN; i++)
		data[i] = i * 13 + (i >> 8);
	return 0;
}

static struct kunit_case hash_cases[] = {
	KUNIT_CASE(sha1_test),
	KUNIT_CASE(sha256_test),
	KUNIT_CASE(sha512_test),
	KUNIT_CASE(ahash_test),
	KUNIT_CASE(keyed_test),
	KUNIT_CASE(swept_when_freed_test),
	KUNIT_CASE(output_over_input_test),
	{}
};

static struct kunit_suite hash_suite = {
	.name = "kcr_hash",
	.init = hash_init,
	.test_cases = hash_cases,
};

kunit_test_suite(hash_suite);
