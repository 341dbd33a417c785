/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Gates for the selftests, and code behind them that is written from the
 * description in the uapi header and from nothing else.
 */
#ifndef KCR_SELFTEST_GATE_HPP
#define KCR_SELFTEST_GATE_HPP

#include <linux/kcr_track.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>

#include "domain.hpp"

namespace gate
{

using domain::Fd;
using domain::request;
using domain::sized;

/** What is behind a slot; never freed, as a slot never is. */
struct Call {
    uint64_t plain = 0;
    int domain = -1;
    uint32_t function = 0;
    uint32_t nr_args = 0;
    uint32_t nr_memory = 0;
    kcr_gate_memory memory[KCR_GATE_MEMORY] = {};
    std::atomic<uint64_t> misses{0}; /**< calls that came here with a stamp */
    std::atomic<uint64_t> stored{0}; /**< of those, results that are remembered or were */
};

/** A call that is computed; the assembly below knows where what is. */
struct Frame {
    uint64_t args[KCR_GATE_ARGS];
    uint64_t stamp;
    uint64_t ret[2];
    Call* call;
    uint64_t key_len;
    uint64_t padding;
    uint8_t key[KCR_GATE_KEY_MAX];
};
static_assert(offsetof(Frame, stamp) == 48 && offsetof(Frame, ret) == 56 &&
              offsetof(Frame, call) == 72 && sizeof(Frame) == 608);

/** Memory that may not be there. */
inline bool read_memory(void* to, uint64_t from, size_t len)
{
    const iovec local = {to, len};
    const iovec remote = {reinterpret_cast<void*>(from), len};

    return len == 0 ||
           process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(len);
}

/** Appends what an argument points to, padded; false if it is too long or not there. */
inline bool append(std::span<uint8_t> bytes, uint64_t& len, const kcr_gate_memory& memory,
                   const Frame& frame)
{
    const uint64_t from = frame.args[memory.arg];
    uint64_t more = memory.len;

    if (memory.len_arg != KCR_GATE_LEN_FIXED &&
        __builtin_mul_overflow(more, frame.args[memory.len_arg], &more))
        return false;
    if (memory.flags & KCR_GATE_STRING) {
        uint64_t i = 0;
        for (;; i++) {
            if (i == more || len + i == bytes.size() || !read_memory(&bytes[len + i], from + i, 1))
                return false;
            if (!bytes[len + i])
                break;
        }
        more = i + 1;
    } else if (more > bytes.size() - len || !read_memory(bytes.data() + len, from, more)) {
        return false;
    }
    len += more;
    while (len % 8)
        bytes[len++] = 0;
    return true;
}

extern "C" {
/** Makes the key, before the function runs: whether the result is to be stored. */
__attribute__((used)) inline int kcr_test_before(Frame* frame)
{
    const int error = errno;
    Call& call = *frame->call;
    bool good = true;

    call.misses++;
    frame->key_len = 8 * call.nr_args;
    std::memcpy(frame->key, frame->args, frame->key_len);
    for (uint32_t i = 0; i < call.nr_memory; i++)
        std::memset(frame->key + 8 * call.memory[i].arg, 0, 8);
    for (uint32_t i = 0; i < call.nr_memory && good; i++) {
        if (call.memory[i].flags & KCR_GATE_IN)
            good = append(frame->key, frame->key_len, call.memory[i], *frame);
    }
    errno = error;
    return good;
}

/** Stores what it returned and wrote. */
__attribute__((used)) inline void kcr_test_after(Frame* frame)
{
    const int error = errno;
    Call& call = *frame->call;
    uint8_t result[KCR_GATE_RESULT_MAX];
    uint64_t len = sizeof(frame->ret);
    bool good = true;

    std::memcpy(result, frame->ret, len);
    for (uint32_t i = 0; i < call.nr_memory && good; i++) {
        if (call.memory[i].flags & KCR_GATE_OUT)
            good = append(result, len, call.memory[i], *frame);
    }
    if (good) {
        const int status = domain::store(call.domain, call.function, frame->stamp,
                                         {frame->key, frame->key_len}, {result, len});
        if (status == KCR_STORED_NEW || status == KCR_STORED_EQUAL)
            call.stored++;
    }
    errno = error;
}

void kcr_test_miss();
void kcr_test_ret();
}

asm(R"(
    .pushsection .text
    .globl kcr_test_miss
    .type kcr_test_miss, @function
    .p2align 4
kcr_test_miss:
    .cfi_startproc
    test %r10, %r10
    jz 2f
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    sub $608, %rsp
    mov %rdi, (%rsp)
    mov %rsi, 8(%rsp)
    mov %rdx, 16(%rsp)
    mov %rcx, 24(%rsp)
    mov %r8, 32(%rsp)
    mov %r9, 40(%rsp)
    mov %r10, 48(%rsp)
    mov %r11, 72(%rsp)
    mov %rsp, %rdi
    call kcr_test_before
    test %eax, %eax
    mov (%rsp), %rdi
    mov 8(%rsp), %rsi
    mov 16(%rsp), %rdx
    mov 24(%rsp), %rcx
    mov 32(%rsp), %r8
    mov 40(%rsp), %r9
    mov 72(%rsp), %r11
    jz 1f
    call *(%r11)
    mov %rax, 56(%rsp)
    mov %rdx, 64(%rsp)
    mov %rsp, %rdi
    call kcr_test_after
    mov 56(%rsp), %rax
    mov 64(%rsp), %rdx
    leave
    .cfi_remember_state
    .cfi_def_cfa %rsp, 8
    .cfi_restore %rbp
    ret
    .cfi_restore_state
1:  leave
    .cfi_def_cfa %rsp, 8
    .cfi_restore %rbp
2:  jmp *(%r11)
    .cfi_endproc
    .size kcr_test_miss, . - kcr_test_miss
    .globl kcr_test_ret
    .type kcr_test_ret, @function
kcr_test_ret:
    .cfi_startproc
    ret
    .cfi_endproc
    .size kcr_test_ret, . - kcr_test_ret
    .popsection
)");

/** Memory that argument @p arg points to. */
inline kcr_gate_memory in(uint8_t arg, uint32_t len)
{
    return {arg, KCR_GATE_LEN_FIXED, KCR_GATE_IN, 0, len};
}
inline kcr_gate_memory in_times(uint8_t arg, uint8_t len_arg, uint32_t unit = 1)
{
    return {arg, len_arg, KCR_GATE_IN, 0, unit};
}
inline kcr_gate_memory text(uint8_t arg, uint32_t most)
{
    return {arg, KCR_GATE_LEN_FIXED, KCR_GATE_IN | KCR_GATE_STRING, 0, most};
}
inline kcr_gate_memory out(uint8_t arg, uint32_t len)
{
    return {arg, KCR_GATE_LEN_FIXED, KCR_GATE_OUT, 0, len};
}
inline kcr_gate_memory out_times(uint8_t arg, uint8_t len_arg, uint32_t unit = 1)
{
    return {arg, len_arg, KCR_GATE_OUT, 0, unit};
}

/** How a child ends that does this; it leaves no core. */
inline int child_status(const std::function<void()>& body)
{
    int status = -1;

    std::fflush(stdout);
    const pid_t pid = fork();
    if (pid < 0)
        domain::fail("fork");
    if (pid == 0) {
        const rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        body();
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid)
        domain::fail("waitpid");
    return status;
}

/** Makes a gate: a descriptor, or a negative errno. */
inline int try_open(int domain)
{
    auto gate = sized<kcr_gate>();

    return request(domain, KCR_IOC_GATE, gate);
}

/** Maps a gate; MAP_FAILED and errno if that fails. */
inline void* try_map(int fd)
{
    return mmap(nullptr, KCR_GATE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
}

/** A gate with its mapping, which stays. */
class Gate
{
public:
    explicit Gate(int domain) : domain_(domain)
    {
        const int fd = try_open(domain);

        if (fd == -ENOTTY || fd == -EOPNOTSUPP)
            throw tap::Skip("no gates here: " + std::string(std::strerror(-fd)));
        errno = -fd;
        if (fd < 0)
            domain::fail("KCR_IOC_GATE");
        fd_ = Fd(fd);
        at_ = static_cast<uint8_t*>(try_map(fd));
        if (at_ == MAP_FAILED)
            domain::fail("mmap of a gate");
    }

    /** A request for the next slot, to call @p plain. */
    kcr_gate_slot slot_for(uint64_t plain, Call& call)
    {
        auto slot = sized<kcr_gate_slot>();

        slot.slot = next_;
        slot.function = call.function;
        slot.miss = reinterpret_cast<uint64_t>(&kcr_test_miss);
        slot.ret = reinterpret_cast<uint64_t>(&kcr_test_ret);
        slot.plain = plain;
        slot.cookie = reinterpret_cast<uint64_t>(&call);
        slot.nr_args = call.nr_args;
        slot.nr_memory = call.nr_memory;
        std::copy(std::begin(call.memory), std::end(call.memory), slot.memory);
        return slot;
    }

    int try_set(kcr_gate_slot& slot)
    {
        return request(fd_.get(), KCR_IOC_GATE_SLOT, slot);
    }

    /** The address of the next slot, which calls @p function from now on. */
    template <typename F>
    F* add(F* function, uint32_t nr_args, const std::vector<kcr_gate_memory>& memory = {})
    {
        /* Shown to who looks for leaks: slots point to it as long as there is a process */
        static std::vector<std::unique_ptr<Call>> all;
        Call& call = *all.emplace_back(std::make_unique<Call>());

        call.plain = reinterpret_cast<uint64_t>(function);
        const bool writes = std::any_of(memory.begin(), memory.end(),
                                        [](const auto& one) { return one.flags & KCR_GATE_OUT; });
        call.domain = domain_;
        /* Without output, results are two words */
        call.function = domain::add(
            domain_, {.name = "gated" + std::to_string(next_),
                      .key_max = KCR_GATE_KEY_MAX,
                      .result_max = writes ? KCR_GATE_RESULT_MAX : uint32_t{sizeof(Frame::ret)}});
        call.nr_args = nr_args;
        call.nr_memory = static_cast<uint32_t>(memory.size());
        std::copy(memory.begin(), memory.end(), call.memory);
        auto slot = slot_for(call.plain, call);
        const int err = try_set(slot);
        if (err < 0) {
            errno = -err;
            domain::fail("KCR_IOC_GATE_SLOT");
        }
        last_ = &call;
        return reinterpret_cast<F*>(at_ + KCR_GATE_STRIDE * next_++);
    }

    kcr_gate_info info() const
    {
        auto info = sized<kcr_gate_info>();

        if (request(fd_.get(), KCR_IOC_GATE_INFO, info) < 0)
            domain::fail("KCR_IOC_GATE_INFO");
        return info;
    }

    /** What is behind the slot that was added last. */
    Call& last() const
    {
        return *last_;
    }
    uint8_t* at() const
    {
        return at_;
    }
    int fd() const
    {
        return fd_.get();
    }
    void close()
    {
        fd_.reset();
    }

private:
    int domain_;
    Fd fd_;
    uint8_t* at_ = nullptr;
    uint32_t next_ = 0;
    Call* last_ = nullptr;
};

} // namespace gate

#endif
