// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a hit cheaper than the function?
 *
 * libkcr times what it sees: not that registers are saved and keys made, and when it sees the
 * function computed, among hits, then with cold caches. Where that matters, for cheap functions,
 * this finds out by trying: some calls in a row as if nothing of this were there, then some with
 * reuse.
 *
 * Whatever is interrupted by a signal, an exception or longjmp() goes wrong without harm: then
 * this thread measures no more, or too much.
 */
#include "memo.h"

#include <kcr.h>
#include <stdatomic.h>

/* Calls of each kind in a row, and how many of those do not count */
#define CALLS		16
#define WARMING		4
/* Hits that are needed to judge */
#define ENOUGH		6
/* Calls until the first measurement, and between two */
#define PACE_FIRST	64
#define PACE_AGAIN	1024
#define PACE		16384
/* Longer calls than this are dearer than a hit */
#define DEAR		20000
/* So many of those in a row, and there is no doubt */
#define DEAR_CALLS	4
/* What thunks_x86_64.S does before and after takes so many ticks */
#define TICKS_OF_THUNK	25
#define PROBE_ROUNDS	32

/* What one odd sample (an interrupt, ...) may count as, in shortest ones */
#define OUTLIER		8

/**
 * struct samples - how long some calls took
 * @ticks: each of them
 * @nr: how many
 */
struct samples {
	uint64_t ticks[CALLS];
	uint32_t nr;
};

/**
 * struct measurement - one that is going on in this thread
 * @slot: of what, or NULL
 * @calls: how many there were
 * @busy: somebody is at it: a signal handler, or a call within the call, keeps off
 */
struct measurement {
	struct kcr_memo_slot *slot;
	uint32_t calls;
	volatile int busy;
	struct samples plain;
	struct samples found;
};

static __thread struct measurement going_on;
/* Calls until there is something to be done here; 0 before the first */
static __thread uint16_t pace[KCR_MEMO_ALL_SLOTS];
static _Atomic int stopped;

static uint64_t clock_now(void)
{
	return __builtin_ia32_rdtsc();
}

static void add(struct samples *samples, uint64_t ticks)
{
	if (samples->nr < CALLS)
		samples->ticks[samples->nr++] = ticks;
}

static uint32_t mean(const struct samples *samples)
{
	uint64_t least = DEAR, sum = 0;

	for (uint32_t i = 0; i < samples->nr; i++) {
		if (samples->ticks[i] < least)
			least = samples->ticks[i];
	}
	for (uint32_t i = 0; i < samples->nr; i++)
		sum += samples->ticks[i] < OUTLIER * least ? samples->ticks[i] : OUTLIER * least;
	return (uint32_t)(sum / samples->nr);
}

/**
 * kcr_memo_time_to_measure() - is this a call for kcr_memo_measure()?
 * @slot: what is called
 *
 * Context: any.
 *
 * Return: 1 or 0.
 */
int kcr_memo_time_to_measure(const struct kcr_memo_slot *slot)
{
	uint16_t *left = &pace[slot - kcr_memo_slots];

	if (*left <= 1)
		return 1;
	--*left;
	return 0;
}

/* What there is to know is known, for some time. */
static void conclude(struct measurement *m)
{
	uint16_t *left = &pace[m->slot - kcr_memo_slots];

	*left = PACE_AGAIN;
	if (m->found.nr >= ENOUGH && m->plain.nr >= ENOUGH) {
		kcr_tell_costs(m->slot->reuse, mean(&m->plain), mean(&m->found) + TICKS_OF_THUNK);
		*left = PACE;
	}
	m->slot = NULL;
}

static enum kcr_memo_done measured(struct measurement *m, const struct kcr_memo_function *function,
				   struct kcr_memo_frame *frame)
{
	struct kcr_memo_slot *slot = m->slot;
	enum kcr_memo_done done = KCR_MEMO_COMPUTED;
	uint32_t call = m->calls++;
	uint64_t ticks;

