/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of libkcr-memo.so.
 */
#ifndef KCR_MEMO_H
#define KCR_MEMO_H

#include "describe.h"
#include "slots.h"

#include <stddef.h>
#include <stdint.h>

struct kcr_domain;
struct kcr_ticket;

/* Keys and results up to so many bytes are kept on the stack */
#define KCR_MEMO_SMALL		192
/* Longest key and longest result */
#define KCR_MEMO_LARGE		32768
/* Memory that could be watched is part of the key if it has fewer bytes */
#define KCR_MEMO_WATCHED	12288
#define KCR_MEMO_PAGE		4096UL
/* Bytes of a key that say what memory is watched, for each */
#define KCR_MEMO_FRONT		16

extern struct kcr_memo_slot kcr_memo_slots[KCR_MEMO_ALL_SLOTS];
extern struct kcr_memo_function kcr_memo_functions[KCR_MEMO_FUNCTIONS];
extern struct kcr_memo_hooks kcr_memo_hooks;
/* Calls that the thread bypasses, for each slot */
extern __thread int32_t kcr_memo_skip[KCR_MEMO_ALL_SLOTS];

/* thunks_x86_64.S */
void kcr_memo_call(struct kcr_memo_frame *frame, void *real, uint64_t stack_words);

/* dispatch.c */
int kcr_memo_dispatch(struct kcr_memo_slot *slot, struct kcr_memo_frame *frame);

/* What became of a call */
enum kcr_memo_done {
	KCR_MEMO_FOUND,
	KCR_MEMO_COMPUTED,
	KCR_MEMO_TO_CALL,
};

enum kcr_memo_done kcr_memo_run(struct kcr_memo_slot *slot,
				const struct kcr_memo_function *function,
				struct kcr_memo_frame *frame);

/* measure.c */
int kcr_memo_time_to_measure(const struct kcr_memo_slot *slot);
enum kcr_memo_done kcr_memo_measure(struct kcr_memo_slot *slot,
				    const struct kcr_memo_function *function,
				    struct kcr_memo_frame *frame);
void kcr_memo_call_noting(struct kcr_memo_slot *slot, const struct kcr_memo_function *function,
			  struct kcr_memo_frame *frame);
uint32_t kcr_memo_overhead(void);
void kcr_memo_stop_measuring(void);

/* setup.c */
int kcr_memo_enters_sandbox(const struct kcr_memo_slot *slot, const struct kcr_memo_frame *frame);
void kcr_memo_entering_sandbox(void);

/* setup.c, or the tests' */
struct kcr_domain *kcr_memo_domain(int fd);

/* key.c */
extern unsigned char kcr_memo_process[16];

/**
 * struct kcr_memo_buffer - bytes that are written one after the other
 * @data: where
 * @room: how many fit
 * @length: how many there are
 * @full: some did not fit
 */
struct kcr_memo_buffer {
	unsigned char *data;
	size_t room;
	size_t length;
	int full;
};

/* Floating-point control words where they are not what programs begin with */
struct kcr_memo_control {
	uint32_t mxcsr;
	uint16_t x87;
};

void kcr_memo_key(struct kcr_memo_buffer *key, const struct kcr_memo_function *function,
		  const struct kcr_memo_frame *frame, const struct kcr_memo_control *control);
int kcr_memo_overlaps(const struct kcr_memo_function *function,
		      const struct kcr_memo_frame *frame);
uint64_t kcr_memo_extent(const struct kcr_memo_item *item, const struct kcr_memo_frame *frame);
void kcr_memo_limits(const struct kcr_memo_function *function, uint32_t *key_max,
		     uint32_t *result_max);

/**
 * struct kcr_memo_span - memory of an argument that may be watched
 * @at: its address
 * @bytes: how many
 * @start: the first page that is watched
 * @end: behind the last one
 */
struct kcr_memo_span {
	uint64_t at;
	uint64_t bytes;
	uint64_t start;
	uint64_t end;
};

void kcr_memo_inner(const struct kcr_memo_item *item, const struct kcr_memo_frame *frame,
		    struct kcr_memo_span *span);

/* tracking.c */
void kcr_memo_tracking_begin(struct kcr_domain *domain);
enum kcr_memo_done kcr_memo_begin_tracked(struct kcr_memo_slot *slot,
					  const struct kcr_memo_function *function,
					  const struct kcr_memo_frame *frame,
					  const struct kcr_memo_buffer *key,
					  const struct kcr_memo_buffer *result, size_t *length,
					  struct kcr_ticket *ticket);

/* result.c */

/**
 * struct kcr_memo_effects - what a call did beside returning
 * @flags: floating-point exceptions raised, as in MXCSR
 * @error: errno, or 0 if it was not set
 */
struct kcr_memo_effects {
	uint32_t flags;
	int error;
};

void kcr_memo_record(struct kcr_memo_buffer *result, const struct kcr_memo_function *function,
		     const struct kcr_memo_frame *frame, const struct kcr_memo_effects *effects);
int kcr_memo_replay(const unsigned char *result, size_t length,
		    const struct kcr_memo_function *function, struct kcr_memo_frame *frame,
		    struct kcr_memo_effects *effects);

#endif /* KCR_MEMO_H */
