// SPDX-License-Identifier: GPL-2.0
/// @file
/// What the core costs natively, compiled as the kernel compiles it: prints figures as JSON.
#include "bench.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace kcr::native
{

namespace
{

struct TierDelete {
    void operator()(kcr_tier* tier) const
    {
        kcr_tier_destroy(tier);
    }
};
using Tier = std::unique_ptr<kcr_tier, TierDelete>;

Tier make_tier(u32 slots, u8 level)
{
    Tier tier(kcr_tier_create(slots, level, NUMA_NO_NODE, 0));
    if (!tier)
        std::abort();
    return tier;
}

/// The calling CPU's tiers, for as long as this lives.
class UseTiers
{
public:
    UseTiers(kcr_tier* l2, kcr_tier* l3)
        : l2_(std::exchange(raw_cpu_read(kcr_l2), l2)),
          l3_(std::exchange(raw_cpu_read(kcr_l3_local), l3))
    {
    }
    ~UseTiers()
    {
        raw_cpu_read(kcr_l2) = l2_;
        raw_cpu_read(kcr_l3_local) = l3_;
    }
    UseTiers(const UseTiers&) = delete;
    UseTiers& operator=(const UseTiers&) = delete;

private:
    kcr_tier* l2_;
    kcr_tier* l3_;
};

/// The C subjects of one size.
struct Functions {
    kcr_bench_fn* floor;
    kcr_bench_fn* request;
};

constexpr Functions kFunctions16 = {kcr_bench_floor_16, kcr_bench_request_16};
constexpr Functions kFunctions32 = {kcr_bench_floor_32, kcr_bench_request_32};
constexpr Functions kFunctions64 = {kcr_bench_floor_64, kcr_bench_request_64};

class Bench
{
public:
    Bench(double seconds, const std::string& filter)
    {
        add_size<2>(kFunctions16);
        add_size<4>(kFunctions32);
        add_size<8>(kFunctions64);
        add_fingerprint(4096);
        add_store();
        add_miss();
        add_bypass();
        std::erase_if(subjects_, [&](const Subject& subject) {
            return subject.name.find(filter) == std::string::npos;
        });
        measure(subjects_, seconds);
    }

    [[nodiscard]] nlohmann::ordered_json figures();

private:
    kcr_query query(u32 bytes)
    {
        return begin_query(system_, owner_, bytes);
    }

    /// Adds a chain of lookups in @p l2, or if that is nullptr in @p l3.
    template <unsigned Words>
    void add_chain(const std::string& name, kcr_bench_fn* fn, void* context,
                   std::shared_ptr<WorkingSet<Words>> set, kcr_tier* l2, kcr_tier* l3)
    {
        auto q = std::make_shared<kcr_query>(query(Words * 8));
        subjects_.push_back({.name = name, .run = [=](u64 steps) {
                                 const UseTiers use(l2, l3);
                                 follow<Words>(fn, context, *set, *q, steps);
                             }});
    }

    /// A copy of @p tier whose results say which slot is next.
    template <unsigned Words>
    kcr_tier* add_floor_tier(const kcr_tier* tier, WorkingSet<Words>& set);
    template <unsigned Words>
    void add_tier(const std::string& level, const Functions& functions, kcr_tier* tier, u32 slots);
    template <unsigned Words> void add_size(const Functions& functions);
    void add_fingerprint(u32 bytes);
    void add_store();
    void add_miss();
    void add_bypass();

    System system_;
    Owner owner_;
    std::vector<Tier> tiers_;
    std::vector<u8> body_ = std::vector<u8>(4096, 1);
    std::vector<std::shared_ptr<kcr_query>> likes_;
    std::vector<Subject> subjects_;
};

template <unsigned Words>
kcr_tier* Bench::add_floor_tier(const kcr_tier* tier, WorkingSet<Words>& set)
{
    tiers_.push_back(make_tier(tier->nr_slots, tier->level));
    kcr_tier* floor = tiers_.back().get();
    std::copy_n(tier->slots, tier->nr_slots, floor->slots);
    for (std::size_t i = 0; i < set.keys.size(); i++) {
        set.results[i][0] = set.slots[set.results[i][1]];
        floor->slots[set.slots[i]].data[0] = set.results[i][0];
    }
    return floor;
}

template <unsigned Words>
void Bench::add_tier(const std::string& level, const Functions& functions, kcr_tier* tier,
                     u32 slots)
{
    const std::string bytes = std::to_string(Words * 8);
    auto set = std::make_shared<WorkingSet<Words>>(fill<Words>(tier, system_, owner_, slots));
    const bool is_l2 = level == "l2";
    kcr_tier* l2 = is_l2 ? tier : nullptr;
    kcr_tier* l3 = is_l2 ? nullptr : tier;
    auto like = std::make_shared<kcr_query>(query(Words * 8));

    auto floor = std::make_shared<WorkingSet<Words>>(*set);
    add_chain<Words>("floor_" + level + "_" + bytes, functions.floor,
                     add_floor_tier<Words>(tier, *floor), floor, l2, l3);
    add_chain<Words>(level + "_hit_" + bytes + "_" + bytes, kcr_bench_known, nullptr, set, l2, l3);
    add_chain<Words>("request_" + level + "_" + bytes, functions.request, like.get(), set, l2, l3);
    if (is_l2) {
        add_chain<Words>("empty_" + bytes, kcr_bench_empty, nullptr, set, l2, l3);
        add_chain<Words>("hash_hit_" + bytes, kcr_bench_hash_known, nullptr, set, l2, l3);
    }
    likes_.push_back(std::move(like));
    add_peers<Words>(subjects_, set, query(Words * 8));
}

template <unsigned Words> void Bench::add_size(const Functions& functions)
{
    tiers_.push_back(make_tier(KCR_L2_SLOTS, 2));
    add_tier<Words>("l2", functions, tiers_.back().get(), KCR_L2_SLOTS);
    tiers_.push_back(make_tier(KCR_L3_SLOTS, 3));
    add_tier<Words>("l3", functions, tiers_.back().get(), KCR_L3_SLOTS);
    add_fingerprint(Words * 8);
    add_users<Words>(subjects_, query(Words * 8));
}

/// Each fingerprint goes into the next key.
void Bench::add_fingerprint(u32 bytes)
{
    auto q = std::make_shared<kcr_query>(query(bytes));
    q->body = body_.data();
    subjects_.push_back({.name = "fingerprint_" + std::to_string(bytes),
                         .steps = bytes > KCR_INLINE_MAX ? 64U : 4096U,
                         .run = [q](u64 steps) {
                             while (steps-- > 0)
                                 q->key[0] = kcr_fingerprint(q.get());
                         }});
}

/// Stores new keys into a full tier.
void Bench::add_store()
{
    tiers_.push_back(make_tier(KCR_L3_SLOTS, 3));
    auto q = std::make_shared<kcr_query>(query(64));
    kcr_tier* tier = tiers_.back().get();
    subjects_.push_back({.name = "store_evict_64_64", .run = [=](u64 steps) {
                             while (steps-- > 0) {
                                 q->key[0]++;
                                 q->fingerprint = q->key[0] * 0x9e3779b97f4a7c15;
                                 kcr_tier_store(tier, q.get(), nullptr);
                             }
                         }});
}

/// Neither tier has it.
void Bench::add_miss()
{
    auto q = std::make_shared<kcr_query>(query(64));
    kcr_tier* l2 = tiers_[0].get();
    kcr_tier* l3 = tiers_[1].get();
    subjects_.push_back({.name = "miss", .run = [=](u64 steps) {
                             const UseTiers use(l2, l3);
                             while (steps-- > 0) {
                                 q->fingerprint = ++q->key[0] * 0x9e3779b97f4a7c15;
                                 if (kcr_bench_known(nullptr, q.get(), nullptr, q->fingerprint))
                                     std::abort();
                             }
                         }});
}

/// The gate, when it says no.
void Bench::add_bypass()
{
    const kcr_site* site = &system_.site();
    subjects_.push_back({.name = "bypass", .run = [site](u64 steps) {
                             for (s32& pace : this_cpu_ptr(site->stats)->pace)
                                 pace = -static_cast<s32>(2 * steps);
                             while (steps-- > 0) {
                                 if (kcr_bench_bypass(site, 64))
                                     std::abort();
                             }
                         }});
}

nlohmann::ordered_json Bench::figures()
{
    auto figures = nlohmann::ordered_json::object();
    for (const auto& subject : subjects_)
        figures["native." + subject.name] = std::round(subject.ticks * 100) / 100;
    for (const auto& [name, slots] : {std::pair{"", KCR_L3_SLOTS}, {"_l2", KCR_L2_SLOTS}}) {
        for (const auto& [load, keys] : {std::pair{"full", slots}, {"half", slots / 2}}) {
            const auto tier = make_tier(slots, 3);
            figures["native.hit_rate_" + std::string(load) + name] =
                std::round(hit_rate(tier.get(), system_, owner_, keys) * 10) / 10;
        }
    }
    return figures;
}

/// Measures for @p seconds what has @p filter in its name, and prints it.
void run(double seconds, const std::string& filter)
{
    Bench bench(seconds, filter);
    nlohmann::ordered_json document;
    document["figures"] = bench.figures();
    document["comments"] = {"ticks of the TSC a step, the least of many rounds"};
    if (!filter.empty()) {
        document["comments"].push_back("not everything was measured");
    } else if (pin(1) && pin(0)) {
        const auto scaling = measure_scaling(seconds / 4);
        document["figures"]["native.scaling_l2"] = std::round(scaling.l2 * 1000) / 1000;
        document["figures"]["native.scaling_empty"] = std::round(scaling.empty * 1000) / 1000;
    } else {
        document["comments"].push_back("one CPU: no scaling");
    }
    std::printf("%s\n", document.dump(2).c_str());
}

} // namespace
} // namespace kcr::native

int main(int argc, char** argv)
{
    // For work on one figure: kcr-native-bench SECONDS PART-OF-NAME
    const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 20;
    try {
        if (!kcr::native::pin(0))
            throw std::runtime_error("cannot pin itself to a CPU");
        kcr::native::run(seconds, argc > 2 ? argv[2] : "");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-native-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
