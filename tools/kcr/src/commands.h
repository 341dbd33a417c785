// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <string>
#include <string_view>
#include <vector>

namespace CLI
{
class App;
}

namespace kcr::tool
{

/// Exit status of a command whose work did not succeed (a test failed, an answer differed).
inline constexpr int exit_failure = 1;

/// Prints "kcr: error: …" and the hint; returns exit_tool_error.
int report_error(const Error& error);

/// Adds `kcr prepare`, `kcr build`, `kcr boot`, … to @p app. Each sets @p status when it runs.
void add_doctor(CLI::App& app, const Project& project, int& status);
void add_prepare(CLI::App& app, const Project& project, int& status);
void add_build(CLI::App& app, const Project& project, int& status);
void add_boot(CLI::App& app, const Project& project, int& status);
void add_test(CLI::App& app, const Project& project, int& status);
void add_bench(CLI::App& app, const Project& project, int& status);
void add_demo(CLI::App& app, const Project& project, int& status);
void add_series(CLI::App& app, const Project& project, int& status);
void add_clean(CLI::App& app, const Project& project, int& status);

/// Prepares the tree and builds @p config under the build lock, saying what it does.
Status prepare_and_build(const Project& project, const std::string& config);

} // namespace kcr::tool
