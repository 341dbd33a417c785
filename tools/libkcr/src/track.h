/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkcr: tracked memory, for those who look up and store.
 */
#ifndef KCR_TRACK_INTERNAL_H
#define KCR_TRACK_INTERNAL_H

#include "internal.h"
#include "kcr_track.h"

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

bool kcr_watch_holds(const struct kcr_watch *watch, const void *key, uint32_t sets);
int kcr_watch_ioctl(struct kcr_watch *watch, unsigned long request, void *arg);
void kcr_watch_put(struct kcr_watch *watch, bool quiet);

#endif /* KCR_TRACK_INTERNAL_H */
