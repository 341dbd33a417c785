// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel Computation Reuse: what happens when a gate is called.
 *
 * The call has faulted on its first instruction, so the registers are as the
 * function would find them, with the return address on the stack. With a result
 * they are set as it would leave them, and the program goes on at a ret
 * instruction of its own; without one it goes on where it said that it would
 * compute. Nothing is on the way that could be interrupted, unwound, nested or
 * forked: no state is kept for a call, and the stack is not touched.
 */
#include <linux/kcr.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/processor-flags.h>

#include "gate.h"

/* One hit in so many is computed again, and compared */
#define KCR_GATE_AUDIT	1024

static void kcr_gate_count(struct kcr_gate_file *file, enum kcr_gate_counter counter)
{
	this_cpu_inc(file->counts->c[counter]);
}

/* Where a call goes on */
static void kcr_gate_go(struct pt_regs *regs, u64 address)
{
	regs->ip = address;
	/* Else a breakpoint there would be passed over */
	regs->flags &= ~X86_EFLAGS_RF;
}

/**
 * kcr_gate_find() - what a slot calls
 * @file: the gate
 * @offset: what was called, less than KCR_GATE_SIZE
 *
 * Context: any.
 * Return: what was said of it, or NULL if nothing is there.
 */
const struct kcr_gate_slot *kcr_gate_find(struct kcr_gate_file *file,
					  unsigned long offset)
{
	unsigned long nr = offset / KCR_GATE_STRIDE;

	if (offset % KCR_GATE_STRIDE)
		return NULL;
	/* Pairs with the one in kcr_ioctl_gate_slot() */
	return smp_load_acquire(&file->slots[array_index_nospec(nr, KCR_GATE_SLOTS)]);
}

/**
 * kcr_gate_plain() - have a call go on at the function itself
 * @file: the gate
 * @f: what the slot calls
 * @regs: the registers
 *
 * Context: any.
 */
void kcr_gate_plain(struct kcr_gate_file *file, const struct kcr_gate_slot *f,
		    struct pt_regs *regs)
{
	kcr_gate_count(file, KCR_GATE_PLAIN);
	kcr_gate_go(regs, f->plain);
}

