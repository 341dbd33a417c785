// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace kcr::tool
{

/// The document of kcr-demo laid out for a terminal.
std::string render_demo(const nlohmann::ordered_json& document);

/// "1234567" -> "1,234,567"
std::string grouped(long long value);

} // namespace kcr::tool
