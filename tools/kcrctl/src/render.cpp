// SPDX-License-Identifier: GPL-2.0
#include "render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kcr::ctl
{

namespace
{

using nlohmann::ordered_json;

constexpr double percent = 100;
constexpr double few_entries = 4096; ///< of a node's tier

std::string row(const std::string& label, const std::string& text)
{
    return fmt::format("  {:<30} {}\n", label, text);
}

std::string count_row(const std::string& label, std::uint64_t count)
{
    return row(label, grouped(static_cast<double>(count)));
}

double share(double part, double whole)
{
    return whole > 0 ? percent * part / whole : 0;
}

/// Why calls were not judged.
std::string reasons(const kcr_counts& counts)
{
    std::string text;
    const auto say = [&text](std::uint64_t count, const char* what) {
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                                grouped(static_cast<double>(count)), what);
    };
    say(counts.too_large, "too large");
    say(counts.unreadable, "with memory that could not be read");
    say(counts.full, "with no room to remember them");
    say(counts.throttled, "after the probes had used up their time");
    return text;
}

/// In which other profiled function most of the repeats happened.
std::string inside_text(const Measurement& measured)
{
    const auto most =
        std::max_element(measured.inside.begin(), measured.inside.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == measured.inside.end() || measured.counts.equal == 0)
        return {};
    return fmt::format(
        "{} ({:.0f} %)", most->first,
        share(static_cast<double>(most->second), static_cast<double>(measured.counts.equal)));
}

std::string cost_text(const RunFacts& facts)
{
    return fmt::format("{:.0f} {} + {:.2f} a byte, {}", facts.cost.fixed_ns, facts.unit,
                       facts.cost.per_byte_ns, facts.cost.origin);
}

std::string saving_text(const Finding& finding, const RunFacts& facts)
{
    const double all = finding.mean_ns * static_cast<double>(finding.measured.counts.returned);
    return fmt::format("{} {} ({:.1f} % of the function's time)",
                       grouped(std::abs(finding.saving_ns)), facts.unit,
                       share(std::abs(finding.saving_ns), all));
}

ordered_json finding_json(const Finding& finding)
{
    const auto& counts = finding.measured.counts;
    ordered_json inside = ordered_json::object();
    for (const auto& [name, count] : finding.measured.inside)
        inside[name] = count;
    return {
        {"function", finding.measured.target.function},
        {"args", finding.measured.target.args},
        {"declared", finding.measured.target.declared},
        {"attached", finding.measured.attached},
        {"obstacle", finding.measured.obstacle},
        {"verdict", verdict_name(finding.verdict)},
        {"calls", counts.returned},
        {"distinct", counts.first},
        {"repeats", counts.equal + counts.differ},
        {"equal", counts.equal},
        {"differ", counts.differ},
        {"distinct_results", finding.measured.results},
        {"hottest", finding.measured.hottest},
        {"not_judged",
         {{"too_large", counts.too_large},
          {"unreadable", counts.unreadable},
          {"full", counts.full},
          {"throttled", counts.throttled}}},
        {"not_counted",
         {{"in_progress_at_start", counts.unmatched},
          {"in_progress_at_end", counts.entered - std::min(counts.entered, counts.returned)},
          {"no_room", counts.untracked}}},
        {"mean", finding.mean_ns},
        {"mean_repeat", finding.mean_repeat_ns},
        {"times_contain_waiting", finding.waits},
        {"repeats_took", finding.repeats_ns},
        {"lookups_would_take", finding.lookups_ns},
        {"saving", finding.saving_ns},
        {"probes_took", counts.probe_ns},
        {"repeats_inside_of", inside},
    };
}

std::string ranking_line(std::size_t place, const Finding& finding)
{
    const auto& counts = finding.measured.counts;
    const auto label = place != 0 ? fmt::format("{}", place) : std::string();
    return fmt::format("{:>2} {:<30} {:>10} {:>8} {:>10} {:>10} {:>14}  {}\n", label,
                       finding.measured.target.function,
                       grouped(static_cast<double>(counts.returned)),
                       grouped(static_cast<double>(counts.first)),
                       grouped(static_cast<double>(counts.equal)), grouped(finding.mean_ns),
                       finding.verdict <= Verdict::constant ? grouped(finding.saving_ns) : "-",
                       inside_text(finding.measured));
}

} // namespace

std::string grouped(double value)
{
    auto digits = fmt::format("{:.0f}", std::abs(value));
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return (value <= -0.5 ? "-" : "") + digits;
}

