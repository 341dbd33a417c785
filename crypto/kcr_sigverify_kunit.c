// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: tests of the sigverify site.
 */
#include <crypto/kcr_sigverify.h>
#include <crypto/sha2.h>
#include <keys/system_keyring.h>
#include <linux/cred.h>
#include <linux/key.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "kcr_sigverify_vectors.h"
#include "tests/kcr_test.h"

#define ROUNDS 64

static struct kcr_site *site;
static int verdict;
static unsigned int computed;

static u64 hits(void)
{
	return kcr_site_sum(site, KCR_L3_HITS);
}

static int fake_verify(const struct public_key *pkey,
		       const struct public_key_signature *sig)
{
	computed++;
	return verdict;
}

static int faked(const struct public_key *pkey,
		 const struct public_key_signature *sig)
{
	return kcr_sigverify(pkey, sig, fake_verify);
}

/* Whether the algorithm is there, and the signature good without us */
static bool usable(struct kunit *test, const struct kcr_vector *v)
{
	struct public_key_signature sig;
	struct public_key pkey;
	int ret;

	kcr_vector_fill(v, &pkey, &sig);
	KUNIT_ASSERT_EQ(test, kcr_site_set_mode(site, KCR_MODE_OFF), 0);
	ret = public_key_verify_signature(&pkey, &sig);
	KUNIT_ASSERT_EQ(test, kcr_site_set_mode(site, KCR_MODE_REUSE), 0);
	return !ret;
}

static void good_ones_test(struct kunit *test)
{
	struct public_key_signature sig;
	struct public_key pkey;
	unsigned int i, n, used = 0;
	u64 before;

	for (i = 0; i < ARRAY_SIZE(kcr_vectors); i++) {
		if (!usable(test, &kcr_vectors[i]))
			continue;
		used++;
		kcr_vector_fill(&kcr_vectors[i], &pkey, &sig);
		before = hits();
		for (n = 0; n < 8; n++)
			KUNIT_EXPECT_EQ_MSG(test, public_key_verify_signature(&pkey, &sig), 0,
					    "%s", kcr_vectors[i].name);
		KUNIT_EXPECT_GE(test, hits() - before, 6);
	}
	if (!used)
		kunit_skip(test, "no algorithm is there");
}

/* One of the ways to make @pkey and @sig another request */
static void tamper(struct public_key *pkey, struct public_key_signature *sig,
		   u8 *bytes[3], unsigned int how)
{
	/* 0 leaves everything as it is */
	switch (how % 8) {
	case 1:
		bytes[0][how % pkey->keylen] ^= 1;
		break;
	case 2:
		bytes[1][how % sig->s_size] ^= 0x80;
		break;
	case 3:
		bytes[2][how % sig->digest_size] ^= 4;
		break;
	case 4:
		sig->s_size--;
		break;
	case 5:
		sig->digest_size -= 12;
		break;
	case 6:
		sig->hash_algo = "sha512";
		break;
	case 7:
		sig->pkey_algo = "ecrdsa";
		break;
	}
}

static int tampered_once(struct kunit *test, const struct kcr_vector *v,
			 unsigned int how)
{
	struct public_key_signature sig;
	struct public_key pkey;
	u8 *bytes[3];
	int ret;

	kcr_vector_fill(v, &pkey, &sig);
	bytes[0] = kmemdup(pkey.key, pkey.keylen, GFP_KERNEL);
	bytes[1] = kmemdup(sig.s, sig.s_size, GFP_KERNEL);
	bytes[2] = kmemdup(sig.digest, sig.digest_size, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, bytes[0] && bytes[1] && bytes[2]);
	pkey.key = bytes[0];
	sig.s = bytes[1];
	sig.digest = bytes[2];
	tamper(&pkey, &sig, bytes, how);
	ret = public_key_verify_signature(&pkey, &sig);
	kfree(bytes[0]);
	kfree(bytes[1]);
	kfree(bytes[2]);
	return ret;
}

/* Good and bad ones in any order, each of them often: never the other's verdict */
static void tampered_ones_test(struct kunit *test)
{
	static int want[32];
	u32 random = 1;
	unsigned int i, how;

	if (!usable(test, &kcr_vectors[0]))
		kunit_skip(test, "no %s", kcr_vectors[0].name);
	KUNIT_ASSERT_EQ(test, kcr_site_set_mode(site, KCR_MODE_OFF), 0);
	for (how = 0; how < ARRAY_SIZE(want); how++) {
		want[how] = tampered_once(test, &kcr_vectors[0], how);
		KUNIT_EXPECT_EQ(test, !want[how], how % 8 == 0);
	}
	KUNIT_ASSERT_EQ(test, kcr_site_set_mode(site, KCR_MODE_REUSE), 0);
	for (i = 0; i < ROUNDS * ARRAY_SIZE(want); i++) {
		random = random * 1664525 + 1013904223;
		how = random >> 27;
		KUNIT_EXPECT_EQ(test, tampered_once(test, &kcr_vectors[0], how), want[how]);
	}
	KUNIT_EXPECT_GT(test, hits(), ROUNDS * ARRAY_SIZE(want) / 2);
}

