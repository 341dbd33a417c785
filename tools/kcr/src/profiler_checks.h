// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "report.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace kcr::tool
{

/// What one command in the guest printed and how it ended.
struct GuestStep {
    std::string out;
    int status = -1; ///< -1: it did not end
};
using GuestSteps = std::map<std::string, GuestStep>;

/// The shell script that runs the profiler under loads of exactly known size. @p tool is the
/// folder of kcrctl and kcrctl-load, @p module a signed module.
std::string profiler_script(const std::filesystem::path& tool, const std::filesystem::path& module);

/// Splits what the script printed.
GuestSteps parse_steps(std::string_view out);

/// Whether the profiler counted what the loads did.
void judge_profiler(Report& report, const GuestSteps& steps);

} // namespace kcr::tool
