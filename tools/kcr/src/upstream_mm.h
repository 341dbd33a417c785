// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "tap.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// What a kernel says of its own tests: by name, the verdict.
using TestResults = std::map<std::string, std::string>;

/// The word for a verdict in TestResults.
std::string verdict_name(Verdict verdict);

/// The programs of tools/testing/selftests/mm that run everywhere.
const std::vector<std::string>& mm_programs();

/// A shell script that runs them from @p dir, each for @p timeout_s seconds at most.
std::string mm_script(const std::string& dir, double timeout_s);

/// What the script's output says: TAP cases by program and order, and how each program ended.
TestResults parse_mm_results(std::string_view output);

} // namespace kcr::tool
