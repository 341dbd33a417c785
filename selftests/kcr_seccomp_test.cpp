// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp filters whose compiled programs and answers are reused: they answer as
 * a model of the BPF machine does, and as filters always have.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "bpf.hpp"
#include "stats.hpp"
#include "tap.hpp"

namespace
{

using bpf::Program;

/* Harmless, whatever its arguments, and looked at by the filters here only */
constexpr long call = SYS_getppid;
constexpr unsigned repeats = 64;

constexpr int ok = 0;
constexpr int bad = 1;

long answer(uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
            uint64_t f = 0)
{
    errno = 0;
    const long got = syscall(call, a, b, c, d, e, f);
    return got == -1 ? -errno : got;
}

int64_t hits(const std::string& site)
{
    return kcr::Counters::read(site).hits();
}

uint32_t fail_with(int err)
{
    return SECCOMP_RET_ERRNO | static_cast<uint32_t>(err);
}

/* Few values, so that the same arguments come again; large ones, too */
uint64_t draw_argument(std::mt19937& random)
{
    static const std::array<uint64_t, 8> values = {0, 1,           2,           3,
                                                   4, 0x100000000, 0x100000001, 0xffffffffffffffff};
    return values[random() % values.size()];
}

/* Asks a chain of random programs about random arguments; the last is the newest */
int ask_random(const std::vector<Program>& chain, uint32_t seed)
{
    std::mt19937 random(seed);
    seccomp_data data = {};

    for (const auto& program : chain) {
        if (bpf::install(program) != 0)
            return bad;
    }
    data.nr = call;
    data.arch = AUDIT_ARCH_X86_64;
    for (unsigned i = 0; i < 500; i++) {
        for (auto& arg : data.args)
            arg = random() % 4 != 0 ? 1 : draw_argument(random);
        /* All of them fail with some errno: the newest filter decides */
        const uint32_t ret = bpf::Machine::run(chain.back(), data);
        const auto* a = data.args;
        const long got = answer(a[0], a[1], a[2], a[3], a[4], a[5]);
        if (got != -static_cast<long>(ret & SECCOMP_RET_DATA))
            return bad;
    }
    return ok;
}

void random_programs(tap::Check& check)
{
    std::mt19937 random(1);
    const kcr::Watch watch("seccomp_run");

    for (unsigned i = 0; i < 60; i++) {
        std::vector<Program> chain;
        for (unsigned n = 0; n <= i % 3; n++)
            chain.push_back(bpf::random_program(call, random));
        check.that(bpf::in_child([&] { return ask_random(chain, i); }) == ok,
                   "a chain of random programs answers in another way, number " +
                       std::to_string(i));
    }
    check.that(watch.hits() > 1000,
               "only " + std::to_string(watch.hits()) + " answers were reused");
}

/* An argument that no filter reads does not matter; one that is read does */
void only_what_is_read(tap::Check& check)
{
    const Program program = bpf::padded(bpf::if_arg(call, 2, 7, fail_with(EXDEV)));
    const int64_t before = hits("seccomp_run");
    const int status = bpf::in_child([&] {
        const long parent = getppid();
        if (bpf::install(program) != 0)
            return bad;
        for (unsigned i = 0; i < 256; i++) {
            const long want = i % 2 != 0 ? -EXDEV : parent;
            /* The upper half of the argument is not read, either */
            if (answer(i, uint64_t{i} * 3, (i % 2 != 0 ? 7 : 5) | uint64_t{i} << 32, i, i, i) !=
                want)
                return bad;
        }
        return ok;
    });
    check.that(status == ok, "an answer is wrong");
    check.that(hits("seccomp_run") - before > 200, "arguments that are not read spoil reuse");
}

/* Of filters with equal actions the newest has its data used; of others the strictest */
void which_filter(tap::Check& check)
{
    const auto under = [](const std::vector<Program>& chain, long want) {
        return bpf::in_child([&] {
            for (const auto& program : chain) {
                if (bpf::install(program) != 0)
                    return bad;
            }
            for (unsigned i = 0; i < repeats; i++) {
                if (answer(1, 2, 3) != want)
                    return bad;
            }
            return ok;
        });
    };
    const Program first = bpf::if_arg(call, 0, 1, fail_with(EXDEV));
    const Program second = bpf::if_arg(call, 1, 2, fail_with(ENOTTY));
    const Program log = bpf::if_arg(call, 2, 3, SECCOMP_RET_LOG);
    const Program other = bpf::if_arg(call, 2, 4, fail_with(EIO));

    check.that(under({first, second}, -ENOTTY) == ok, "not the newest of two decides");
    check.that(under({second, first}, -EXDEV) == ok, "not the newest of two decides");
    check.that(under({first, log}, -EXDEV) == ok, "not the strictest decides");
    check.that(under({first, other, log}, -EXDEV) == ok, "not the strictest of three decides");
}

std::atomic<int> trapped_errno;
std::atomic<unsigned> traps;

void on_trap(int /*signal*/, siginfo_t* info, void* /*context*/)
{
    trapped_errno = info->si_errno;
    traps++;
}

void traps_carry_data(tap::Check& check)
{
    const int status = bpf::in_child([] {
        struct sigaction action = {};
        action.sa_sigaction = on_trap;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSYS, &action, nullptr);
        if (bpf::install(bpf::if_arg(call, 0, 1, SECCOMP_RET_TRAP | 17)) != 0 ||
            bpf::install(bpf::if_arg(call, 0, 2, SECCOMP_RET_TRAP | 18)) != 0)
            return bad;
        for (unsigned i = 0; i < repeats; i++) {
            const int which = 1 + static_cast<int>(i % 2);
            answer(static_cast<uint64_t>(which));
            if (traps != i + 1 || trapped_errno != 16 + which)
                return bad;
        }
        return ok;
    });
    check.that(status == ok, "a trap is missing, or has another filter's data");
}

