// SPDX-License-Identifier: GPL-2.0
#include "sites.h"

#include "fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace kcr::ctl
{

namespace
{

std::int64_t value_of(const std::map<std::string, std::int64_t>& counters, const char* name)
{
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
}

} // namespace

Result<SiteCounters> parse_stats(std::string_view text)
{
    SiteCounters counters;
    for (const auto& line : tool::split(text, '\n')) {
        const auto fields = tool::words(line);
        if (fields.empty())
            continue;
        std::int64_t value = 0;
        bool good = fields.size() == 3;
        if (good) {
            const auto* end = fields[2].data() + fields[2].size();
            const auto [last, error] = std::from_chars(fields[2].data(), end, value);
            good = error == std::errc() && last == end;
        }
        if (!good)
            return Error{fmt::format("cannot understand '{}' in kcr/stats", line), {}};
        counters[fields[0]][fields[1]] = value;
    }
    return counters;
}

SiteCounters difference(const SiteCounters& later, const SiteCounters& earlier)
{
    SiteCounters result = later;
    for (auto& [site, counters] : result) {
        const auto before = earlier.find(site);
        if (before == earlier.end())
            continue;
        for (auto& [name, value] : counters)
            value -= value_of(before->second, name.c_str());
    }
    return result;
}

std::vector<SiteReport> report_sites(const SiteCounters& counted,
                                     const std::map<std::string, std::string>& modes)
{
    std::vector<SiteReport> reports;
    for (const auto& [name, counters] : counted) {
        const auto mode = modes.find(name);
        SiteReport report{.name = name, .mode = mode == modes.end() ? "?" : mode->second};
        report.lookups = value_of(counters, "lookups");
        report.differing = value_of(counters, "observe_differ");
        report.repeats = value_of(counters, "observe_equal") + report.differing;
        report.too_large = value_of(counters, "miss_too_large");
        report.passed = value_of(counters, "passed");
        report.saved_ticks = value_of(counters, "ticks_saved");
        const auto samples = value_of(counters, "sampled_computes");
        if (samples > 0)
            report.mean_ticks = static_cast<double>(value_of(counters, "compute_ticks")) /
                                static_cast<double>(samples);
        reports.push_back(std::move(report));
    }
    std::stable_sort(reports.begin(), reports.end(), [](const SiteReport& a, const SiteReport& b) {
        return a.saved_ticks > b.saved_ticks;
    });
    return reports;
}

Result<SiteCounters> SiteFiles::counters() const
{
    const auto text = tool::read_file(debugfs_ / "stats");
    if (!text)
        return Error{text.error().message, "this needs a kernel with CONFIG_KCR=y, debugfs mounted "
                                           "at /sys/kernel/debug, and root"};
    return parse_stats(*text);
}

Result<std::map<std::string, std::string>> SiteFiles::modes() const
{
    std::map<std::string, std::string> modes;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(sysfs_, error)) {
        const auto mode = tool::read_file(entry.path() / "mode");
        if (mode)
            modes[entry.path().filename()] = std::string(tool::trim(*mode));
    }
    if (error)
        return Error{fmt::format("cannot read {}: {}", sysfs_.string(), error.message()),
                     "this needs a kernel with CONFIG_KCR=y"};
    return modes;
}

Status SiteFiles::set_mode(const std::string& site, const std::string& mode) const
{
    const auto path = sysfs_ / site / "mode";
    const tool::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid() || ::write(file.get(), mode.data(), mode.size()) < 0)
        return Error{
            fmt::format("cannot write {} to {}: {}", mode, path.string(), std::strerror(errno)),
            {}};
    return {};
}

ObserveAll::~ObserveAll()
{
    if (const auto ended = end(); !ended)
        fmt::print(stderr, "kcrctl: {}\n", ended.error().message);
}

Status ObserveAll::begin()
{
    const auto modes = files_.modes();
    if (!modes)
        return modes.error();
    for (const auto& [site, mode] : *modes) {
        if (mode == "off" || mode == "rejected" || mode == "observe")
            continue;
        if (auto set = files_.set_mode(site, "observe"); !set)
            return set;
        before_[site] = mode;
    }
    return {};
}

Status ObserveAll::end()
{
    Status result;
    for (const auto& [site, mode] : before_) {
        if (auto set = files_.set_mode(site, mode); !set)
            result = set;
    }
    before_.clear();
    return result;
}

} // namespace kcr::ctl
