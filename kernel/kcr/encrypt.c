// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: entries that only the process that made them can read.
 *
 * Of sites that handle secrets, what an entry holds inline (key and result) and
 * what a larger one has as its result is encrypted with ChaCha20 (RFC 8439, the
 * block function of lib/crypto/chacha.c) under a key of the process's that is
 * forgotten with its memory descriptor. What is left of it in a memory image is
 * noise then. Other processes do not find it: inline they would decrypt the key to
 * something else, and larger entries have the process's tag.
 *
 * No part of the key stream is used twice: an inline entry's begins at (slot,
 * tier, sequence), of which the sequence only grows; a larger one's at a number
 * that is never used again.
 */
#include <crypto/chacha.h>
#include <crypto/utils.h>
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/kcr.h>
#include <linux/mm_types.h>
#include <linux/preempt.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "encrypt.h"
#include "kcr_private.h"

#define KCR_CHACHA_WORDS	(CHACHA_BLOCK_SIZE / sizeof(u64))
/* A tier's number is never this; see kcr_encrypt_serial() */
#define KCR_SERIAL_BLOB		U32_MAX

/* For who is no process: interrupts, kernel threads */
static struct kcr_cipher kcr_boot_cipher __ro_after_init;
static atomic_t kcr_serials;
static atomic64_t kcr_blob_numbers;

/**
 * kcr_cipher_init() - draw a key
 * @cipher: the key, of a memory descriptor that nobody uses yet
 *
 * Context: any.
 */
void kcr_cipher_init(struct kcr_cipher *cipher)
{
	get_random_bytes(cipher, sizeof(*cipher));
}

/**
 * kcr_cipher_destroy() - forget a key
 * @cipher: the key; what was encrypted with it cannot be read any more
 *
 * Context: any.
 */
void kcr_cipher_destroy(struct kcr_cipher *cipher)
{
	memzero_explicit(cipher, sizeof(*cipher));
}

/* kcr_encrypt_init() - draw the key of who is no process */
void __init kcr_encrypt_init(void)
{
	kcr_cipher_init(&kcr_boot_cipher);
}

/**
 * kcr_encrypt_serial() - a number for a tier
 *
 * Context: any.
 * Return: one that no other tier ever had. Tiers are made when KCR is switched
 * on; after four thousand million times it stays at the last, and so tiers at one
 * address are told apart by their slots' sequences no more.
 */
u32 kcr_encrypt_serial(void)
{
	return atomic_fetch_add_unless(&kcr_serials, 1, (int)(KCR_SERIAL_BLOB - 1));
}

/**
 * kcr_process_cipher() - the key of whoever runs
 *
 * Context: any.
 * Return: the process's key, good as long as the caller's context; or that of
 * those who are no process.
 */
const struct kcr_cipher *kcr_process_cipher(void)
{
	if (!in_task() || !current->mm)
		return &kcr_boot_cipher;
	return &current->mm->kcr_cipher;
}
EXPORT_SYMBOL_GPL(kcr_process_cipher);

/* Where a key stream begins: RFC 8439's constants, key, and four words */
static void kcr_stream_init(u32 *state, const struct kcr_cipher *cipher,
			    u32 block, u32 serial, u64 number)
{
	chacha_init_consts(state);
	memcpy(state + 4, cipher->key, sizeof(cipher->key));
	state[12] = block;
	state[13] = serial;
	state[14] = number;
	state[15] = number >> 32;
}

/* Up to two times KCR_INLINE_WORDS of the stream of a slot's sequence */
static void kcr_slot_stream(const struct kcr_tier *tier,
			    const struct kcr_slot *slot,
			    const struct kcr_cipher *cipher, u64 seq,
			    u64 *stream, unsigned int words)
{
	u32 state[CHACHA_STATE_WORDS];
	unsigned int i;

	kcr_stream_init(state, cipher, (slot - tier->slots) << 8, tier->serial,
			seq);
	for (i = 0; i < words; i += KCR_CHACHA_WORDS)
		chacha20_block(state, (u8 *)(stream + i));
	memzero_explicit(state, sizeof(state));
}

/* Blocks are whole */
#define KCR_STREAM_WORDS	round_up(2 * KCR_INLINE_WORDS, KCR_CHACHA_WORDS)

/**
 * kcr_slot_decrypt() - compare a slot's encrypted key, and decrypt its result
 * @tier: the tier
 * @slot: the slot, which may be changing
 * @q: the query; @res holds the result on success, otherwise anything
 * @words: of key, and of result
 *
 * Context: any.
 * Return: true if stamp, head and key are the query's, the process the one that
 * stored it, and nothing changed meanwhile.
 */
bool kcr_slot_decrypt(const struct kcr_tier *tier, const struct kcr_slot *slot,
		      struct kcr_query *q, unsigned int words)
{
	u64 stream[KCR_STREAM_WORDS];
	unsigned int i;
	u64 seq, diff;

