// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gates in user space: real code in a real mapping, which goes on at the slot's
 * miss address with the registers that the kernel leaves. Nothing is looked up.
 */
#define _GNU_SOURCE
#include "emul.h"
#include "emul_track.h"

#include "shim.h"

#include <sys/mman.h>

#include "domain.h"

#include <uapi/linux/kcr_track.h>

/* What code at a slot leads to; 32 bytes, as the code knows */
struct emul_slot {
	u64 cookie;
	const u64 *stamp;
	u64 miss;
	u64 used;
};

struct emul_gate {
	const unsigned char *region;
	unsigned char *page;
	struct emul_slot slots[KCR_GATE_SLOTS];
};

#if defined(__x86_64__)
static unsigned char *put_bytes(unsigned char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

/* Behind the page: the slot's number is in r11 */
static void write_common(unsigned char *at, const struct emul_slot *slots)
{
	static const unsigned char scale[] = { 0x49, 0xc1, 0xe3, 0x05 };	/* shl $5, %r11 */
	static const unsigned char load[] = { 0x49, 0xba };		/* movabs slots, %r10 */
	static const unsigned char rest[] = {
		0x4d, 0x01, 0xd3,		/* add %r10, %r11 */
		0x4d, 0x8b, 0x53, 0x08,		/* mov 8(%r11), %r10 */
		0x4d, 0x8b, 0x12,		/* mov (%r10), %r10 */
		0x41, 0xff, 0x73, 0x10,		/* push 16(%r11) */
		0x4d, 0x8b, 0x1b,		/* mov (%r11), %r11 */
		0xc3,				/* ret */
	};

	at = put_bytes(at, scale, sizeof(scale));
	at = put_bytes(at, load, sizeof(load));
	at = put_bytes(at, &slots, sizeof(slots));
	put_bytes(at, rest, sizeof(rest));
}

static void write_slot(unsigned char *page, u32 slot)
{
	static const unsigned char number[] = { 0x41, 0xbb };		/* mov slot, %r11d */
	static const unsigned char jump[] = { 0xe9 };
	unsigned char *at = page + slot * KCR_GATE_STRIDE;
	int distance;

	at = put_bytes(at, number, sizeof(number));
	at = put_bytes(at, &slot, sizeof(slot));
	at = put_bytes(at, jump, sizeof(jump));
	distance = (int)(page + KCR_GATE_SIZE - (at + sizeof(distance)));
	put_bytes(at, &distance, sizeof(distance));
}
#else
static void write_common(unsigned char *at, const struct emul_slot *slots)
{
}

static void write_slot(unsigned char *page, u32 slot)
{
}
#endif

/* Gates stay as long as the process does */
struct emul_gate *emul_gate_create(const void *region)
{
	struct emul_gate *gate = calloc(1, sizeof(*gate));
	void *page = mmap(NULL, 2 * KCR_GATE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!gate || page == MAP_FAILED)
		abort();
	gate->region = region;
	gate->page = page;
	memset(gate->page, 0xcc, 2 * KCR_GATE_SIZE);
	write_common(gate->page + KCR_GATE_SIZE, gate->slots);
	return gate;
}

static long set_slot(struct emul_gate *gate, const struct kcr_gate_slot *set)
{
	const struct kcr_region_header *header = (const void *)gate->region;
	const struct kcr_region_function *functions =
		(const void *)(gate->region + header->functions_offset);
	struct emul_slot *slot = &gate->slots[set->slot % KCR_GATE_SLOTS];

	if (set->size != sizeof(*set) || set->flags || set->reserved ||
	    set->slot >= KCR_GATE_SLOTS || set->nr_args > KCR_GATE_ARGS ||
	    set->nr_memory > KCR_GATE_MEMORY || !set->miss || !set->ret || !set->plain)
		return -EINVAL;
	if (set->function >= header->nr_functions)
		return -ENOENT;
	if (slot->used)
		return -EBUSY;
	*slot = (struct emul_slot){
		.cookie = set->cookie,
		.stamp = (const u64 *)&functions[set->function].stamp,
		.miss = set->miss,
		.used = true,
	};
	write_slot(gate->page, set->slot);
	return 0;
}

long emul_gate_ioctl(struct emul_gate *gate, unsigned long request, void *arg)
{
	struct kcr_gate_info *info = arg;

	switch (request) {
	case KCR_IOC_GATE_SLOT:
		return set_slot(gate, arg);
	case KCR_IOC_GATE_INFO:
		*info = (struct kcr_gate_info){ .size = sizeof(*info) };
		return 0;
	default:
		return -ENOTTY;
	}
}

void *emul_gate_mmap(struct emul_gate *gate, size_t length, int prot)
{
	if (length != KCR_GATE_SIZE || prot != (PROT_READ | PROT_EXEC)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return gate->page;
}
