// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// Counters of all sites: site -> counter -> value.
using SiteCounters = std::map<std::string, std::map<std::string, std::int64_t>>;

/// Parses debugfs' kcr/stats.
Result<SiteCounters> parse_stats(std::string_view text);

/// What was counted between two moments.
SiteCounters difference(const SiteCounters& later, const SiteCounters& earlier);

/// What a site in observe mode saw.
struct SiteReport {
    std::string name;
    std::string mode;
    std::int64_t lookups = 0;
    std::int64_t repeats = 0; ///< reuse would have answered
    std::int64_t differing = 0;
    std::int64_t too_large = 0;
    std::int64_t passed = 0;
    double mean_ticks = 0; ///< of computing
    std::int64_t saved_ticks = 0;
};

/// Reports of all sites, what would save most first.
std::vector<SiteReport> report_sites(const SiteCounters& counted,
                                     const std::map<std::string, std::string>& modes);

/// KCR's files in the running system.
class SiteFiles
{
public:
    explicit SiteFiles(std::filesystem::path sysfs = "/sys/kernel/kcr/sites",
                       std::filesystem::path debugfs = "/sys/kernel/debug/kcr")
        : sysfs_(std::move(sysfs)), debugfs_(std::move(debugfs))
    {
    }

    [[nodiscard]] Result<SiteCounters> counters() const;
    /// The mode of each site.
    [[nodiscard]] Result<std::map<std::string, std::string>> modes() const;
    [[nodiscard]] Status set_mode(const std::string& site, const std::string& mode) const;

private:
    std::filesystem::path sysfs_;
    std::filesystem::path debugfs_;
};

/// Puts sites into observe mode, and back when it ends.
class ObserveAll
{
public:
    explicit ObserveAll(const SiteFiles& files) : files_(files) {}
    ObserveAll(const ObserveAll&) = delete;
    ObserveAll& operator=(const ObserveAll&) = delete;
    ~ObserveAll();

    /// Switches all sites except those that are off or rejected.
    Status begin();
    /// Puts the modes back; says which could not be.
    Status end();

private:
    const SiteFiles& files_;
    std::map<std::string, std::string> before_;
};

} // namespace kcr::ctl
