// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// What one bench suite measured.
struct Figures {
    nlohmann::ordered_json values = nlohmann::ordered_json::object(); ///< name -> number
    std::vector<std::string> comments; ///< what was measured on: drivers, tiers
};

/// Reads the in-kernel benchmark's lines: "NAME VALUE" and "# COMMENT".
Figures parse_guest_bench(std::string_view text);

/// Reads what kcr-native-bench prints: {"figures": {NAME: TICKS}, "comments": [...]}.
Figures parse_native_bench(std::string_view json_text);

/// The native figures' ratios that have targets: "l2_hit_16_16 / floor = 1.6 (target 1.8)".
std::vector<std::string> native_ratios(const nlohmann::ordered_json& figures);

/// The User Mode Linux figures in the output of its KUnit run, with the ratios of computing to
/// reusing.
Figures parse_uml_bench(std::string_view text);

/// Runs the sites' benchmarks under User Mode Linux, where kernel code runs at native speed.
Result<Figures> bench_uml(const Project& project);

/// Builds the core for user space and measures it.
Result<Figures> bench_native(const Project& project);

} // namespace kcr::tool
