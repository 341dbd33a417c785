// SPDX-License-Identifier: GPL-2.0
/*
 * Tracked memory is written by the processor: by user space, by system calls that
 * copy to it, and by other processes and debuggers.
 */
#include <linux/futex.h>
#include <linux/rseq.h>
#include <sys/rseq.h>

#include "others.hpp"

using namespace track;

namespace
{

void store(uint64_t& word, uint64_t value)
{
    __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}

/* Runs @p writer twice on memory of four pages */
void run_twice(Check& check, const Area& area, Writer writer)
{
    const Subject subject(area.span());
    const std::string name = writer.name;

    for (const char* time : {", first", ", second"}) {
        writer.name = name + time;
        subject.run(check, writer);
    }
}

void test_store(Check& check)
{
    const Area area;
    uint64_t value = 0;

    area.fill();
    for (size_t page = 0; page < area.pages(); page++) {
        run_twice(check, area, {"a store to page " + std::to_string(page), [&] {
                                    std::thread([&] { store(area.word(page), ++value); }).join();
                                }});
    }
    /* The second store without arming in between */
    run_twice(check, area, {"two stores", [&] {
                                std::thread([&] { store(area.word(1), ++value); }).join();
                                std::thread([&] { store(area.word(1, 100), ++value); }).join();
                            }});
    run_twice(check, area, {"the last byte", [&] { area.data()[area.size() - 1]++; }});
    run_twice(check, area, {"an atomic instruction", [&] {
                                __atomic_fetch_xor(&area.word(2), 1, __ATOMIC_SEQ_CST);
                            }});
    run_twice(
        check, area,
        {"a store of what is there", [&] { store(area.word(1), area.word(1)); }, Effect::keeps});
}

/*
 * A thread that has just written, and would not fault if its processor still knew
 * the page as writable
 */
void test_running_thread(Check& check)
{
    const Area area;
    std::atomic<uint64_t> wanted = 0;
    std::atomic<uint64_t> written = 0;
    std::atomic<bool> done = false;

    area.fill();
    std::jthread writer([&] {
        while (!done) {
            const uint64_t value = wanted;
            if (value == written)
                continue;
            store(area.word(0), value << 8);
            written = value;
        }
    });
    const Subject subject(area.span());
    for (uint64_t value = 1; value <= 10; value++) {
        subject.run(check, {"a thread that runs, " + std::to_string(value), [&] {
                                wanted = value;
                                while (written != value)
                                    sched_yield();
                            }});
    }
    done = true;
}

void test_read(Check& check)
{
    const Area area;
    const Pipe pipe;
    uint8_t value = 0;

    area.fill();
    run_twice(check, area, {"read(2)", [&] {
                                const Bytes data(64, ++value);
                                pipe.put(data);
                                if (read(pipe.out.get(), area.page(1) + 8, 64) != 64)
                                    domain::fail("read");
                            }});
    run_twice(check, area, {"read(2) across pages", [&] {
                                const Bytes data(64, ++value);
                                pipe.put(data);
                                if (read(pipe.out.get(), area.page(2) - 32, 64) != 64)
                                    domain::fail("read");
                            }});
    run_twice(check, area, {"clock_gettime", [&] {
                                if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, area.page(3)) < 0)
                                    domain::fail("clock_gettime");
                            }});
}

long futex(void* word, int op, uint32_t value = 0, uintptr_t value2 = 0, void* word2 = nullptr,
           uint32_t value3 = 0)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, value2, word2, value3);
}

void test_futex(Check& check)
{
    const Area area;
    uint32_t other = 0;
    auto* word = reinterpret_cast<uint32_t*>(area.page(1));

    area.fill();
    run_twice(check, area, {"FUTEX_WAKE_OP", [&] {
                                if (futex(&other, FUTEX_WAKE_OP, 1, 1, word,
                                          FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)) < 0)
                                    domain::fail("FUTEX_WAKE_OP");
                            }});
    *word = 0;
    run_twice(check, area, {"FUTEX_LOCK_PI and FUTEX_UNLOCK_PI", [&] {
                                if (futex(word, *word ? FUTEX_UNLOCK_PI : FUTEX_LOCK_PI) < 0)
                                    domain::fail("FUTEX_LOCK_PI");
                            }});
}

