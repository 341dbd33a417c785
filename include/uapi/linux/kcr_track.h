/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Kernel Computation Reuse for user space: functions that read memory, and
 * functions that are called through gates.
 *
 * See Documentation/userspace-api/kcr.rst, and uapi/linux/kcr.h for what all
 * ioctls have in common.
 */
#ifndef _UAPI_LINUX_KCR_TRACK_H
#define _UAPI_LINUX_KCR_TRACK_H

#include <linux/kcr.h>
#include <linux/types.h>

/**
 * DOC: Tracked sets
 *
 * A function's result may depend on memory that is too large to be part of a
 * key. A tracked set names such memory, as ranges of one process's address
 * space. When it is armed, it has a stamp; whatever may change what is there, or
 * what is mapped there, sets the stamp to 0 before it does, and only arming gives
 * it another. A stamp is never used twice.
 *
 * A function that depends on n sets is registered with @sets = n. Its keys begin
 * with n &struct kcr_set_key, the sets and their stamps as they were read before
 * computing began. So a lookup finds only what was computed since all of them
 * were armed, and if nothing changed since: no system call is needed. Storing is
 * done with %KCR_IOC_STORE on the tracker, which refuses with -ESTALE what names
 * a stamp that a set does not have any more.
 *
 * A tracker belongs to the process that asked for it. It is of no use in any
 * other, nor in a child after fork(): where the stamps are mapped, they read as 0
 * there.
 *
 * Eligible is private anonymous memory, and shared mappings of memfds that are
 * sealed against writing and shrinking. Ranges are extended to whole pages.
 */

/* Sets of a tracker, and ranges of a set */
#define KCR_SETS_MAX		512
#define KCR_RANGES_MAX		64

/**
 * struct kcr_set_key - what a key of a function says of a set that it depends on
 * @set: the set's number
 * @reserved: 0
 * @stamp: its stamp before computing began; not 0
 */
struct kcr_set_key {
	__u32 set;
	__u32 reserved;
	__u64 stamp;
};

/**
 * struct kcr_tracker - KCR_IOC_TRACKER on a store descriptor: track memory
 * @size: sizeof(struct kcr_tracker)
 * @flags: 0
 *
 * Returns a descriptor, close-on-exec, of a tracker for the calling process and
 * for the descriptor's domain. Mapped at offset 0, shared, PROT_READ, it shows
 * the stamps, an array of %KCR_SETS_MAX __u64.
 */
struct kcr_tracker {
	__u32 size;
	__u32 flags;
};

#define KCR_IOC_TRACKER		_IOW(KCR_IOC_TYPE, 0x10, struct kcr_tracker)

/**
 * struct kcr_range - memory
 * @start: address of its first byte
 * @len: bytes, not 0
 */
struct kcr_range {
	__aligned_u64 start;
	__aligned_u64 len;
};

/* As &struct kcr_set_add.set: make a new set */
#define KCR_SET_NEW		0xffffffffU

/**
 * struct kcr_set_add - KCR_IOC_SET_ADD on a tracker: make a set, or add to one
 * @size: sizeof(struct kcr_set_add)
 * @flags: 0
 * @set: the set's number, or %KCR_SET_NEW; out: its number
 * @nr: number of ranges, 1 to %KCR_RANGES_MAX
 * @ranges: address of an array of &struct kcr_range
 *
 * All ranges are added, or none. The set is not armed after it. -ENOSPC if there
 * are %KCR_SETS_MAX sets, or the set would have more than %KCR_RANGES_MAX ranges;
 * -EPERM in another process than the tracker's.
 */
struct kcr_set_add {
	__u32 size;
	__u32 flags;
	__u32 set;
	__u32 nr;
	__aligned_u64 ranges;
};

#define KCR_IOC_SET_ADD		_IOWR(KCR_IOC_TYPE, 0x11, struct kcr_set_add)

/**
 * enum kcr_refusal - why a set could not be armed
 * @KCR_REFUSED_NOT: it was not refused
 * @KCR_REFUSED_UNMAPPED: nothing is mapped there
 * @KCR_REFUSED_NOT_ANONYMOUS: a file is, or a device's memory
 * @KCR_REFUSED_SHARED_MAPPING: shared memory that is not sealed against writing
 *	and shrinking
 * @KCR_REFUSED_SPECIAL: memory that does not behave as memory: device memory,
 *	huge pages of hugetlbfs, shadow stacks, droppable memory
 * @KCR_REFUSED_USERFAULTFD: a userfaultfd is registered there
 * @KCR_REFUSED_NOT_PRESENT: a page is swapped out or on its way somewhere
 * @KCR_REFUSED_REFERENCE: a page has a reference that mappings do not explain,
 *	which may be somebody's who writes to it: a device, say
 * @KCR_REFUSED_SHARED_PAGE: a page is shared with another process, by fork()
 * @KCR_REFUSED_HUGE: a huge page that could not be split
 * @KCR_REFUSED_CHANGED: it changed meanwhile
 * @KCR_REFUSED_TOO_OFTEN: it was armed too often lately
 * @KCR_NR_REFUSALS: number of reasons
 */
