// SPDX-License-Identifier: GPL-2.0
#include "bench.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>
#include <unordered_map>

namespace kcr::native
{

namespace
{

/// How often keys that others displaced are replaced.
constexpr u32 kTries = 100;

template <unsigned Words> void put_key(kcr_query& q, const WordArray<Words>& key)
{
    std::copy(key.begin(), key.end(), q.key);
    q.fingerprint = kcr_fingerprint(&q);
}

/// Adds random keys up to @p count; the tier may forget others for them.
template <unsigned Words>
void add_keys(std::vector<WordArray<Words>>& keys, kcr_tier* tier, kcr_query& q, u32 count,
              std::mt19937_64& random)
{
    while (keys.size() < count) {
        WordArray<Words> key;
        for (u64& word : key)
            word = random();
        put_key<Words>(q, key);
        kcr_tier_store(tier, &q, nullptr);
        keys.push_back(key);
    }
}

/// Slots by the first word of the key that lies in them.
template <unsigned Words> std::unordered_map<u64, kcr_slot*> slots_of(kcr_tier* tier)
{
    const unsigned words = kcr_class_words(Words == 2   ? KCR_CLASS_16
                                           : Words == 4 ? KCR_CLASS_32
                                                        : KCR_CLASS_64);
    std::unordered_map<u64, kcr_slot*> slots;
    for (u32 i = 0; i < tier->nr_slots; i++)
        slots[tier->slots[i].data[words]] = &tier->slots[i];
    return slots;
}

} // namespace

kcr_query begin_query(System& system, Owner& owner, u32 bytes)
{
    kcr_query q{};
    kcr_shape shape{};
    shape.body_len = bytes;
    shape.bulk_len = bytes;
    if (kcr_query_begin(&q, &system.site(), owner.get(), &shape) < 0)
        std::abort();
    q.start = 0; // neither timed nor audited
    return q;
}

template <unsigned Words>
WorkingSet<Words> fill(kcr_tier* tier, System& system, Owner& owner, u32 count)
{
    std::mt19937_64 random(count + Words);
    kcr_query q = begin_query(system, owner, Words * 8);
    WorkingSet<Words> set;
    for (u32 tries = 0; tries < kTries && set.keys.size() < count; tries++) {
        add_keys<Words>(set.keys, tier, q, count, random);
        std::erase_if(set.keys, [&](const auto& key) {
            put_key<Words>(q, key);
            return !kcr_tier_lookup(tier, &q);
        });
    }

    const auto slots = slots_of<Words>(tier);
    std::vector<u32> order(set.keys.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    set.results.resize(order.size());
    set.slots.resize(order.size());
    for (std::size_t i = 0; i < order.size(); i++) {
        const u32 next = order[(i + 1) % order.size()];
        auto& result = set.results[order[i]];
        for (u64& word : result)
            word = random();
        put_key<Words>(q, set.keys[next]);
        result[0] = q.fingerprint;
        result[1] = next;
        kcr_slot* slot = slots.at(set.keys[order[i]][0]);
        std::copy(result.begin(), result.end(), slot->data);
        set.slots[order[i]] = static_cast<u32>(slot - tier->slots);
    }
    return set;
}

template <unsigned Words>
void follow(kcr_bench_fn* subject, void* context, const WorkingSet<Words>& set, kcr_query& q,
            u64 steps)
{
    const WordArray<Words>* keys = set.keys.data();
    u64 hash = set.results[0][0];
    u64 number = set.results[0][1];
    for (u64 step = 0; step < steps; step++) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < Words; i++)
            q.key[i] = keys[number][i];
        if (!subject(context, &q, keys[number].data(), hash))
            std::abort();
        hash = q.res[0];
        number = q.res[1];
    }
}

double hit_rate(kcr_tier* tier, System& system, Owner& owner, u32 keys)
{
    constexpr u64 kWarm = 64;
    constexpr u64 kMeasured = 64;
    std::mt19937_64 random(keys);
    kcr_query q = begin_query(system, owner, 16);
    u64 hits = 0;
    for (u64 n = 0; n < (kWarm + kMeasured) * keys; n++) {
        q.key[0] = random() % keys;
        q.key[1] = keys;
        q.fingerprint = kcr_fingerprint(&q);
        if (!kcr_tier_lookup(tier, &q))
            kcr_tier_store(tier, &q, nullptr);
        else if (n >= kWarm * keys)
            hits++;
    }
    return 100.0 * static_cast<double>(hits) / static_cast<double>(kMeasured * keys);
}

template WorkingSet<2> fill(kcr_tier*, System&, Owner&, u32);
template WorkingSet<4> fill(kcr_tier*, System&, Owner&, u32);
template WorkingSet<8> fill(kcr_tier*, System&, Owner&, u32);
template void follow(kcr_bench_fn*, void*, const WorkingSet<2>&, kcr_query&, u64);
template void follow(kcr_bench_fn*, void*, const WorkingSet<4>&, kcr_query&, u64);
template void follow(kcr_bench_fn*, void*, const WorkingSet<8>&, kcr_query&, u64);

} // namespace kcr::native