	ticks = clock_now();
	if (call < CALLS)
		kcr_memo_call(frame, slot->real, function->stack_words);
	else
		done = kcr_memo_run(slot, function, frame);
	ticks = clock_now() - ticks;
	if (call < CALLS && call >= WARMING)
		add(&m->plain, ticks);
	else if (call >= CALLS + WARMING && done == KCR_MEMO_FOUND)
		add(&m->found, ticks);
	if (m->calls >= 2 * CALLS)
		conclude(m);
	return done;
}

/**
 * kcr_memo_measure() - as kcr_memo_run(), and measure
 * @slot: what is called
 * @function: its description
 * @frame: the registers; out: those of the return
 *
 * Context: any that the function itself can be called in.
 *
 * Return: as kcr_memo_run().
 */
enum kcr_memo_done kcr_memo_measure(struct kcr_memo_slot *slot,
				    const struct kcr_memo_function *function,
				    struct kcr_memo_frame *frame)
{
	uint16_t *left = &pace[slot - kcr_memo_slots];
	struct measurement *m = &going_on;
	enum kcr_memo_done done;

	if (!*left || m->busy) {
		*left = PACE_FIRST;
		return kcr_memo_run(slot, function, frame);
	}
	if (slot->dear >= DEAR_CALLS || atomic_load_explicit(&stopped, memory_order_relaxed)) {
		*left = UINT16_MAX;
		return kcr_memo_run(slot, function, frame);
	}
	m->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (m->slot != slot) {
		m->slot = slot;
		m->calls = 0;
		m->plain.nr = 0;
		m->found.nr = 0;
	}
	done = measured(m, function, frame);
	atomic_signal_fence(memory_order_seq_cst);
	m->busy = 0;
	return done;
}

/**
 * kcr_memo_call_noting() - call a function, and see whether it is a dear one
 * @slot: which one
 * @function: its description
 * @frame: the registers; out: those of the return
 *
 * Context: any that the function itself can be called in.
 */
void kcr_memo_call_noting(struct kcr_memo_slot *slot, const struct kcr_memo_function *function,
			  struct kcr_memo_frame *frame)
{
	uint32_t dear = __atomic_load_n(&slot->dear, __ATOMIC_RELAXED);
	uint64_t ticks;

	if (dear >= DEAR_CALLS || atomic_load_explicit(&stopped, memory_order_relaxed)) {
		kcr_memo_call(frame, slot->real, function->stack_words);
		return;
	}
	ticks = clock_now();
	kcr_memo_call(frame, slot->real, function->stack_words);
	/* The first ones may have to wait for memory */
	dear = clock_now() - ticks > DEAR ? dear + 1 : 0;
	__atomic_store_n(&slot->dear, dear, __ATOMIC_RELAXED);
}

/* A function of two numbers */
static double nothing(double a, double b)
{
	return a + b;
}

/**
 * kcr_memo_overhead() - find out what a call costs, beside looking it up
 *
 * Context: process.
 *
 * Return: ticks.
 */
uint32_t kcr_memo_overhead(void)
{
	const struct kcr_memo_function function = {
		.nr_items = 2,
		.items = { { .kind = 'f', .reg = 0, .bytes = 8, .mask = UINT64_MAX },
			   { .kind = 'f', .reg = 1, .bytes = 8, .mask = UINT64_MAX } },
		.nr_returns = 1,
		.returns = { { .kind = 'f', .bytes = 8, .mask = UINT64_MAX } },
	};
	/* In no domain, so that it is always computed */
	struct kcr_memo_slot slot = {
		.real = (void *)nothing,
		.result_max = 12,
		.reuse = kcr_function_create(NULL, NULL),
	};
	struct kcr_memo_frame frame = { .slot = &slot };
	uint64_t least = UINT32_MAX;

	for (uint32_t i = 0; i < PROBE_ROUNDS; i++) {
		uint64_t ticks = clock_now();

		kcr_memo_run(&slot, &function, &frame);
		ticks = clock_now() - ticks;
		if (ticks < least)
			least = ticks;
	}
	kcr_function_destroy(slot.reuse);
	return (uint32_t)least + TICKS_OF_THUNK;
}

/**
 * kcr_memo_stop_measuring() - read no clock any more
 *
 * Context: any.
 */
void kcr_memo_stop_measuring(void)
{
	atomic_store_explicit(&stopped, 1, memory_order_relaxed);
}
