// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of the skcipher site through the crypto API.
 */
#include <crypto/internal/skcipher.h>
#include <crypto/kcr.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "tests/kcr_test.h"

#define MAX_LEN 8192

struct cipher {
	struct crypto_skcipher *tfm;
	struct skcipher_request *req;
	struct crypto_wait wait;
};

static struct cipher plain, reuse;
static u8 *src, *want, *got;
static u8 want_iv[16], got_iv[16];

static const u8 key1[32] = "first key of the kcr tests, 32B";
static const u8 key2[32] = "other key of the kcr tests, 32B";

static u64 count(const char *name)
{
	struct kcr_site *site = NULL;
	unsigned int i;

	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i] && !strcmp(kcr_sites[i]->name, "skcipher"))
			site = kcr_sites[i];
	for (i = 0; site && i < KCR_NR_COUNTERS; i++)
		if (!strcmp(kcr_counter_names[i], name))
			return kcr_site_sum(site, i);
	return 0;
}

static u64 hits(void)
{
	return count("l2_hits") + count("l3_hits");
}

static void cipher_free(struct cipher *c)
{
	skcipher_request_free(c->req);
	if (!IS_ERR_OR_NULL(c->tfm))
		crypto_free_skcipher(c->tfm);
	memset(c, 0, sizeof(*c));
}

static void cipher_alloc(struct kunit *test, struct cipher *c, const char *name)
{
	c->tfm = crypto_alloc_skcipher(name, 0, 0);
	if (IS_ERR(c->tfm)) {
		c->tfm = NULL;
		kunit_skip(test, "no %s", name);
	}
	c->req = skcipher_request_alloc(c->tfm, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c->req);
	crypto_init_wait(&c->wait);
	skcipher_request_set_callback(c->req, CRYPTO_TFM_REQ_MAY_SLEEP |
				      CRYPTO_TFM_REQ_MAY_BACKLOG,
				      crypto_req_done, &c->wait);
}

/* A plain transform and one that reuses, with the same key */
static void ciphers(struct kunit *test, const char *name, unsigned int keylen)
{
	cipher_free(&plain);
	cipher_free(&reuse);
	cipher_alloc(test, &plain, name);
	cipher_alloc(test, &reuse, name);
	KUNIT_ASSERT_EQ(test, crypto_skcipher_setkey(plain.tfm, key1, keylen), 0);
	KUNIT_ASSERT_EQ(test, crypto_skcipher_setkey(reuse.tfm, key1, keylen), 0);
	KUNIT_ASSERT_EQ(test, crypto_skcipher_set_reuse(reuse.tfm, true), 0);
}

static int crypt_sg(struct cipher *c, bool enc, struct scatterlist *from,
		    struct scatterlist *to, unsigned int len, u8 *iv)
{
	skcipher_request_set_crypt(c->req, from, to, len, iv);
	return crypto_wait_req(enc ? crypto_skcipher_encrypt(c->req) :
				     crypto_skcipher_decrypt(c->req), &c->wait);
}

static int crypt(struct cipher *c, bool enc, u8 *from, u8 *to,
		 unsigned int len, u8 *iv)
{
	struct scatterlist s, d;

	sg_init_one(&s, from, len);
	sg_init_one(&d, to, len);
	return crypt_sg(c, enc, &s, from == to ? &s : &d, len, iv);
}

/* The same request on both: the same bytes, the same IV written back */
static void same(struct kunit *test, bool enc, unsigned int len, u8 iv)
{
	memset(want, 0xaa, MAX_LEN);
	memset(got, 0xaa, MAX_LEN);
	memset(want_iv, iv, sizeof(want_iv));
	memset(got_iv, iv, sizeof(got_iv));
	KUNIT_EXPECT_EQ(test, crypt(&plain, enc, src, want, len, want_iv), 0);
	KUNIT_EXPECT_EQ(test, crypt(&reuse, enc, src, got, len, got_iv), 0);
	KUNIT_EXPECT_MEMEQ(test, want, got, MAX_LEN);
	KUNIT_EXPECT_MEMEQ(test, want_iv, got_iv, sizeof(want_iv));
}

