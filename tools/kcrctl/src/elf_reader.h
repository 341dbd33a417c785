// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <filesystem>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// A symbol that a library offers.
struct DynamicSymbol {
    std::string name;
    bool is_function = false; ///< also one whose code is chosen when it is loaded
};

/// The symbols that the x86-64 library @p path defines.
Result<std::vector<DynamicSymbol>> read_dynamic_symbols(const std::filesystem::path& path);

} // namespace kcr::ctl