void kills(tap::Check& check)
{
    for (unsigned i = 0; i < 4; i++) {
        const int status = bpf::in_child([i] {
            bpf::install(bpf::if_arg(call, 0, 9, SECCOMP_RET_KILL_PROCESS));
            for (unsigned n = 0; n < 8 * i; n++)
                answer(1);
            answer(9);
            return ok;
        });
        check.that(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "a process survives");
    }
}

/* Answers notifications with the errno until the target is gone; returns how many */
unsigned answer_notifications(int listener, int err)
{
    unsigned count = 0;
    pollfd ready = {listener, POLLIN, 0};

    while (poll(&ready, 1, 5000) == 1 && (ready.revents & POLLIN) != 0) {
        seccomp_notif request = {};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
            break;
        seccomp_notif_resp response = {};
        response.id = request.id;
        response.error = -err;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
        count++;
    }
    return count;
}

/* The filter that has the listener is found each time, with others around it */
void notifications(tap::Check& check)
{
    for (const bool outer : {false, true}) {
        const int status = bpf::in_child([outer] {
            const Program notify = bpf::if_arg(call, 0, 1, SECCOMP_RET_USER_NOTIF);
            const Program quiet = bpf::if_arg(call, 0, 2, fail_with(EIO));
            if (outer && bpf::install(quiet) != 0)
                return bad;
            const long listener = bpf::install(notify, SECCOMP_FILTER_FLAG_NEW_LISTENER);
            if (listener < 0 || (!outer && bpf::install(quiet) != 0))
                return bad;
            const pid_t target = fork();
            if (target == 0) {
                for (unsigned i = 0; i < repeats; i++) {
                    if (answer(1) != -EDOM || answer(2) != -EIO)
                        _exit(bad);
                }
                _exit(ok);
            }
            const unsigned count = answer_notifications(static_cast<int>(listener), EDOM);
            int result = -1;
            waitpid(target, &result, 0);
            return result == ok && count == repeats ? ok : bad;
        });
        check.that(status == ok, "notifications are lost, or go elsewhere");
    }
}

