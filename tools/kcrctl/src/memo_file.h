// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "description.h"

#include <filesystem>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// Parses a --memo-file: TOML with a table [[memo]] for each function. Errors say where in the
/// file, which is called @p name.
Result<std::vector<Memo>> parse_memo_file(std::string_view text, std::string_view name);

/// Reads one.
Result<std::vector<Memo>> read_memo_file(const std::filesystem::path& path);

} // namespace kcr::ctl
