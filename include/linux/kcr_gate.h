/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel Computation Reuse: gates, addresses that are called like functions.
 *
 * See Documentation/core-api/kcr-tracking.rst.
 */
#ifndef _LINUX_KCR_GATE_H
#define _LINUX_KCR_GATE_H

#include <linux/jump_label_ratelimit.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct mm_struct;

/**
 * struct kcr_gate_entry - a gate in a process's memory
 * @node: in the table of all
 * @mm: whose memory
 * @base: where it is mapped
 * @call: what to do when @offset in it is called: sets where the call goes on, or
 *	returns false if nothing is there
 * @rcu: to free what it is embedded in
 */
struct kcr_gate_entry {
	struct hlist_node node;
	struct mm_struct *mm;
	unsigned long base;
	bool (*call)(struct kcr_gate_entry *gate, struct pt_regs *regs,
		     unsigned long offset);
	struct rcu_head rcu;
};

#ifdef CONFIG_KCR_GATE

extern struct static_key_false_deferred kcr_gate_key;

void kcr_gates_get(void);
void kcr_gates_put(void);
void kcr_gate_add(struct kcr_gate_entry *gate);
void kcr_gate_del(struct kcr_gate_entry *gate);
bool __kcr_gate_fault(struct pt_regs *regs, unsigned long error_code,
		      unsigned long address);

/**
 * kcr_gate_fault() - see to it if a fault is a call of a gate
 * @regs: the registers
 * @error_code: what the processor says of the fault
 * @address: where
 *
 * A gate never has pages, so that there is nothing that the usual way could find
 * out about it. All that is asked is asked out of line: what is asked here would be
 * worked out for faults while there are no gates, too.
 *
 * Context: interrupts are on; no locks of the memory's are held; not for the
 * kernel's own fetches of instructions.
 * Return: true if the registers say where to go on.
 */
static __always_inline bool kcr_gate_fault(struct pt_regs *regs,
					   unsigned long error_code,
					   unsigned long address)
{
	return static_branch_unlikely(&kcr_gate_key.key) &&
	       __kcr_gate_fault(regs, error_code, address);
}

#else /* !CONFIG_KCR_GATE */

static inline bool kcr_gate_fault(struct pt_regs *regs, unsigned long error_code,
				  unsigned long address)
{
	return false;
}

#endif /* CONFIG_KCR_GATE */

#endif /* _LINUX_KCR_GATE_H */