enum kcr_refusal {
	KCR_REFUSED_NOT,
	KCR_REFUSED_UNMAPPED,
	KCR_REFUSED_NOT_ANONYMOUS,
	KCR_REFUSED_SHARED_MAPPING,
	KCR_REFUSED_SPECIAL,
	KCR_REFUSED_USERFAULTFD,
	KCR_REFUSED_NOT_PRESENT,
	KCR_REFUSED_REFERENCE,
	KCR_REFUSED_SHARED_PAGE,
	KCR_REFUSED_HUGE,
	KCR_REFUSED_CHANGED,
	KCR_REFUSED_TOO_OFTEN,
	KCR_NR_REFUSALS,
};

/**
 * struct kcr_set_arm - KCR_IOC_SET_ARM on a tracker: have a set watched
 * @size: sizeof(struct kcr_set_arm)
 * @flags: 0
 * @set: the set's number
 * @reason: out: &enum kcr_refusal
 * @address: out: the page that @reason is about, or 0
 * @stamp: out: the set's stamp, or 0
 *
 * A set that is armed already stays as it is. -EAGAIN with a reason that may go
 * away by itself (not present, reference, shared page, huge, changed, too
 * often); -EOPNOTSUPP with one that will not, or with none if KCR is off; -EPERM
 * in another process than the tracker's.
 */
struct kcr_set_arm {
	__u32 size;
	__u32 flags;
	__u32 set;
	__u32 reason;
	__u64 address;
	__u64 stamp;
};

#define KCR_IOC_SET_ARM		_IOWR(KCR_IOC_TYPE, 0x12, struct kcr_set_arm)

/**
 * struct kcr_set - KCR_IOC_SET_RENEW, KCR_IOC_SET_DROP on a tracker
 * @size: sizeof(struct kcr_set)
 * @flags: 0
 * @set: the set's number
 * @reserved: 0
 *
 * Renewing disarms a set, for changes that the kernel cannot see. Dropping ends
 * it: its number may be another set's then.
 */
struct kcr_set {
	__u32 size;
	__u32 flags;
	__u32 set;
	__u32 reserved;
};

#define KCR_IOC_SET_RENEW	_IOW(KCR_IOC_TYPE, 0x13, struct kcr_set)
#define KCR_IOC_SET_DROP	_IOW(KCR_IOC_TYPE, 0x14, struct kcr_set)

/**
 * enum kcr_event - what sets a set's stamp to 0
 * @KCR_EVENT_WRITE: a write fault
 * @KCR_EVENT_UNSHARE: a page was made this process's alone, for somebody who pins it
 * @KCR_EVENT_NOTIFIER: the mapping changed: unmapped, moved, protected, forked,
 *	migrated, swapped out, merged, collapsed
 * @KCR_EVENT_INVALIDATE: kcr_invalidate_range()
 * @KCR_EVENT_RENEW: it was asked for
 * @KCR_EVENT_DMA: a page was mapped for a device to write to: should have been
 *	seen before, as a write fault
 * @KCR_NR_EVENTS: number of events
 */
enum kcr_event {
	KCR_EVENT_WRITE,
	KCR_EVENT_UNSHARE,
	KCR_EVENT_NOTIFIER,
	KCR_EVENT_INVALIDATE,
	KCR_EVENT_RENEW,
	KCR_EVENT_DMA,
	KCR_NR_EVENTS,
};

/**
 * struct kcr_set_info - KCR_IOC_SET_INFO on a tracker: a set's statistics
 * @size: sizeof(struct kcr_set_info)
 * @set: the set's number
 * @ranges: out: how many
 * @reserved: out: 0
 * @pages: out: how many
 * @stamp: out: its stamp, 0 if it is not armed
 * @armed: out: how often it was armed
 * @events: out: by &enum kcr_event, how often each came; while the set was not
 *	armed they count as well
 * @refused: out: by &enum kcr_refusal, how often each was the reason
 */
struct kcr_set_info {
	__u32 size;
	__u32 set;
	__u32 ranges;
	__u32 reserved;
	__u64 pages;
	__u64 stamp;
	__u64 armed;
	__u64 events[8];
	__u64 refused[16];
};

#define KCR_IOC_SET_INFO	_IOWR(KCR_IOC_TYPE, 0x15, struct kcr_set_info)