static void sizes_test(struct kunit *test, const char *name,
		       unsigned int keylen)
{
	static const unsigned int lens[] = {
		16, 32, 48, 64, 80, 96, 112, 128, 512, 1024, 4080, 4096, 4112, 8192
	};
	unsigned int i, n;
	u64 before;

	ciphers(test, name, keylen);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		/* What another length left might want the same bucket */
		kcr_flush();
		before = hits();
		/* One after the other: two of them may share a bucket */
		for (n = 0; n < 4; n++)
			same(test, true, lens[i], 1);
		for (n = 0; n < 4; n++)
			same(test, false, lens[i], 1);
		for (n = 0; n < 4; n++)
			same(test, true, lens[i], 2);
		KUNIT_EXPECT_EQ(test, hits() - before,
				lens[i] <= KCR_BODY_DEFAULT ? 9 : 0);
	}
}

static void ecb_test(struct kunit *test)
{
	struct scatterlist s, d;
	unsigned int n;

	ciphers(test, "ecb(aes)", 32);
	for (n = 0; n < 4; n++) {
		sg_init_one(&s, src, 64);
		sg_init_one(&d, got, 64);
		KUNIT_EXPECT_EQ(test, crypt_sg(&reuse, true, &s, &d, 64, NULL), 0);
		sg_init_one(&d, want, 64);
		KUNIT_EXPECT_EQ(test, crypt_sg(&plain, true, &s, &d, 64, NULL), 0);
		KUNIT_EXPECT_MEMEQ(test, want, got, 64);
	}
	KUNIT_EXPECT_EQ(test, hits(), 3);
}

static void cbc_test(struct kunit *test) { sizes_test(test, "cbc(aes)", 16); }
static void cbc_generic_test(struct kunit *test) { sizes_test(test, "cbc(aes-generic)", 32); }
static void ctr_test(struct kunit *test) { sizes_test(test, "ctr(aes)", 16); }
static void xts_test(struct kunit *test) { sizes_test(test, "xts(aes)", 32); }

static void odd_lengths_test(struct kunit *test)
{
	unsigned int len, n;

	ciphers(test, "ctr(aes)", 16);
	for (len = 1; len < 200; len++)
		for (n = 0; n < 3; n++)
			same(test, true, len, 1);
	/* Where two want one bucket, the second has to ask twice */
	KUNIT_EXPECT_LE(test, hits(), 2 * 199);
	KUNIT_EXPECT_GE(test, hits(), 2 * 199 - 20);
}

static void in_place_test(struct kunit *test)
{
	static const unsigned int lens[] = { 64, 4096 };
	unsigned int i, n;

	ciphers(test, "cbc(aes)", 16);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (n = 0; n < 4; n++) {
			memset(want_iv, 1, sizeof(want_iv));
			memset(got_iv, 1, sizeof(got_iv));
			memcpy(got, src, lens[i]);
			crypt(&plain, true, src, want, lens[i], want_iv);
			KUNIT_EXPECT_EQ(test, crypt(&reuse, true, got, got, lens[i],
						    got_iv), 0);
			KUNIT_EXPECT_MEMEQ(test, want, got, lens[i]);
			KUNIT_EXPECT_MEMEQ(test, want_iv, got_iv, 16);
		}
	}
	KUNIT_EXPECT_EQ(test, hits(), 6);
}

/* Source and destination overlap by half: as bad as in place */
static void overlap_test(struct kunit *test)
{
	struct scatterlist s, d;
	unsigned int n;

	ciphers(test, "ctr(aes)", 16);
	memset(want_iv, 1, 16);
	crypt(&plain, true, src, want, 2048, want_iv);
	for (n = 0; n < 3; n++) {
		memcpy(got + 1024, src, 2048);
		memset(got_iv, 1, 16);
		sg_init_one(&s, got + 1024, 2048);
		sg_init_one(&d, got, 2048);
		KUNIT_EXPECT_EQ(test, crypt_sg(&reuse, true, &s, &d, 2048, got_iv), 0);
		KUNIT_EXPECT_MEMEQ(test, want, got, 2048);
	}
	KUNIT_EXPECT_EQ(test, hits(), 2);
}

