// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <nlohmann/json.hpp>

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

/// Reads Google Benchmark's JSON: "native.NAME_ns" -> CPU time.
Figures parse_native_bench(std::string_view json_text);

} // namespace kcr::tool
