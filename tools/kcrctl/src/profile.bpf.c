// SPDX-License-Identifier: GPL-2.0
/*
 * The probes of kcrctl profile. They run at entry and exit of a function, hash what its plan says
 * is its input and its result, and count. They write to their own maps only.
 *
 * A call waits for its return under the address of the registers that the trampoline saved on the
 * kernel's stack (fentry), or the stack pointer (kprobe): no two calls in progress share it, in
 * whatever task or interrupt they are, however they nest.
 */
#include "abi.h"

#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#define STACK_REGION 16384
#define FLAG_BAD_LARGE 1
#define FLAG_BAD_READ 2
#define FLAG_SKIP 4

struct call {
    __u64 key;
    __u64 func;
    __u64 hash[2];
    __u64 began;
    __u64 overhead;
    __u64 switches;
    __u64 parent_key;
    __u32 parent; /* index + 1 of the profiled call this is inside of */
    __u32 flags;
    __u32 bytes;
    __u32 unused;
    __u64 args[KCR_ARG_SLOTS];
    __u8 buffer[KCR_CHUNK];
};

/* What is known of a task: time its probes took, and the innermost profiled call */
struct task_record {
    __u64 overhead;
    __u64 top_key;
    __u32 top_func; /* index + 1 */
    __u32 unused;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct kcr_plan);
} plans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct kcr_counts);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64);
    __type(value, struct call);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct call);
} blank SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 131072);
    __type(key, struct kcr_input_key);
    __type(value, struct kcr_input);
} inputs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct kcr_nest_key);
    __type(value, __u64);
} nests SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct task_record);
} tasks SEC(".maps");

/* Set before loading: secrets of this run, offsets in struct task_struct, and who is not counted */
const volatile __u64 secret[4] = {1, 3, 5, 7};
const volatile __u32 nvcsw_offset = 0;
const volatile __u32 nivcsw_offset = 0;
const volatile __u32 own_tgid = 0;

/* Calls are counted while this is set, so that all functions are counted for the same time */
__u32 armed = 0;

/* Time that the probes of one function may take on one CPU, in all */
__u64 budget_ns = ~0ULL;

#include "run_plan.bpf.h"

static __always_inline void add(__u64* counter, __u64 amount)
{
    __sync_fetch_and_add(counter, amount);
}

