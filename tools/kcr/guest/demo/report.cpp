// SPDX-License-Identifier: GPL-2.0
#include "report.hpp"

#include <cinttypes>
#include <cstdio>

namespace demo
{

namespace
{

using Json = nlohmann::ordered_json;

int64_t plain_total(const SiteResult& site)
{
    uint64_t sum = 0;

    for (const PassTicks& pass : site.ticks)
        sum += pass.plain;
    return static_cast<int64_t>(sum);
}

int64_t reuse_total(const SiteResult& site)
{
    uint64_t sum = 0;

    for (const PassTicks& pass : site.ticks)
        sum += pass.reuse;
    return static_cast<int64_t>(sum);
}

double saved_percent(const SiteResult& site)
{
    const int64_t plain = plain_total(site);

    if (plain == 0)
        return 0;
    return 100.0 * static_cast<double>(plain - reuse_total(site)) / static_cast<double>(plain);
}

/* Ticks of one operation, as the kernel sampled them; null if it sampled none. */
Json per_operation(const kcr::Counters& counters, const char* ticks, const char* samples)
{
    const int64_t count = counters[samples];

    return count ? Json(counters[ticks] / count) : Json(nullptr);
}

std::string text(const Json& number)
{
    return number.is_null() ? "not sampled" : number.dump();
}

Json costs_to_json(const kcr::Counters& counters)
{
    return {{"compute", per_operation(counters, "compute_ticks", "sampled_computes")},
            {"hit", per_operation(counters, "hit_ticks", "sampled_hits")},
            {"miss_overhead", per_operation(counters, "miss_ticks", "sampled_misses")}};
}

Json site_to_json(const SiteResult& site)
{
    const kcr::Counters& counters = site.counters;
    Json misses = Json::object();
    Json passes = Json::array();

    for (const char* reason : {"cold", "evicted", "stale", "expired", "too_large", "unverified"})
        misses[reason] = counters[std::string("miss_") + reason];
    for (const PassTicks& pass : site.ticks)
        passes.push_back({{"plain", pass.plain}, {"reuse", pass.reuse}});
    return {
        {"name", site.name},
        {"algorithm", site.algorithm},
        {"requests", site.requests},
        {"bytes", site.bytes},
        {"lookups", counters["lookups"]},
        {"hits", {{"l2", counters["l2_hits"]}, {"l3", counters["l3_hits"]}}},
        {"misses", misses},
        {"stores", counters["stores"]},
        {"stores_dropped", counters["stores_dropped"]},
        {"passed", counters["passed"]},
        {"instructions", costs_to_json(counters)},
        {"by_pass", passes},
        {"plain_total", plain_total(site)},
        {"reuse_total", reuse_total(site)},
        {"saved", plain_total(site) - reuse_total(site)},
        {"saved_percent", saved_percent(site)},
        {"kernel_ticks_saved", counters["ticks_saved"]},
        {"bypassed", counters["bypassed"]},
        {"predicted",
         {{"hits", site.predicted.hits},
          {"saved", site.predicted.saved},
          {"differing", site.predicted.differing},
          {"instructions", costs_to_json(site.predicted.counters)}}},
        {"mismatches", site.mismatches},
    };
}

} // namespace

Json to_json(const std::string& tree, const Corpus& corpus, unsigned passes,
             const std::vector<SiteResult>& sites)
{
    Json list = Json::array();
    uint64_t answers = 0;
    uint64_t mismatches = 0;

    for (const SiteResult& site : sites) {
        list.push_back(site_to_json(site));
        answers += site.requests;
        mismatches += site.mismatches;
    }
    return {
        {"tree", tree},
        {"files", corpus.files()},
        {"blocks", corpus.size()},
        {"duplicate_blocks", corpus.duplicates()},
        {"bytes", corpus.bytes()},
        {"passes", passes},
        {"unit", ticks_are_instructions() ? "instructions" : "ticks"},
        {"sites", list},
        {"identical", mismatches == 0},
        {"answers", answers},
    };
}

void print_site(const SiteResult& site, bool instructions)
{
    const char* unit = instructions ? "instructions" : "ticks";
    const double percent = saved_percent(site);

    std::fprintf(stderr,
                 "%s (%s): %" PRIu64 " requests, %" PRId64 " L2 hits, %" PRId64 " L3 hits, %" PRId64
                 " misses\n",
                 site.name.c_str(), site.algorithm.c_str(), site.requests, site.counters["l2_hits"],
                 site.counters["l3_hits"], site.counters.misses());
    std::fprintf(stderr, "  %s per operation: compute %s, hit %s, overhead of a miss %s\n", unit,
                 text(per_operation(site.counters, "compute_ticks", "sampled_computes")).c_str(),
                 text(per_operation(site.counters, "hit_ticks", "sampled_hits")).c_str(),
                 text(per_operation(site.counters, "miss_ticks", "sampled_misses")).c_str());
    std::fprintf(stderr,
                 "  all passes, system calls included: %" PRId64 " %s plain, %" PRId64
                 " with reuse: %.1f %% %s\n",
                 plain_total(site), unit, reuse_total(site), percent < 0 ? -percent : percent,
                 percent < 0 ? "lost, reuse does not pay here" : "saved");
    if (site.mismatches)
        std::fprintf(stderr, "  WRONG: %" PRIu64 " answers differ\n", site.mismatches);
}

} // namespace demo
