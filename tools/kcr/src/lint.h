// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// scripts/checkpatch.pl --strict --codespell over one mail; silent or an error.
Status checkpatch(const Project& project, const std::filesystem::path& mail);

/// scripts/kernel-doc -none -Wall -Werror over our kernel files.
Status kernel_doc(const Project& project);

/// Warning lines of sparse and of the compiler in a build log, without positions: "FILE: TEXT".
std::vector<std::string> warning_lines(std::string_view log);

/// What sparse and W=1 say about our objects and about those that the series changes, beyond
/// what they say about the unpatched tree. Needs the build lock and a prepared tree.
Result<std::vector<std::string>> compiler_warnings(const Project& project);

} // namespace kcr::tool