std::string render_finding(const Finding& finding, const RunFacts& facts)
{
    const auto& measured = finding.measured;
    const auto& counts = measured.counts;
    std::string text = measured.target.function + "\n";
    text += row("what counts", measured.target.args.empty() ? "nothing: it has no arguments"
                                                            : measured.target.args);
    if (measured.attached.empty())
        return text + row("not attached", measured.obstacle);
    text += row("attached by", measured.attached);
    text += count_row("calls", counts.returned);
    text += count_row("  new inputs", counts.first);
    text += count_row("  repeated, result equal", counts.equal);
    text += count_row("  repeated, result DIFFERENT", counts.differ);
    text += row("  not judged",
                not_judged(counts) == 0
                    ? "0"
                    : fmt::format("{}: {}", grouped(static_cast<double>(not_judged(counts))),
                                  reasons(counts)));
    if (counts.untracked != 0)
        text += count_row("not counted: too many at once", counts.untracked);
    if (counts.returned == 0)
        return text + row("verdict", std::string(verdict_text(finding.verdict)));
    if (counts.differ == 0)
        text += count_row("different results", measured.results);
    text += row("a call takes", fmt::format("{} {}{}", grouped(finding.mean_ns), facts.unit,
                                            finding.waits ? ", waiting included" : ""));
    if (counts.equal != 0) {
        text += row("repeats took", fmt::format("{} {}", grouped(finding.repeats_ns), facts.unit));
        text += row("lookups would take",
                    fmt::format("{} {}", grouped(finding.lookups_ns), facts.unit));
        text += row("a lookup", cost_text(facts));
        if (counts.differ == 0)
            text += row(finding.saving_ns > 0 ? "reuse would save" : "reuse would LOSE",
                        saving_text(finding, facts));
        const auto inside = inside_text(measured);
        if (!inside.empty())
            text += row("repeats inside of", inside);
    }
    if (static_cast<double>(counts.first) > few_entries)
        text += row("note", "more inputs than a node's tier has entries: fewer will be found");
    return text + row("verdict", std::string(verdict_text(finding.verdict)));
}

std::string render_ranking(const std::vector<Finding>& findings, const RunFacts& facts)
{
    std::string text =
        fmt::format("{:>2} {:<30} {:>10} {:>8} {:>10} {:>10} {:>14}  {}\n", "", "function", "calls",
                    "inputs", "repeats", "a call", "reuse saves", "repeats inside of");
    std::size_t place = 0;
    auto verdict = Verdict::pays;
    for (const auto& finding : findings) {
        if (finding.verdict == Verdict::not_called)
            continue;
        if (finding.verdict != verdict) {
            verdict = finding.verdict;
            text += fmt::format("   -- {}:\n", verdict_text(verdict));
        }
        text += ranking_line(verdict == Verdict::pays ? ++place : 0, finding);
        if (finding.verdict == Verdict::not_attached)
            text += fmt::format("   {}\n", finding.measured.obstacle);
        if (not_judged(finding.measured.counts) != 0)
            text += fmt::format("   {:<30} not judged: {}\n", "", reasons(finding.measured.counts));
    }
    text += fmt::format("\nunit: {}; counted for {:.1f} s; a lookup: {}\n", facts.unit,
                        facts.seconds, cost_text(facts));
    return text;
}

std::string render_sites(const std::vector<SiteReport>& reports, const std::string& unit)
{
    std::string text = fmt::format("{:<12} {:<9} {:>10} {:>10} {:>8} {:>10} {:>16}\n", "site",
                                   "mode", "requests", "repeats", "differ", "a call", "saves");
    for (const auto& report : reports) {
        text +=
            fmt::format("{:<12} {:<9} {:>10} {:>10} {:>8} {:>10} {:>16}\n", report.name,
                        report.mode, grouped(static_cast<double>(report.lookups)),
                        grouped(static_cast<double>(report.repeats)),
                        grouped(static_cast<double>(report.differing)), grouped(report.mean_ticks),
                        grouped(static_cast<double>(report.saved_ticks)));
    }
    text += fmt::format("\nunit: {}; only requests of those who opted in are seen\n", unit);
    return text;
}

ordered_json to_json(const std::vector<Finding>& findings, const RunFacts& facts)
{
    ordered_json list = ordered_json::array();
    for (const auto& finding : findings)
        list.push_back(finding_json(finding));
    return {{"unit", facts.unit},
            {"seconds", facts.seconds},
            {"load_status", facts.load_status},
            {"lookup_cost",
             {{"fixed", facts.cost.fixed_ns},
              {"per_byte", facts.cost.per_byte_ns},
              {"origin", facts.cost.origin}}},
            {"functions", list}};
}

ordered_json to_json(const std::vector<SiteReport>& reports, const std::string& unit)
{
    ordered_json list = ordered_json::array();
    for (const auto& report : reports)
        list.push_back({{"site", report.name},
                        {"mode", report.mode},
                        {"requests", report.lookups},
                        {"repeats", report.repeats},
                        {"differ", report.differing},
                        {"too_large", report.too_large},
                        {"passed", report.passed},
                        {"mean", report.mean_ticks},
                        {"saving", report.saved_ticks}});
    return {{"unit", unit}, {"sites", list}};
}

} // namespace kcr::ctl
