/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Running a plan: following paths, reading memory, hashing. A part of profile.bpf.c, whose struct
 * call and secrets it uses.
 */
#ifndef KCRCTL_RUN_PLAN_BPF_H
#define KCRCTL_RUN_PLAN_BPF_H

static __always_inline __u64 rotate(__u64 value, unsigned int by)
{
    return (value << by) | (value >> (64 - by));
}

static __always_inline void mix(__u64 hash[2], __u64 word)
{
    hash[0] = (hash[0] ^ word) * secret[0];
    hash[0] ^= hash[0] >> 32;
    hash[1] = (rotate(hash[1], 29) + rotate(word, 32)) * secret[1];
    hash[1] ^= hash[1] >> 29;
}

/* An area of memory that is being hashed */
struct walk {
    struct call* call;
    __u64 address;
    __u64 hash[2];
    __u32 left;
    __u32 user;
    __u32 failed;
    __u32 unused;
};

static __always_inline long read_memory(void* to, __u32 size, __u64 address, __u32 user)
{
    if (user)
        return bpf_probe_read_user(to, size, (const void*)address);
    return bpf_probe_read_kernel(to, size, (const void*)address);
}

static __always_inline void mix_tail(__u64 hash[2], const struct call* call, __u32 size)
{
    const __u64* word = (const __u64*)call->buffer;

    for (__u32 i = 0; i < KCR_CHUNK / 8; i++) {
        if (i * 8 >= size)
            break;
        mix(hash, word[i]);
    }
}

static long walk_chunk(__u32 index __attribute__((unused)), struct walk* walk)
{
    struct call* call = walk->call;
    __u32 left = walk->left;

    if (left >= KCR_CHUNK) {
        const __u64* word = (const __u64*)call->buffer;

        if (read_memory(call->buffer, KCR_CHUNK, walk->address, walk->user)) {
            walk->failed = 1;
            return 1;
        }
#pragma unroll
        for (int i = 0; i < KCR_CHUNK / 8; i++)
            mix(walk->hash, word[i]);
        walk->address += KCR_CHUNK;
        walk->left = left - KCR_CHUNK;
        return 0;
    }
    if (left == 0)
        return 1;
    /* the last word is padded with zeroes; the length is hashed, too */
    *(__u64*)&call->buffer[(left & (KCR_CHUNK - 1)) & ~7U] = 0;
    if (read_memory(call->buffer, left & (KCR_CHUNK - 1), walk->address, walk->user)) {
        walk->failed = 1;
        return 1;
    }
    mix_tail(walk->hash, call, left);
    return 1;
}

/* Loads a value of 1, 2, 4 or 8 bytes */
static __always_inline long load(__u64 address, __u32 size, __u64* value)
{
    __u64 raw = 0;
    long error;

    if (size == 8)
        error = bpf_probe_read_kernel(&raw, 8, (const void*)address);
    else if (size == 4)
        error = bpf_probe_read_kernel(&raw, 4, (const void*)address);
    else if (size == 2)
        error = bpf_probe_read_kernel(&raw, 2, (const void*)address);
    else
        error = bpf_probe_read_kernel(&raw, 1, (const void*)address);
    *value = raw;
    return error;
}

static __always_inline __u64 narrow(__u64 value, __u32 size, __u32 is_signed)
{
    __u32 shift = 64 - 8 * (size & 15);

    if (size == 0 || size >= 8)
        return value;
    value <<= shift & 63;
    return is_signed ? (__u64)((__s64)value >> (shift & 63)) : value >> (shift & 63);
}

/* The address that a path leads to, or the argument */
static __noinline long follow(const struct call* call, const struct kcr_path* path, __u64* result)
{
    __u64 at = call->args[path->arg & (KCR_ARG_SLOTS - 1)];
    __u32 hops = path->hops;

    for (__u32 i = 0; i < KCR_MAX_HOPS; i++) {
        if (i >= hops)
            break;
        at += (__s64)path->offset[i];
        if (i + 1 < hops && bpf_probe_read_kernel(&at, sizeof(at), (const void*)at))
            return 1;
    }
    *result = at;
    return 0;
}

