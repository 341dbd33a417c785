// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys: all that a call's result depends on, as its description says.
 *
 * Registers come with as many bytes as count of them. Memory comes with its length before it, so
 * that no two inputs give the same bytes; NULL has a length of its own. The floating-point control
 * words are behind all that, unless they are what programs begin with: then short keys stay short.
 */
#include "memo.h"

#include <string.h>

#define DEFAULT_MXCSR	0x1f80
#define DEFAULT_X87	0x037f
#define NULL_LENGTH	0xffffffffU

/* Random, set before main() */
unsigned char kcr_memo_process[16];

static void put(struct kcr_memo_buffer *key, const void *data, size_t length)
{
	if (length > key->room - key->length) {
		key->full = 1;
		return;
	}
	memcpy(key->data + key->length, data, length);
	key->length += length;
}

/* The value of a register that counts. x86-64 has the lower bytes first. */
static void put_register(struct kcr_memo_buffer *key, const struct kcr_memo_item *item,
			 uint64_t value)
{
	value &= item->mask;
	if (item->bytes == 8 && key->room - key->length >= 8) {
		memcpy(key->data + key->length, &value, 8);
		key->length += 8;
		return;
	}
	put(key, &value, item->bytes);
}

/* A pointer as such, and whose it is: children of fork() have the same ones. */
static void put_pointer(struct kcr_memo_buffer *key, uint64_t value)
{
	put(key, &value, sizeof(value));
	put(key, kcr_memo_process, sizeof(kcr_memo_process));
}

static uint64_t factor(uint8_t reg, uint64_t mask, int deref, const struct kcr_memo_frame *frame)
{
	uint64_t value;

	if (reg == KCR_MEMO_NO_REG)
		return 1;
	if (reg == KCR_MEMO_RETURN_REG)
		return frame->ret[0] & mask;
	value = kcr_memo_argument(frame, reg);
	if (deref) {
		if (!value)
			return 0;
		memcpy(&value, (const void *)value, sizeof(value));
	}
	return value & mask;
}

/**
 * kcr_memo_extent() - length of memory that is described
 * @item: memory
 * @frame: the call; for what is written as many bytes as are returned, after it
 *
 * Return: bytes; more than %KCR_MEMO_LARGE for too many.
 */
uint64_t kcr_memo_extent(const struct kcr_memo_item *item, const struct kcr_memo_frame *frame)
{
	uint64_t a = factor(item->reg_a, item->mask, item->deref, frame);
	uint64_t b = factor(item->reg_b, item->mask_b, 0, frame);
	uint64_t bytes;

	if (__builtin_mul_overflow(a, b, &bytes) ||
	    __builtin_mul_overflow(bytes, (uint64_t)item->count, &bytes))
		return UINT64_MAX;
	return bytes;
}

static void put_memory(struct kcr_memo_buffer *key, const struct kcr_memo_item *item,
		       const struct kcr_memo_frame *frame)
{
	const char *memory = (const char *)kcr_memo_argument(frame, item->reg);
	uint32_t length = NULL_LENGTH;
	uint64_t extent = 0;

	if (!(item->mode & KCR_MEMO_IN)) {
		uint8_t null = !memory;

		put(key, &null, sizeof(null));
		return;
	}
	if (memory) {
		extent = item->kind == 's' ? strlen(memory) : kcr_memo_extent(item, frame);
		if (extent > KCR_MEMO_LARGE) {
			key->full = 1;
			return;
		}
		length = (uint32_t)extent;
	}
	put(key, &length, sizeof(length));
	put(key, memory, extent);
}

/**
 * kcr_memo_inner() - what of an argument is watched
 * @item: the argument
 * @frame: the call
 * @span: out: address of the memory, its length, and of those pages that are watched; no such
 *	pages if all of it is part of the key
 *
 * Context: any.
 */
void kcr_memo_inner(const struct kcr_memo_item *item, const struct kcr_memo_frame *frame,
		    struct kcr_memo_span *span)
{
	uint64_t end;

	span->at = kcr_memo_argument(frame, item->reg);
	span->bytes = span->at ? kcr_memo_extent(item, frame) : 0;
	span->start = span->at;
	span->end = span->at;
	if (span->bytes < KCR_MEMO_WATCHED || __builtin_add_overflow(span->at, span->bytes, &end))
		return;
	span->start = (span->at + KCR_MEMO_PAGE - 1) & ~(KCR_MEMO_PAGE - 1);
	span->end = end & ~(KCR_MEMO_PAGE - 1);
}

/*
 * Memory that is watched: how long it is, and what of it is not in whole pages. The number before
 * those bytes says whether it is all.
 */
static void put_watched(struct kcr_memo_buffer *key, const struct kcr_memo_item *item,
			const struct kcr_memo_frame *frame)
{
	struct kcr_memo_span span;
	uint64_t head, tail;
	uint64_t null = UINT64_MAX;

	kcr_memo_inner(item, frame, &span);
	if (!span.at) {
		put(key, &null, sizeof(null));
		return;
	}
	head = span.start - span.at;
	tail = span.at + span.bytes - span.end;
	put(key, &span.bytes, sizeof(span.bytes));
	put(key, &head, sizeof(head));
	/* Short memory is all tail */
	put(key, (const void *)span.at, head);
	put(key, (const void *)span.end, tail);
}

