// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: does reuse pay?
 *
 * Much as kernel/kcr/profit.c, but for threads in place of CPUs, and without its
 * size classes: a function of user space has calls of one kind. Each thread finds
 * out for itself, from calls that it times: one in 32 or so, and while reuse pays
 * fewer, down to one in 256, until the next miss:
 *
 *	trial    calls are looked up. After KCR_TRIAL_SAMPLES samples the
 *		 balance decides: if it is in the red, bypass, otherwise another
 *		 trial, starting with half of it. Where keys repeat and a hit
 *		 would be cheaper, but what is remembered is not complete yet,
 *		 there are up to KCR_GRACE trials more.
 *	bypass   calls are computed, as many as the back-off says: a countdown
 *		 and a branch.
 *	retrial  a trial of KCR_RETRIAL_SAMPLES samples. If it is in the red,
 *		 bypass with twice the back-off.
 *
 * The balance is what hits have saved, less what misses have cost, storing
 * included. While a function learns there are no hits: a key that had come
 * before counts as one, and storing as an investment, which is not counted.
 */
#include "region.h"

#include <time.h>

#define KCR_SAMPLE_MAX		64	/* distance of samples: 1 to that, less 1 */
#define KCR_EASE_MAX		3	/* times that may double */
#define KCR_TRIAL_SAMPLES	128
#define KCR_RETRIAL_SAMPLES	16
#define KCR_GRACE		8
#define KCR_BACKOFF_MIN		1024
#define KCR_BACKOFF_MAX		(1 << 20)
/* What one odd sample (an interrupt, ...) may count as, in means */
#define KCR_OUTLIER		8
#define KCR_CALIBRATE_ROUNDS	64
/* So many calls at a time are bypassed without kcr_begin() */
#define KCR_BYPASS_AT_ONCE	256