static void kcr_gate_args(const struct pt_regs *regs, u64 *args)
{
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->cx;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* Bytes of memory, or U32_MAX if they are too many */
static u32 kcr_gate_memory_len(const struct kcr_gate_memory *m, const u64 *args)
{
	u64 units = m->len_arg == KCR_GATE_LEN_FIXED ? 1 : args[m->len_arg];

	if (units > KCR_GATE_KEY_MAX)
		return U32_MAX;
	return min_t(u64, units * m->len, U32_MAX);
}

/* Append memory to a key or copy a result's to memory; false if that is not to be */
static bool kcr_gate_input(const struct kcr_gate_memory *m, const u64 *args,
			   u64 *key, u32 *key_len)
{
	u32 len = kcr_gate_memory_len(m, args), room = KCR_GATE_KEY_MAX - *key_len;
	void __user *from = u64_to_user_ptr(args[m->arg]);
	u64 *to = key + *key_len / 8;
	long got;

	if (m->flags & KCR_GATE_STRING) {
		if (!access_ok(from, 1))
			return false;
		got = strncpy_from_user((char *)to, from, min(len, room));
		if (got < 0 || got == min(len, room))
			return false;
		len = got + 1;
	} else if (len > room || copy_from_user(to, from, len)) {
		return false;
	}
	memset((u8 *)to + len, 0, round_up(len, 8) - len);
	*key_len += round_up(len, 8);
	return true;
}

static bool kcr_gate_outputs(const struct kcr_gate_slot *spec, const u64 *args,
			     const u64 *result)
{
	const struct kcr_gate_memory *m;
	u32 i, len;

	for (i = 0; i < spec->nr_memory; i++) {
		m = &spec->memory[i];
		if (!(m->flags & KCR_GATE_OUT))
			continue;
		len = kcr_gate_memory_len(m, args);
		if (copy_to_user(u64_to_user_ptr(args[m->arg]), result, len))
			return false;
		result += DIV_ROUND_UP(len, 8);
	}
	return true;
}

/* Where a call goes on that has a result, if it is not to be computed again */
static bool kcr_gate_hit(struct kcr_gate_file *file, const struct kcr_gate_slot *f,
			 struct pt_regs *regs, const u64 *args, const u64 *result)
{
	if (unlikely(!(this_cpu_inc_return(file->counts->c[KCR_GATE_HITS]) %
		       KCR_GATE_AUDIT) ||
		     !kcr_gate_outputs(f, args, result + 2))) {
		kcr_gate_count(file, KCR_GATE_AUDITS);
		return false;
	}
	regs->ax = result[0];
	regs->dx = result[1];
	kcr_gate_go(regs, f->ret);
	return true;
}

/* Where a call goes on that is computed */
static void kcr_gate_miss(struct kcr_gate_file *file, const struct kcr_gate_slot *f,
			  struct pt_regs *regs, u64 stamp)
{
	kcr_gate_count(file, KCR_GATE_MISSES);
	regs->r10 = stamp;
	regs->r11 = f->cookie;
	kcr_gate_go(regs, f->miss);
}

/* Bytes of result, or 0 if it cannot be remembered */
static u32 kcr_gate_result_len(const struct kcr_gate_slot *spec, const u64 *args)
{
	u32 i, n, len = 2 * sizeof(u64);

	for (i = 0; i < spec->nr_memory; i++) {
		if (!(spec->memory[i].flags & KCR_GATE_OUT))
			continue;
		n = kcr_gate_memory_len(&spec->memory[i], args);
		if (n > KCR_GATE_RESULT_MAX - len)
			return 0;
		len += round_up(n, 8);
	}
	return len;
}

/* What is written must not be what was read: the result would be another */
static bool kcr_gate_overlaps(const struct kcr_gate_slot *spec, const u64 *args)
{
	const struct kcr_gate_memory *in, *out;

	for (in = spec->memory; in < spec->memory + spec->nr_memory; in++) {
		if (!(in->flags & KCR_GATE_IN))
			continue;
		for (out = spec->memory; out < spec->memory + spec->nr_memory; out++) {
			/* Of a string the most that it may be: it makes no difference */
			if (out->flags & KCR_GATE_OUT &&
			    args[in->arg] < args[out->arg] + kcr_gate_memory_len(out, args) &&
			    args[out->arg] < args[in->arg] + kcr_gate_memory_len(in, args))
				return true;
		}
	}
	return false;
}

/* A function with memory: arguments, pointers left out, and then what they point to */
static noinline bool kcr_gate_lookup_memory(const struct kcr_region *r,
					    const struct kcr_gate_slot *spec,
					    struct kcr_region_item *item,
					    const u64 *args, u64 *result)
{
	u64 key[KCR_GATE_KEY_MAX / 8];
	u32 i;

	item->result_len = kcr_gate_result_len(spec, args);
	if (!item->result_len || item->result_len > item->result_max ||
	    kcr_gate_overlaps(spec, args))
		return false;
	item->key = key;
	item->key_len = spec->nr_args * sizeof(u64);
	memcpy(key, args, item->key_len);
	for (i = 0; i < spec->nr_memory; i++)
		key[spec->memory[i].arg] = 0;
	for (i = 0; i < spec->nr_memory; i++) {
		if (spec->memory[i].flags & KCR_GATE_IN &&
		    !kcr_gate_input(&spec->memory[i], args, key, &item->key_len))
			return false;
	}
	return kcr_region_lookup(r, item, result);
}

/* Whether there is a result, and it was handed out */
static noinline bool kcr_gate_reuse_memory(struct kcr_gate_file *file,
					   const struct kcr_gate_slot *f,
					   struct pt_regs *regs,
					   struct kcr_region_item *item)
{
	u64 args[KCR_GATE_ARGS], result[KCR_GATE_RESULT_MAX / 8];

	kcr_gate_args(regs, args);
	return kcr_gate_lookup_memory(&file->shared->domain.region, f, item, args,
				      result) &&
	       kcr_gate_hit(file, f, regs, args, result);
}

static bool kcr_gate_reuse(struct kcr_gate_file *file, const struct kcr_gate_slot *f,
			   struct pt_regs *regs, struct kcr_region_item *item)
{
	u64 args[KCR_GATE_ARGS], result[2];

	kcr_gate_args(regs, args);
	item->key = args;
	item->key_len = f->nr_args * sizeof(u64);
	item->result_len = sizeof(result);
	return kcr_region_lookup(&file->shared->domain.region, item, result) &&
	       kcr_gate_hit(file, f, regs, args, result);
}

/**
 * kcr_gate_call() - a gate was called
 * @gate: the gate
 * @regs: the registers; say where to go on
 * @offset: what was called
 *
 * Context: interrupts are on; user memory may be accessed.
 * Return: false if nothing is there.
 */
bool kcr_gate_call(struct kcr_gate_entry *gate, struct pt_regs *regs,
		   unsigned long offset)
{
	struct kcr_gate_file *file = container_of(gate, struct kcr_gate_mapping,
						  gate)->file;
	const struct kcr_domain *domain = &file->shared->domain;
	const struct kcr_region_function *state;
	const struct kcr_gate_slot *f;
	struct kcr_region_item item;

	f = kcr_gate_find(file, offset);
	if (!f)
		return false;
	if (!kcr_is_enabled()) {
		kcr_gate_plain(file, f, regs);
		return true;
	}
	state = &domain->region.functions[f->function];
	/* Pairs with the one in kcr_region_set_function() */
	item.stamp = smp_load_acquire(&state->stamp);
	item.function = f->function;
	item.result_max = domain->functions[f->function].result_max;
	if (likely(item.stamp && READ_ONCE(state->state) == KCR_STATE_REUSE) &&
	    (f->nr_memory ? kcr_gate_reuse_memory(file, f, regs, &item) :
			    kcr_gate_reuse(file, f, regs, &item)))
		return true;
	kcr_gate_miss(file, f, regs, item.stamp);
	return true;
}
