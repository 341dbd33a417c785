// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: tracked memory.
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
#include <linux/kcr_track.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Calls that watching should have been good for */
#define KCR_ARM_WORTH		8
/* Calls to let pass before it is tried again */
#define KCR_ARM_WAIT_MIN	4
#define KCR_ARM_WAIT_MAX	(1U << 16)

#define KCR_STAMPS_SIZE		(KCR_SETS_MAX * sizeof(uint64_t))

_Static_assert(sizeof(struct kcr_tracked_key) == sizeof(struct kcr_set_key) &&
	       KCR_SPANS_MAX == KCR_RANGES_MAX && KCR_TRACKED_MAX == KCR_FUNCTION_SETS_MAX &&
	       sizeof(struct kcr_span) == sizeof(struct kcr_range),
	       "what programs see is what the kernel has");

/**
 * struct kcr_tracked - tracked memory
 * @domain: its domain
 * @watch: its tracker, or NULL
 * @set: its number there
 * @status: 0, or what kept it from being tracked
 * @reason: &enum kcr_refusal of the last try
 * @armed: it was watched when it was looked at last
 * @uses: calls since then, as far as they matter
 * @backoff: calls that were last let pass
 * @wait: calls to let pass
 *
 * Threads may lose each other's updates of the last four.
 */
struct kcr_tracked {
	struct kcr_domain *domain;
	struct kcr_watch *watch;
	uint32_t set;
	int status;
	uint32_t reason;
	uint32_t armed;
	uint32_t uses;
	uint32_t backoff;
	uint32_t wait;
};

/* Stands in for NULL, and where there is not even memory for this */
static struct kcr_tracked kcr_untracked = { .status = -ENOMEM };

static const char *const kcr_refusals[KCR_NR_REFUSALS] = {
	[KCR_REFUSED_UNMAPPED] = "nothing is mapped there",
	[KCR_REFUSED_NOT_ANONYMOUS] = "a file or a device is mapped there",
	[KCR_REFUSED_SHARED_MAPPING] = "shared memory that is not sealed against writing "
				       "and shrinking",
	[KCR_REFUSED_SPECIAL] = "memory that does not behave as memory",
	[KCR_REFUSED_USERFAULTFD] = "a userfaultfd is registered there",
	[KCR_REFUSED_NOT_PRESENT] = "a page is swapped out or on its way somewhere",
	[KCR_REFUSED_REFERENCE] = "somebody who may write to it holds a page",
	[KCR_REFUSED_SHARED_PAGE] = "a page is shared with another process, by fork()",
	[KCR_REFUSED_HUGE] = "a huge page could not be split",
	[KCR_REFUSED_CHANGED] = "it changed meanwhile",
	[KCR_REFUSED_TOO_OFTEN] = "it was armed too often lately",
};

/* kcr_watch_ioctl() - ask a tracker; 0 or a negative errno, which stays as it is */
int kcr_watch_ioctl(struct kcr_watch *watch, unsigned long request, void *arg)
{
	int saved = errno;
	int ret = kcr_system->ioctl(watch->fd, request, arg);

	if (ret < 0)
		ret = -errno;
	errno = saved;
	/* In a child, or the descriptor is closed or something else, or a sandbox says no */
	if (ret == -EPERM || ret == -EBADF || ret == -ENOTTY || ret == -ENOSYS || ret == -EACCES)
		store_relaxed(&watch->foreign, 1);
	return ret;
}