static void scattered_test(struct kunit *test)
{
	static const unsigned int lens[] = { 64, 1024, 4096 };
	struct scatterlist s[3], d[3];
	unsigned int i, n, len;

	ciphers(test, "cbc(aes)", 16);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		len = lens[i];
		for (n = 0; n < 4; n++) {
			memset(want_iv, 1, 16);
			memset(got_iv, 1, 16);
			memset(got, 0, MAX_LEN);
			crypt(&plain, true, src, want, len, want_iv);
			sg_init_table(s, 3);
			sg_set_buf(&s[0], src, 5);
			sg_set_buf(&s[1], src + 5, 40);
			sg_set_buf(&s[2], src + 45, len - 45);
			sg_init_table(d, 3);
			sg_set_buf(&d[0], got, 31);
			sg_set_buf(&d[1], got + 31, 2);
			sg_set_buf(&d[2], got + 33, len - 33);
			KUNIT_EXPECT_EQ(test, crypt_sg(&reuse, true, s, d, len,
						       got_iv), 0);
			KUNIT_EXPECT_MEMEQ(test, want, got, len);
			KUNIT_EXPECT_MEMEQ(test, want_iv, got_iv, 16);
		}
	}
	KUNIT_EXPECT_EQ(test, hits(), 9);
}

static void setkey_test(struct kunit *test)
{
	struct kcr_owner *owner;
	u64 stamp;

	ciphers(test, "cbc(aes)", 16);
	owner = crypto_skcipher_tfm(reuse.tfm)->kcr;
	stamp = owner->stamp;
	same(test, true, 64, 1);
	same(test, true, 64, 1);
	same(test, true, 1024, 1);
	KUNIT_EXPECT_GT(test, kcr_test_count_all(stamp), 1);

	crypto_skcipher_setkey(plain.tfm, key2, 16);
	crypto_skcipher_setkey(reuse.tfm, key2, 16);
	KUNIT_EXPECT_NE(test, owner->stamp, stamp);
	KUNIT_EXPECT_EQ(test, kcr_test_count_all(stamp), 0);
	same(test, true, 64, 1);
	same(test, true, 1024, 1);
	KUNIT_EXPECT_EQ(test, hits(), 1);

	/* Back to the first key: what it gave then is gone all the same */
	crypto_skcipher_setkey(plain.tfm, key1, 16);
	crypto_skcipher_setkey(reuse.tfm, key1, 16);
	same(test, true, 64, 1);
	KUNIT_EXPECT_EQ(test, hits(), 1);

	stamp = owner->stamp;
	cipher_free(&reuse);
	KUNIT_EXPECT_EQ(test, kcr_test_count_all(stamp), 0);
}

static void two_tfms_test(struct kunit *test)
{
	struct cipher other = {};

	ciphers(test, "cbc(aes)", 16);
	cipher_alloc(test, &other, "cbc(aes)");
	crypto_skcipher_setkey(other.tfm, key1, 16);
	KUNIT_EXPECT_EQ(test, crypto_skcipher_set_reuse(other.tfm, true), 0);
	same(test, true, 64, 1);
	memset(got_iv, 1, 16);
	KUNIT_EXPECT_EQ(test, crypt(&other, true, src, got, 64, got_iv), 0);
	KUNIT_EXPECT_MEMEQ(test, want, got, 64);
	KUNIT_EXPECT_EQ(test, hits(), 0);
	cipher_free(&other);
}