static __always_inline struct task_record* this_task(void)
{
    return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
                                BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* How often the current task was switched out */
static __always_inline __u64 task_switches(void)
{
    __u64 task = bpf_get_current_task();
    __u64 voluntary = 0;
    __u64 involuntary = 0;

    bpf_probe_read_kernel(&voluntary, sizeof(voluntary), (const void*)(task + nvcsw_offset));
    bpf_probe_read_kernel(&involuntary, sizeof(involuntary), (const void*)(task + nivcsw_offset));
    return voluntary + involuntary;
}

static __always_inline struct call* new_call(__u64 key)
{
    __u32 zero = 0;
    const struct call* empty = bpf_map_lookup_elem(&blank, &zero);
    struct call* call = bpf_map_lookup_elem(&calls, &key);

    /* one that is there never returned, or its return was not seen: the stack was reused */
    if (call || !empty)
        return call;
    bpf_map_update_elem(&calls, &key, empty, BPF_ANY);
    return bpf_map_lookup_elem(&calls, &key);
}

/* Makes this the innermost profiled call of its task, and says which one it is inside of */
static __always_inline void push_call(struct task_record* task, struct call* call)
{
    __u64 key = *(volatile __u64*)&call->key;
    __u64 distance = key - task->top_key;

    /* stacks grow downwards: a caller further down never returned */
    call->parent = distance < STACK_REGION ? 0 : task->top_func;
    call->parent_key = task->top_key;
    task->top_func = (__u32)call->func + 1;
    task->top_key = key;
}

static __always_inline void begin_call(struct call* call, __u64 key, __u32 func)
{
    /* the verifier does arithmetic with a register's address only after it was in memory */
    *(volatile __u64*)&call->key = key;
    call->func = func;
    call->flags = 0;
    call->bytes = 0;
    call->parent = 0;
}

/* Ends an entry: the clock starts last */
static __always_inline void start_clock(struct call* call, struct kcr_counts* count, __u64 began)
{
    struct task_record* task = this_task();
    __u64 now;

    call->switches = task_switches();
    if (task) {
        push_call(task, call);
        now = bpf_ktime_get_ns();
        task->overhead += now - began;
        call->overhead = task->overhead;
    } else {
        now = bpf_ktime_get_ns();
        call->overhead = 0;
    }
    add(&count->probe_ns, now - began);
    call->began = bpf_ktime_get_ns();
}

static __always_inline void entry(struct call* call, const struct kcr_plan* plan,
                                  struct kcr_counts* count, __u64 began)
{
    add(&count->entered, 1);
    if (count->probe_ns > *(volatile __u64*)&budget_ns)
        call->flags = FLAG_SKIP;
    else
        run_plan(call, plan, KCR_WHEN_IN);
    start_clock(call, count, began);
}

/* One more repeat inside of another profiled call */
static __always_inline void count_nest(const struct call* call)
{
    struct kcr_nest_key key = {.child = call->func, .parent = call->parent - 1};
    __u64* value = bpf_map_lookup_elem(&nests, &key);
    __u64 one = 1;

    if (value)
        add(value, 1);
    else
        bpf_map_update_elem(&nests, &key, &one, BPF_NOEXIST);
}

static __always_inline __u64 visible_result(const struct kcr_plan* plan, __u64 result)
{
    if (plan->result_kind == KCR_RESULT_NONE)
        return 0;
    if (plan->result_kind == KCR_RESULT_VALUE)
        return narrow(result, plan->result_size, 0);
    return result == 0 || result > (__u64)-4096 ? result : 1;
}

static __always_inline void judge(struct call* call, struct kcr_counts* count, __u64 key_hash[2],
                                  __u64 ns, bool clean)
{
    struct kcr_input_key key = {.func = call->func, .hash = {key_hash[0], key_hash[1]}};
    struct kcr_input fresh = {.result = call->hash[0] ^ rotate(call->hash[1], 17), .calls = 1};
    struct kcr_input* known = bpf_map_lookup_elem(&inputs, &key);

    if (!known && bpf_map_update_elem(&inputs, &key, &fresh, BPF_NOEXIST) == 0) {
        add(&count->first, 1);
        add(&count->bytes, call->bytes);
        return;
    }
    if (!known) /* another CPU was faster, or there is no room */
        known = bpf_map_lookup_elem(&inputs, &key);
    if (!known) {
        add(&count->full, 1);
        return;
    }
    add(&known->calls, 1);
    if (known->result != fresh.result) {
        add(&count->differ, 1);
        return;
    }
    add(&count->equal, 1);
    add(&count->bytes, call->bytes);
    if (clean) {
        add(&count->equal_ns, ns);
        add(&count->equal_ns_calls, 1);
    }
    if (call->parent)
        count_nest(call);
}

static __always_inline void classify(struct call* call, const struct kcr_plan* plan,
                                     struct kcr_counts* count, __u64 result, __u64 ns, bool clean)
{
    __u64 key_hash[2] = {call->hash[0], call->hash[1]};

    if (!call->flags) {
        run_plan(call, plan, KCR_WHEN_OUT);
        mix(call->hash, visible_result(plan, result));
    }
    if (call->flags & FLAG_SKIP)
        add(&count->throttled, 1);
    else if (call->flags & FLAG_BAD_LARGE)
        add(&count->too_large, 1);
    else if (call->flags & FLAG_BAD_READ)
        add(&count->unreadable, 1);
    else
        judge(call, count, key_hash, ns, clean);
}

static __always_inline void leave(__u32 func, __u64 key, __u64 result, __u64 now)
{
    struct kcr_counts* count = bpf_map_lookup_elem(&counts, &func);
    const struct kcr_plan* plan = bpf_map_lookup_elem(&plans, &func);
    struct call* call = bpf_map_lookup_elem(&calls, &key);
    struct task_record* task;
    __u64 ns, spent;
    bool clean;

    if (!count || !plan)
        return;
    if (!call || call->func != func) {
        add(&count->unmatched, 1);
        return;
    }
    task = this_task();
    ns = now - call->began;
    if (task && call->overhead) {
        spent = task->overhead - call->overhead;
        ns = ns > spent ? ns - spent : 0;
        task->top_func = call->parent;
        task->top_key = call->parent_key;
    }
    clean = task_switches() == call->switches;
    add(&count->returned, 1);
    add(&count->ns_all, ns);
    if (clean) {
        add(&count->ns, ns);
        add(&count->ns_calls, 1);
    }
    classify(call, plan, count, result, ns, clean);
    bpf_map_delete_elem(&calls, &key);
    spent = bpf_ktime_get_ns() - now;
    add(&count->probe_ns, spent);
    if (task)
        task->overhead += spent;
}

static __always_inline bool is_counted(void)
{
    return *(volatile __u32*)&armed && bpf_get_current_pid_tgid() >> 32 != own_tgid;
}

SEC("kcr.entry")
int kcr_entry(__u64* ctx)
{
    __u64 began = bpf_ktime_get_ns();
    __u64 key = (__u64)ctx;
    __u32 func = bpf_get_attach_cookie(ctx);
    struct kcr_counts* count = bpf_map_lookup_elem(&counts, &func);
    const struct kcr_plan* plan = bpf_map_lookup_elem(&plans, &func);
    struct call* call;

    if (!count || !plan || !is_counted())
        return 0;
    call = new_call(key);
    if (!call) {
        add(&count->untracked, 1);
        return 0;
    }
    begin_call(call, key, func);
#pragma unroll
    for (__u32 i = 0; i < KCR_MAX_ARGS; i++) {
        __u64 value = 0;

        bpf_get_func_arg(ctx, i, &value);
        call->args[i] = value;
    }
    entry(call, plan, count, began);
    return 0;
}

SEC("kcr.exit")
int kcr_exit(__u64* ctx)
{
    __u64 now = bpf_ktime_get_ns();
    __u64 result = 0;

    if (!is_counted())
        return 0;
    bpf_get_func_ret(ctx, &result);
    leave(bpf_get_attach_cookie(ctx), (__u64)ctx, result, now);
    return 0;
}

SEC("kprobe")
int kcr_kprobe(struct pt_regs* regs)
{
    __u64 began = bpf_ktime_get_ns();
    /* at the return, the return address has been popped */
    __u64 key = PT_REGS_SP(regs) + sizeof(__u64);
    __u32 func = bpf_get_attach_cookie(regs);
    struct kcr_counts* count = bpf_map_lookup_elem(&counts, &func);
    const struct kcr_plan* plan = bpf_map_lookup_elem(&plans, &func);
    struct call* call;

    if (!count || !plan || !is_counted())
        return 0;
    call = new_call(key);
    if (!call) {
        add(&count->untracked, 1);
        return 0;
    }
    begin_call(call, key, func);
    call->args[0] = PT_REGS_PARM1(regs);
    call->args[1] = PT_REGS_PARM2(regs);
    call->args[2] = PT_REGS_PARM3(regs);
    call->args[3] = PT_REGS_PARM4(regs);
    call->args[4] = PT_REGS_PARM5(regs);
    call->args[5] = regs->r9;
    entry(call, plan, count, began);
    return 0;
}

SEC("kretprobe")
int kcr_kretprobe(struct pt_regs* regs)
{
    __u64 now = bpf_ktime_get_ns();

    if (!is_counted())
        return 0;
    leave(bpf_get_attach_cookie(regs), PT_REGS_SP(regs), PT_REGS_RC(regs), now);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
