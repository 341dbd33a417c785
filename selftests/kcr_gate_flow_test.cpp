// SPDX-License-Identifier: GPL-2.0
/*
 * Gates: control flow. Calls within calls, threads, signals, exceptions, jumps,
 * backtraces, fork, exec and debuggers behave as with the function itself.
 */
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unwind.h>

#include <csetjmp>
#include <csignal>
#include <functional>
#include <thread>

#include "data.hpp"
#include "gate.hpp"

using gate::Gate;
using tap::Check;

namespace
{

constexpr int attempts = 8;

std::atomic<uint64_t> computed;
using Function = uint64_t(uint64_t);

__attribute__((noinline)) uint64_t twice(uint64_t a)
{
    computed++;
    return 2 * a;
}

/** Whether one of several equal calls was not computed. */
bool hits(Function* function, uint64_t argument)
{
    for (int i = 0; i < attempts; i++) {
        const auto before = computed.load();
        function(argument);
        if (computed == before)
            return true;
    }
    return false;
}

int wait_for(pid_t pid)
{
    int status = -1;

    if (waitpid(pid, &status, 0) != pid)
        domain::fail("waitpid");
    return status;
}

Function* inner;
uint64_t outer(uint64_t a)
{
    computed++;
    return inner(a) + inner(a + 1);
}

void test_nested(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());

    inner = gate.add(twice, 1);
    auto* gated = gate.add(outer, 1);
    for (uint64_t a = 0; a < 20; a++) {
        for (int i = 0; i < 3; i++)
            check.that(gated(a) == 4 * a + 2, "nested");
    }
    check.that(hits(gated, 5) && hits(inner, 5), "no hit");
}

uint64_t fibonacci(uint64_t n)
{
    computed++;
    return n < 2 ? n : inner(n - 1) + inner(n - 2);
}

void test_recursion(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());

    inner = gate.add(fibonacci, 1);
    computed = 0;
    check.that(inner(20) == 6765, "recursion");
    /* As itself it would compute more than twenty thousand times */
    check.that(computed < 1000, "calls within calls are not reused: " + std::to_string(computed));
}

void test_threads(Check& check)
{
    constexpr int nr_threads = 4;
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);
    std::atomic<uint64_t> wrong{0};
    std::vector<std::thread> threads;

    threads.reserve(nr_threads);
    for (int t = 0; t < nr_threads; t++) {
        threads.emplace_back([&, t] {
            for (uint64_t i = 0; i < 5000; i++) {
                const uint64_t a = i % 50 + (i % 3 ? 0 : 1000 * t);
                wrong += gated(a) != 2 * a;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    check.that(wrong == 0, std::to_string(wrong) + " wrong results");
    check.that(gate.info().hits > 0, "no hit");
}

Function* in_handler;
std::atomic<uint64_t> handled;
std::atomic<uint64_t> handled_wrong;

void storm_handler(int /*number*/)
{
    const uint64_t a = handled++ % 16;

    handled_wrong += in_handler(a) != 2 * a;
}

void test_signal_storm(Check& check)
{
    constexpr uint64_t wanted = 200;
    constexpr uint64_t most = 2000000;
    const auto fd = domain::create();
    Gate gate(fd.get());
    struct sigaction action = {};
    struct sigaction before = {};
    const itimerval often = {{0, 300}, {0, 300}};
    const itimerval never = {};
    uint64_t wrong = 0;

    in_handler = gate.add(twice, 1);
    auto* gated = gate.add(twice, 1);
    action.sa_handler = storm_handler;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, nullptr);
    for (uint64_t i = 0; i < most && handled < wanted; i++)
        wrong += gated(i % 64) != 2 * (i % 64);
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
    check.that(handled >= wanted, "too few signals: " + std::to_string(handled));
    check.that(wrong == 0 && handled_wrong == 0, "wrong results");
    check.that(hits(gated, 3) && hits(in_handler, 3), "no hit");
}

uint64_t throws(uint64_t a)
{
    computed++;
    if (a % 2)
        throw std::runtime_error("odd");
    return a;
}

void test_exceptions(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(throws, 1);

    for (int i = 0; i < 10; i++) {
        bool caught = false;
        try {
            gated(7);
        } catch (const std::runtime_error& error) {
            caught = std::string(error.what()) == "odd";
        }
        check.that(caught, "not caught");
        check.that(gated(8) == 8, "even");
    }
    check.that(hits(gated, 8), "no hit");
}

std::jmp_buf jump;
uint64_t jumps(uint64_t a)
{
    if (a % 2)
        std::longjmp(jump, 1); // NOLINT(cert-err52-cpp)
    return a;
}

__attribute__((noinline)) bool jumped_out_of(Function* function, uint64_t a)
{
    if (setjmp(jump) != 0) // NOLINT(cert-err52-cpp)
        return true;
    function(a);
    return false;
}

void test_longjmp(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(jumps, 1);

    for (int i = 0; i < 10; i++)
        check.that(jumped_out_of(gated, 1) && !jumped_out_of(gated, 2), "longjmp");
    check.that(gate.last().stored > 0, "what returned is stored");
}

uint64_t raises(uint64_t a)
{
    if (a % 2)
        raise(SIGUSR1);
    return a;
}

void jump_handler(int /*number*/)
{
    std::longjmp(jump, 1); // NOLINT(cert-err52-cpp)
}

void test_longjmp_from_handler(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(raises, 1);
    struct sigaction action = {};
    struct sigaction before = {};

    action.sa_handler = jump_handler;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < 10; i++)
        check.that(jumped_out_of(gated, 1) && !jumped_out_of(gated, 2), "longjmp");
    sigaction(SIGUSR1, &before, nullptr);
}

struct Trace {
    uintptr_t wanted;
    bool found;
};

_Unwind_Reason_Code look_at_frame(_Unwind_Context* context, void* arg)
{
    auto& trace = *static_cast<Trace*>(arg);

    trace.found = trace.found || _Unwind_GetIP(context) - trace.wanted < 4096;
    return _URC_NO_REASON;
}

uintptr_t caller;
uint64_t traces(uint64_t a)
{
    Trace trace = {caller, false};

    _Unwind_Backtrace(look_at_frame, &trace);
    return trace.found ? a : 0;
}

__attribute__((noinline)) uint64_t traced_call(Function* function, uint64_t a)
{
    return function(a) + 1;
}

void test_backtrace(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());

    caller = reinterpret_cast<uintptr_t>(&traced_call);
    check.that(traced_call(traces, 5) == 6, "the plain function sees its caller");
    check.that(traced_call(gate.add(traces, 1), 5) == 6, "behind a gate it does not");
}