/* A new filter counts from the next call on, in all threads */
void new_filters_count_at_once(tap::Check& check)
{
    const int status = bpf::in_child([] {
        std::atomic<unsigned> stage = 0;
        std::atomic<unsigned> wrong = 0;
        std::atomic<unsigned> warm = 0;
        const auto ask = [&] {
            const long parent = getppid();
            for (unsigned i = 0; i < repeats; i++)
                wrong += answer(5) != parent;
            warm++;
            while (stage == 0)
                std::this_thread::yield();
            for (unsigned i = 0; i < repeats; i++)
                wrong += answer(5) != -EXDEV;
        };
        if (bpf::install(bpf::if_arg(call, 0, 1, fail_with(EIO))) != 0)
            return bad;
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 3; i++)
            threads.emplace_back(ask);
        while (warm != 3)
            std::this_thread::yield();
        const long err =
            bpf::install(bpf::if_arg(call, 0, 5, fail_with(EXDEV)), SECCOMP_FILTER_FLAG_TSYNC);
        stage = 1;
        for (auto& thread : threads)
            thread.join();
        return err == 0 && wrong == 0 && answer(5) == -EXDEV ? ok : bad;
    });
    check.that(status == ok, "a thread goes by the filters that it had before");
}

/* Equal arguments, other filters */
void processes_apart(tap::Check& check)
{
    std::vector<pid_t> children;

    for (int err = 1; err <= 6; err++) {
        const pid_t pid = fork();
        if (pid == 0) {
            if (bpf::install(bpf::padded(bpf::if_arg(call, 0, 1, fail_with(err)))) != 0)
                _exit(bad);
            for (unsigned i = 0; i < 500; i++) {
                if (answer(1) != -err)
                    _exit(bad);
                if (i % 16 == 0)
                    std::this_thread::yield();
            }
            _exit(ok);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children) {
        int status = -1;
        waitpid(pid, &status, 0);
        check.that(status == ok, "a process has the answers of another");
    }
}

/* 32-bit calls have their own numbers, and their own answers */
void compat_calls(tap::Check& check)
{
    constexpr long getppid32 = 64;
    const auto call32 = [](long arg) {
        long result = getppid32;
        asm volatile("int $0x80" : "+a"(result) : "b"(arg) : "memory");
        return static_cast<int>(result);
    };
    if (call32(0) == -ENOSYS)
        throw tap::Skip("no 32-bit system calls");
    const int status = bpf::in_child([&] {
        Program program = {bpf::stmt(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
                           bpf::jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0),
                           bpf::stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        const Program rest = bpf::if_arg(getppid32, 0, 1, fail_with(EXDEV));
        program.insert(program.end(), rest.begin(), rest.end());
        const int parent = getppid();
        if (bpf::install(program) != 0)
            return bad;
        for (unsigned i = 0; i < repeats; i++) {
            const int want = i % 2 != 0 ? -EXDEV : parent;
            /* The same number is a native call that the filter lets through */
            if (call32(i % 2) != want || (syscall(getppid32, -1, -1, -1) == -1 && errno == EXDEV))
                return bad;
        }
        return ok;
    });
    check.that(status == ok, "an answer is another architecture's");
}

int install_and_ask(const Program& program, int err)
{
    return bpf::in_child([&] {
        if (bpf::install(program) != 0)
            return bad;
        for (unsigned i = 0; i < 8; i++) {
            if (answer(1) != -err || answer(2) < 0)
                return bad;
        }
        return ok;
    });
}

/* Programs are shared by equal bytes, and by no others */
void shared_programs(tap::Check& check)
{
    const kcr::Watch watch("seccomp_install");

    for (unsigned i = 0; i < 30; i++) {
        const int err = 1 + static_cast<int>(i % 3);
        const Program program = bpf::padded(bpf::if_arg(call, 0, 1, fail_with(err)), 500);
        check.that(install_and_ask(program, err) == ok, "a shared program is another's");
    }
    check.that(watch.hits() >= 24, "only " + std::to_string(watch.hits()) + " were shared");
}

/* A user of a shared program lives on when others, and what remembers it, go */
void programs_outlive_users(tap::Check& check)
{
    const Program program = bpf::padded(bpf::if_arg(call, 0, 1, fail_with(EXDEV)), 400);
    int gate[2];

    if (pipe2(gate, O_CLOEXEC) != 0)
        afalg::fail("pipe2");
    const pid_t last = fork();
    if (last == 0) {
        char byte = 0;
        const bool installed = bpf::install(program) == 0;
        close(gate[1]);
        while (read(gate[0], &byte, 1) == 1)
            ;
        bool right = installed;
        for (unsigned i = 0; i < repeats; i++)
            right = right && answer(1) == -EXDEV && answer(2) >= 0;
        _exit(right ? ok : bad);
    }
    close(gate[0]);
    for (unsigned i = 0; i < 8; i++)
        check.that(install_and_ask(program, EXDEV) == ok, "another user's answer is wrong");
    {
        /* Forgets everything */
        const kcr::ScopedMode mode("seccomp_install", "off");
    }
    for (unsigned i = 0; i < 4; i++)
        check.that(install_and_ask(program, EXDEV) == ok, "another user's answer is wrong");
    close(gate[1]);
    int status = -1;
    waitpid(last, &status, 0);
    check.that(status == ok, "the program has gone away under its last user");
}

/* What shapes compiled programs is obeyed by the next one */
void settings(tap::Check& check)
{
    const std::string harden = "/proc/sys/net/core/bpf_jit_harden";
    const std::string enable = "/proc/sys/net/core/bpf_jit_enable";
    const Program program = bpf::padded(bpf::if_arg(call, 0, 1, fail_with(EXDEV)), 300);

    for (const auto& [path, value] : {std::pair(harden, "2"), std::pair(harden, "1"),
                                      std::pair(enable, "0"), std::pair(harden, "0")}) {
        if (access(path.c_str(), W_OK) != 0)
            throw tap::Skip("no " + path);
        const std::string before = kcr::read_file(path);
        for (unsigned i = 0; i < 3; i++)
            install_and_ask(program, EXDEV);
        for (const std::string& next : {std::string(value), before}) {
            kcr::write_file(path, next);
            const int64_t shared = hits("seccomp_install");
            check.that(install_and_ask(program, EXDEV) == ok, path + ": an answer is wrong");
            check.that(hits("seccomp_install") == shared,
                       path + ": an old program is used after " + next);
            for (unsigned i = 0; i < 3; i++)
                check.that(install_and_ask(program, EXDEV) == ok, path + ": an answer is wrong");
            check.that(hits("seccomp_install") > shared,
                       path + ": programs are not shared any more");
        }
    }
}

/* Bytes that no filter may have are refused however often they are offered */
void invalid_programs(tap::Check& check)
{
    Program program = bpf::padded(bpf::only_for(call), 100);

    program[50] = bpf::stmt(BPF_LD | BPF_W | BPF_ABS, 62);
    for (unsigned i = 0; i < 6; i++)
        check.that(bpf::in_child([&] { return bpf::install(program) == -EINVAL ? ok : bad; }) == ok,
                   "an invalid program is accepted");
    Program good = bpf::padded(bpf::if_arg(call, 0, 1, fail_with(EXDEV)), 100);
    check.that(install_and_ask(good, EXDEV) == ok, "a good one is refused");
}

void prepare()
{
    kcr::require_kcr();
    for (const char* site : {"seccomp_install", "seccomp_run"}) {
        if (access(kcr::mode_path(site).c_str(), F_OK) != 0)
            throw tap::Skip(std::string("this kernel has no site ") + site);
        kcr::write_file(kcr::mode_path(site), "reuse");
        /* Whether it pays is not what is tested here */
        kcr::write_file("/sys/kernel/kcr/sites/" + std::string(site) + "/bypass", "never");
    }
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"random programs answer as a model does", random_programs},
        {"only the words that are read matter", only_what_is_read},
        {"the filter that matched is the same", which_filter},
        {"traps have their filter's data", traps_carry_data},
        {"kills kill", kills},
        {"notifications go to their listener", notifications},
        {"a new filter counts at the next call of every thread", new_filters_count_at_once},
        {"processes with other filters have other answers", processes_apart},
        {"32-bit calls are apart", compat_calls},
        {"compiled programs are shared by equal bytes", shared_programs},
        {"compiled programs outlive their users", programs_outlive_users},
        {"settings count for the next program", settings},
        {"invalid programs are refused", invalid_programs},
    };
    return tap::run_cases(cases, prepare);
}