static void opt_out_test(struct kunit *test)
{
	ciphers(test, "cbc(aes)", 16);
	same(test, true, 64, 1);
	same(test, true, 64, 1);
	KUNIT_EXPECT_EQ(test, hits(), 1);
	KUNIT_EXPECT_EQ(test, crypto_skcipher_set_reuse(reuse.tfm, false), 0);
	same(test, true, 64, 1);
	/* A new key does not opt in again */
	crypto_skcipher_setkey(reuse.tfm, key1, 16);
	same(test, true, 64, 1);
	KUNIT_EXPECT_EQ(test, hits(), 1);
	KUNIT_EXPECT_EQ(test, crypto_skcipher_set_reuse(reuse.tfm, true), 0);
	same(test, true, 64, 1);
	same(test, true, 64, 1);
	KUNIT_EXPECT_EQ(test, hits(), 2);
}

static void not_final_test(struct kunit *test)
{
	u64 lookups;

	ciphers(test, "cbc(aes)", 16);
	same(test, true, 64, 1);
	lookups = count("lookups");
	skcipher_request_set_callback(reuse.req, CRYPTO_TFM_REQ_MAY_SLEEP |
				      CRYPTO_SKCIPHER_REQ_NOTFINAL,
				      crypto_req_done, &reuse.wait);
	same(test, true, 64, 1);
	KUNIT_EXPECT_EQ(test, count("lookups"), lookups);
	KUNIT_EXPECT_EQ(test, count("passed"), 1);
}

static void stateful_test(struct kunit *test)
{
	struct cipher arc4 = {};

	cipher_alloc(test, &arc4, "ecb(arc4)");
	KUNIT_EXPECT_EQ(test, crypto_skcipher_set_reuse(arc4.tfm, true), -EOPNOTSUPP);
	cipher_free(&arc4);
}

/* cryptd completes later, by callback: right, and never remembered */
static void async_test(struct kunit *test)
{
	u64 stores, before;
	unsigned int n;

	ciphers(test, "cryptd(cbc(aes-generic))", 16);
	stores = count("stores");
	before = hits();
	for (n = 0; n < 5; n++) {
		same(test, true, 64, 1);
		same(test, true, 4096, 1);
	}
	KUNIT_EXPECT_EQ(test, count("stores"), stores);
	KUNIT_EXPECT_EQ(test, hits(), before);
}

static int skcipher_init(struct kunit *test)
{
	unsigned int i;

	if (!kcr_is_enabled())
		kunit_skip(test, "kcr_enable is off");
	kcr_flush();
	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i] && !strcmp(kcr_sites[i]->name, "skcipher"))
			kcr_site_reset(kcr_sites[i]);
	src = kunit_kzalloc(test, MAX_LEN, GFP_KERNEL);
	want = kunit_kzalloc(test, MAX_LEN, GFP_KERNEL);
	got = kunit_kzalloc(test, MAX_LEN, GFP_KERNEL);
	if (!src || !want || !got)
		return -ENOMEM;
	for (i = 0; i < MAX_LEN; i++)
		src[i] = i * 7 + (i >> 8);
	return 0;
}

static void skcipher_exit(struct kunit *test)
{
	cipher_free(&plain);
	cipher_free(&reuse);
}

static struct kunit_case skcipher_cases[] = {
	KUNIT_CASE(ecb_test),
	KUNIT_CASE(cbc_test),
	KUNIT_CASE(cbc_generic_test),
	KUNIT_CASE(ctr_test),
	KUNIT_CASE(xts_test),
	KUNIT_CASE(odd_lengths_test),
	KUNIT_CASE(in_place_test),
	KUNIT_CASE(overlap_test),
	KUNIT_CASE(scattered_test),
	KUNIT_CASE(setkey_test),
	KUNIT_CASE(two_tfms_test),
	KUNIT_CASE(opt_out_test),
	KUNIT_CASE(not_final_test),
	KUNIT_CASE(stateful_test),
	KUNIT_CASE(async_test),
	{}
};

static struct kunit_suite skcipher_suite = {
	.name = "kcr_skcipher",
	.init = skcipher_init,
	.exit = skcipher_exit,
	.test_cases = skcipher_cases,
};

kunit_test_suite(skcipher_suite);