/* kcr_clock() - what calls are timed with */
uint64_t kcr_clock(void)
{
	if (kcr_system->clock)
		return kcr_system->clock();
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

/* kcr_clock_cost() - ticks that timing takes itself */
uint32_t kcr_clock_cost(void)
{
	uint64_t start, ticks, least = UINT32_MAX;
	int i;

	for (i = 0; i < KCR_CALIBRATE_ROUNDS; i++) {
		start = kcr_clock();
		ticks = kcr_clock() - start;
		if (ticks < least)
			least = ticks;
	}
	return (uint32_t)least;
}

static uint64_t kcr_elapsed(struct kcr_function *f, uint64_t from, uint64_t to)
{
	uint64_t ticks = to - from;

	/* Counters of different processors may differ */
	if (to < from || ticks < f->domain->clock_cost)
		return 0;
	return ticks - f->domain->clock_cost;
}

/* kcr_profit_learn() - one more sample; the mean follows with a weight of 1/8 */
void kcr_profit_learn(uint32_t *mean, uint64_t ticks)
{
	uint32_t old = load_relaxed(mean);
	uint64_t most = old ? (uint64_t)old * KCR_OUTLIER : INT32_MAX;
	int64_t next;

	if (most > INT32_MAX)
		most = INT32_MAX;
	if (ticks > most)
		ticks = most;
	next = old ? old + ((int64_t)ticks - old) / 8 : (int64_t)ticks;
	/* 0 is for what is not known */
	store_relaxed(mean, next > 0 ? (uint32_t)next : 1);
}

/* kcr_profit_hurry() - a miss has the next sample come soon */
void kcr_profit_hurry(struct kcr_function *f)
{
	struct kcr_line *line = kcr_this_line(f);
	int32_t pace = load_relaxed(&line->pace);
	int32_t less = pace - KCR_SAMPLE_MAX / 2;

	if (less <= 0)
		return;
	store_relaxed(&line->pace, pace - less);
	add_relaxed(&line->weight, (uint32_t)-less);
}

/* Irregular, so as not to resonate with the calls */
static uint32_t kcr_draw(struct kcr_function *f, struct kcr_line *line)
{
	/* Numerical Recipes' generator; its upper bits are the better ones */
	uint32_t random = load_relaxed(&line->random) * 1664525 + 1013904223;
	uint32_t most = KCR_SAMPLE_MAX << (load_relaxed(&line->ease) & KCR_EASE_MAX);
	uint32_t distance = (uint32_t)((uint64_t)random * most >> 32);

	store_relaxed(&line->random, random);
	if (!distance)
		distance = most / 2;
	if (f->audit_interval && distance > f->audit_interval)
		distance = f->audit_interval;
	return distance;
}

static void kcr_new_trial(struct kcr_line *line, enum kcr_phase phase)
{
	store_relaxed(&line->phase, phase);
	store_relaxed(&line->samples, 0);
	store_relaxed(&line->repeated, 0);
	store_relaxed(&line->balance, 0);
}

static void kcr_bypass(struct kcr_function *f, uint32_t nr)
{
	struct kcr_line *line = &f->lines[nr];
	uint32_t backoff = load_relaxed(&line->backoff) * 2;

	if (backoff < KCR_BACKOFF_MIN)
		backoff = KCR_BACKOFF_MIN;
	if (backoff > KCR_BACKOFF_MAX)
		backoff = KCR_BACKOFF_MAX;
	kcr_new_trial(line, KCR_BYPASS);
	store_relaxed(&line->ease, 0);
	store_relaxed(&line->backoff, backoff);
	store_relaxed(&line->grace, 0);
	add_relaxed(&f->counts[nr].bypassed, backoff);
	store_relaxed(&line->pace, -(int32_t)backoff);
}

static void kcr_trial_over(struct kcr_function *f, uint32_t nr)
{
	struct kcr_line *line = &f->lines[nr];
	bool repeats = load_relaxed(&line->repeated) * 2 >= load_relaxed(&line->samples);
	uint32_t grace = load_relaxed(&line->grace);
	uint32_t ease = load_relaxed(&line->ease);
	int64_t balance = load_relaxed(&line->balance);

	if (balance >= 0 || f->always) {
		kcr_new_trial(line, KCR_TRIAL);
		store_relaxed(&line->balance, balance / 2);
		if (ease < KCR_EASE_MAX)
			store_relaxed(&line->ease, (uint16_t)(ease + 1));
		store_relaxed(&line->backoff, 0);
		store_relaxed(&line->grace, 0);
	} else if (repeats && grace < KCR_GRACE) {
		kcr_new_trial(line, KCR_TRIAL);
		store_relaxed(&line->grace, grace + 1);
	} else {
		kcr_bypass(f, nr);
	}
}

/* What this sample says about as many calls as it stands for */
static void kcr_book(struct kcr_function *f, uint32_t nr, uint32_t weight, int64_t gain)
{
	struct kcr_line *line = &f->lines[nr];
	uint32_t phase = load_relaxed(&line->phase);
	uint32_t samples = load_relaxed(&line->samples) + 1;

	/* A call that began before the bypass */
	if (phase == KCR_BYPASS)
		return;
	store_relaxed(&line->samples, samples);
	add_relaxed(&line->balance, gain * weight);
	if (samples >= (phase == KCR_RETRIAL ? KCR_RETRIAL_SAMPLES : KCR_TRIAL_SAMPLES))
		kcr_trial_over(f, nr);
}

/* kcr_profit_hit() - account a hit that was timed */
static void kcr_profit_hit(struct kcr_function *f, uint32_t nr, uint32_t weight,
			   uint64_t start)
{
	struct kcr_line *line = &f->lines[nr];
	uint32_t compute = load_relaxed(&line->compute);
	int64_t gain;

	kcr_profit_learn(&line->hit, kcr_elapsed(f, start, kcr_clock()));
	/* Nobody knows what this one would have cost, before another did */
	if (!compute)
		return;
	gain = (int64_t)compute - load_relaxed(&line->hit) - f->overhead;
	if (load_relaxed(&f->told))
		gain = load_relaxed(&f->gain);
	add_relaxed(&f->counts[nr].saved, gain * weight);
	kcr_book(f, nr, weight, gain);
}

/**
 * kcr_profit_miss() - account a computation that was timed
 * @f: the function
 * @t: from the call's beginning
 * @computed: ticks, when computing ended
 * @end: ticks, when that was stored, or not
 * @repeated: whether the key had come before
 *
 * Context: any.
 */
void kcr_profit_miss(struct kcr_function *f, const struct kcr_ticket_inside *t,
		     uint64_t computed, uint64_t end, bool repeated)
{
	uint32_t nr = t->line % KCR_LINES;
	struct kcr_line *line = &f->lines[nr];
	int64_t looked = (int64_t)kcr_elapsed(f, t->start, t->computing);
	int64_t stored = (int64_t)kcr_elapsed(f, computed, end);
	int64_t compute;

	/* No lookup is for nothing, whatever the clock says */
	if (!looked)
		looked = 1;
	looked += f->overhead;
	kcr_profit_learn(&line->compute, kcr_elapsed(f, t->computing, computed));
	compute = load_relaxed(&line->compute);
	if (t->flags & KCR_TICKET_AUDIT)
		return;
	add_relaxed(&f->counts[nr].saved, -(looked + stored) * t->weight);
	/* Were it remembered, would that be worth anything? */
	if (repeated && compute > looked)
		add_relaxed(&line->repeated, 1);
	if (!(t->flags & KCR_TICKET_LEARN))
		kcr_book(f, nr, t->weight, -(looked + stored));
	else
		kcr_book(f, nr, t->weight, repeated ? compute - looked : -looked);
}

void kcr_tell_costs(struct kcr_function *f, uint32_t plain, uint32_t hit)
{
	int64_t gain = (int64_t)plain - hit;
	uint32_t nr;

	if (!f || f == &kcr_nothing)
		return;
	if (gain > INT32_MAX)
		gain = INT32_MAX;
	if (gain < -INT32_MAX)
		gain = -INT32_MAX;
	store_relaxed(&f->gain, (int32_t)gain);
	if (__atomic_exchange_n(&f->told, 1, __ATOMIC_RELAXED))
		return;
	/* What was thought before was wrong */
	kcr_profit_reset(f);
	for (nr = 0; nr < KCR_LINES; nr++) {
		int64_t hits = (int64_t)load_relaxed(&f->counts[nr].hits);

		store_relaxed(&f->counts[nr].saved, hits * gain);
	}
}

uint32_t kcr_bypass_calls(struct kcr_function *f)
{
	const struct kcr_region_function *shared;
	struct kcr_line *line;
	uint32_t calls;
	int32_t pace;

	if (!f)
		return KCR_BYPASS_AT_ONCE;
	shared = load_relaxed(&f->shared);
	if (READ_ONCE(shared->state) == KCR_STATE_REJECTED || !READ_ONCE(shared->stamp))
		return KCR_BYPASS_AT_ONCE;
	line = kcr_this_line(f);
	pace = load_relaxed(&line->pace);
	if (likely(pace >= 0))
		return 0;
	/* They are counted already, and few, because nobody knows whether they will be made */
	calls = pace < -KCR_BYPASS_AT_ONCE ? KCR_BYPASS_AT_ONCE : (uint32_t)-pace;
	store_relaxed(&line->pace, pace + (int32_t)calls);
	return calls;
}

/* Whether it is time for an audit */
static bool kcr_audit_due(struct kcr_function *f, struct kcr_line *line, uint32_t weight)
{
	int32_t audit = load_relaxed(&line->audit);

	if (!f->audit_interval)
		return false;
	if (!audit)
		audit = (int32_t)f->audit_interval;
	audit -= (int32_t)weight;
	store_relaxed(&line->audit, audit > 0 ? audit : 1);
	return audit <= 0;
}

/* A hit that is computed all the same */
static bool kcr_begin_audit(struct kcr_function *f, uint32_t nr, const void *key, size_t key_len,
			    struct kcr_ticket_inside *t)
{
	struct kcr_found found;
	struct kcr_probe p;

	if (key_len > f->key_max || !kcr_find(f, key, key_len, &p, &found))
		return false;
	store_relaxed(&f->lines[nr].audit, (int32_t)f->audit_interval);
	t->flags = KCR_TICKET_AUDIT;
	t->line = nr;
	t->stamp = p.stamp;
	t->fingerprint = p.fingerprint;
	return true;
}

/* The number of the calling thread's line: others get another, for some time */
static uint32_t kcr_thread_line(void)
{
	static unsigned int threads;
	unsigned int nr;

	if (!kcr_thread) {
		nr = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED) % (KCR_LINES - 1);
		/* 0 is for who has none */
		kcr_thread = (nr + 1) * KCR_CACHE_LINE;
	}
	return kcr_line_nr();
}

