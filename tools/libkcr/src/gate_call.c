// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkcr: calls of gates for which there was no result.
 *
 * The key is what uapi/linux/kcr_track.h says, made by the kernel when it looked for
 * a result and made here once more: it keeps nothing of a call. What cannot be read
 * is left to the function, which may never have looked at it, or have a handler for
 * the signal: so the kernel is asked to read it.
 *
 * Neither takes a lock or memory: gates are called in signal handlers as well.
 */
#include "gate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KCR_PAGE 4096

/* Not beyond a page's end unless what is before it was good */
static size_t kcr_to_page_end(uint64_t at)
{
	return KCR_PAGE - at % KCR_PAGE;
}

static bool kcr_read_user(void *to, uint64_t from, size_t len)
{
	if (!kcr_system->read_self) {
		memcpy(to, (const void *)(uintptr_t)from, len);
		return true;
	}
	return kcr_system->read_self(to, (const void *)(uintptr_t)from, len) == (ssize_t)len;
}

/* Bytes of a string with its zero, copied; 0 if it is longer than @most, or cannot be read */
static size_t kcr_read_string(unsigned char *to, uint64_t from, size_t most)
{
	size_t done = 0;

	while (done < most) {
		size_t part = kcr_to_page_end(from + done);
		const unsigned char *end;

		if (part > most - done)
			part = most - done;
		if (!kcr_read_user(to + done, from + done, part))
			return 0;
		end = memchr(to + done, 0, part);
		if (end)
			return (size_t)(end - to) + 1;
		done += part;
	}
	return 0;
}

/* Bytes that @m is in this call; more than anything that fits if they are too many */
static uint64_t kcr_memory_len(const struct kcr_gate_memory *m, const struct kcr_gate_frame *frame)
{
	uint64_t len;

	if (m->len_arg == KCR_GATE_LEN_FIXED)
		return m->len;
	if (__builtin_mul_overflow(frame->args[m->len_arg], (uint64_t)m->len, &len))
		return UINT64_MAX;
	return len;
}

/* Appends what @m is to @bytes; the new length, or 0 if that cannot be */
static size_t kcr_append(unsigned char *bytes, size_t len, size_t room,
			 const struct kcr_gate_memory *m, const struct kcr_gate_frame *frame)
{
	uint64_t from = frame->args[m->arg];
	uint64_t more = kcr_memory_len(m, frame);
	size_t padded;

	if (m->flags & KCR_GATE_STRING) {
		more = kcr_read_string(bytes + len, from, more < room - len ? more : room - len);
		if (!more)
			return 0;
	} else if (more > room - len || (more && !kcr_read_user(bytes + len, from, more))) {
		return 0;
	}
	padded = (len + more + 7) & ~(size_t)7;
	if (padded > room)
		return 0;
	memset(bytes + len + more, 0, padded - len - more);
	return padded;
}

/* Whether something that is written is also read, or written twice */
static bool kcr_overlaps(const struct kcr_gate_frame *frame)
{
	const struct kcr_gate_shape *shape = &frame->call->shape;
	uint32_t i, j;

	for (i = 0; i < shape->nr_memory; i++) {
		const struct kcr_gate_memory *a = &shape->memory[i];
		uint64_t at = frame->args[a->arg], len = kcr_memory_len(a, frame);

		for (j = 0; j < shape->nr_memory && a->flags & KCR_GATE_OUT; j++) {
			const struct kcr_gate_memory *b = &shape->memory[j];
			uint64_t other = frame->args[b->arg];

			if (j != i && at < other + kcr_memory_len(b, frame) && other < at + len)
				return true;
		}
	}
	return false;
}

/**
 * kcr_gate_before() - make the key of a call
 * @frame: the call; out: its key
 *
 * Context: any; makes system calls if there is memory to be read.
 * Return: 1; 0 if nothing is to be remembered of this one.
 */
int kcr_gate_before(struct kcr_gate_frame *frame)
{
	const struct kcr_gate_shape *shape = &frame->call->shape;
	const struct kcr_domain *domain = kcr_gates_domain(frame->call->gates);
	int saved = errno;
	uint32_t i;
	size_t len = shape->nr_args * sizeof(uint64_t);

	if (load_relaxed(&domain->quiet) || !load_relaxed(&domain->may_store))
		return 0;
	memcpy(frame->key, frame->args, len);
	for (i = 0; i < shape->nr_memory; i++)
		frame->key[shape->memory[i].arg] = 0;
	for (i = 0; i < shape->nr_memory; i++) {
		if (shape->memory[i].flags & KCR_GATE_OUT)
			continue;
		len = kcr_append((unsigned char *)frame->key, len, sizeof(frame->key),
				 &shape->memory[i], frame);
		if (!len)
			goto out_plain;
	}
	/* What it computes then may depend on how far they are apart */
	if (kcr_overlaps(frame))
		goto out_plain;
	frame->key_len = len;
	errno = saved;
	return 1;

out_plain:
	errno = saved;
	return 0;
}

/**
 * kcr_gate_after() - have a call remembered that was computed
 * @frame: the call, with what was returned
 *
 * Context: any; makes system calls.
 */
void kcr_gate_after(struct kcr_gate_frame *frame)
{
	const struct kcr_gate_call *call = frame->call;
	const struct kcr_gate_shape *shape = &call->shape;
	const struct kcr_domain *domain = kcr_gates_domain(call->gates);
	uint64_t result[KCR_GATE_RESULT_MAX / 8];
	struct kcr_entry entry = {
		.stamp = frame->stamp,
		.key = (uintptr_t)frame->key,
		.result = (uintptr_t)result,
		.function = call->function,
		.key_len = (uint32_t)frame->key_len,
	};
	struct kcr_store store = {
		.size = sizeof(store),
		.entries = (uintptr_t)&entry,
		.nr = 1,
	};
	size_t len = 2 * sizeof(uint64_t);
	int saved = errno;
	uint32_t i;

	/* What is above the type's bits is anything */
	result[0] = frame->ret[0] & shape->masks[0];
	result[1] = frame->ret[1] & shape->masks[1];
	for (i = 0; i < shape->nr_memory && len; i++) {
		if (shape->memory[i].flags & KCR_GATE_OUT)
			len = kcr_append((unsigned char *)result, len, sizeof(result),
					 &shape->memory[i], frame);
	}
	entry.result_len = (uint32_t)len;
	if (len && !load_relaxed(&domain->quiet))
		kcr_domain_ioctl(domain, KCR_IOC_STORE, &store);
	errno = saved;
}
