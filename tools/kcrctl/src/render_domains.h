// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "domains.h"
#include "sites.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kcr::ctl
{

/// What a domain's functions did, as a table, what saved most first.
std::string render_functions(const std::vector<FunctionCounts>& functions);

/// One line for each domain.
std::string render_domains(const std::vector<Domain>& domains);

/// All about each domain.
std::string render_stats(const std::vector<Domain>& domains);

nlohmann::ordered_json to_json(const std::vector<Domain>& domains);

/// What `kcrctl top` shows: what a site or a function did since the last time.
struct Activity {
    std::string name; ///< site seccomp_run, or domain 3 libm.so.6:pow
    std::string state;
    double lookups = 0; ///< a second
    double hits = 0;
    double saved = 0;       ///< ticks a second
    std::int64_t total = 0; ///< ticks saved so far
};

/// Compares two moments @p seconds apart; what saves most comes first.
std::vector<Activity> compare(const std::vector<Domain>& later, const std::vector<Domain>& earlier,
                              double seconds);
std::vector<Activity> compare(const SiteCounters& later, const SiteCounters& earlier,
                              const std::map<std::string, std::string>& modes, double seconds);

/// A screen of at most @p lines lines, each of at most @p columns characters.
std::string render_top(std::vector<Activity> activities, std::size_t lines, std::size_t columns);

} // namespace kcr::ctl
