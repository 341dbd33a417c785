/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kcrctl and its BPF programs share: how the input of a function is found, and what was
 * counted. Plain C, because the BPF programs are.
 */
#ifndef KCRCTL_ABI_H
#define KCRCTL_ABI_H

#include <linux/types.h>

enum {
    KCR_MAX_OPS = 24,   /* things that make up an input and a result */
    KCR_MAX_HOPS = 6,   /* pointers to follow to one of them */
    KCR_MAX_ARGS = 12,  /* words that a function takes */
    KCR_ARG_SLOTS = 16, /* the same, as a power of two */
    KCR_CHUNK = 256,    /* bytes read at a time */
    KCR_MAX_CHUNKS = 4096,
};

/* Where something is: start with an argument; for each hop add the offset and, unless it was the
 * last, load the pointer that is there. Without hops the argument itself is meant. */
struct kcr_path {
    __u8 arg;
    __u8 hops;
    __u8 size; /* of the value that is there, in bytes */
    __u8 is_signed;
    __u32 unused;
    __s32 offset[KCR_MAX_HOPS];
};

enum kcr_op_kind { KCR_OP_VALUE, KCR_OP_MEMORY, KCR_OP_STRING };
enum kcr_op_when { KCR_WHEN_IN = 1, KCR_WHEN_OUT = 2 };

struct kcr_op {
    __u8 kind;
    __u8 when;
    __u8 user;    /* in user space's memory */
    __u8 counted; /* the length is at the path, and not fixed */
    __u32 fixed;  /* bytes */
    __u32 scale;  /* bytes for each one that is counted */
    __u32 unused;
    struct kcr_path where;
    struct kcr_path length;
};

enum kcr_result_kind {
    KCR_RESULT_NONE,
    KCR_RESULT_VALUE,
    KCR_RESULT_OBJECT, /* a pointer: errors and NULL differ, other pointers are all equal */
};

struct kcr_plan {
    __u32 nr_ops;
    __u32 nr_args;
    __u8 result_kind;
    __u8 result_size;
    __u16 unused;
    __u32 max_bytes;
    struct kcr_op ops[KCR_MAX_OPS];
};

/* For each function and CPU. Every call is in exactly one of the second group. */
struct kcr_counts {
    __u64 entered;
    __u64 returned; /* with an entry that was seen */

    __u64 first;      /* input not seen before */
    __u64 equal;      /* input seen before, same result */
    __u64 differ;     /* input seen before, another result */
    __u64 too_large;  /* input or result beyond the limit */
    __u64 unreadable; /* memory that cannot be read now */
    __u64 full;       /* no room to remember another input */
    __u64 throttled;  /* the probes have used up their time */

    __u64 unmatched; /* returned, but the entry was not seen */
    __u64 untracked; /* entered, but no room to wait for the return */

    __u64 ns; /* in returned calls that were not switched out */
    __u64 ns_calls;
    __u64 ns_all;   /* in all returned calls */
    __u64 equal_ns; /* in calls of `equal` that were not switched out */
    __u64 equal_ns_calls;
    __u64 bytes;    /* of input and result, in first and equal calls */
    __u64 probe_ns; /* spent in the probes */
};

/* An input: which function, and a 128-bit hash of what it got */
struct kcr_input_key {
    __u64 func;
    __u64 hash[2];
};

struct kcr_input {
    __u64 result;
    __u64 calls;
};

/* A repeat of `child` that happened inside of a call to `parent` */
struct kcr_nest_key {
    __u32 child;
    __u32 parent;
};

#endif
