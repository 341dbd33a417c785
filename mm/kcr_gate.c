// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: finding the gate that was called.
 *
 * A gate is found by the memory that it is in and its page's address, in a table:
 * neither mmap_lock nor a VMA's lock is taken, as both would be shared by all
 * threads that call it. What is found stays: a gate's mapping is sealed, so that
 * it ends with the memory, when no thread is left that could be here.
 */
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/kcr_gate.h>
#include <linux/mm_types.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <asm/trap_pf.h>

#define KCR_GATES_BITS	6

/* On while there are gates; off again only after a while, as text is patched */
DEFINE_STATIC_KEY_DEFERRED_FALSE(kcr_gate_key, HZ);

static DEFINE_READ_MOSTLY_HASHTABLE(kcr_gates, KCR_GATES_BITS);
/* Protects writing to kcr_gates */
static DEFINE_SPINLOCK(kcr_gates_lock);

static unsigned long kcr_gate_hash(const struct mm_struct *mm, unsigned long base)
{
	return (unsigned long)mm ^ base;
}

/**
 * kcr_gates_get() - have faults looked at, from now on
 *
 * Context: may sleep; not within the mmap_lock.
 */
void kcr_gates_get(void)
{
	static_branch_deferred_inc(&kcr_gate_key);
}
EXPORT_SYMBOL_GPL(kcr_gates_get);

/**
 * kcr_gates_put() - undo kcr_gates_get()
 *
 * Context: may sleep; not within the mmap_lock.
 */
void kcr_gates_put(void)
{
	static_branch_slow_dec_deferred(&kcr_gate_key);
}
EXPORT_SYMBOL_GPL(kcr_gates_put);

/**
 * kcr_gate_add() - let a gate be called
 * @gate: the gate
 *
 * Within kcr_gates_get().
 *
 * Context: any short of interrupts.
 */
void kcr_gate_add(struct kcr_gate_entry *gate)
{
	spin_lock(&kcr_gates_lock);
	hash_add_rcu(kcr_gates, &gate->node, kcr_gate_hash(gate->mm, gate->base));
	spin_unlock(&kcr_gates_lock);
}
EXPORT_SYMBOL_GPL(kcr_gate_add);

/**
 * kcr_gate_del() - undo kcr_gate_add()
 * @gate: the gate; to be freed after a grace period
 *
 * Context: any short of interrupts.
 */
void kcr_gate_del(struct kcr_gate_entry *gate)
{
	spin_lock(&kcr_gates_lock);
	hash_del_rcu(&gate->node);
	spin_unlock(&kcr_gates_lock);
}
EXPORT_SYMBOL_GPL(kcr_gate_del);

/**
 * __kcr_gate_fault() - kcr_gate_fault() where there are gates
 * @regs: the registers
 * @error_code: what the processor says of the fault
 * @address: where
 *
 * Context: interrupts are on; no locks of the memory's are held.
 * Return: true if the registers say where to go on.
 */
bool __kcr_gate_fault(struct pt_regs *regs, unsigned long error_code,
		      unsigned long address)
{
	unsigned long base = address & PAGE_MASK;
	struct mm_struct *mm = current->mm;
	struct kcr_gate_entry *gate;

	if (!(error_code & X86_PF_INSTR) || address != instruction_pointer(regs))
		return false;
	rcu_read_lock();
	hash_for_each_possible_rcu(kcr_gates, gate, node, kcr_gate_hash(mm, base)) {
		if (gate->mm == mm && gate->base == base)
			break;
	}
	rcu_read_unlock();
	/* It cannot go: see above */
	return gate && gate->call(gate, regs, address - base);
}
