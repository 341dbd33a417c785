// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "cost.h"
#include "judge.h"
#include "sites.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace kcr::ctl
{

/// What is the same for all that was found in one run.
struct RunFacts {
    CostModel cost;
    std::string unit = "ns"; ///< or "instructions"
    double seconds = 0;      ///< how long calls were counted
    int load_status = 0;     ///< exit status of the load
};

/// 1,234,567
std::string grouped(double value);

/// Everything about one function, line by line.
std::string render_finding(const Finding& finding, const RunFacts& facts);

/// A table of all, what would save most first.
std::string render_ranking(const std::vector<Finding>& findings, const RunFacts& facts);

/// A table of KCR's sites.
std::string render_sites(const std::vector<SiteReport>& reports, const std::string& unit);

nlohmann::ordered_json to_json(const std::vector<Finding>& findings, const RunFacts& facts);
nlohmann::ordered_json to_json(const std::vector<SiteReport>& reports, const std::string& unit);

} // namespace kcr::ctl