/* The kernel writes a thread's rseq area when it has moved to another processor */
void test_rseq(Check& check)
{
    constexpr uint32_t signature = 0x53053053;
    constexpr size_t size = 32;
    const Area area;
    Servant servant;
    unsigned cpu = 0;

    if (std::thread::hardware_concurrency() < 2)
        throw tap::Skip("needs two processors");
    if (!__rseq_size)
        throw tap::Skip("no rseq");
    area.fill();
    std::memset(area.page(1), 0, size);
    int error = 0;
    servant.run([&] {
        auto* old = static_cast<uint8_t*>(__builtin_thread_pointer()) + __rseq_offset;
        if (syscall(SYS_rseq, old, size, RSEQ_FLAG_UNREGISTER, signature) < 0 ||
            syscall(SYS_rseq, area.page(1), size, 0, signature) < 0)
            error = errno;
    });
    if (!check.that(!error, std::string("rseq: ") + std::strerror(error)))
        return;
    const auto move = [&] {
        servant.run([&] {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            if (sched_setaffinity(0, sizeof(set), &set) < 0)
                error = errno;
        });
        cpu = !cpu;
    };
    move();
    run_twice(check, area, {"rseq", move});
    check.that(!error, "sched_setaffinity");
    servant.run([&] { syscall(SYS_rseq, area.page(1), size, RSEQ_FLAG_UNREGISTER, signature); });
}

/* A thread that dies with a lock: the kernel says so in the lock */
void test_robust_list(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::optional<Servant> servant;
    robust_list_head head{};
    robust_list entry{&head.list};
    auto* word = reinterpret_cast<uint32_t*>(area.page(1) + 64);

    area.fill();
    head.list.next = &entry;
    head.futex_offset = reinterpret_cast<intptr_t>(word) - reinterpret_cast<intptr_t>(&entry);
    for (int i = 0; i < 2; i++) {
        subject.run(check, {.name = "robust list",
                            .write = [&] { servant.reset(); },
                            .before =
                                [&] {
                                    servant.emplace();
                                    servant->run([&] {
                                        *word = static_cast<uint32_t>(syscall(SYS_gettid));
                                        if (syscall(SYS_set_robust_list, &head, sizeof(head)) < 0)
                                            *word = 0;
                                    });
                                }});
        check.that(*word & FUTEX_OWNER_DIED, "the word does not tell");
    }
}

int do_nothing(void*)
{
    return 0;
}

void test_clear_child_tid(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    alignas(16) static std::array<uint8_t, 65536> stack;
    auto* word = reinterpret_cast<pid_t*>(area.page(2));

    area.fill();
    const Writer writer = {.name = "CLONE_CHILD_CLEARTID",
                           .write =
                               [&] {
                                   const pid_t pid =
                                       clone(do_nothing, stack.data() + stack.size(),
                                             CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr,
                                             nullptr, nullptr, word);
                                   if (pid < 0 || waitpid(pid, nullptr, 0) != pid)
                                       domain::fail("clone");
                               },
                           .before = [&] { *word = 1; }};
    subject.run(check, writer);
    subject.run(check, writer);
    run_twice(check, area, {.name = "CLONE_PARENT_SETTID", .write = [&] {
                                const pid_t pid =
                                    clone(do_nothing, stack.data() + stack.size(),
                                          CLONE_VM | CLONE_PARENT_SETTID | SIGCHLD, nullptr, word);
                                if (pid < 0 || waitpid(pid, nullptr, 0) != pid)
                                    domain::fail("clone");
                            }});
}

/* The ways in which another process, or a debugger, writes */
struct Foreign {
    const char* name;
    std::function<int(void*, uint64_t)> write;
    bool forces; /* it writes to what is mapped read-only, too */
};

