/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: domains, functions, and what they know of themselves.
 */
#ifndef KCR_INTERNAL_H
#define KCR_INTERNAL_H

#include "atomic.h"
#include "kcr.h"
#include "system.h"

#include <linux/kcr.h>
#include <stdbool.h>

#define KCR_CACHE_LINE 64
#define KCR_LINES KCR_COUNTS_LINES

/**
 * struct kcr_domain - a domain
 * @refs: one of the user's, one of each function
 * @fd: its descriptor, or -1
 * @status: 0, or what kept it from being had
 * @may_store: whether the descriptor may store, and still works
 * @quiet: no system call and no clock any more
 * @region: where the region is mapped, or NULL
 * @region_size: bytes of it
 * @header: a copy of the region's header, checked
 * @counts: where the counts are mapped, or NULL
 * @counts_size: bytes of them
 * @clock_cost: ticks that reading the clock takes
 * @watch: the process's tracker, if it has one
 */
struct kcr_domain {
	int refs;
	int fd;
	int status;
	int may_store;
	int quiet;
	const unsigned char *region;
	size_t region_size;
	struct kcr_region_header header;
	struct kcr_counts *counts;
	size_t counts_size;
	uint32_t clock_cost;
	struct kcr_watch *watch;
};

/**
 * enum kcr_phase - does reuse pay? See profit.c
 * @KCR_TRIAL: find out
 * @KCR_BYPASS: it did not
 * @KCR_RETRIAL: find out whether it does now
 */
enum kcr_phase {
	KCR_TRIAL,
	KCR_BYPASS,
	KCR_RETRIAL,
};

/**
 * struct kcr_line - what a thread knows of a function
 * @pace: calls until one is looked at closely; negative: calls to be bypassed
 * @weight: calls that the next one to be looked at stands for
 * @random: of the distance between those
 * @audit: calls until an audit
 * @phase: &enum kcr_phase
 * @backoff: calls that the last bypass was for
 * @samples: in this trial
 * @repeated: samples of this trial whose key had come before
 * @grace: trials more that it gets because keys repeat, though it is in the red
 * @pause: misses that are not stored, because storing failed
 * @ease: trials that were in the black: samples are further apart, powers of two
 * @compute: mean ticks of computing
 * @hit: mean ticks of a hit
 * @store: mean ticks of storing
 * @balance: ticks saved in this trial
 *
 * Threads may share one, and signal handlers interrupt whoever changes it:
 * any mixture of values is one that works.
 */
struct kcr_line {
	int32_t pace;
	uint32_t weight;
	uint32_t random;
	int32_t audit;
	uint32_t phase;
	uint32_t backoff;
	uint32_t samples;
	uint32_t repeated;
	uint32_t grace;
	uint16_t pause;
	uint16_t ease;
	uint32_t compute;
	uint32_t hit;
	uint32_t store;
	int64_t balance;
} __attribute__((aligned(KCR_CACHE_LINE)));

/**
 * struct kcr_function - a function
 * @shared: what the region says of it; another thread may distrust it meanwhile
 * @index: the region's index
 * @slots: the region's slots
 * @region: the region
 * @index_mask: number of elements of @index - 1
 * @nr_slots: how many there are
 * @head: the part of entries' head that is the same for all keys
 * @below_16: keys shorter than that are of class KCR_REGION_16; 0 if none is
 * @below_32: likewise, if they are not of a class before
 * @below_80: likewise
 * @key_max: longest key
 * @result_max: longest result
 * @secrets: for fingerprints
 * @zeroes: what zeroes behind a key contribute to fingerprints, by where they begin:
 *	in class 16, 32 and 80
 * @counts: one line of counts for each line
 * @number: in the domain
 * @status: 0, or what kept it from being had
 * @audit_interval: one of so many hits is audited, 0 for none
 * @always: never bypass
 * @sets: how many tracked sets its keys begin with
 * @overhead: ticks that reuse costs the caller in each call
 * @told: the caller knows what a hit saves
 * @gain: ticks, then
 * @domain: its domain
 * @tags: by fingerprint, which two came last
 * @tag_mask: number of @tags - 1
 * @lines: what threads know of it
 *
 * Lookups write nothing here but in a line.
 */
