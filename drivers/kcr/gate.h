/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: what the files about gates share.
 */
#ifndef _KCR_GATE_H
#define _KCR_GATE_H

#include <linux/kcr_gate.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "device.h"

/**
 * enum kcr_gate_counter - what became of calls
 * @KCR_GATE_HITS: there was a result
 * @KCR_GATE_MISSES: it went on where it is computed
 * @KCR_GATE_PLAIN: KCR is off
 * @KCR_GATE_AUDITS: there was one, but it was computed again
 * @KCR_GATE_NR_COUNTERS: number of counters
 */
enum kcr_gate_counter {
	KCR_GATE_HITS,
	KCR_GATE_MISSES,
	KCR_GATE_PLAIN,
	KCR_GATE_AUDITS,
	KCR_GATE_NR_COUNTERS,
};

struct kcr_gate_counts {
	u64 c[KCR_GATE_NR_COUNTERS];
};

/**
 * struct kcr_gate_file - a gate's descriptor
 * @lock: protects writing to @slots
 * @shared: its domain, with a reference
 * @counts: what became of calls
 * @mapped: it was mapped
 * @slots: by number; never changed again
 */
struct kcr_gate_file {
	struct mutex lock; /* of writing to slots */
	struct kcr_shared *shared;
	struct kcr_gate_counts __percpu *counts;
	bool mapped;
	struct kcr_gate_slot *slots[KCR_GATE_SLOTS];
};

/**
 * struct kcr_gate_mapping - a gate where it is mapped
 * @gate: as it is found
 * @file: its descriptor's
 */
struct kcr_gate_mapping {
	struct kcr_gate_entry gate;
	struct kcr_gate_file *file;
};

const struct kcr_gate_slot *kcr_gate_find(struct kcr_gate_file *file,
					  unsigned long offset);
void kcr_gate_plain(struct kcr_gate_file *file, const struct kcr_gate_slot *f,
		    struct pt_regs *regs);
bool kcr_gate_call(struct kcr_gate_entry *gate, struct pt_regs *regs,
		   unsigned long offset);
bool kcr_region_lookup(const struct kcr_region *r,
		       const struct kcr_region_item *item, u64 *result);

#endif /* _KCR_GATE_H */
