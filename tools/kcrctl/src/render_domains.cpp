// SPDX-License-Identifier: GPL-2.0
#include "render_domains.h"

#include "render.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::ctl
{

namespace
{

using nlohmann::ordered_json;

std::string count(std::uint64_t value)
{
    return grouped(static_cast<double>(value));
}

std::string signed_count(std::int64_t value)
{
    return fmt::format("{}{}", value < 0 ? "-" : "",
                       grouped(static_cast<double>(value < 0 ? -value : value)));
}

/// "gzip (1234), gzip (1235)"
std::string holders_text(const Domain& domain)
{
    std::vector<std::string> texts;
    for (const auto& holder : domain.holders) {
        auto text = fmt::format("{} ({})", holder.command, holder.pid);
        if (holder.access != "store")
            text += " looks up only";
        if (std::find(texts.begin(), texts.end(), text) == texts.end())
            texts.push_back(std::move(text));
    }
    return tool::join(texts, ", ");
}

std::string row(const std::string& label, const std::string& text)
{
    return fmt::format("  {:<24} {}\n", label, text);
}

const FunctionCounts* find_function(const std::vector<Domain>& domains, std::uint64_t domain,
                                    unsigned number)
{
    for (const auto& candidate : domains) {
        if (candidate.info.number != domain)
            continue;
        for (const auto& function : candidate.info.functions) {
            if (function.number == number)
                return &function;
        }
    }
    return nullptr;
}

std::int64_t value_of(const std::map<std::string, std::int64_t>& counters, const char* name)
{
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
}

/// @p text, cut to so many characters.
std::string cut(const std::string& text, std::size_t columns)
{
    return text.size() > columns ? text.substr(0, columns) : text;
}

} // namespace

std::string render_functions(const std::vector<FunctionCounts>& functions)
{
    auto sorted = functions;
    std::stable_sort(
        sorted.begin(), sorted.end(),
        [](const FunctionCounts& a, const FunctionCounts& b) { return a.saved > b.saved; });
    auto text = fmt::format("{:<28} {:>12} {:>12} {:>12} {:>12} {:>18}  {}\n", "function", "calls",
                            "hits", "computed", "bypassed", "ticks saved", "state");
    for (const auto& function : sorted)
        text +=
            fmt::format("{:<28} {:>12} {:>12} {:>12} {:>12} {:>18}  {}\n", function.name,
                        count(function.calls()), count(function.hits), count(function.computed()),
                        count(function.bypassed), signed_count(function.saved), function.state);
    return text;
}

std::string render_domains(const std::vector<Domain>& domains)
{
    auto text = fmt::format("{:>6} {:>14} {:>10} {:>10} {:>18}  {}\n", "domain", "bytes",
                            "functions", "entries", "ticks saved", "processes");
    for (const auto& domain : domains)
        text += fmt::format("{:>6} {:>14} {:>10} {:>10} {:>18}  {}\n", domain.info.number,
                            count(domain.info.region), domain.info.functions.size(),
                            count(domain.info.entries), signed_count(domain.saved()),
                            holders_text(domain));
    return text;
}

std::string render_stats(const std::vector<Domain>& domains)
{
    std::string text;
    for (const auto& domain : domains) {
        const auto& info = domain.info;
        text += fmt::format("{}domain {}\n", text.empty() ? "" : "\n", info.number);
        text += row("processes", holders_text(domain));
        text += row("memory", count(info.region) + " bytes");
        text += row("results remembered", count(info.entries));
        text += row("in memory of their own", count(info.blob_bytes) + " bytes");
        text += row("stored", count(info.stored));
        text += row("equal to those before", count(info.equal));
        text += row("no room", count(info.refused));
        text += row("made room for others", count(info.evicted));
        text += row("too late", count(info.stale));
        text += row("flushes", count(info.flushes));
        if (!info.functions.empty())
            text += fmt::format("\n{}", render_functions(info.functions));
    }
    return text;
}

ordered_json to_json(const std::vector<Domain>& domains)
{
    auto result = ordered_json::array();
    for (const auto& domain : domains) {
        const auto& info = domain.info;
        ordered_json one = {{"domain", info.number},
                            {"region_bytes", info.region},
                            {"entries", info.entries},
                            {"blob_bytes", info.blob_bytes},
                            {"stored", info.stored},
                            {"equal", info.equal},
                            {"refused", info.refused},
                            {"evicted", info.evicted},
                            {"stale", info.stale},
                            {"flushes", info.flushes},
                            {"processes", ordered_json::array()},
                            {"functions", ordered_json::array()}};
        for (const auto& holder : domain.holders)
            one["processes"].push_back({{"pid", holder.pid},
                                        {"command", holder.command},
                                        {"fd", holder.fd},
                                        {"access", holder.access}});
        for (const auto& function : info.functions)
            one["functions"].push_back({{"function", function.number},
                                        {"name", function.name},
                                        {"state", function.state},
                                        {"entries", function.entries},
                                        {"hits", function.hits},
                                        {"misses", function.misses},
                                        {"bypassed", function.bypassed},
                                        {"audits", function.audits},
                                        {"learned", function.learned},
                                        {"failed", function.failed},
                                        {"ticks_saved", function.saved}});
        result.push_back(std::move(one));
    }
    return result;
}

std::vector<Activity> compare(const std::vector<Domain>& later, const std::vector<Domain>& earlier,
                              double seconds)
{
    std::vector<Activity> activities;
    for (const auto& domain : later) {
        for (const auto& now : domain.info.functions) {
            const FunctionCounts nothing;
            const auto* before = find_function(earlier, domain.info.number, now.number);
            if (before == nullptr || before->calls() > now.calls())
                before = &nothing;
            Activity activity{.name = fmt::format("domain {} {}", domain.info.number, now.name),
                              .state = now.state,
                              .total = now.saved};
            const auto rate = [seconds](std::uint64_t a, std::uint64_t b) {
                return a < b ? 0 : static_cast<double>(a - b) / seconds;
            };
            activity.lookups = rate(now.calls() - now.bypassed, before->calls() - before->bypassed);
            activity.hits = rate(now.hits, before->hits);
            activity.saved = static_cast<double>(now.saved - before->saved) / seconds;
            activities.push_back(std::move(activity));
        }
    }
    return activities;
}

std::vector<Activity> compare(const SiteCounters& later, const SiteCounters& earlier,
                              const std::map<std::string, std::string>& modes, double seconds)
{
    std::vector<Activity> activities;
    for (const auto& [site, counters] : difference(later, earlier)) {
        const auto mode = modes.find(site);
        Activity activity{.name = "site " + site,
                          .state = mode == modes.end() ? "?" : mode->second};
        activity.lookups = static_cast<double>(value_of(counters, "lookups")) / seconds;
        activity.hits =
            static_cast<double>(value_of(counters, "hits_l2") + value_of(counters, "hits_l3")) /
            seconds;
        activity.saved = static_cast<double>(value_of(counters, "ticks_saved")) / seconds;
        activity.total = value_of(later.at(site), "ticks_saved");
        activities.push_back(std::move(activity));
    }
    return activities;
}

std::string render_top(std::vector<Activity> activities, std::size_t lines, std::size_t columns)
{
    std::stable_sort(activities.begin(), activities.end(),
                     [](const Activity& a, const Activity& b) {
                         return a.saved != b.saved ? a.saved > b.saved : a.total > b.total;
                     });
    auto text = cut(fmt::format("{:<32} {:<9} {:>12} {:>12} {:>16} {:>20}", "", "state",
                                "lookups/s", "hits/s", "ticks saved/s", "ticks saved in all"),
                    columns) +
                "\n";
    std::size_t shown = 1;
    for (const auto& activity : activities) {
        if (shown++ == lines)
            break;
        const auto saved = static_cast<std::int64_t>(activity.saved);
        text += cut(fmt::format("{:<32} {:<9} {:>12} {:>12} {:>16} {:>20}", activity.name,
                                activity.state, grouped(activity.lookups), grouped(activity.hits),
                                signed_count(saved), signed_count(activity.total)),
                    columns) +
                "\n";
    }
    return text;
}

} // namespace kcr::ctl
