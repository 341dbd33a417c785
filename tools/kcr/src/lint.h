// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "patch.h"
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

/// What checkpatch printed, without what it misunderstands in C++.
std::string checkpatch_findings(std::string_view output);

/// The F: patterns that the patches add to MAINTAINERS.
std::vector<std::string> added_file_patterns(const std::vector<Patch>& patches);

/// True if an F: pattern covers @p path ("dir/" covers everything below).
bool maintainers_pattern_matches(std::string_view pattern, std::string_view path);

/// An error that lists the overlay files which no F: line of the series covers.
Status check_maintainers(const Project& project);

/// scripts/kernel-doc -none -Wall -Werror over our kernel files.
Status kernel_doc(const Project& project);

/// Warning lines of sparse and of the compiler in a build log, without positions: "FILE: TEXT".
std::vector<std::string> warning_lines(std::string_view log);

/// What sparse and W=1 say about our objects and about those that the series changes, beyond
/// what they say about the unpatched tree. Needs the build lock and a prepared tree.
Result<std::vector<std::string>> compiler_warnings(const Project& project);

} // namespace kcr::tool