/* The same bytes, divided among the parts in another way, are another request */
static void parts_test(struct kunit *test)
{
	static const u8 bytes[256] = { 1, 2, 3 };
	struct public_key pkey = {
		.key = (void *)bytes, .pkey_algo = "rsa",
		.params = (void *)bytes,
	};
	struct public_key_signature sig = {
		.s = (void *)bytes, .digest = (void *)bytes,
	};
	unsigned int i;

	for (i = 0; i < 16; i++) {
		pkey.keylen = i & 1 ? 64 : 65;
		pkey.paramlen = i & 1 ? 65 : 64;
		sig.s_size = i & 2 ? 32 : 31;
		sig.digest_size = i & 2 ? 31 : 32;
		sig.hash_algo = i & 4 ? "" : NULL;
		sig.encoding = i & 8 ? "x" : NULL;
		sig.pkey_algo = i & 8 ? NULL : "x";
		verdict = i % 3 ? -EKEYREJECTED : 0;
		computed = 0;
		KUNIT_EXPECT_EQ(test, faked(&pkey, &sig), verdict);
		KUNIT_EXPECT_EQ_MSG(test, computed, 1, "as request %u", i);
		KUNIT_EXPECT_EQ(test, faked(&pkey, &sig), verdict);
		KUNIT_EXPECT_EQ(test, computed, 1);
	}
}

/* Only verdicts are kept; what else may go wrong may be otherwise next time */
static void verdicts_only_test(struct kunit *test)
{
	static const struct { int ret; bool kept; } rets[] = {
		{ -ENOMEM, false }, { -ENOPKG, false }, { -EINVAL, false },
		{ -EINTR, false }, { -ENOENT, false }, { -EAGAIN, false },
		{ -EKEYREJECTED, true }, { -EBADMSG, true }, { 0, true },
	};
	struct public_key_signature sig;
	struct public_key pkey;
	unsigned int i, n;

	kcr_vector_fill(&kcr_vectors[0], &pkey, &sig);
	for (i = 0; i < ARRAY_SIZE(rets); i++) {
		kcr_flush();
		verdict = rets[i].ret;
		computed = 0;
		for (n = 0; n < 4; n++)
			KUNIT_EXPECT_EQ(test, faked(&pkey, &sig), verdict);
		KUNIT_EXPECT_EQ(test, computed, rets[i].kept ? 1 : 4);
		if (rets[i].kept)
			continue;
		/* It did not stick: the next answer is the computed one */
		verdict = 0;
		KUNIT_EXPECT_EQ(test, faked(&pkey, &sig), 0);
	}
}

static void private_keys_test(struct kunit *test)
{
	struct public_key_signature sig;
	struct public_key pkey;
	unsigned int n;

	kcr_vector_fill(&kcr_vectors[0], &pkey, &sig);
	pkey.key_is_private = true;
	verdict = 0;
	computed = 0;
	for (n = 0; n < 4; n++)
		faked(&pkey, &sig);
	KUNIT_EXPECT_EQ(test, computed, 4);
}

static int add_certificate(struct key *keyring)
{
	key_ref_t key;

	key = key_create_or_update(make_key_ref(keyring, true), "asymmetric", NULL,
				   kcr_vector_cert, sizeof(kcr_vector_cert),
				   KEY_POS_ALL | KEY_USR_VIEW,
				   KEY_ALLOC_NOT_IN_QUOTA | KEY_ALLOC_BYPASS_RESTRICTION);
	if (IS_ERR(key))
		return PTR_ERR(key);
	key_ref_put(key);
	return 0;
}

static int blacklist(const u8 *digest, size_t len)
{
#ifdef CONFIG_SYSTEM_BLACKLIST_KEYRING
	return mark_hash_blacklisted(digest, len, BLACKLIST_HASH_X509_TBS);
#else
	return -EOPNOTSUPP;
#endif
}

/* What is not to be trusted any more is refused, whatever its signature was */
static void blacklisted_test(struct kunit *test)
{
	const u8 *tbs = kcr_vector_cert + 4;
	u8 digest[SHA256_DIGEST_SIZE];
	struct key *keyring;
	unsigned int n;

	if (!IS_ENABLED(CONFIG_SYSTEM_BLACKLIST_KEYRING) ||
	    !IS_ENABLED(CONFIG_X509_CERTIFICATE_PARSER))
		kunit_skip(test, "no blacklist keyring, or no certificates");
	keyring = keyring_alloc("kcr_test", GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
				current_cred(), KEY_POS_ALL,
				KEY_ALLOC_NOT_IN_QUOTA, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(keyring));
	for (n = 0; n < 4; n++)
		KUNIT_EXPECT_EQ(test, add_certificate(keyring), 0);
	KUNIT_EXPECT_GE(test, hits(), 2);

	sha256(tbs, 4 + get_unaligned_be16(tbs + 2), digest);
	KUNIT_EXPECT_EQ(test, blacklist(digest, sizeof(digest)), 0);
	for (n = 0; n < 4; n++)
		KUNIT_EXPECT_EQ(test, add_certificate(keyring), -EKEYREJECTED);
	key_put(keyring);
}

static int sigverify_init(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < KCR_MAX_SITES; i++)
		if (kcr_sites[i] && !strcmp(kcr_sites[i]->name, "sigverify"))
			site = kcr_sites[i];
	if (!site)
		return -ENODEV;
	kcr_test_arm(test, site);
	KUNIT_ASSERT_EQ(test, kcr_tiers_alloc(), 0);
	kcr_flush();
	kcr_site_set_always(site, true);
	kcr_site_reset(site);
	return 0;
}

static void sigverify_exit(struct kunit *test)
{
	if (site)
		kcr_site_set_always(site, false);
}

static struct kunit_case sigverify_cases[] = {
	KUNIT_CASE(good_ones_test),
	KUNIT_CASE(tampered_ones_test),
	KUNIT_CASE(parts_test),
	KUNIT_CASE(verdicts_only_test),
	KUNIT_CASE(private_keys_test),
	KUNIT_CASE(blacklisted_test),
	{}
};

static struct kunit_suite sigverify_suite = {
	.name = "kcr_sigverify",
	.init = sigverify_init,
	.exit = sigverify_exit,
	.test_cases = sigverify_cases,
};

kunit_test_suite(sigverify_suite);
