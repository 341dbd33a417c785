// SPDX-License-Identifier: GPL-2.0
/// @file
/// kcr-policy: what to store and what to displace, by simulation. CSV on stdout.
#include "tier.hpp"
#include "traces.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace kcr::policy
{

namespace
{

constexpr std::array<const char*, 3> kRecorded = {"demo", "demo-large", "demo-small"};

/// The hit rate in percent. Recorded traces run through both tiers.
double hit_rate(const Config& config, const Trace& trace, bool stacked)
{
    Tier tier(config);
    Stack stack(config);
    std::size_t counted = 0;
    std::size_t hits = 0;
    std::size_t number = 0;
    for (const Request& request : trace.requests) {
        if (request.forget) {
            tier.forget(request.owner);
            stack.forget(request.owner);
            continue;
        }
        bool hit = false;
        if (stacked) {
            hit = stack.request(request.key, request.owner, request.blob);
        } else {
            hit = tier.lookup(request.key, request.owner);
            if (!hit)
                tier.store(request.key, request.owner);
        }
        if (number++ >= trace.warm_up) {
            counted++;
            hits += hit;
        }
    }
    return 100.0 * static_cast<double>(hits) / static_cast<double>(counted);
}

void print_rates(const Config& config, const std::vector<Trace>& traces, std::size_t recorded)
{
    for (std::size_t i = 0; i < traces.size(); i++)
        std::printf("%u,%u,%s,%s,%s,%s,%.2f\n", config.slots, config.factor,
                    name(config.evict).data(), name(config.admit).data(),
                    config.chance ? "yes" : "no", traces[i].name.c_str(),
                    hit_rate(config, traces[i], i >= recorded));
}

void study(const std::string& directory)
{
    std::puts("slots,factor,evict,admit,chance,trace,hit_rate");
    for (const std::uint32_t slots : {512U, 4096U}) {
        auto traces = synthetic_traces(slots, 7);
        const std::size_t recorded = traces.size();
        for (const char* file : kRecorded) {
            if (slots == 4096)
                traces.push_back(read_trace(directory + "/" + file + ".trace"));
        }
        Config config;
        config.slots = slots;
        for (unsigned evict = 0; evict < kEvicts; evict++) {
            for (unsigned admit = 0; admit < kAdmits; admit++) {
                config.evict = static_cast<Evict>(evict);
                config.admit = static_cast<Admit>(admit);
                print_rates(config, traces, recorded);
            }
        }
        config = Config{};
        config.slots = slots;
        config.chance = true;
        print_rates(config, traces, recorded);
        config.factor = 4;
        print_rates(config, traces, recorded);
        // What the kernel had when the traces were recorded
        config.chance = false;
        config.evict = Evict::Clock;
        config.admit = Admit::Always;
        print_rates(config, traces, recorded);
    }
}

struct Attack {
    unsigned times;
    unsigned owners;
    unsigned rate;
};

/// The victim's hit rate with a uniform working set of @p keys, attacked half-way.
double victim_rate(const Config& config, std::uint32_t keys, const Attack& attack)
{
    constexpr unsigned kRequests = 20000;
    Tier tier(config);
    std::mt19937_64 random(5);
    std::uint64_t next = 0;
    unsigned hits = 0;
    for (unsigned i = 0; i < 2 * kRequests; i++) {
        const auto key = static_cast<std::uint32_t>(random() % keys);
        const bool hit = tier.lookup(key, 0);
        if (!hit)
            tier.store(key, 0);
        hits += hit && i >= kRequests * 3 / 2;
        if (i < kRequests)
            continue;
        for (unsigned n = 0; n < attack.rate; n++, next++) {
            const std::uint64_t sent = next / attack.times;
            const auto owner = static_cast<std::uint32_t>(1 + sent % attack.owners);
            if (!tier.lookup(sent, owner))
                tier.store(sent, owner);
        }
    }
    return 100.0 * hits / (kRequests / 2.0);
}

void flood()
{
    std::puts("share,admit,keys,times,owners,rate,keeps");
    std::vector<Config> configs(4);
    configs[0].evict = Evict::Clock;
    configs[0].admit = Admit::Always;
    configs[2].share = Share::Strict;
    configs[3].share = Share::Read;
    configs[3].chance = true;
    for (const Config& config : configs) {
        for (const std::uint32_t keys : {256U, 1000U, 2000U, 4000U}) {
            const double alone = victim_rate(config, keys, {1, 1, 0});
            for (const unsigned times : {1U, 2U, 3U}) {
                for (const unsigned owners : {1U, 2U, 8U, 64U}) {
                    for (const unsigned rate : {1U, 10U, 100U})
                        std::printf("%s,%s,%u,%u,%u,%u,%.1f\n", name(config.share).data(),
                                    name(config.admit).data(), keys, times, owners, rate,
                                    100 * victim_rate(config, keys, {times, owners, rate}) / alone);
                }
            }
        }
    }
}

int failures;

void expect(bool condition, const char* what)
{
    std::printf("%s - %s\n", condition ? "ok" : "not ok", what);
    failures += !condition;
}

double rate_of(const Config& config, const char* wanted)
{
    for (const Trace& trace : synthetic_traces(config.slots, 3)) {
        if (trace.name == wanted)
            return hit_rate(config, trace, false);
    }
    std::abort();
}

/// The simulator against what can be known without it.
void check()
{
    Config config{Evict::Lru, Admit::Always, Share::None, false, 512, 8, 16, 1};
    expect(rate_of(config, "loop-2.0") == 0, "LRU never hits in a loop of twice its size");
    expect(rate_of(config, "loop-0.5") > 95, "what fits stays");
    const double half = rate_of(config, "uniform-double");
    expect(half > 49 && half < 51, "half of a uniform working set gives half the hits");
    config.evict = Evict::Random;
    const double loop = rate_of(config, "loop-2.0");
    expect(loop > 19 && loop < 21.5, "random replacement in a loop: h = exp((h - 1) / 0.5)");
    config.admit = Admit::Second;
    expect(rate_of(config, "two-pass") < 1, "second sighting misses the second pass");
    config.admit = Admit::FreeOrSecond;
    expect(rate_of(config, "two-pass") > 48, "unless it stores while there is room");
    Tier tier(config);
    for (std::uint32_t key = 0; key < 300; key++)
        tier.store(key, key % 3);
    expect(tier.used() + 40 > 300 && tier.used() <= 300 && tier.held(1) > 80, "slots are counted");
    tier.forget(1);
    expect(tier.held(1) == 0 && !tier.lookup(1, 1) && tier.lookup(2, 2), "an owner is forgotten");
}

int run(const std::string& command, const std::string& directory)
{
    if (command == "study")
        study(directory);
    else if (command == "flood")
        flood();
    else if (command == "check")
        check();
    else
        return 2;
    return failures != 0;
}

} // namespace

} // namespace kcr::policy

int main(int argc, char** argv)
{
    try {
        const int status = kcr::policy::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "traces");
        if (status == 2)
            std::fputs("usage: kcr-policy study [TRACES] | flood | check\n", stderr);
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-policy: %s\n", error.what());
        return 2;
    }
}
