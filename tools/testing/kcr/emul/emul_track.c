// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trackers in user space: they believe that nothing changes until kcr_emul_touch()
 * says so. Stamps are in memory that is zero in children.
 */
#define _GNU_SOURCE
#include "emul.h"
#include "emul_track.h"

#include "shim.h"

#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"

#include <uapi/linux/kcr_track.h>

#define STAMPS_SIZE (KCR_SETS_MAX * sizeof(u64))

struct emul_set {
	bool used;
	u32 nr;
	struct kcr_range ranges[KCR_RANGES_MAX];
	struct kcr_set_info info;
};

struct emul_tracker {
	struct emul_tracker *next;
	struct kcr_domain *domain;
	pid_t process;
	u64 *stamps;
	bool mapped;
	struct emul_set sets[KCR_SETS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct emul_tracker *trackers;
static u64 last_stamp = 1000;
static u32 refusal;
static unsigned long armings;

struct emul_tracker *emul_tracker_create(struct kcr_domain *domain)
{
	struct emul_tracker *tracker = calloc(1, sizeof(*tracker));
	void *stamps = mmap(NULL, STAMPS_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!tracker || stamps == MAP_FAILED || madvise(stamps, STAMPS_SIZE, MADV_WIPEONFORK))
		abort();
	tracker->domain = domain;
	tracker->process = getpid();
	tracker->stamps = stamps;
	pthread_mutex_lock(&lock);
	tracker->next = trackers;
	trackers = tracker;
	pthread_mutex_unlock(&lock);
	return tracker;
}

/* Whoever has mapped the stamps unmaps them */
void emul_tracker_free(struct emul_tracker *tracker)
{
	struct emul_tracker **at;

	pthread_mutex_lock(&lock);
	for (at = &trackers; *at != tracker; at = &(*at)->next)
		;
	*at = tracker->next;
	pthread_mutex_unlock(&lock);
	if (!tracker->mapped)
		munmap(tracker->stamps, STAMPS_SIZE);
	free(tracker);
}

static struct emul_set *find_set(struct emul_tracker *tracker, u32 number)
{
	return number < KCR_SETS_MAX && tracker->sets[number].used ? &tracker->sets[number] : NULL;
}

static void disarm(struct emul_tracker *tracker, u32 number, enum kcr_event event)
{
	tracker->sets[number].info.events[event]++;
	__atomic_store_n(&tracker->stamps[number], 0, __ATOMIC_SEQ_CST);
}

static long set_add(struct emul_tracker *tracker, struct kcr_set_add *add)
{
	struct emul_set *set;

	if (add->size != sizeof(*add) || add->flags || !add->nr || add->nr > KCR_RANGES_MAX)
		return -EINVAL;
	if (add->set == KCR_SET_NEW) {
		for (add->set = 0; add->set < KCR_SETS_MAX; add->set++) {
			if (!tracker->sets[add->set].used)
				break;
		}
		if (add->set == KCR_SETS_MAX)
			return -ENOSPC;
		memset(&tracker->sets[add->set], 0, sizeof(*set));
		tracker->sets[add->set].used = true;
	}
	set = find_set(tracker, add->set);
	if (!set)
		return -ENOENT;
	if (set->nr + add->nr > KCR_RANGES_MAX)
		return -ENOSPC;
	memcpy(&set->ranges[set->nr], u64_to_user_ptr(add->ranges),
	       add->nr * sizeof(struct kcr_range));
	for (; add->nr; add->nr--, set->nr++) {
		struct kcr_range *range = &set->ranges[set->nr];
		u64 end = round_up(range->start + range->len, PAGE_SIZE);

		range->start &= ~(u64)(PAGE_SIZE - 1);
		range->len = end - range->start;
		set->info.pages += range->len / PAGE_SIZE;
	}
	return 0;
}

static long set_arm(struct emul_tracker *tracker, struct kcr_set_arm *arm)
{
	struct emul_set *set = find_set(tracker, arm->set);
	u32 reason = READ_ONCE(refusal);

	if (!set)
		return -ENOENT;
	__atomic_fetch_add(&armings, 1, __ATOMIC_RELAXED);
	arm->reason = reason;
	arm->stamp = 0;
	if (reason) {
		set->info.refused[reason]++;
		return reason < KCR_REFUSED_NOT_PRESENT ? -EOPNOTSUPP : -EAGAIN;
	}
	if (!tracker->stamps[arm->set]) {
		set->info.armed++;
		__atomic_store_n(&tracker->stamps[arm->set], ++last_stamp, __ATOMIC_SEQ_CST);
	}
	arm->stamp = tracker->stamps[arm->set];
	return 0;
}

static long set_info(struct emul_tracker *tracker, struct kcr_set_info *info)
{
	struct emul_set *set = find_set(tracker, info->set);
	u32 number = info->set;

	if (!set)
		return -ENOENT;
	*info = set->info;
	info->size = sizeof(*info);
	info->set = number;
	info->ranges = set->nr;
	info->stamp = tracker->stamps[number];
	return 0;
}

static long locked_ioctl(struct emul_tracker *tracker, unsigned long request, void *arg)
{
	struct kcr_set *set = arg;

	switch (request) {
	case KCR_IOC_SET_ADD:
		return set_add(tracker, arg);
	case KCR_IOC_SET_ARM:
		return set_arm(tracker, arg);
	case KCR_IOC_SET_INFO:
		return set_info(tracker, arg);
	case KCR_IOC_STORE:
		return kcr_ioctl_store(tracker->domain, tracker->stamps, arg);
	case KCR_IOC_SET_RENEW:
	case KCR_IOC_SET_DROP:
		if (!find_set(tracker, set->set))
			return -ENOENT;
		disarm(tracker, set->set, KCR_EVENT_RENEW);
		tracker->sets[set->set].used = request == KCR_IOC_SET_RENEW;
		return 0;
	default:
		return -ENOTTY;
	}
}

long emul_tracker_ioctl(struct emul_tracker *tracker, unsigned long request, void *arg)
{
	long ret;

	if (getpid() != tracker->process)
		return -EPERM;
	pthread_mutex_lock(&lock);
	ret = locked_ioctl(tracker, request, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

void *emul_tracker_mmap(struct emul_tracker *tracker, size_t length, int prot)
{
	if (length != STAMPS_SIZE || prot != PROT_READ || tracker->mapped) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	tracker->mapped = true;
	return tracker->stamps;
}

void kcr_emul_touch(const void *address)
{
	u64 at = (uintptr_t)address;
	struct emul_tracker *tracker;
	u32 number, i;

	pthread_mutex_lock(&lock);
	for (tracker = trackers; tracker; tracker = tracker->next) {
		for (number = 0; number < KCR_SETS_MAX; number++) {
			struct emul_set *set = find_set(tracker, number);

			for (i = 0; set && i < set->nr; i++) {
				if (at - set->ranges[i].start < set->ranges[i].len)
					disarm(tracker, number, KCR_EVENT_WRITE);
			}
		}
	}
	pthread_mutex_unlock(&lock);
}

void kcr_emul_refuse(uint32_t reason)
{
	WRITE_ONCE(refusal, reason);
}

unsigned long kcr_emul_armings(void)
{
	return READ_ONCE(armings);
}
