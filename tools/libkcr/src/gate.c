// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: gates.
 *
 * A gate's mapping cannot be unmapped, and anybody may have its addresses: what it
 * leads to stays until the process ends, and so does this library.
 */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/**
 * struct kcr_gates - a page of gates
 * @domain: where results are remembered
 * @at: where it is
 * @fd: its descriptor
 * @status: 0, or why there are none
 * @next: number of the next one
 * @before: the page that was made before this
 */
struct kcr_gates {
	struct kcr_domain *domain;
	char *at;
	int fd;
	int status;
	uint32_t next;
	struct kcr_gates *before;
};

/* All of them: they stay, as their mappings do, and are shown to who looks for leaks */
static struct kcr_gates *kcr_last_gates;

static struct kcr_gates kcr_no_gates = { .fd = -1, .status = -ENOMEM };

/* kcr_gates_domain() - where results are remembered */
const struct kcr_domain *kcr_gates_domain(const struct kcr_gates *gates)
{
	return gates->domain;
}

#ifdef __x86_64__
static int kcr_gates_map(struct kcr_gates *gates)
{
	struct kcr_gate gate = { .size = sizeof(gate) };
	void *at;
	int err;

	if (gates->domain->status)
		return gates->domain->status;
	if (load_relaxed(&gates->domain->quiet))
		return -EPERM;
	gates->fd = kcr_domain_ioctl(gates->domain, KCR_IOC_GATE, &gate);
	if (gates->fd < 0)
		return gates->fd;
	at = kcr_system->mmap(NULL, KCR_GATE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, gates->fd, 0);
	if (at != MAP_FAILED) {
		gates->at = at;
		return 0;
	}
	err = -errno;
	kcr_system->close(gates->fd);
	gates->fd = -1;
	return err;
}

static int kcr_gates_ask(const struct kcr_gates *gates, unsigned long request, void *arg)
{
	const struct kcr_domain door = { .fd = gates->fd };

	return kcr_domain_ioctl(&door, request, arg);
}

static int kcr_gate_slot_set(struct kcr_gates *gates, uint32_t slot,
			     const struct kcr_gate_call *call)
{
	struct kcr_gate_slot set = {
		.size = sizeof(set),
		.slot = slot,
		.function = call->function,
		.miss = (uintptr_t)kcr_gate_miss,
		.ret = (uintptr_t)kcr_gate_ret,
		.plain = (uintptr_t)call->plain,
		.cookie = (uintptr_t)call,
		.nr_args = call->shape.nr_args,
		.nr_memory = call->shape.nr_memory,
	};

	memcpy(set.memory, call->shape.memory, sizeof(set.memory));
	return kcr_gates_ask(gates, KCR_IOC_GATE_SLOT, &set);
}
#else
static int kcr_gates_map(struct kcr_gates *gates)
{
	return gates->domain->status ? gates->domain->status : -EOPNOTSUPP;
}

static int kcr_gates_ask(const struct kcr_gates *gates, unsigned long request, void *arg)
{
	(void)gates, (void)request, (void)arg;
	return -EOPNOTSUPP;
}

static int kcr_gate_slot_set(struct kcr_gates *gates, uint32_t slot,
			     const struct kcr_gate_call *call)
{
	(void)gates, (void)slot, (void)call;
	return -EOPNOTSUPP;
}
#endif

struct kcr_gates *kcr_gates_open(struct kcr_domain *domain)
{
	int saved = errno;
	struct kcr_gates *gates = calloc(1, sizeof(*gates));

