// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call of a function that is reused.
 *
 * Nothing here takes a lock or memory, so that signal handlers may call such functions, and threads
 * and forked children too. A call that is left by longjmp() loses one of the large buffers if it
 * had one; when all are lost, calls that need one are plain calls from then on.
 */
#include "control_x86_64.h"
#include "memo.h"

#include <errno.h>
#include <kcr.h>
#include <stdatomic.h>

#define LARGE_BUFFERS	32
/* Calls of a function that could not be reused, after which all are plain */
#define USELESS_CALLS	10000
/* Calls of memory that is watched, in a row and in vain, after which some are plain; at most */
#define VAIN_CALLS	64
#define VAIN_MAX	4096

struct large {
	unsigned char key[KCR_MEMO_LARGE] __attribute__((aligned(16)));
	unsigned char result[KCR_MEMO_LARGE];
};

/* Memory that is not used takes none */
static struct large large[LARGE_BUFFERS];
__thread int32_t kcr_memo_skip[KCR_MEMO_ALL_SLOTS];
static _Atomic uint32_t large_taken;

/**
 * struct call - a call on its way
 * @slot: what is called
 * @function: its description
 * @frame: its registers
 * @key: its key
 * @result: room for its result
 * @ticket: libkcr's
 * @control: the floating-point control words
 * @mxcsr: control and flags as the caller had them
 * @x87_flags: so on the x87
 * @error: errno as the caller had it
 * @large: number of the large buffer, or -1
 */
struct call {
	struct kcr_memo_slot *slot;
	const struct kcr_memo_function *function;
	struct kcr_memo_frame *frame;
	struct kcr_memo_buffer key;
	struct kcr_memo_buffer result;
	struct kcr_ticket ticket;
	struct kcr_memo_control control;
	uint32_t mxcsr;
	uint32_t x87_flags;
	int error;
	int large;
};

static int take_large(void)
{
	uint32_t taken = atomic_load_explicit(&large_taken, memory_order_relaxed);

	while (~taken) {
		int number = __builtin_ctz(~taken);

		if (atomic_compare_exchange_weak_explicit(&large_taken, &taken,
							  taken | 1U << number,
							  memory_order_acquire,
							  memory_order_relaxed))
			return number;
	}
	return -1;
}

static void put_large(int number)
{
	if (number >= 0)
		atomic_fetch_and_explicit(&large_taken, ~(1U << number), memory_order_release);
}

/* A call was of no use: it could not be looked up, or not be remembered. */
static void give_up(struct kcr_memo_slot *slot)
{
	uint32_t useless = __atomic_load_n(&slot->useless, __ATOMIC_RELAXED) + 1;

	__atomic_store_n(&slot->useless, useless, __ATOMIC_RELAXED);
	if (useless == USELESS_CALLS)
		__atomic_store_n(&slot->state, KCR_MEMO_PLAIN, __ATOMIC_RELAXED);
}

/* Gives the caller's flags and errno back, with what the function added; also if it throws. */
static void leave(struct call **left)
{
	struct call *call = *left;
	uint32_t mxcsr = kcr_fp_mxcsr();
	uint32_t flags = call->mxcsr & KCR_FP_FLAGS;

	if ((mxcsr & flags) != flags)
		kcr_fp_set_mxcsr(mxcsr | flags);
	if (call->x87_flags)
		kcr_fp_raise_x87_flags(call->x87_flags);
	if (!errno)
		errno = call->error;
	put_large(call->large);
}

/* The function itself, and all that it does. */
static void compute(struct call *call)
{
	struct call *left __attribute__((cleanup(leave), unused)) = call;
	struct kcr_memo_effects effects;
	uint32_t mxcsr;

	call->error = errno;
	errno = 0;
	if (call->mxcsr & KCR_FP_FLAGS)
		kcr_fp_set_mxcsr(call->mxcsr & ~KCR_FP_FLAGS);
	call->x87_flags = kcr_fp_x87_flags();
	if (call->x87_flags)
		kcr_fp_clear_x87_flags();

	kcr_memo_call_noting(call->slot, call->function, call->frame);

	mxcsr = kcr_fp_mxcsr();
	effects.flags = mxcsr & KCR_FP_FLAGS;
	effects.error = errno;
	/* What is not recorded must not have happened */
	if (kcr_fp_x87_flags() || kcr_fp_x87() != call->control.x87 ||
	    (mxcsr & ~KCR_FP_FLAGS) != call->control.mxcsr) {
		give_up(call->slot);
		return;
	}
	kcr_memo_record(&call->result, call->function, call->frame, &effects);
	if (call->result.full)
		give_up(call->slot);
	else
		kcr_end(call->slot->reuse, &call->ticket, call->key.data, call->key.length,
			call->result.data, call->result.length);
}

/* Finds the call's key and room for its result. Returns -1 if they are too long. */
static int prepare(struct call *call)
{
	kcr_memo_key(&call->key, call->function, call->frame, &call->control);
	if (!call->key.full && call->slot->result_max <= call->result.room)
		return 0;
	call->large = take_large();
	if (call->large < 0)
		return -1;
	call->key = (struct kcr_memo_buffer){ large[call->large].key, KCR_MEMO_LARGE, 0, 0 };
	call->result = (struct kcr_memo_buffer){ large[call->large].result, KCR_MEMO_LARGE, 0, 0 };
	kcr_memo_key(&call->key, call->function, call->frame, &call->control);
	if (!call->key.full)
		return 0;
	put_large(call->large);
	give_up(call->slot);
	return -1;
}

