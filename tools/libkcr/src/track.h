/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: tracked memory, for those who look up and store.
 */
#ifndef KCR_TRACK_INTERNAL_H
#define KCR_TRACK_INTERNAL_H

#include "internal.h"
#include "kcr_track.h"

#include <linux/kcr_track.h>

/**
 * struct kcr_watch - a tracker of this process
 * @refs: one of each tracked memory, and one that stays while it is the domain's
 * @fd: its descriptor
 * @foreign: it is another process's, or of no use any more: ask nothing of it
 * @stamps: where the stamps are mapped
 */
struct kcr_watch {
	int refs;
	int fd;
	int foreign;
	const uint64_t *stamps;
};

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

bool kcr_watch_holds(const struct kcr_watch *watch, const void *key, uint32_t sets);
int kcr_watch_ioctl(struct kcr_watch *watch, unsigned long request, void *arg);
void kcr_watch_put(struct kcr_watch *watch, bool quiet);

#endif /* KCR_TRACK_INTERNAL_H */