static __noinline long path_value(const struct call* call, const struct kcr_path* path,
                                  __u64* value)
{
    __u64 at = 0;

    if (follow(call, path, &at))
        return 1;
    if (path->hops && load(at, path->size, &at))
        return 1;
    *value = narrow(at, path->size, path->is_signed);
    return 0;
}

/* The ops of a plan that are being run */
struct run {
    struct call* call;
    const struct kcr_plan* plan;
    __u32 when;
    __u32 unused;
};

static __always_inline void run_string(struct call* call, const struct kcr_op* op)
{
    __u64 at = 0;
    long got;

    if (follow(call, &op->where, &at)) {
        call->flags |= FLAG_BAD_READ;
        return;
    }
    if (at == 0) {
        mix(call->hash, ~0ULL);
        return;
    }
    __builtin_memset(call->buffer, 0, KCR_CHUNK);
    if (op->user)
        got = bpf_probe_read_user_str(call->buffer, KCR_CHUNK, (const void*)at);
    else
        got = bpf_probe_read_kernel_str(call->buffer, KCR_CHUNK, (const void*)at);
    if (got < 0) {
        call->flags |= FLAG_BAD_READ;
        return;
    }
    if (got >= KCR_CHUNK)
        call->flags |= FLAG_BAD_LARGE;
    mix(call->hash, got);
    mix_tail(call->hash, call, got);
    call->bytes += got;
}

static __always_inline long op_length(const struct call* call, const struct kcr_plan* plan,
                                      const struct kcr_op* op, __u64* length)
{
    if (!op->counted) {
        *length = op->fixed;
        return 0;
    }
    if (path_value(call, &op->length, length))
        return FLAG_BAD_READ;
    /* a negative or wild count must not wrap around */
    if (*length > plan->max_bytes)
        return FLAG_BAD_LARGE;
    *length *= op->scale;
    return 0;
}

static __always_inline void run_memory(struct call* call, const struct kcr_plan* plan,
                                       const struct kcr_op* op)
{
    struct walk walk = {.call = call, .user = op->user};
    __u64 length = 0;
    long bad = op_length(call, plan, op, &length);

    if (!bad && follow(call, &op->where, &walk.address))
        bad = FLAG_BAD_READ;
    if (!bad && length + call->bytes > plan->max_bytes)
        bad = FLAG_BAD_LARGE;
    if (bad) {
        call->flags |= bad;
        return;
    }
    mix(call->hash, length);
    /* no memory is an input, too */
    if (walk.address == 0)
        mix(call->hash, ~0ULL);
    if (length == 0 || walk.address == 0)
        return;
    walk.left = length;
    walk.hash[0] = call->hash[0];
    walk.hash[1] = call->hash[1];
    bpf_loop(KCR_MAX_CHUNKS, walk_chunk, &walk, 0);
    call->hash[0] = walk.hash[0];
    call->hash[1] = walk.hash[1];
    call->bytes += length;
    if (walk.failed)
        call->flags |= FLAG_BAD_READ;
}

static long run_op(__u32 index, struct run* run)
{
    struct call* call = run->call;
    const struct kcr_op* op;
    __u64 value = 0;

    if (index >= KCR_MAX_OPS || index >= run->plan->nr_ops)
        return 1;
    op = &run->plan->ops[index];
    if (!(op->when & run->when))
        return 0;
    if (op->kind == KCR_OP_VALUE) {
        if (path_value(call, &op->where, &value))
            call->flags |= FLAG_BAD_READ;
        mix(call->hash, value);
        call->bytes += 8;
    } else if (op->kind == KCR_OP_STRING) {
        run_string(call, op);
    } else {
        run_memory(call, run->plan, op);
    }
    return call->flags != 0;
}

static __always_inline void run_plan(struct call* call, const struct kcr_plan* plan, __u32 when)
{
    struct run run = {.call = call, .plan = plan, .when = when};

    call->hash[0] = secret[2];
    call->hash[1] = secret[3];
    bpf_loop(KCR_MAX_OPS, run_op, &run, 0);
}

#endif
