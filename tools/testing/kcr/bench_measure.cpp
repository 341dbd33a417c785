// SPDX-License-Identifier: GPL-2.0
#include "bench.hpp"

#include <algorithm>
#include <chrono>
#include <sched.h>
#include <x86intrin.h>

namespace kcr::native
{

namespace
{

/// Rounds of one subject before it is another's turn; the first warms the caches.
constexpr int kRounds = 8;

u64 ticks_now()
{
    unsigned cpu;
    const u64 ticks = __rdtscp(&cpu);
    _mm_lfence();
    return ticks;
}

} // namespace

double ticks_of(const std::function<void(u64)>& run, u64 steps)
{
    const u64 start = ticks_now();
    run(steps);
    return static_cast<double>(ticks_now() - start) / static_cast<double>(steps);
}

void measure(std::vector<Subject>& subjects, double seconds)
{
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do {
        for (auto& subject : subjects) {
            subject.run(subject.steps);
            for (int round = 1; round < kRounds; round++)
                subject.ticks = std::min(subject.ticks, ticks_of(subject.run, subject.steps));
        }
    } while (Clock::now() < end);
}

bool pin(unsigned n)
{
    static const cpu_set_t allowed = [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof(set), &set);
        return set;
    }();
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || n-- != 0)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof(one), &one) == 0;
    }
    return false;
}

} // namespace kcr::native
