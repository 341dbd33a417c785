// SPDX-License-Identifier: GPL-2.0-only
/*
 * Results: what a call returned, wrote, raised and set.
 *
 *	u32 head	floating-point exceptions, as in MXCSR; %HEAD_ARGUMENT: it returned the
 *			argument, not NULL; above %HEAD_ERROR_SHIFT errno, or 0 if it was not set
 *	registers	as many bytes of each as count
 *	memory		u32 length, then the bytes; for each argument that is written
 */
#include "memo.h"

#include <string.h>

#define HEAD_FLAGS		0x3fU
#define HEAD_ARGUMENT		0x80U
#define HEAD_ERROR_SHIFT	16
#define LARGEST_ERROR		0xffff
#define NULL_LENGTH		0xffffffffU

static void put(struct kcr_memo_buffer *result, const void *data, size_t length)
{
	if (length > result->room - result->length) {
		result->full = 1;
		return;
	}
	memcpy(result->data + result->length, data, length);
	result->length += length;
}

static void put_memory(struct kcr_memo_buffer *result, const struct kcr_memo_item *item,
		       const struct kcr_memo_frame *frame)
{
	const char *memory = (const char *)kcr_memo_argument(frame, item->reg);
	uint32_t length = NULL_LENGTH;
	uint64_t extent = 0;

	if (memory) {
		extent = item->kind == 's' ? strnlen(memory, KCR_MEMO_LARGE) + 1 :
					     kcr_memo_extent(item, frame);
		if (extent > KCR_MEMO_LARGE) {
			result->full = 1;
			return;
		}
		length = (uint32_t)extent;
	}
	put(result, &length, sizeof(length));
	put(result, memory, extent);
}

/**
 * kcr_memo_record() - what a call did, as bytes
 * @result: where to; full if it does not fit, or is nothing that can be told to others
 * @function: what was called
 * @frame: its arguments, and what it returned
 * @effects: what else it did
 *
 * Context: any.
 */
void kcr_memo_record(struct kcr_memo_buffer *result, const struct kcr_memo_function *function,
		     const struct kcr_memo_frame *frame, const struct kcr_memo_effects *effects)
{
	uint32_t head = effects->flags & HEAD_FLAGS;

	if (effects->error < 0 || effects->error > LARGEST_ERROR)
		result->full = 1;
	head |= (uint32_t)effects->error << HEAD_ERROR_SHIFT;
	for (uint32_t i = 0; i < function->nr_returns; i++) {
		const struct kcr_memo_item *item = &function->returns[i];

		if (item->kind != 'a' || !frame->ret[0])
			continue;
		/* A pointer to anything else says nothing elsewhere */
		if (frame->ret[0] != kcr_memo_argument(frame, item->reg))
			result->full = 1;
		head |= HEAD_ARGUMENT;
	}
	put(result, &head, sizeof(head));
	for (uint32_t i = 0; i < function->nr_returns; i++) {
		const struct kcr_memo_item *item = &function->returns[i];
		uint64_t value;

		if (item->kind == 'a')
			continue;
		value = item->kind == 'i' ? frame->ret[item->reg] : frame->retx[item->reg][0];
		value &= item->mask;
		put(result, &value, item->bytes);
	}
	for (uint32_t i = 0; i < function->nr_items && !result->full; i++) {
		if (function->items[i].mode & KCR_MEMO_OUT)
			put_memory(result, &function->items[i], frame);
	}
}

struct reader {
	const unsigned char *data;
	size_t left;
};

/* Returns where the next bytes are, or NULL if there are not that many. */
static const unsigned char *take(struct reader *reader, size_t length)
{
	const unsigned char *data = reader->data;

	if (length > reader->left)
		return NULL;
	reader->data += length;
	reader->left -= length;
	return data;
}

static int replay_returns(struct reader *reader, const struct kcr_memo_function *function,
			  struct kcr_memo_frame *frame, uint32_t head)
{
	for (uint32_t i = 0; i < function->nr_returns; i++) {
		const struct kcr_memo_item *item = &function->returns[i];
		const unsigned char *data;
		uint64_t value = 0;

		if (item->kind == 'a') {
			frame->ret[0] = head & HEAD_ARGUMENT ? kcr_memo_argument(frame, item->reg) : 0;
			continue;
		}
		data = take(reader, item->bytes);
		if (!data)
			return -1;
		memcpy(&value, data, item->bytes);
		if (item->kind == 'i')
			frame->ret[item->reg] = value;
		else
			frame->retx[item->reg][0] = value;
	}
	return 0;
}

/* Writes what was written, or with @write 0 only looks whether it is all there. */
static int replay_memory(struct reader reader, const struct kcr_memo_function *function,
			 const struct kcr_memo_frame *frame, int write)
{
	for (uint32_t i = 0; i < function->nr_items; i++) {
		const struct kcr_memo_item *item = &function->items[i];
		const unsigned char *data;
		uint32_t length;
		void *memory;

		if (!(item->mode & KCR_MEMO_OUT))
			continue;
		memory = (void *)kcr_memo_argument(frame, item->reg);
		data = take(&reader, sizeof(length));
		if (!data)
			return -1;
		memcpy(&length, data, sizeof(length));
		if ((length == NULL_LENGTH) != !memory)
			return -1;
		if (!memory)
			continue;
		data = take(&reader, length);
		if (!data)
			return -1;
		if (write)
			memcpy(memory, data, length);
	}
	return reader.left ? -1 : 0;
}

/**
 * kcr_memo_replay() - do what a call did
 * @result: the bytes
 * @length: how many
 * @function: what is called
 * @frame: its arguments; out: what it returns
 * @effects: out: what else is to be done
 *
 * Context: any; writes to the memory that the function was said to write.
 *
 * Return: 0, or -1 if the bytes are not those of such a call: nothing was done then.
 */
int kcr_memo_replay(const unsigned char *result, size_t length,
		    const struct kcr_memo_function *function, struct kcr_memo_frame *frame,
		    struct kcr_memo_effects *effects)
{
	struct reader reader = { result, length };
	const unsigned char *data = take(&reader, sizeof(uint32_t));
	uint32_t head;

	if (!data)
		return -1;
	memcpy(&head, data, sizeof(head));
	effects->flags = head & HEAD_FLAGS;
	effects->error = (int)(head >> HEAD_ERROR_SHIFT);
	if (replay_returns(&reader, function, frame, head))
		return -1;
	if (!function->writes)
		return reader.left ? -1 : 0;
	if (replay_memory(reader, function, frame, 0))
		return -1;
	return replay_memory(reader, function, frame, 1);
}
