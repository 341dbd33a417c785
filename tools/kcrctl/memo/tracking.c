// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is too large for keys, and rarely changes: the kernel watches it.
 *
 * Whole pages are watched. What an argument has of its first and its last page beside those is
 * part of the key, so that neighbours (an object's head, the heap) may change. Memory of few
 * pages is all in the key, and a page of ours that never changes is watched in its place.
 *
 * Which memory is watched is kept by address and length, for as many as there is room; who comes
 * a second time takes the place of who has not come for the longest time. A place is not given
 * to another while a call looks at it: nothing here waits, and nothing takes memory.
 */
#include "memo.h"

#include <kcr_track.h>
#include <sys/mman.h>

#define PLACES		32
/* Memories that came once, by a hash of where they are */
#define SEEN		256

static_assert(sizeof(struct kcr_tracked_key) == KCR_MEMO_FRONT, "keys");

/**
 * struct place - a memory that is watched
 * @start: where it begins
 * @end: where it ends
 * @users: calls that look at it now; -1 while it becomes another's
 * @last: when it was looked at last
 * @tracked: libkcr's
 */
struct place {
	uint64_t start;
	uint64_t end;
	int users;
	uint32_t last;
	struct kcr_tracked *tracked;
};

static struct place places[PLACES];
static struct kcr_tracked *constant;
static uint32_t seen[SEEN];
static uint32_t now;

/**
 * kcr_memo_tracking_begin() - be ready to have memory watched
 * @domain: where results are remembered
 *
 * Context: process.
 */
void kcr_memo_tracking_begin(struct kcr_domain *domain)
{
	char *page = mmap(NULL, KCR_MEMO_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kcr_span span = { page, KCR_MEMO_PAGE };

	if (page == MAP_FAILED)
		return;
	/* There has to be a page */
	*(volatile char *)page = 1;
	constant = kcr_tracked_create(domain, &span, 1);
	for (uint32_t i = 0; i < PLACES; i++)
		places[i].tracked = kcr_tracked_create(domain, &span, 1);
}

static int is_at(const struct place *place, const struct kcr_memo_span *span)
{
	return __atomic_load_n(&place->start, __ATOMIC_RELAXED) == span->start &&
	       __atomic_load_n(&place->end, __ATOMIC_RELAXED) == span->end;
}

static void leave(struct place *place)
{
	__atomic_fetch_sub(&place->users, 1, __ATOMIC_RELEASE);
}

/* Looks at a place, unless it is another's by now. */
static int enter(struct place *place, const struct kcr_memo_span *span)
{
	int users = __atomic_load_n(&place->users, __ATOMIC_RELAXED);

	do {
		if (users < 0)
			return 0;
	} while (!__atomic_compare_exchange_n(&place->users, &users, users + 1, 1, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	if (!is_at(place, span)) {
		leave(place);
		return 0;
	}
	__atomic_store_n(&place->last, __atomic_add_fetch(&now, 1, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	return 1;
}

/* Whether it came before; notes it. */
static int came_before(const struct kcr_memo_span *span)
{
	uint64_t hash = (span->start / KCR_MEMO_PAGE * 0x9e3779b97f4a7c15U ^ span->end / KCR_MEMO_PAGE) *
			0xbf58476d1ce4e5b9U;
	uint32_t *tag = &seen[hash >> 56 & (SEEN - 1)];
	uint32_t value = (uint32_t)(hash >> 16) | 1;

	if (__atomic_load_n(tag, __ATOMIC_RELAXED) == value)
		return 1;
	__atomic_store_n(tag, value, __ATOMIC_RELAXED);
	return 0;
}

/* Has it watched in place of what has not come for the longest time. */
static struct place *replace(const struct kcr_memo_span *span)
{
	const struct kcr_span watched = { (const void *)span->start, span->end - span->start };
	uint32_t at = __atomic_load_n(&now, __ATOMIC_RELAXED), longest = 0;
	struct place *place = NULL;
	int users = 0;

	for (uint32_t i = 0; i < PLACES; i++) {
		uint32_t age = at - __atomic_load_n(&places[i].last, __ATOMIC_RELAXED);

		if (age >= longest && !__atomic_load_n(&places[i].users, __ATOMIC_RELAXED)) {
			longest = age;
			place = &places[i];
		}
	}
	if (!place || !__atomic_compare_exchange_n(&place->users, &users, -1, 0, __ATOMIC_ACQUIRE,
						   __ATOMIC_RELAXED))
		return NULL;
	__atomic_store_n(&place->start, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&place->end, 0, __ATOMIC_RELAXED);
	if (!kcr_tracked_retarget(place->tracked, &watched, 1)) {
		__atomic_store_n(&place->start, span->start, __ATOMIC_RELAXED);
		__atomic_store_n(&place->end, span->end, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&place->last, at + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&place->users, 0, __ATOMIC_RELEASE);
	return place;
}

static struct place *find(const struct kcr_memo_span *span)
{
	struct place *place;

	for (uint32_t i = 0; i < PLACES; i++) {
		if (is_at(&places[i], span) && enter(&places[i], span))
			return &places[i];
	}
	if (!came_before(span))
		return NULL;
	place = replace(span);
	return place && enter(place, span) ? place : NULL;
}

/**
 * kcr_memo_begin_tracked() - kcr_begin() for a function that reads memory that is watched
 * @slot: what is called
 * @function: its description
 * @frame: the call
 * @key: its key
 * @result: room for its result
 * @length: out: bytes of result
 * @ticket: out: libkcr's
 *
 * Context: any; makes system calls if memory is to be watched.
 *
 * Return: %KCR_MEMO_FOUND, %KCR_MEMO_COMPUTED if it is to be computed and remembered,
 * %KCR_MEMO_TO_CALL if only computed.
 */
enum kcr_memo_done kcr_memo_begin_tracked(struct kcr_memo_slot *slot,
					  const struct kcr_memo_function *function,
					  const struct kcr_memo_frame *frame,
					  const struct kcr_memo_buffer *key,
					  const struct kcr_memo_buffer *result, size_t *length,
					  struct kcr_ticket *ticket)
{
	struct kcr_tracked *tracked[KCR_MEMO_TRACKED];
	struct place *taken[KCR_MEMO_TRACKED];
	enum kcr_memo_done done = KCR_MEMO_TO_CALL;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < function->nr_items; i++) {
		struct kcr_memo_span span;

		if (function->items[i].kind != 't')
			continue;
		kcr_memo_inner(&function->items[i], frame, &span);
		taken[nr] = NULL;
		tracked[nr] = constant;
		if (span.start != span.end) {
			taken[nr] = find(&span);
			if (!taken[nr])
				goto out;
			tracked[nr] = taken[nr]->tracked;
		}
		nr++;
	}
	done = kcr_begin_tracked(slot->reuse, tracked, key->data, key->length, result->data,
				 result->room, length, ticket) == KCR_HIT ? KCR_MEMO_FOUND :
									    KCR_MEMO_COMPUTED;
out:
	while (nr--) {
		if (taken[nr])
			leave(taken[nr]);
	}
	return done;
}
