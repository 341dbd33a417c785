// SPDX-License-Identifier: GPL-2.0
#include "commands.h"
#include "domains.h"
#include "render_domains.h"
#include "terminal_screen.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace kcr::ctl
{

namespace
{

using Clock = std::chrono::steady_clock;

struct StatsOptions {
    std::uint64_t domain = 0;
    bool given = false;
    bool json = false;
};

struct TopOptions {
    double interval = 1;
    std::uint64_t iterations = 0; ///< 0: until interrupted
    bool once = false;
};

Result<std::vector<Domain>> domains_here()
{
    auto domains = find_domains();
    if (!domains || !domains->empty())
        return domains;
    // Nothing to be seen: for which reason?
    if (auto device = check_device(); !device)
        return device.error();
    return domains;
}

int list_domains(bool json)
{
    const auto domains = domains_here();
    if (!domains)
        return report_error(domains.error());
    if (json)
        fmt::print("{}\n", to_json(*domains).dump(2));
    else if (domains->empty())
        fmt::print("no domains of processes that you may look at\n");
    else
        fmt::print("{}", render_domains(*domains));
    return 0;
}

int show_stats(const StatsOptions& options)
{
    auto domains = domains_here();
    if (!domains)
        return report_error(domains.error());
    if (options.given) {
        std::erase_if(*domains,
                      [&](const Domain& domain) { return domain.info.number != options.domain; });
        if (domains->empty())
            return report_error({fmt::format("there is no domain {}", options.domain),
                                 "kcrctl domains lists those of processes that you may look at"});
    }
    if (options.json)
        fmt::print("{}\n", to_json(*domains).dump(2));
    else if (domains->empty())
        fmt::print("no domains of processes that you may look at\n");
    else
        fmt::print("{}", render_stats(*domains));
    return 0;
}

/// What sites and domains have counted at one moment.
struct Snapshot {
    std::vector<Domain> domains;
    SiteCounters sites;
    std::map<std::string, std::string> modes;
    Clock::time_point when;
};

/// Without root there are no sites, without the device no domains; without both nothing.
Result<Snapshot> take_snapshot()
{
    Snapshot snapshot{.when = Clock::now()};
    const SiteFiles files;
    auto sites = files.counters();
    auto domains = find_domains();
    if (domains)
        snapshot.domains = std::move(*domains);
    if (sites) {
        snapshot.sites = std::move(*sites);
        if (auto modes = files.modes())
            snapshot.modes = std::move(*modes);
    } else if (snapshot.domains.empty()) {
        if (auto device = check_device(); !device)
            return sites.error();
    }
    return snapshot;
}

int run_top(const TopOptions& options)
{
    auto before = take_snapshot();
    if (!before)
        return report_error(before.error());
    const auto rounds = options.once ? 1 : options.iterations;
    Screen screen;
    for (std::uint64_t round = 0; rounds == 0 || round < rounds; ++round) {
        if (!screen.wait(options.interval))
            break;
        auto now = take_snapshot();
        if (!now)
            return report_error(now.error());
        const double seconds =
            std::max(1e-3, std::chrono::duration<double>(now->when - before->when).count());
        auto activities = compare(now->domains, before->domains, seconds);
        const auto sites = compare(now->sites, before->sites, now->modes, seconds);
        activities.insert(activities.end(), sites.begin(), sites.end());
        screen.show(render_top(std::move(activities), screen.lines(), screen.columns()));
        before = std::move(now);
    }
    return 0;
}

} // namespace

void add_domains(CLI::App& app, int& status)
{
    auto* domains =
        app.add_subcommand("domains", "List the domains in which programs remember results");
    auto json = std::make_shared<bool>(false);
    domains->add_flag("--json", *json, "print JSON");
    domains->callback([&status, json] { status = list_domains(*json); });

    auto* stats = app.add_subcommand("stats", "What domains and their functions have counted");
    auto stats_options = std::make_shared<StatsOptions>();
    auto* given = stats->add_option("domain", stats_options->domain, "the number of one");
    stats->add_flag("--json", stats_options->json, "print JSON");
    stats->callback([&status, stats_options, given] {
        stats_options->given = given->count() != 0;
        status = show_stats(*stats_options);
    });

    auto* top = app.add_subcommand("top", "What is reused right now, by site and by function");
    auto top_options = std::make_shared<TopOptions>();
    top->add_option("--interval", top_options->interval, "seconds between two screens")
        ->check(CLI::Range(0.05, 3600.0))
        ->capture_default_str();
    top->add_option("--iterations", top_options->iterations, "how many screens (until Ctrl-C)");
    top->add_flag("--once", top_options->once, "one screen");
    top->callback([&status, top_options] { status = run_top(*top_options); });
}

} // namespace kcr::ctl