pid_t forked;
uint64_t forks(uint64_t a)
{
    forked = fork();
    return a + 1;
}

void test_fork(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated_forks = gate.add(forks, 1);
    auto* gated = gate.add(twice, 1);

    const uint64_t result = gated_forks(41);
    if (forked == 0)
        _exit(result == 42 ? 0 : 1);
    check.that(result == 42 && wait_for(forked) == 0, "fork in the function");

    /* Gates and functions are the child's, too */
    check.that(hits(gated, 3), "no hit");
    const pid_t pid = fork();
    if (pid == 0)
        _exit(hits(gated, 3) && gated(4) == 8 && hits(gated, 4) ? 0 : 1);
    check.that(wait_for(pid) == 0, "the child has no gates");
    check.that(hits(gated, 4), "no hit after the child");
}

uint64_t executes(uint64_t a)
{
    char where[32];

    snprintf(where, sizeof(where), "%lx", static_cast<unsigned long>(a));
    execl("/proc/self/exe", "exec", "--mapped", where, nullptr);
    return 1;
}

/* What is executed in the function: says whether the gate is still there */
int is_mapped(const char* where)
{
    unsigned char page = 0;

    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return mincore(reinterpret_cast<void*>(std::strtoul(where, nullptr, 16)), 1, &page) < 0 &&
                   errno == ENOMEM
               ? 0
               : 1;
}

void test_exec(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(executes, 1);

    const pid_t pid = fork();
    if (pid == 0) {
        gated(reinterpret_cast<uint64_t>(gate.at()));
        _exit(2);
    }
    check.that(wait_for(pid) == 0, "exec in the function");
}

/* Steps through a child that calls a gate; whether it was seen at the gate */
bool step_through(pid_t pid, uintptr_t at, int& status)
{
    constexpr int most = 200000;
    user_regs_struct regs = {};
    bool seen = false;

    for (int i = 0; i < most; i++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) < 0)
            domain::fail("PTRACE_SINGLESTEP");
        status = wait_for(pid);
        if (!WIFSTOPPED(status))
            return seen;
        if (WSTOPSIG(status) != SIGTRAP)
            break;
        if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) < 0)
            domain::fail("PTRACE_GETREGS");
        seen = seen || regs.rip == at;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    status = -1;
    return seen;
}

void test_single_step(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(twice, 1);

    check.that(hits(gated, 21), "no hit");
    for (const uint64_t argument : {21, 22}) {
        const auto before = computed.load();
        const pid_t pid = fork();
        if (pid == 0) {
            ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
            raise(SIGSTOP);
            const uint64_t result = gated(argument);
            const uint64_t runs = computed - before;
            _exit(result == 2 * argument && (argument == 21 || runs == 1) ? 0 : 1);
        }
        int status = wait_for(pid);
        const bool stopped = WIFSTOPPED(status);
        errno = 0;
        ptrace(PTRACE_POKETEXT, pid, gate.at(), 0xcc);
        check.that(errno != 0, "a breakpoint in a gate");
        const bool seen = step_through(pid, reinterpret_cast<uintptr_t>(gated), status);
        check.that(stopped && status == 0, "the result when stepped through");
        check.that(seen, "the call was not seen");
    }
}

} // namespace

int main(int argc, char** argv)
{
    const std::vector<tap::Case> cases = {
        {"calls within calls", test_nested},
        {"recursion", test_recursion},
        {"threads", test_threads},
        {"a storm of signals whose handler calls gates", test_signal_storm},
        {"exceptions", test_exceptions},
        {"longjmp() out of the function", test_longjmp},
        {"longjmp() out of a handler", test_longjmp_from_handler},
        {"backtraces", test_backtrace},
        {"fork()", test_fork},
        {"exec()", test_exec},
        {"single steps", test_single_step},
    };

    if (argc == 3 && std::string(argv[1]) == "--mapped")
        return is_mapped(argv[2]);
    return tap::run_cases(cases, domain::need_device);
}
