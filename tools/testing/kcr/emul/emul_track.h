/* SPDX-License-Identifier: GPL-2.0-only */
/* Trackers and gates of the emulation, for emul.c. */
#ifndef KCR_EMUL_TRACK_H
#define KCR_EMUL_TRACK_H

#include <stddef.h>

struct emul_gate;
struct emul_tracker;
struct kcr_domain;

struct emul_tracker *emul_tracker_create(struct kcr_domain *domain);
void emul_tracker_free(struct emul_tracker *tracker);
long emul_tracker_ioctl(struct emul_tracker *tracker, unsigned long request, void *arg);
void *emul_tracker_mmap(struct emul_tracker *tracker, size_t length, int prot);

struct emul_gate *emul_gate_create(const void *region);
long emul_gate_ioctl(struct emul_gate *gate, unsigned long request, void *arg);
void *emul_gate_mmap(struct emul_gate *gate, size_t length, int prot);

#endif /* KCR_EMUL_TRACK_H */
