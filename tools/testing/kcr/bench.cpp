// SPDX-License-Identifier: GPL-2.0
/// @file
/// What the core costs natively, compiled as the kernel compiles it.
#include "system.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <vector>

namespace kcr::native
{
namespace
{

void begin(kcr_query& q, System& system, Owner& owner, u32 bytes, u64 seed)
{
    kcr_shape shape{};
    shape.body_len = bytes;
    shape.bulk_len = bytes;
    kcr_query_begin(&q, &system.site(), owner.get(), &shape);
    for (u32 i = 0; i < bytes / 8 && i < KCR_INLINE_WORDS; i++)
        q.key[i] = seed + i;
}

void store(System& system, Owner& owner, u32 bytes, u64 seed)
{
    kcr_query q;
    begin(q, system, owner, bytes, seed);
    q.fingerprint = kcr_fingerprint(&q);
    for (u64& word : q.res)
        word = 0;
    kcr_store_result(&q);
}

/// A whole request that hits: begin, fingerprint, lookup, end. The next key
/// depends on the result, so that requests do not overlap.
void hit(benchmark::State& state, u64 working_set)
{
    const auto bytes = static_cast<u32>(state.range(0));
    System system;
    Owner owner;
    for (u64 seed = 0; seed < working_set; seed++)
        store(system, owner, bytes, seed * 1000);
    u64 seed = 0;
    for (auto unused : state) {
        kcr_query q;
        begin(q, system, owner, bytes, seed % working_set * 1000);
        const bool found = kcr_lookup_unified(&q);
        kcr_query_end(&q, found);
        seed += 1 + (found ? q.res[0] : 0);
    }
    state.counters["l2_share"] = static_cast<double>(system.count(KCR_L2_HITS)) /
                                 static_cast<double>(system.count(KCR_LOOKUPS));
}

void l2_hit(benchmark::State& state)
{
    hit(state, KCR_L2_SLOTS / 4);
}

void l3_hit(benchmark::State& state)
{
    hit(state, KCR_L3_SLOTS / 2);
}

void miss(benchmark::State& state)
{
    System system;
    Owner owner;
    u64 seed = 0;
    for (auto unused : state) {
        kcr_query q;
        begin(q, system, owner, static_cast<u32>(state.range(0)), ++seed * 1000);
        benchmark::DoNotOptimize(kcr_lookup_unified(&q));
    }
}

void store_evict(benchmark::State& state)
{
    System system;
    Owner owner;
    u64 seed = 0;
    for (auto unused : state)
        store(system, owner, static_cast<u32>(state.range(0)), ++seed * 1000);
}

void fingerprint(benchmark::State& state)
{
    System system;
    Owner owner;
    const std::vector<u8> body(4096, 1);
    kcr_query q;
    begin(q, system, owner, static_cast<u32>(state.range(0)), 1);
    q.body = body.data();
    for (auto unused : state) {
        q.key[0] = kcr_fingerprint(&q);
        benchmark::DoNotOptimize(q.key[0]);
    }
}

BENCHMARK(l2_hit)->Arg(16)->Arg(32)->Arg(64);
BENCHMARK(l3_hit)->Arg(16)->Arg(32)->Arg(64);
BENCHMARK(miss)->Arg(64);
BENCHMARK(store_evict)->Arg(64);
BENCHMARK(fingerprint)->Arg(16)->Arg(32)->Arg(64)->Arg(4096);

} // namespace
} // namespace kcr::native

BENCHMARK_MAIN();