	if (gates) {
		gates->fd = -1;
		gates->domain = kcr_domain_get(domain);
		gates->status = kcr_gates_map(gates);
		gates->before = __atomic_load_n(&kcr_last_gates, __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(&kcr_last_gates, &gates->before, gates, 1,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
	}
	errno = saved;
	return gates ? gates : &kcr_no_gates;
}

int kcr_gates_status(const struct kcr_gates *gates, const char **text)
{
	int status = gates ? gates->status : -EBADF;

	if (text) {
		*text = kcr_status_text(status);
		if (status == -EOPNOTSUPP)
			*text = "gates are for x86-64 processors that tell calls from reads";
		else if (status == -ENOTTY)
			*text = "the kernel has no gates";
	}
	return status;
}

int kcr_gates_get_stats(struct kcr_gates *gates, struct kcr_gates_stats *stats)
{
	struct kcr_gate_info info = { .size = sizeof(info) };
	size_t size = stats->size;
	int err;

	if (size < sizeof(*stats))
		return -EINVAL;
	if (!gates || gates->status)
		return -EBADF;
	if (load_relaxed(&gates->domain->quiet))
		return -EPERM;
	err = kcr_gates_ask(gates, KCR_IOC_GATE_INFO, &info);
	if (err < 0)
		return err;
	*stats = (struct kcr_gates_stats){
		.size = size,
		.hits = info.hits,
		.misses = info.misses,
		.plain = info.plain,
		.audits = info.audits,
	};
	return 0;
}

/* Finds the function in the domain: its signature is part of what it is */
static int kcr_gate_register(struct kcr_gate_call *call, const char *signature,
			     const struct kcr_function_options *options)
{
	struct kcr_function_options o = { 0 };
	unsigned char identity[KCR_IDENTITY_BYTES];
	uint64_t word, seed = kcr_hash(signature, strlen(signature), 0);
	size_t i;

	if (options)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (!o.name || !o.name[0] || o.flags & ~(uint32_t)(KCR_PURE | KCR_ALWAYS))
		return -EINVAL;
	for (i = 0; i < sizeof(identity); i += sizeof(word)) {
		if (o.identity)
			word = kcr_hash(o.identity, sizeof(identity), seed + i);
		else
			word = kcr_hash(o.name, strlen(o.name), seed + i);
		memcpy(identity + i, &word, sizeof(word));
	}
	o.identity = identity;
	o.key_max = call->shape.key_max;
	o.result_max = call->shape.result_max;
	o.sets = 0;
	return kcr_function_register(call->gates->domain, &o, &call->function);
}

/* The slot's number, or why there is none */
static int kcr_gate_make(struct kcr_gate_call *call, const char *signature,
			 const struct kcr_function_options *options, const char **why)
{
	struct kcr_gates *gates = call->gates;
	uint32_t slot;
	int err;

	err = kcr_gate_parse(signature, &call->shape, why);
	if (err)
		return err;
	*why = NULL;
	err = kcr_gates_status(gates, why);
	if (err)
		return err;
	*why = NULL;
	err = kcr_gate_register(call, signature, options);
	if (err)
		return err;
	slot = load_relaxed(&gates->next);
	do {
		if (slot >= KCR_GATE_SLOTS)
			break;
	} while (!__atomic_compare_exchange_n(&gates->next, &slot, slot + 1, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	if (slot >= KCR_GATE_SLOTS) {
		*why = "there are as many gates as there can be";
		return -ENOSPC;
	}
	err = kcr_gate_slot_set(gates, slot, call);
	return err ? err : (int)slot;
}

kcr_code kcr_gate_function(struct kcr_gates *gates, kcr_code function, const char *signature,
			   const struct kcr_function_options *options, int *status,
			   const char **why)
{
	struct kcr_gate_call *call = calloc(1, sizeof(*call));
	const char *text = NULL;
	int saved = errno;
	int slot = -ENOMEM;
	kcr_code found = function;

	if (call) {
		call->plain = function;
		call->gates = gates ? gates : &kcr_no_gates;
		slot = kcr_gate_make(call, signature, options, &text);
	}
	if (slot >= 0)
		found = (kcr_code)(uintptr_t)(gates->at + slot * KCR_GATE_STRIDE);
	else
		free(call);
	if (status)
		*status = slot < 0 ? slot : 0;
	if (why)
		*why = text ? text : kcr_status_text(slot < 0 ? slot : 0);
	errno = saved;
	return found;
}
