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

/// What a library is and offers.
struct LibraryFile {
    std::string soname; ///< what programs and the dynamic linker call it, if it says
    std::vector<DynamicSymbol> symbols;
};

/// Reads the x86-64 library @p path.
Result<LibraryFile> read_library(const std::filesystem::path& path);

} // namespace kcr::ctl