/* Does what was remembered. Returns -1 if that is not a result of this function. */
static int reuse(struct call *call, size_t length)
{
	struct kcr_memo_effects effects;

	if (kcr_memo_replay(call->result.data, length, call->function, call->frame, &effects))
		return -1;
	if (effects.flags & ~call->mxcsr)
		kcr_fp_set_mxcsr(call->mxcsr | effects.flags);
	if (effects.error)
		errno = effects.error;
	put_large(call->large);
	return 0;
}

/* Looks it up. */
static enum kcr_memo_done begin(struct call *call, size_t *length)
{
	if (call->function->nr_tracked)
		return kcr_memo_begin_tracked(call->slot, call->function, call->frame, &call->key,
					      &call->result, length, &call->ticket);
	return kcr_begin(call->slot->reuse, call->key.data, call->key.length, call->result.data,
			 call->result.room, length, &call->ticket) == KCR_HIT ? KCR_MEMO_FOUND :
										KCR_MEMO_COMPUTED;
}

/**
 * kcr_memo_run() - look a call up, or have it computed
 * @slot: what is called
 * @function: its description
 * @frame: the registers; out: those of the return
 *
 * Context: any that the function itself can be called in.
 *
 * Return: %KCR_MEMO_FOUND if its result was found, %KCR_MEMO_COMPUTED if it has been called,
 * %KCR_MEMO_TO_CALL if it is still to be called, with the registers as they were.
 */
enum kcr_memo_done kcr_memo_run(struct kcr_memo_slot *slot,
				const struct kcr_memo_function *function,
				struct kcr_memo_frame *frame)
{
	unsigned char small_key[KCR_MEMO_SMALL] __attribute__((aligned(16)));
	unsigned char small_result[KCR_MEMO_SMALL];
	enum kcr_memo_done done;
	struct call call;
	size_t length;

	call.slot = slot;
	call.frame = frame;
	call.function = function;
	call.mxcsr = kcr_fp_mxcsr();
	call.control.mxcsr = call.mxcsr & ~KCR_FP_FLAGS;
	call.control.x87 = kcr_fp_x87();
	/* Where exceptions are signals, results are not all there is */
	if (~call.control.mxcsr & KCR_FP_MXCSR_MASKS || ~call.control.x87 & KCR_FP_X87_MASKS)
		return KCR_MEMO_TO_CALL;
	if (function->writes && kcr_memo_overlaps(function, frame))
		return KCR_MEMO_TO_CALL;
	call.large = -1;
	call.key = (struct kcr_memo_buffer){ small_key, sizeof(small_key), 0, 0 };
	call.result = (struct kcr_memo_buffer){ small_result, sizeof(small_result), 0, 0 };
	if (prepare(&call))
		return KCR_MEMO_TO_CALL;
	done = begin(&call, &length);
	if (done == KCR_MEMO_COMPUTED) {
		compute(&call);
		return done;
	}
	if (done == KCR_MEMO_FOUND && !reuse(&call, length))
		return done;
	put_large(call.large);
	return KCR_MEMO_TO_CALL;
}

/*
 * Where memory is never the same as before, keys are made in vain, and libkcr does not know: so
 * many calls as have been in vain are plain.
 */
static void pace_watching(struct kcr_memo_slot *slot, enum kcr_memo_done done)
{
	uint32_t vain = __atomic_load_n(&slot->vain, __ATOMIC_RELAXED) + 1;

	if (done == KCR_MEMO_FOUND)
		vain = 0;
	else if (vain >= VAIN_CALLS)
		kcr_memo_skip[slot - kcr_memo_slots] = (int32_t)vain;
	if (vain <= VAIN_MAX)
		__atomic_store_n(&slot->vain, vain, __ATOMIC_RELAXED);
}

/**
 * kcr_memo_dispatch() - a function is called
 * @slot: which one
 * @frame: the registers; out: those of the return
 *
 * Context: any that the function itself can be called in.
 *
 * Return: 0 if the function has been called, or its result been found; 1 if it is still to be
 * called, with the registers as they were.
 */
int kcr_memo_dispatch(struct kcr_memo_slot *slot, struct kcr_memo_frame *frame)
{
	const struct kcr_memo_function *function;
	enum kcr_memo_done done;
	uint32_t skip;

	if (!slot->reuse) {
		if (kcr_memo_enters_sandbox(slot, frame))
			kcr_memo_entering_sandbox();
		return 1;
	}
	skip = kcr_bypass_calls(slot->reuse);
	if (skip) {
		/* This is the first of them */
		kcr_memo_skip[slot - kcr_memo_slots] = (int32_t)skip - 1;
		return 1;
	}
	function = &kcr_memo_functions[slot->function];
	if (__builtin_expect(kcr_memo_time_to_measure(slot), 0))
		done = kcr_memo_measure(slot, function, frame);
	else
		done = kcr_memo_run(slot, function, frame);
	if (function->nr_tracked)
		pace_watching(slot, done);
	return done == KCR_MEMO_TO_CALL;
}