/**
 * kcr_memo_key() - make the key of a call
 * @key: where to; full if it does not fit
 * @function: what is called
 * @frame: the arguments
 * @control: the control words of floating point
 *
 * Context: any; reads the memory that the function was said to read.
 */
void kcr_memo_key(struct kcr_memo_buffer *key, const struct kcr_memo_function *function,
		  const struct kcr_memo_frame *frame, const struct kcr_memo_control *control)
{
	/* libkcr says there as of when memory is watched */
	for (uint32_t i = 0; i < function->nr_tracked; i++)
		put(key, (const unsigned char[KCR_MEMO_FRONT]){ 0 }, KCR_MEMO_FRONT);
	for (uint32_t i = 0; i < function->nr_items && !key->full; i++) {
		const struct kcr_memo_item *item = &function->items[i];

		if (item->kind == 't')
			put_watched(key, item, frame);
		else if (item->kind == 'i')
			put_register(key, item, kcr_memo_argument(frame, item->reg));
		else if (item->kind == 'f')
			put_register(key, item, frame->xmm[item->reg][0]);
		else if (item->kind == 'p')
			put_pointer(key, kcr_memo_argument(frame, item->reg));
		else
			put_memory(key, item, frame);
	}
	if (control->mxcsr != DEFAULT_MXCSR || control->x87 != DEFAULT_X87) {
		put(key, &control->mxcsr, sizeof(control->mxcsr));
		put(key, &control->x87, sizeof(control->x87));
	}
	/* libkcr has no empty keys */
	if (!key->length)
		put(key, "", 1);
}

/* Bytes that a function may write or read behind an argument, before it was called. */
static uint64_t reach(const struct kcr_memo_item *item, const struct kcr_memo_frame *frame)
{
	if (item->kind == 's')
		return item->mode & KCR_MEMO_IN ? strlen((const char *)kcr_memo_argument(frame, item->reg)) + 1 : 1;
	if (item->reg_a == KCR_MEMO_RETURN_REG || item->reg_b == KCR_MEMO_RETURN_REG)
		return 1;
	return kcr_memo_extent(item, frame);
}

/**
 * kcr_memo_overlaps() - does a call write where it reads, or twice to one place?
 * @function: what is called
 * @frame: the arguments
 *
 * What it computes then may depend on more than the bytes: how far the places are apart.
 *
 * Return: 1 if it does, 0 if not. One argument that is both does not count.
 */
int kcr_memo_overlaps(const struct kcr_memo_function *function, const struct kcr_memo_frame *frame)
{
	for (uint32_t i = 0; i < function->nr_items; i++) {
		const struct kcr_memo_item *item = &function->items[i];
		uint64_t at;
		uint64_t bytes;

		if (!(item->mode & KCR_MEMO_OUT))
			continue;
		at = kcr_memo_argument(frame, item->reg);
		if (!at)
			continue;
		bytes = reach(item, frame);
		for (uint32_t j = 0; j < function->nr_items; j++) {
			const struct kcr_memo_item *other = &function->items[j];
			uint64_t other_at;

			if (j == i || !other->mode)
				continue;
			other_at = kcr_memo_argument(frame, other->reg);
			if (other_at && at < other_at + reach(other, frame) && other_at < at + bytes)
				return 1;
		}
	}
	return 0;
}

/**
 * kcr_memo_limits() - how long keys and results of a function can be
 * @function: the function
 * @key_max: out: bytes
 * @result_max: out: bytes
 */
void kcr_memo_limits(const struct kcr_memo_function *function, uint32_t *key_max,
		     uint32_t *result_max)
{
	uint64_t key = sizeof(uint32_t) + sizeof(uint16_t);
	uint64_t result = sizeof(uint32_t);

	for (uint32_t i = 0; i < function->nr_items; i++) {
		const struct kcr_memo_item *item = &function->items[i];
		int fixed = item->kind == 'b' && item->reg_a == KCR_MEMO_NO_REG &&
			    item->reg_b == KCR_MEMO_NO_REG;
		uint64_t bytes = fixed ? item->count : KCR_MEMO_LARGE;

		if (!item->mode) {
			key += item->kind == 'p' ? sizeof(uint64_t) + sizeof(kcr_memo_process) :
						   item->bytes;
			continue;
		}
		if (item->kind == 't')
			key += KCR_MEMO_FRONT + 2 * sizeof(uint64_t) + KCR_MEMO_WATCHED;
		else
			key += item->mode & KCR_MEMO_IN ? sizeof(uint32_t) + bytes : 1;
		if (item->mode & KCR_MEMO_OUT)
			result += sizeof(uint32_t) + bytes;
	}
	for (uint32_t i = 0; i < function->nr_returns; i++)
		result += function->returns[i].kind == 'a' ? 0 : function->returns[i].bytes;
	*key_max = key < KCR_MEMO_LARGE ? (uint32_t)key : KCR_MEMO_LARGE;
	*result_max = result < KCR_MEMO_LARGE ? (uint32_t)result : KCR_MEMO_LARGE;
}
