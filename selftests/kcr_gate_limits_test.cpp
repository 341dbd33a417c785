// SPDX-License-Identifier: GPL-2.0
/*
 * Gates: what is refused, and with which error; what stays where it is whatever
 * the program does; what is no call.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "data.hpp"
#include "gate.hpp"

using domain::request;
using domain::sized;
using gate::Gate;
using tap::Check;

namespace
{

constexpr int attempts = 8;

uint64_t computed;
using Function = uint64_t(uint64_t);

__attribute__((noinline)) uint64_t twice(uint64_t a)
{
    computed++;
    return 2 * a;
}

bool hits(Function* function, uint64_t argument)
{
    for (int i = 0; i < attempts; i++) {
        const auto before = computed;
        if (function(argument) != 2 * argument)
            return false;
        if (computed == before)
            return true;
    }
    return false;
}

/** The signal that ends a child that does this, or 0. */
int signal_of(const std::function<void()>& body)
{
    const int status = gate::child_status(body);

    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

bool is_memory_signal(int number)
{
    return number == SIGSEGV || number == SIGBUS;
}

void test_opening(Check& check)
{
    const auto fd = domain::create();
    const Gate gate(fd.get());
    auto open = sized<kcr_gate>();
    struct {
        kcr_gate gate;
        uint64_t more;
    } longer = {};

    open.flags = 1;
    check.that(request(fd.get(), KCR_IOC_GATE, open) == -EINVAL, "flags");
    open = sized<kcr_gate>();
    open.size = 4;
    check.that(request(fd.get(), KCR_IOC_GATE, open) == -EINVAL, "a short structure");
    longer.gate.size = sizeof(longer);
    const domain::Fd good(request(fd.get(), KCR_IOC_GATE, longer));
    check.that(good.get() >= 0, "a longer structure");
    check.that((fcntl(good.get(), F_GETFD) & FD_CLOEXEC) != 0, "close-on-exec");
    longer.more = 1;
    check.that(request(fd.get(), KCR_IOC_GATE, longer) == -E2BIG, "a field that is not known");
    const domain::Fd lookup(domain::share(fd.get(), 0));
    check.that(gate::try_open(lookup.get()) == -EACCES, "a lookup descriptor");
    auto info = sized<kcr_info>();
    check.that(request(gate.fd(), KCR_IOC_INFO, info) == -ENOTTY, "a gate is no domain");
    char byte = 0;
    check.that(read(gate.fd(), &byte, 1) < 0 && write(gate.fd(), &byte, 1) < 0, "read and write");
}

void test_slots(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    gate::Call call;
    call.plain = reinterpret_cast<uint64_t>(&twice);
    call.domain = fd.get();
    call.function = domain::add(fd.get(), {.name = "f"});
    call.nr_args = 2;
    call.nr_memory = 1;
    call.memory[0] = gate::in(0, 8);

    const auto refused = [&](const char* what, int error,
                             const std::function<void(kcr_gate_slot&)>& change) {
        auto slot = gate.slot_for(call.plain, call);
        change(slot);
        const int got = gate.try_set(slot);
        check.that(got == error, std::string(what) + ": " + std::to_string(got));
    };
    refused("a slot beyond", -EINVAL, [](auto& slot) { slot.slot = KCR_GATE_SLOTS; });
    refused("flags", -EINVAL, [](auto& slot) { slot.flags = 1; });
    refused("reserved", -EINVAL, [](auto& slot) { slot.reserved = 1; });
    refused("reserved in memory", -EINVAL, [](auto& slot) { slot.memory[0].reserved = 1; });
    refused("a short structure", -EINVAL, [](auto& slot) { slot.size -= 8; });
    refused("seven arguments", -EINVAL, [](auto& slot) { slot.nr_args = 7; });
    refused("five memories", -EINVAL, [](auto& slot) { slot.nr_memory = 5; });
    refused("memory behind no argument", -EINVAL, [](auto& slot) { slot.memory[0].arg = 2; });
    refused("a length in no argument", -EINVAL, [](auto& slot) { slot.memory[0].len_arg = 2; });
    refused("neither in nor out", -EINVAL, [](auto& slot) { slot.memory[0].flags = 0; });
    refused("in and out", -EINVAL,
            [](auto& slot) { slot.memory[0].flags = KCR_GATE_IN | KCR_GATE_OUT; });
    refused("a string that is written", -EINVAL,
            [](auto& slot) { slot.memory[0].flags = KCR_GATE_OUT | KCR_GATE_STRING; });
    refused("unknown flags of memory", -EINVAL, [](auto& slot) { slot.memory[0].flags = 9; });
    refused("no such function", -ENOENT, [](auto& slot) { slot.function = 77; });
    refused("a function beyond", -ENOENT, [](auto& slot) { slot.function = ~0U; });
    refused("memory of no bytes", -EINVAL, [](auto& slot) { slot.memory[0].len = 0; });
    refused("a string of as many bytes as an argument says", -EINVAL, [](auto& slot) {
        slot.memory[0].flags = KCR_GATE_IN | KCR_GATE_STRING;
        slot.memory[0].len_arg = 1;
    });
    refused("a miss in the kernel", -EINVAL, [](auto& slot) { slot.miss = ~0ULL << 47; });
    refused("a return in the kernel", -EINVAL, [](auto& slot) { slot.ret = ~0ULL << 47; });
    refused("a function in the kernel", -EINVAL, [](auto& slot) { slot.plain = ~0ULL << 47; });
    refused("nothing wrong", 0, [](auto& /*slot*/) {});
    refused("a slot that has a function", -EBUSY, [](auto& /*slot*/) {});
}

void test_all_slots(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    std::vector<Function*> functions;

    /* A domain has no more functions than that, so some share one */
    gate::Call call;
    call.plain = reinterpret_cast<uint64_t>(&twice);
    call.domain = fd.get();
    call.nr_args = 1;
    for (uint32_t i = 0; i < KCR_GATE_SLOTS; i++) {
        call.function = domain::add(
            fd.get(), {.name = "f" + std::to_string(i % 64), .key_max = KCR_GATE_KEY_MAX});
        auto slot = gate.slot_for(call.plain, call);
        slot.slot = i;
        check.that(gate.try_set(slot) == 0, "slot " + std::to_string(i));
        functions.push_back(reinterpret_cast<Function*>(gate.at() + size_t{i} * KCR_GATE_STRIDE));
    }
    for (uint64_t i = 0; i < functions.size(); i++)
        check.that(functions[i](i) == 2 * i, "call " + std::to_string(i));
    check.that(hits(functions[KCR_GATE_SLOTS - 1], 7), "the last one: no hit");
}

void test_mapping(Check& check)
{
    const auto fd = domain::create();
    const domain::Fd gate(gate::try_open(fd.get()));
    const auto map = [&](size_t size, int prot, int flags, off_t offset) {
        return mmap(nullptr, size, prot, flags, gate.get(), offset) != MAP_FAILED;
    };

    check.that(!map(8192, PROT_READ | PROT_EXEC, MAP_SHARED, 0), "too long");
    check.that(!map(4096, PROT_READ | PROT_EXEC, MAP_SHARED, 4096), "an offset");
    check.that(!map(4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0), "private");
    check.that(!map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0), "writable");
    check.that(!map(4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, 0), "all of it");
    check.that(gate::try_map(gate.get()) != MAP_FAILED, "as it should be");
}

