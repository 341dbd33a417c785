// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: tracked memory.
 */
#include "track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KCR_STAMPS_SIZE		(KCR_SETS_MAX * sizeof(uint64_t))

_Static_assert(sizeof(struct kcr_tracked_key) == sizeof(struct kcr_set_key) &&
	       KCR_SPANS_MAX == KCR_RANGES_MAX && KCR_TRACKED_MAX == KCR_FUNCTION_SETS_MAX &&
	       sizeof(struct kcr_span) == sizeof(struct kcr_range),
	       "what programs see is what the kernel has");

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

static int kcr_make_ranges(struct kcr_range *ranges, const struct kcr_span *spans, size_t nr)
{
	size_t i;

	if (!nr || nr > KCR_RANGES_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		if (!spans[i].len)
			return -EINVAL;
		ranges[i].start = (uintptr_t)spans[i].start;
		ranges[i].len = spans[i].len;
	}
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

	err = kcr_make_ranges(ranges, spans, nr);
	if (err)
		return err;
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

int kcr_tracked_retarget(struct kcr_tracked *t, const struct kcr_span *spans, size_t nr)
{
	struct kcr_range ranges[KCR_RANGES_MAX];
	struct kcr_set_add add = {
		.size = sizeof(add),
		.set = KCR_SET_NEW,
		.nr = (uint32_t)nr,
		.ranges = (uintptr_t)ranges,
	};
	struct kcr_set old = { .size = sizeof(old) };
	int err = kcr_make_ranges(ranges, spans, nr);

	if (!err)
		err = kcr_tracked_ask(t, KCR_IOC_SET_ADD, &add);
	if (err < 0)
		return err;
	if (add.set >= KCR_SETS_MAX)
		return -EPROTO;
	old.set = t->set;
	store_relaxed(&t->set, add.set);
	kcr_tracked_ask(t, KCR_IOC_SET_DROP, &old);
	store_relaxed(&t->status, 0);
	store_relaxed(&t->reason, 0);
	store_relaxed(&t->armed, 0);
	store_relaxed(&t->backoff, 0);
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