/**
 * kcr_begin_closely() - kcr_begin() for a call that is looked at closely
 *
 * Such a call is a sample, or an audit, or the first after a bypass.
 *
 * Context: any.
 * Return: as kcr_begin().
 */
enum kcr_answer kcr_begin_closely(struct kcr_function *f, const void *key, size_t key_len,
				  void *result, size_t cap, size_t *result_len,
				  struct kcr_ticket_inside *t)
{
	uint32_t nr = kcr_thread_line();
	struct kcr_line *line = &f->lines[nr];
	enum kcr_answer answer;
	uint32_t distance, weight;
	uint64_t start;
	bool quiet;

	t->flags = 0;
	if (f->status) {
		store_relaxed(&line->pace, INT32_MIN);
		return KCR_COMPUTE;
	}
	if (load_relaxed(&line->phase) == KCR_BYPASS)
		kcr_new_trial(line, KCR_RETRIAL);
	weight = load_relaxed(&line->pace) < 0 ? 1 : load_relaxed(&line->weight);
	distance = kcr_draw(f, line);
	store_relaxed(&line->weight, distance);
	store_relaxed(&line->pace, (int32_t)distance);

	quiet = load_relaxed(&f->domain->quiet);
	start = quiet ? 0 : kcr_clock();
	if (kcr_audit_due(f, line, weight) && kcr_begin_audit(f, nr, key, key_len, t)) {
		answer = KCR_COMPUTE;
	} else {
		answer = kcr_lookup(f, key, key_len, result, cap, result_len, t);
		if (quiet)
			return answer;
		if (answer == KCR_HIT)
			kcr_profit_hit(f, nr, weight, start);
	}
	if (answer == KCR_COMPUTE && t->flags && !quiet) {
		t->flags |= KCR_TICKET_TIMED;
		t->weight = weight;
		t->start = start;
		t->computing = kcr_clock();
	}
	return answer;
}

/* kcr_profit_reset() - start all over with trials */
void kcr_profit_reset(struct kcr_function *f)
{
	uint32_t nr;

	for (nr = 0; nr < KCR_LINES; nr++) {
		struct kcr_line *line = &f->lines[nr];

		kcr_new_trial(line, KCR_TRIAL);
		store_relaxed(&line->backoff, 0);
		store_relaxed(&line->grace, 0);
		store_relaxed(&line->ease, 0);
		store_relaxed(&line->pause, 0);
		store_relaxed(&line->weight, 1);
		store_relaxed(&line->pace, 0);
	}
}
