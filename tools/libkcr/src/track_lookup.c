// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: looking results up that depend on tracked memory.
 *
 * A stamp is read, with acquire, before anything of the memory is read, and is part
 * of the key: whatever changes the memory has set it to 0 before, so that what is
 * found, or stored, was computed of the memory as it was when the stamp was read.
 *
 * Watching costs a system call, and a fault at the next write. Where changes come
 * too soon after it, more and more calls are let pass before the next time.
 */
#include "track.h"

#include <errno.h>

/* Calls that watching should have been good for */
#define KCR_ARM_WORTH		8
/* Calls to let pass before it is tried again */
#define KCR_ARM_WAIT_MIN	4
#define KCR_ARM_WAIT_MAX	(1U << 16)

static void kcr_arm_later(struct kcr_tracked *t)
{
	uint32_t backoff = load_relaxed(&t->backoff) * 2;

	if (backoff < KCR_ARM_WAIT_MIN)
		backoff = KCR_ARM_WAIT_MIN;
	if (backoff > KCR_ARM_WAIT_MAX)
		backoff = KCR_ARM_WAIT_MAX;
	store_relaxed(&t->backoff, backoff);
	store_relaxed(&t->wait, backoff);
}

static void kcr_arm(struct kcr_tracked *t)
{
	struct kcr_set_arm arm = { .size = sizeof(arm), .set = t->set };
	int err = kcr_watch_ioctl(t->watch, KCR_IOC_SET_ARM, &arm);

	store_relaxed(&t->reason, err ? arm.reason : KCR_REFUSED_NOT);
	/* Without a reason KCR is switched off, which may change */
	if (err == -EOPNOTSUPP && arm.reason) {
		store_relaxed(&t->status, err);
	} else if (err) {
		kcr_arm_later(t);
	} else {
		store_relaxed(&t->uses, 0);
		store_relaxed(&t->armed, 1);
	}
}

/* Has it watched if that is worth it: it is not now */
static void kcr_perhaps_arm(struct kcr_tracked *t)
{
	uint32_t wait;

	if (load_relaxed(&t->armed)) {
		store_relaxed(&t->armed, 0);
		if (load_relaxed(&t->uses) < KCR_ARM_WORTH)
			kcr_arm_later(t);
		else
			store_relaxed(&t->backoff, 0);
	}
	wait = load_relaxed(&t->wait);
	if (wait)
		store_relaxed(&t->wait, wait - 1);
	else if (!load_relaxed(&t->watch->foreign) && !load_relaxed(&t->domain->quiet))
		kcr_arm(t);
}

/* The stamps of all, if they are all watched and of one tracker */
static bool kcr_fill(struct kcr_tracked *const *tracked, size_t nr, struct kcr_set_key *front,
		     bool may_arm)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		struct kcr_tracked *t = tracked[i];
		uint64_t stamp;
		uint32_t set;

		if (!t || !t->watch || t->watch != tracked[0]->watch || load_relaxed(&t->status))
			return false;
		set = load_relaxed(&t->set);
		stamp = load_acquire(&t->watch->stamps[set]);
		if (unlikely(!stamp) && may_arm) {
			kcr_perhaps_arm(t);
			stamp = load_acquire(&t->watch->stamps[set]);
		} else if (unlikely(load_relaxed(&t->uses) < KCR_ARM_WORTH)) {
			add_relaxed(&t->uses, 1);
		}
		if (!stamp)
			return false;
		front[i] = (struct kcr_set_key){ .set = set, .stamp = stamp };
	}
	return true;
}

int kcr_tracked_fill(struct kcr_tracked *const *tracked, size_t nr, void *key)
{
	return kcr_fill(tracked, nr, key, false);
}

/**
 * kcr_watch_holds() - is all as the key says, after computing?
 * @watch: the tracker
 * @key: the key
 * @sets: how many sets it names
 *
 * Context: any.
 * Return: whether nothing has changed that the key names.
 */
bool kcr_watch_holds(const struct kcr_watch *watch, const void *key, uint32_t sets)
{
	const struct kcr_set_key *front = key;
	uint32_t i;

	/* What computing read was read before this; pairs with the kernel's: stamp, then write */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (i = 0; i < sets; i++) {
		if (load_relaxed(&watch->stamps[front[i].set]) != front[i].stamp)
			return false;
	}
	return true;
}

/* Whether anything may be found or learnt, now or later */
static bool kcr_is_wanted(const struct kcr_function *f)
{
	const struct kcr_region_function *shared = load_relaxed(&f->shared);

	return READ_ONCE(shared->stamp) && READ_ONCE(shared->state) != KCR_STATE_REJECTED;
}

enum kcr_answer kcr_begin_tracked(struct kcr_function *f, struct kcr_tracked *const *tracked,
				  void *key, size_t key_len, void *result, size_t result_cap,
				  size_t *result_len, struct kcr_ticket *ticket)
{
	struct kcr_ticket_inside *t = kcr_inside(ticket);
	struct kcr_line *line;
	int32_t pace;

	t->flags = 0;
	if (unlikely(!f || f->status || !f->sets || key_len < f->sets * sizeof(struct kcr_set_key)))
		return KCR_COMPUTE;
	line = kcr_this_line(f);
	pace = load_relaxed(&line->pace);
	if (!kcr_fill(tracked, f->sets, key, pace >= 0 && kcr_is_wanted(f))) {
		/* Bypassed ones are counted already */
		if (pace < 0)
			store_relaxed(&line->pace, pace + 1);
		else
			add_relaxed(&kcr_these_counts(f)->misses, 1);
		return KCR_COMPUTE;
	}
	if (kcr_begin(f, key, key_len, result, result_cap, result_len, ticket) == KCR_HIT)
		return KCR_HIT;
	if (t->flags) {
		t->flags |= KCR_TICKET_TRACKED;
		t->watch = (uintptr_t)tracked[0]->watch;
	}
	return KCR_COMPUTE;
}
