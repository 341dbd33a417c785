// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "child.hpp"
#include "figures.hpp"
#include "jit_memory.hpp"
#include "sites.hpp"
#include "stats.hpp"

namespace sites
{

namespace
{

/* What a process found under the profile */
struct Started {
    Numbers instructions; /* of seccomp(), for each process */
    Numbers answers;      /* of some system calls, of all processes */
    int64_t jit_bytes = 0;
    int64_t jit_bytes_left = 0; /* when the processes are gone, and all is forgotten */
};

uint64_t answer(long call, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0)
{
    errno = 0;
    const long got = syscall(call, a, b, c);
    return static_cast<uint64_t>(got < 0 ? -errno : 0);
}

/* Calls that the profile allows, denies, or judges by their arguments */
Numbers probe()
{
    return {answer(SYS_getppid),
            answer(SYS_personality, 0xffffffff),
            answer(SYS_personality, 0x20000),
            answer(SYS_personality, 0x12345),
            answer(SYS_socket, 16, 3, 9),
            answer(SYS_socket, 1, 1, 0),
            answer(SYS_unshare, CLONE_NEWNS),
            answer(SYS_mount),
            answer(SYS_reboot),
            answer(SYS_keyctl),
            answer(SYS_add_key),
            answer(SYS_init_module),
            answer(SYS_bpf),
            answer(SYS_ptrace, 9999),
            answer(460),
            answer(SYS_chroot)};
}

/* Images are freed by a worker, after a grace period */
int64_t bytes_in_the_end()
{
    constexpr unsigned tries = 100;

    for (unsigned i = 0; i < tries && JitMemory::bytes() != 0; i++)
        usleep(50'000);
    return JitMemory::bytes();
}

Started start_processes(const Program& profile, unsigned count)
{
    const JitMemory memory;
    Started started;
    std::vector<Child> children;

    for (unsigned i = 0; i < count; i++) {
        children.emplace_back([&] {
            Numbers numbers = {install(profile)};
            const Numbers answers = probe();
            numbers.insert(numbers.end(), answers.begin(), answers.end());
            return numbers;
        });
        const Numbers numbers = children.back().numbers();
        started.instructions.push_back(numbers.front());
        started.answers.insert(started.answers.end(), numbers.begin() + 1, numbers.end());
    }
    started.jit_bytes = JitMemory::bytes();
    children.clear();
    {
        const kcr::ScopedMode forgetting("seccomp_install", "off");
    }
    started.jit_bytes_left = bytes_in_the_end();
    return started;
}

} // namespace

void containers(const Settings& settings, tap::Check& check)
{
    const Program profile = container_profile(settings.container_profile);
    Started off;
    Started on;

    remark("the container profile has " + std::to_string(profile.size()) + " instructions");
    {
        const kcr::ScopedMode mode("seccomp_install", "off");
        off = start_processes(profile, settings.processes);
    }
    const kcr::Watch watch("seccomp_install");
    on = start_processes(profile, settings.processes);

    check.that(on.answers == off.answers, "system calls are answered in another way with reuse");
    check.that(off.answers[0] == 0 && off.answers[1] == 0 && off.answers[3] != 0,
               "the profile does not do what it should");
    check.that(watch.hits() >= static_cast<int64_t>(settings.processes * 9 / 10),
               "only " + std::to_string(watch.hits()) + " programs were shared");
    check.that(on.jit_bytes < off.jit_bytes / (settings.processes / 10),
               "compiled programs take " + std::to_string(on.jit_bytes) + " bytes, " +
                   std::to_string(off.jit_bytes) + " without reuse");

    check.that(off.jit_bytes_left == 0 && on.jit_bytes_left == 0,
               "compiled programs are left that nobody uses: " + std::to_string(on.jit_bytes_left) +
                   " bytes");

    const uint64_t compute = median(off.instructions);
    const uint64_t hit = median(on.instructions);
    figure("seccomp_install_compute_insns", compute);
    figure("seccomp_install_hit_insns", hit);
    figure("seccomp_install_jit_bytes_off", static_cast<uint64_t>(off.jit_bytes));
    figure("seccomp_install_jit_bytes_reuse", static_cast<uint64_t>(on.jit_bytes));
    remark(std::to_string(settings.processes) + " processes under it: seccomp() takes " +
           times(compute, hit) + " less, all of them together " +
           times(sum(off.instructions), sum(on.instructions)));
}

} // namespace sites