/* A second mapping is a gate as well, if there can be one */
void test_sealed(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);
    void* at = gate.at();
    const auto refused = [&](const char* what, bool failed) {
        check.that(failed && errno == EPERM, what);
        check.that(hits(gated, 4), std::string(what) + ": no hit any more");
    };

    refused("munmap", munmap(at, 4096) < 0);
    refused("mremap", mremap(at, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
    refused("mprotect", mprotect(at, 4096, PROT_READ) < 0);
    check.that(mprotect(at, 4096, PROT_READ | PROT_WRITE) < 0 && errno == EACCES,
               "mprotect for writing");
    refused("mmap over it", mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                                 0) == MAP_FAILED);
    madvise(at, 4096, MADV_DONTNEED);
    check.that(hits(gated, 5), "no hit after madvise");
    gate.close();
    check.that(hits(gated, 6), "no hit without a descriptor");
}

/* Without its domain a function still has its results */
void test_without_domain(Check& check)
{
    auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);

    check.that(hits(gated, 4), "no hit");
    gate.last().domain = -1;
    fd.reset();
    gate.close();
    for (uint64_t i = 0; i < 10; i++)
        check.that(gated(i) == 2 * i, "a result without a domain");
}

void test_no_calls(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);
    auto* at = gate.at();

    check.that(hits(gated, 4), "no hit");
    const auto call = [&](size_t offset) {
        return signal_of([&] { reinterpret_cast<Function*>(at + offset)(4); });
    };
    check.that(is_memory_signal(call(1)), "between slots");
    check.that(is_memory_signal(call(8)), "in the middle of a slot");
    check.that(is_memory_signal(call(KCR_GATE_STRIDE)), "a slot without a function");
    check.that(is_memory_signal(call(KCR_GATE_SIZE - 1)), "the last byte");
    check.that(is_memory_signal(signal_of([&] {
                   const auto* bytes = reinterpret_cast<volatile uint8_t*>(gated);
                   static_cast<void>(bytes[0]);
               })),
               "a load");
    check.that(is_memory_signal(signal_of([&] {
                   auto* bytes = reinterpret_cast<volatile uint8_t*>(gated);
                   bytes[0] = 0xc3;
               })),
               "a store");
    check.that(hits(gated, 4), "no hit any more");
}