std::vector<Foreign> foreign_ways(const Puppeteer& other)
{
    using Way = Puppeteer::Way;
    const auto by = [&other](Way way) {
        return [&other, way](void* to, uint64_t value) { return other.write(way, to, value); };
    };

    return {
        {"PTRACE_POKEDATA", by(Way::poke), true},
        {"/proc/PID/mem", by(Way::mem), true},
        {"process_vm_writev", by(Way::vm), false},
        {"/proc/self/mem",
         [](void* to, uint64_t value) { return write_mem(getpid(), to, &value, sizeof(value)); },
         true},
        {"process_vm_writev to itself",
         [](void* to, uint64_t value) { return write_vm(getpid(), to, &value, sizeof(value)); },
         false}};
}

void test_foreign(Check& check)
{
    const Puppeteer other;
    const Area area;
    uint64_t value = 0;

    area.fill();
    for (const auto& way : foreign_ways(other)) {
        run_twice(check, area, {way.name, [&] {
                                    const int error = way.write(&area.word(1, 5), ++value);
                                    check.that(!error,
                                               std::string(way.name) + ": " + std::strerror(error));
                                }});
    }
}

void test_foreign_read_only(Check& check)
{
    const Puppeteer other;
    const Area area;
    uint64_t value = 1000;

    area.fill();
    area.protect(PROT_READ);
    for (const auto& way : foreign_ways(other)) {
        const std::string name = std::string(way.name) + ", PROT_READ";
        run_twice(check, area,
                  {name,
                   [&] {
                       const int error = way.write(&area.word(1, 5), ++value);
                       check.that(!error == way.forces, name + ": " + std::strerror(error));
                   },
                   way.forces ? Effect::changes : Effect::keeps});
    }
}

/* A pin makes the page this process's alone, and then it can be written at once */
void test_unshared(Check& check)
{
    const Puppeteer other;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 2000;

    area.fill();
    area.protect(PROT_READ);
    for (const auto& way : foreign_ways(other)) {
        if (!way.forces)
            continue;
        subject.run(check,
                    {"pinned for reading", [&] { pin_for_reading(area.page(1)); }, Effect::keeps});
        subject.run(check, {std::string("pinned for reading, then ") + way.name, [&] {
                                pin_for_reading(area.page(1));
                                check.that(!way.write(&area.word(1), ++value), way.name);
                            }});
    }
    check.that(subject.events(KCR_EVENT_UNSHARE) > 0, "no pin was an event");
}

/* A signal's frame is written by the kernel: to a stack that is tracked memory */
void test_signal_stack(Check& check)
{
    const Area area(16);
    stack_t stack{};
    stack_t old{};
    struct sigaction action {
    };
    struct sigaction old_action {
    };

    area.fill();
    stack.ss_sp = area.data();
    stack.ss_size = area.size();
    action.sa_handler = [](int) {};
    action.sa_flags = SA_ONSTACK;
    if (sigaltstack(&stack, &old) < 0 || sigaction(SIGUSR1, &action, &old_action) < 0)
        domain::fail("sigaltstack");
    uint64_t seed = 1;
    Writer writer = {"a signal's frame", [] { raise(SIGUSR1); }};
    writer.before = [&] { area.fill(++seed); };
    run_twice(check, area, writer);
    sigaction(SIGUSR1, &old_action, nullptr);
    sigaltstack(&old, nullptr);
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"stores of another thread", test_store},
        {"a thread that runs while memory is armed", test_running_thread},
        {"read(2)", test_read},
        {"futexes", test_futex},
        {"rseq area", test_rseq},
        {"robust list", test_robust_list},
        {"clear_child_tid", test_clear_child_tid},
        {"other processes, debuggers", test_foreign},
        {"other processes, debuggers: read-only memory", test_foreign_read_only},
        {"written by force after a pin for reading", test_unshared},
        {"a signal's frame", test_signal_stack},
    };
    return tap::run_cases(cases, need_tracking);
}