/* kcr_watch_put() - one user less; the last one lets go of it, unless it has to be @quiet */
void kcr_watch_put(struct kcr_watch *watch, bool quiet)
{
	if (!watch || __atomic_sub_fetch(&watch->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (!quiet) {
		kcr_system->munmap((void *)watch->stamps, KCR_STAMPS_SIZE);
		/* What number has become something else is not ours to close */
		if (!load_relaxed(&watch->foreign))
			kcr_system->close(watch->fd);
	}
	free(watch);
}

static int kcr_watch_open(const struct kcr_domain *domain, struct kcr_watch **opened)
{
	struct kcr_tracker tracker = { .size = sizeof(tracker) };
	struct kcr_watch *watch = calloc(1, sizeof(*watch));
	void *at;
	int err;

	if (!watch)
		return -ENOMEM;
	watch->refs = 1;
	watch->fd = kcr_domain_ioctl(domain, KCR_IOC_TRACKER, &tracker);
	err = watch->fd;
	if (err < 0)
		goto out_free;
	at = kcr_system->mmap(NULL, KCR_STAMPS_SIZE, PROT_READ, MAP_SHARED, watch->fd, 0);
	if (at == MAP_FAILED) {
		err = -errno;
		kcr_system->close(watch->fd);
		goto out_free;
	}
	watch->stamps = at;
	*opened = watch;
	return 0;

out_free:
	free(watch);
	return err;
}

/*
 * The domain's tracker. One that turned out to be the parent's is left behind: others
 * may be looking at it.
 */
static int kcr_watch_of(struct kcr_domain *domain, struct kcr_watch **found)
{
	struct kcr_watch *old = load_acquire(&domain->watch);
	struct kcr_watch *watch = NULL;
	int err;

	while (!old || load_relaxed(&old->foreign)) {
		if (!watch) {
			err = kcr_watch_open(domain, &watch);
			if (err)
				return err;
		}
		if (__atomic_compare_exchange_n(&domain->watch, &old, watch, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			old = watch;
			watch = NULL;
		}
	}
	kcr_watch_put(watch, false);
	__atomic_fetch_add(&old->refs, 1, __ATOMIC_RELAXED);
	*found = old;
	return 0;
}

static int kcr_tracked_add(struct kcr_tracked *t, const struct kcr_span *spans, size_t nr)
{
	struct kcr_range ranges[KCR_RANGES_MAX];
	struct kcr_set_add add = {
		.size = sizeof(add),
		.set = KCR_SET_NEW,
		.nr = (uint32_t)nr,
		.ranges = (uintptr_t)ranges,
	};
	int err, tries = 2;
	size_t i;

	if (!nr || nr > KCR_RANGES_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		if (!spans[i].len)
			return -EINVAL;
		ranges[i].start = (uintptr_t)spans[i].start;
		ranges[i].len = spans[i].len;
	}
	if (t->domain->status)
		return t->domain->status;
	if (load_relaxed(&t->domain->quiet))
		return -EPERM;
	do {
		kcr_watch_put(t->watch, false);
		t->watch = NULL;
		err = kcr_watch_of(t->domain, &t->watch);
		if (err)
			return err;
		err = kcr_watch_ioctl(t->watch, KCR_IOC_SET_ADD, &add);
		/* The parent's, perhaps */
	} while (err == -EPERM && --tries);
	if (err < 0)
		return err;
	t->set = add.set;
	return add.set < KCR_SETS_MAX ? 0 : -EPROTO;
}

struct kcr_tracked *kcr_tracked_create(struct kcr_domain *domain, const struct kcr_span *spans,
				       size_t nr)
{
	int saved = errno;
	struct kcr_tracked *t = calloc(1, sizeof(*t));

	if (t) {
		t->domain = kcr_domain_get(domain);
		t->status = kcr_tracked_add(t, spans, nr);
	}
	errno = saved;
	return t ? t : &kcr_untracked;
}

/* What may still be asked of the kernel about it */
static int kcr_tracked_ask(struct kcr_tracked *t, unsigned long request, void *arg)
{
	if (!t || !t->watch || (t->status && t->status != -EOPNOTSUPP))
		return -EBADF;
	if (load_relaxed(&t->domain->quiet) || load_relaxed(&t->watch->foreign))
		return -EPERM;
	return kcr_watch_ioctl(t->watch, request, arg);
}

void kcr_tracked_destroy(struct kcr_tracked *t)
{
	struct kcr_set set = { .size = sizeof(set) };
	int saved = errno;

	if (!t || t == &kcr_untracked)
		return;
	set.set = t->set;
	kcr_tracked_ask(t, KCR_IOC_SET_DROP, &set);
	kcr_watch_put(t->watch, load_relaxed(&t->domain->quiet));
	kcr_domain_put(t->domain);
	free(t);
	errno = saved;
}

int kcr_tracked_status(const struct kcr_tracked *t, const char **text)
{
	uint32_t reason = t ? load_relaxed(&t->reason) : 0;
	int status = t ? load_relaxed(&t->status) : -EBADF;

	if (!status && t->watch && load_relaxed(&t->watch->foreign))
		status = -EPERM;
	if (!status && reason)
		status = -EAGAIN;
	if (!text)
		return status;
	*text = kcr_status_text(status);
	if ((status == -EAGAIN || status == -EOPNOTSUPP) && reason && reason < KCR_NR_REFUSALS)
		*text = kcr_refusals[reason];
	else if (status == -ENOTTY)
		*text = "the kernel tracks no memory";
	else if (status == -ENOSPC)
		*text = "the process tracks as much as it can";
	else if (status == -EPERM)
		*text = "the memory is another process's, or storing was stopped before";
	return status;
}

int kcr_tracked_renew(struct kcr_tracked *t)
{
	struct kcr_set set = { .size = sizeof(set) };
	int err;

	if (!t)
		return -EBADF;
	set.set = t->set;
	err = kcr_tracked_ask(t, KCR_IOC_SET_RENEW, &set);
	if (err < 0)
		return err;
	store_relaxed(&t->status, 0);
	store_relaxed(&t->reason, 0);
	store_relaxed(&t->armed, 0);
	store_relaxed(&t->wait, 0);
	return 0;
}

int kcr_tracked_get_stats(struct kcr_tracked *t, struct kcr_tracked_stats *stats)
{
	struct kcr_set_info info = { .size = sizeof(info) };
	size_t size = stats->size, i;
	int err;

	if (size < sizeof(*stats))
		return -EINVAL;
	if (!t)
		return -EBADF;
	info.set = t->set;
	err = kcr_tracked_ask(t, KCR_IOC_SET_INFO, &info);
	if (err < 0)
		return err;
	*stats = (struct kcr_tracked_stats){
		.size = size,
		.pages = info.pages,
		.armed = info.armed,
		.watched = !!info.stamp,
	};
	for (i = 0; i < sizeof(info.events) / sizeof(info.events[0]); i++)
		stats->changed += info.events[i];
	for (i = 0; i < sizeof(info.refused) / sizeof(info.refused[0]); i++)
		stats->refused += info.refused[i];
	return 0;
}

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
	if (err == -EOPNOTSUPP) {
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

		if (!t || !t->watch || t->watch != tracked[0]->watch || load_relaxed(&t->status))
			return false;
		stamp = load_acquire(&t->watch->stamps[t->set]);
		if (unlikely(!stamp) && may_arm) {
			kcr_perhaps_arm(t);
			stamp = load_acquire(&t->watch->stamps[t->set]);
		} else if (unlikely(load_relaxed(&t->uses) < KCR_ARM_WORTH)) {
			add_relaxed(&t->uses, 1);
		}
		if (!stamp)
			return false;
		front[i] = (struct kcr_set_key){ .set = t->set, .stamp = stamp };
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