/* The kernel on others' behalf sees nothing there either */
void test_no_memory(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);
    std::array<uint8_t, 16> bytes{};
    int pipes[2] = {-1, -1};

    check.that(!gate::read_memory(bytes.data(), reinterpret_cast<uint64_t>(gated), 16),
               "process_vm_readv");
    if (pipe(pipes) != 0)
        domain::fail("pipe");
    check.that(write(pipes[1], reinterpret_cast<void*>(gated), 16) < 0 && errno == EFAULT,
               "write(2) from it");
    check.that(write(pipes[1], bytes.data(), 16) == 16 &&
                   read(pipes[0], reinterpret_cast<void*>(gated), 16) < 0 && errno == EFAULT,
               "read(2) into it");
    close(pipes[0]);
    close(pipes[1]);
    const int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    check.that(pread(memory, bytes.data(), 16, reinterpret_cast<off_t>(gated)) < 0,
               "/proc/self/mem");
    close(memory);
    check.that(hits(gated, 4), "no hit any more");
}

/* Gates come and go with processes that leave nothing behind */
void test_many_processes(Check& check)
{
    for (int i = 0; i < 20; i++) {
        check.that(signal_of([] {
                       const auto fd = domain::create(64 << 10);
                       Gate gate(fd.get());
                       _exit(hits(gate.add(twice, 1), 3) ? 0 : kill(getpid(), SIGKILL));
                   }) == 0,
                   "in a child");
    }
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"how a gate is made", test_opening},
        {"slots", test_slots},
        {"as many slots as there are", test_all_slots},
        {"how a gate is mapped", test_mapping},
        {"a gate stays where it is", test_sealed},
        {"a gate without its domain", test_without_domain},
        {"what is no call", test_no_calls},
        {"what is no memory", test_no_memory},
        {"many processes", test_many_processes},
    };
    return tap::run_cases(cases, domain::need_device);
}
