// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "suites.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kcr::tool
{

/// Configures and builds the CMake project @p source in @p build.
Status build_cmake(const Project& project, const std::filesystem::path& source,
                   const std::filesystem::path& build, const std::vector<std::string>& options);

/// A GoogleTest program that is to be run.
struct GtestRun {
    std::filesystem::path program;
    std::string prefix; ///< of the cases' names in the report
    std::string filter; ///< which cases, empty for all
    std::vector<std::pair<std::string, std::string>> env;
    double timeout_s = 900;
};

/// Runs a GoogleTest program and reports each of its cases.
void run_gtest(SuiteContext& context, const GtestRun& gtest);

/// The last lines of @p text.
std::string tail(std::string_view text, std::size_t count);

} // namespace kcr::tool