struct kcr_function {
	const struct kcr_region_function *shared;
	const uint16_t *index;
	const struct kcr_region_slot *slots;
	const unsigned char *region;
	uint32_t index_mask;
	uint32_t nr_slots;
	uint64_t head;
	uint32_t below_16;
	uint32_t below_32;
	uint32_t below_80;
	uint32_t key_max;
	uint32_t result_max;
	struct kcr_counts *counts;
	uint64_t secrets[KCR_REGION_SECRETS];
	uint64_t zeroes[3][KCR_REGION_WORDS / 2];
	uint32_t number;
	int status;
	uint32_t audit_interval;
	bool always;
	uint32_t sets;
	uint32_t overhead;
	int told;
	int32_t gain;
	struct kcr_domain *domain;
	uint32_t *tags;
	uint32_t tag_mask;
	struct kcr_counts private_counts[KCR_LINES] __attribute__((aligned(KCR_CACHE_LINE)));
	struct kcr_line lines[KCR_LINES];
} __attribute__((aligned(KCR_CACHE_LINE)));

/* What a lookup knows of a key */
struct kcr_probe {
	uint64_t stamp;
	uint64_t fingerprint;
	uint64_t head;
};

/* What kcr_begin() tells kcr_end(): struct kcr_ticket */
enum kcr_ticket_flags {
	KCR_TICKET_MISS = 1,	/* not remembered */
	KCR_TICKET_LEARN = 2,	/* computed to learn */
	KCR_TICKET_AUDIT = 4,	/* remembered, but computed to compare */
	KCR_TICKET_TIMED = 8,	/* a sample */
	KCR_TICKET_TRACKED = 16,/* of memory that a tracker watches */
};

struct kcr_ticket_inside {
	uint32_t flags;
	uint32_t line;
	uint64_t stamp;
	uint64_t fingerprint;
	uint64_t start;		/* ticks, when the call began */
	uint64_t computing;	/* ticks, when computing began */
	uint32_t weight;
	uint32_t reserved;
	uint64_t watch;		/* the tracker */
	uint64_t unused;
};

_Static_assert(sizeof(struct kcr_ticket_inside) == sizeof(struct kcr_ticket),
	       "a ticket has room for what is in it");

static kcr_inline struct kcr_ticket_inside *kcr_inside(struct kcr_ticket *ticket)
{
	return (struct kcr_ticket_inside *)ticket;
}

/*
 * Where the calling thread's line is among others, in bytes: 0 until a call was
 * looked at closely, so that the first calls of all threads share one. Part of the
 * memory that a thread is born with: no allocation, ever.
 */
extern __thread unsigned int kcr_thread __attribute__((tls_model("initial-exec")));

_Static_assert(sizeof(struct kcr_line) == KCR_CACHE_LINE &&
	       sizeof(struct kcr_counts) == KCR_CACHE_LINE, "lines are as long as they seem");

static kcr_inline uint32_t kcr_line_nr(void)
{
	return kcr_thread / KCR_CACHE_LINE;
}

static kcr_inline struct kcr_line *kcr_this_line(struct kcr_function *f)
{
	return (struct kcr_line *)((char *)f->lines + kcr_thread);
}

static kcr_inline struct kcr_counts *kcr_these_counts(const struct kcr_function *f)
{
	return (struct kcr_counts *)((char *)f->counts + kcr_thread);
}

/* domain.c */
struct kcr_domain *kcr_domain_get(struct kcr_domain *domain);
void kcr_domain_put(struct kcr_domain *domain);
int kcr_domain_ioctl(const struct kcr_domain *domain, unsigned long request, void *arg);
const char *kcr_status_text(int status);

/* function.c */
extern struct kcr_function kcr_nothing;
void kcr_function_distrust(struct kcr_function *f);
int kcr_function_register(const struct kcr_domain *domain, const struct kcr_function_options *o,
			  uint32_t *number);

/* lookup.c */
enum kcr_answer kcr_lookup(struct kcr_function *f, const void *key, size_t key_len, void *result,
			   size_t cap, size_t *result_len, struct kcr_ticket_inside *t);

/* profit.c */
uint64_t kcr_clock(void);
uint32_t kcr_clock_cost(void);
enum kcr_answer kcr_begin_closely(struct kcr_function *f, const void *key, size_t key_len,
				  void *result, size_t cap, size_t *result_len,
				  struct kcr_ticket_inside *t);
void kcr_profit_miss(struct kcr_function *f, const struct kcr_ticket_inside *t,
		     uint64_t computed, uint64_t end, bool repeated);
void kcr_profit_hurry(struct kcr_function *f);
void kcr_profit_learn(uint32_t *mean, uint64_t ticks);
void kcr_profit_reset(struct kcr_function *f);

/* hash.c */
uint64_t kcr_hash(const void *data, size_t len, uint64_t seed);

/* store.c */
int kcr_store(struct kcr_function *f, const struct kcr_ticket_inside *t, const void *key,
	      size_t key_len, const void *result, size_t result_len);

#endif /* KCR_INTERNAL_H */
