// SPDX-License-Identifier: GPL-2.0
#include "bench.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace kcr::native
{

namespace
{

constexpr u64 kSteps = 16384;
constexpr unsigned kThreads = 2;

/// Has all threads do their rounds at the same time.
class Barrier
{
public:
    void wait()
    {
        const unsigned round = round_.load();
        if (waiting_.fetch_add(1) + 1 == kThreads) {
            waiting_.store(0);
            round_.fetch_add(1);
            return;
        }
        while (round_.load() == round)
            cpu_relax();
    }

private:
    std::atomic<unsigned> waiting_{0};
    std::atomic<unsigned> round_{0};
};

/// What one thread asks, of its own CPU's tier.
struct Worker {
    Owner owner;
    WorkingSet<8> set;
    kcr_query q{};

    void run(kcr_bench_fn* fn)
    {
        follow<8>(fn, nullptr, set, q, kSteps);
    }
};

/// The least ticks of a step, alone and with another thread at the same time.
struct Times {
    double alone = 1e18;
    double together = 1e18;
};

Times measure_one(std::array<Worker, kThreads>& workers, kcr_bench_fn* fn, double seconds)
{
    using Clock = std::chrono::steady_clock;
    Times times;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds / 2);
    while (Clock::now() < end)
        times.alone = std::min(times.alone, ticks_of([&](u64) { workers[0].run(fn); }, kSteps));

    Barrier barrier;
    std::atomic<bool> stop{false};
    std::array<double, kThreads> ticks{};
    std::thread other([&] {
        pin(1);
        kcr_shim_set_cpu(1);
        for (barrier.wait(); !stop; barrier.wait()) {
            ticks[1] = ticks_of([&](u64) { workers[1].run(fn); }, kSteps);
            barrier.wait();
        }
    });
    const auto end_together = Clock::now() + std::chrono::duration<double>(seconds / 2);
    while (Clock::now() < end_together) {
        barrier.wait();
        ticks[0] = ticks_of([&](u64) { workers[0].run(fn); }, kSteps);
        barrier.wait();
        // The slower one counts: a round in which only one was disturbed is none
        times.together = std::min(times.together, std::max(ticks[0], ticks[1]));
    }
    stop = true;
    barrier.wait();
    other.join();
    return times;
}

} // namespace

Scaling measure_scaling(double seconds)
{
    System system(kThreads);
    std::array<Worker, kThreads> workers;
    for (unsigned cpu = 0; cpu < kThreads; cpu++) {
        Worker& worker = workers[cpu];
        worker.set = fill<8>(*per_cpu_ptr(&kcr_l2, cpu), system, worker.owner, KCR_L2_SLOTS);
        worker.q = begin_query(system, worker.owner, 64);
    }
    const auto hit = measure_one(workers, kcr_bench_known, seconds / 2);
    const auto empty = measure_one(workers, kcr_bench_empty, seconds / 2);
    return {.l2 = hit.alone / hit.together, .empty = empty.alone / empty.together};
}

} // namespace kcr::native