/**
 * DOC: Gates
 *
 * A gate is an address that can be called like a function. The call faults; the
 * kernel finds the function and looks its arguments up in the domain. With a
 * remembered result the call returns, as if the function had run. Without one it
 * goes on at an address that the program gave, as if that had been called: what
 * is there computes, and stores with KCR_IOC_STORE.
 *
 * For x86-64 and functions that take up to six integers or pointers in registers
 * (rdi, rsi, rdx, rcx, r8, r9) and return up to two (rax, rdx). Nothing on the
 * stack is touched.
 *
 * The key of a call is the arguments, 8 bytes each, with 0 in place of pointers to
 * declared memory, and then the declared input memory in order, each padded to 8
 * bytes with zeroes. The result is rax, rdx, and the declared output memory,
 * likewise: a function is registered with at least 16 bytes of result. A call of
 * which output overlaps input is computed, and must not be stored.
 */

/* Where the slots of a gate are: at its address + number * KCR_GATE_STRIDE */
#define KCR_GATE_SLOTS		256
#define KCR_GATE_STRIDE		16
#define KCR_GATE_SIZE		4096
#define KCR_GATE_ARGS		6
#define KCR_GATE_MEMORY		4
/* Longest key and longest result of a call through a gate, in bytes */
#define KCR_GATE_KEY_MAX	512
#define KCR_GATE_RESULT_MAX	256

/**
 * struct kcr_gate - KCR_IOC_GATE on a store descriptor: make a gate
 * @size: sizeof(struct kcr_gate)
 * @flags: 0
 *
 * Returns a descriptor, close-on-exec. It is to be mapped once, %KCR_GATE_SIZE
 * bytes at offset 0, shared, PROT_READ | PROT_EXEC. The mapping is sealed: it
 * stays as long as the process has this memory. A child has it after fork(),
 * and the same functions; exec() drops it. -EBUSY if it was mapped already.
 *
 * -EOPNOTSUPP where the processor does not say that a fault was a call.
 */
struct kcr_gate {
	__u32 size;
	__u32 flags;
};

#define KCR_IOC_GATE		_IOW(KCR_IOC_TYPE, 0x20, struct kcr_gate)

/**
 * enum kcr_gate_memory_flags - flags of &struct kcr_gate_memory
 * @KCR_GATE_IN: the function reads it
 * @KCR_GATE_OUT: the function writes it, all of it
 * @KCR_GATE_STRING: input up to and including a zero byte, at most @len bytes
 */
enum kcr_gate_memory_flags {
	KCR_GATE_IN = 1,
	KCR_GATE_OUT = 2,
	KCR_GATE_STRING = 4,
};

#define KCR_GATE_LEN_FIXED	0xff

/**
 * struct kcr_gate_memory - memory that an argument points to
 * @arg: the argument's number
 * @len_arg: number of the argument that says how much, in units of @len bytes;
 *	%KCR_GATE_LEN_FIXED if it is @len bytes
 * @flags: &enum kcr_gate_memory_flags: either in, or out, or in and string
 * @reserved: 0
 * @len: bytes
 */
struct kcr_gate_memory {
	__u8 arg;
	__u8 len_arg;
	__u8 flags;
	__u8 reserved;
	__u32 len;
};

/**
 * struct kcr_gate_slot - KCR_IOC_GATE_SLOT on a gate: say what a slot calls
 * @size: sizeof(struct kcr_gate_slot)
 * @flags: 0
 * @slot: number of the slot, which has no function yet
 * @function: the function's number in the domain
 * @miss: where a call goes on for which there is no result: with all registers
 *	as they were, but @cookie in r11 and the function's stamp, or 0, in r10
 * @ret: address of a ret instruction, where a call goes on for which there is one
 * @plain: the function itself: where a call goes on while KCR is switched off
 * @cookie: whatever @miss wants to know
 * @nr_args: how many arguments there are, at most %KCR_GATE_ARGS
 * @nr_memory: how many @memory are used
 * @reserved: 0
 * @memory: what arguments point to
 *
 * -EBUSY if the slot has a function.
 */
struct kcr_gate_slot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 function;
	__u64 miss;
	__u64 ret;
	__u64 plain;
	__u64 cookie;
	__u32 nr_args;
	__u32 nr_memory;
	__u64 reserved;
	struct kcr_gate_memory memory[KCR_GATE_MEMORY];
};

#define KCR_IOC_GATE_SLOT	_IOW(KCR_IOC_TYPE, 0x21, struct kcr_gate_slot)

/**
 * struct kcr_gate_info - KCR_IOC_GATE_INFO on a gate: what became of calls
 * @size: sizeof(struct kcr_gate_info)
 * @reserved: out: 0
 * @hits: out: calls that returned a remembered result
 * @misses: out: calls that went on at @miss for want of a result
 * @plain: out: calls that went on at @plain
 * @audits: out: hits that were sent to @miss all the same, to be compared
 */
struct kcr_gate_info {
	__u32 size;
	__u32 reserved;
	__u64 hits;
	__u64 misses;
	__u64 plain;
	__u64 audits;
};

#define KCR_IOC_GATE_INFO	_IOWR(KCR_IOC_TYPE, 0x22, struct kcr_gate_info)

#endif /* _UAPI_LINUX_KCR_TRACK_H */
