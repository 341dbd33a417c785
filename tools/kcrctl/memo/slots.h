/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libkcr-audit.so and libkcr-memo.so share: a slot for each function that something was
 * bound to, and a thunk for each slot.
 *
 * The audit library lives in a name space of its own and sees the other one as memory. It fills
 * slots in before the other one is relocated, so that only distances are known then.
 */
#ifndef KCR_MEMO_SLOTS_H
#define KCR_MEMO_SLOTS_H

/* Slots of functions; behind them are those of the doors to sandboxes */
#define KCR_MEMO_SLOTS		64
#define KCR_MEMO_SLOT_PRCTL	64
#define KCR_MEMO_SLOT_SYSCALL	65
#define KCR_MEMO_ALL_SLOTS	66

/* For thunks.S: bytes of a slot and of a thunk, offsets, what state is */
#define KCR_MEMO_SLOT_SIZE	64
#define KCR_MEMO_SLOT_REAL	0
#define KCR_MEMO_SLOT_STATE	8
#define KCR_MEMO_THUNK_SIZE	64
#define KCR_MEMO_PLAIN		0
#define KCR_MEMO_READY		1
#define KCR_MEMO_BOUND		2

/* struct kcr_memo_frame */
#define KCR_MEMO_FRAME_GP	0
#define KCR_MEMO_FRAME_RAX	48
#define KCR_MEMO_FRAME_R10	56
#define KCR_MEMO_FRAME_XMM	64
#define KCR_MEMO_FRAME_RET	192
#define KCR_MEMO_FRAME_RETX	208
#define KCR_MEMO_FRAME_SLOT	240
#define KCR_MEMO_FRAME_STACK	248
#define KCR_MEMO_FRAME_SIZE	256

#ifndef __ASSEMBLER__

#include <assert.h>
#include <stdint.h>

struct kcr_function;

/**
 * struct kcr_memo_slot - a function that something was bound to
 * @real: where it is
 * @state: %KCR_MEMO_READY if calls are to go through kcr_memo_dispatch(); %KCR_MEMO_BOUND if
 *	they may once libkcr knows the function
 * @function: which one of the description's
 * @claim: address and @function + 1 in the upper 16 bits: written first, once
 * @reuse: libkcr's function, or NULL: a door to sandboxes
 * @result_max: longest result in bytes
 * @useless: calls that could neither be looked up nor remembered
 * @dear: calls in a row that took so long that a hit must be cheaper
 * @vain: calls in a row that were not found, of memory that is watched
 */
struct kcr_memo_slot {
	void *real;
	uint32_t state;
	uint32_t function;
	uint64_t claim;
	struct kcr_function *reuse;
	uint32_t result_max;
	uint32_t useless;
	uint32_t dear;
	uint32_t vain;
	uint32_t reserved[4];
};

/**
 * struct kcr_memo_hooks - what the audit library calls
 * @bound: a slot was filled in; NULL until the other library is ready
 */
struct kcr_memo_hooks {
	void (*bound)(uint32_t slot);
};

/* What kcr_memo_interface is: distances from itself */
struct kcr_memo_interface {
	int64_t slots;
	int64_t thunks;
	int64_t hooks;
};

/**
 * struct kcr_memo_frame - a call
 * @gp: rdi, rsi, rdx, rcx, r8, r9
 * @rax: rax
 * @r10: r10
 * @xmm: xmm0 to xmm7
 * @ret: rax and rdx when it returns
 * @retx: xmm0 and xmm1 when it returns
 * @slot: what is called
 * @stack: arguments on the stack
 */
struct kcr_memo_frame {
	uint64_t gp[6];
	uint64_t rax;
	uint64_t r10;
	uint64_t xmm[8][2];
	uint64_t ret[2];
	uint64_t retx[2][2];
	struct kcr_memo_slot *slot;
	const uint64_t *stack;
};

static_assert(sizeof(struct kcr_memo_slot) == KCR_MEMO_SLOT_SIZE, "thunks.S");
static_assert(sizeof(struct kcr_memo_frame) == KCR_MEMO_FRAME_SIZE, "thunks.S");
static_assert(__builtin_offsetof(struct kcr_memo_slot, state) == KCR_MEMO_SLOT_STATE, "thunks.S");
static_assert(__builtin_offsetof(struct kcr_memo_frame, ret) == KCR_MEMO_FRAME_RET, "thunks.S");
static_assert(__builtin_offsetof(struct kcr_memo_frame, slot) == KCR_MEMO_FRAME_SLOT, "thunks.S");
static_assert(__builtin_offsetof(struct kcr_memo_frame, stack) == KCR_MEMO_FRAME_STACK, "thunks.S");

/* The value of an integer argument, wherever it is */
static inline uint64_t kcr_memo_argument(const struct kcr_memo_frame *frame, uint32_t number)
{
	return number < 6 ? frame->gp[number] : frame->stack[number - 6];
}

#endif /* __ASSEMBLER__ */
#endif /* KCR_MEMO_SLOTS_H */