	seq = smp_load_acquire(&slot->seq) & ~1ULL;	/* (R) in tier.c */
	diff = READ_ONCE(slot->stamp) ^ q->stamp;
	diff |= READ_ONCE(slot->head) ^ q->head;
	if (diff)
		return false;
	kcr_slot_stream(tier, slot, q->cipher, seq, stream, 2 * words);
	for (i = 0; i < words; i++) {
		q->res[i] = READ_ONCE(slot->data[i]) ^ stream[i];
		diff |= READ_ONCE(slot->data[words + i]) ^ stream[words + i] ^
			q->key[i];
	}
	smp_rmb();					/* (R) in tier.c */
	diff |= READ_ONCE(slot->seq) ^ seq;
	memzero_explicit(stream, sizeof(stream));
	return !diff;
}

/**
 * kcr_slot_encrypted_key() - whether a slot has a query's key, encrypted
 * @tier: the tier
 * @slot: the slot, which may be changing
 * @q: the query
 * @words: of key
 *
 * Context: any.
 * Return: true if it has; a guess.
 */
bool kcr_slot_encrypted_key(const struct kcr_tier *tier,
			    const struct kcr_slot *slot,
			    const struct kcr_query *q, unsigned int words)
{
	u64 diff = READ_ONCE(slot->head) ^ q->head;
	u64 stream[KCR_STREAM_WORDS];
	unsigned int i;

	if (diff)
		return false;
	kcr_slot_stream(tier, slot, q->cipher, READ_ONCE(slot->seq), stream,
			2 * words);
	for (i = words; i < 2 * words; i++)
		diff |= READ_ONCE(slot->data[i]) ^ stream[i] ^ q->key[i - words];
	memzero_explicit(stream, sizeof(stream));
	return !diff;
}

/**
 * kcr_slot_encrypt() - write an encrypted key and result into a slot
 * @tier: the tier
 * @slot: the slot, which the caller has claimed
 * @q: the query
 * @words: of key, and of result
 *
 * Context: any.
 */
void kcr_slot_encrypt(const struct kcr_tier *tier, struct kcr_slot *slot,
		      const struct kcr_query *q, unsigned int words)
{
	/* What the sequence will be when readers may look */
	u64 seq = READ_ONCE(slot->seq) + 1;
	u64 stream[KCR_STREAM_WORDS];
	unsigned int i;

	kcr_slot_stream(tier, slot, q->cipher, seq, stream, 2 * words);
	for (i = 0; i < words; i++) {
		WRITE_ONCE(slot->data[i], q->res[i] ^ stream[i]);
		WRITE_ONCE(slot->data[words + i],
			   q->key[i] ^ stream[words + i]);
	}
	memzero_explicit(stream, sizeof(stream));
}

/* The stream covers the small result first; that is a whole number of blocks */
static void kcr_blob_crypt(const struct kcr_cipher *cipher, u64 number,
			   u64 *small, u8 *bulk, u32 bulk_len)
{
	u32 state[CHACHA_STATE_WORDS];
	u64 stream[KCR_CHACHA_WORDS];
	u32 i, at;

	BUILD_BUG_ON(KCR_SMALL_MAX != CHACHA_BLOCK_SIZE);
	kcr_stream_init(state, cipher, 0, KCR_SERIAL_BLOB, number);
	chacha20_block(state, (u8 *)stream);
	for (i = 0; i < KCR_CHACHA_WORDS; i++)
		small[i] ^= stream[i];
	for (at = 0; at < bulk_len; at += CHACHA_BLOCK_SIZE) {
		chacha20_block(state, (u8 *)stream);
		crypto_xor(bulk + at, (u8 *)stream,
			   min_t(u32, bulk_len - at, CHACHA_BLOCK_SIZE));
	}
	memzero_explicit(state, sizeof(state));
	memzero_explicit(stream, sizeof(stream));
}

/**
 * kcr_blob_encrypt() - encrypt a new entry's result, if its site wants that
 * @blob: the entry, with its result
 * @q: the query whose result it is
 *
 * Objects are the kernel's and nothing to be read; they stay what they are.
 *
 * Context: any.
 */
void kcr_blob_encrypt(struct kcr_blob *blob, const struct kcr_query *q)
{
	blob->tag = kcr_query_tag(q);
	if (!q->cipher || blob->object)
		return;
	blob->number = atomic64_inc_return(&kcr_blob_numbers);
	kcr_blob_crypt(q->cipher, blob->number, blob->small, blob->bulk,
		       blob->bulk_len);
}

/**
 * kcr_blob_decrypt() - decrypt what was copied from an entry
 * @blob: the entry, kcr_blob_mine()
 * @q: the query, with the entry's result in @res and @bulk
 *
 * Context: RCU read lock.
 */
void kcr_blob_decrypt(const struct kcr_blob *blob, struct kcr_query *q)
{
	if (q->cipher && !blob->object)
		kcr_blob_crypt(q->cipher, blob->number, q->res, q->bulk,
			       q->bulk_len);
}
