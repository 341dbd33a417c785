// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "patch.h"
#include "project.h"
#include "result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace kcr::tool
{

/// What prepare_tree() found and did, for a person to read.
struct PrepareReport {
    bool unpacked = false;
    int files_written = 0;
    int files_removed = 0;
    int files_total = 0;
    int patches_total = 0;
    bool patches_applied = false;

    [[nodiscard]] std::string summary() const;
};

/// Makes build/src the kernel source with overlay and series. Idempotent; files whose content
/// does not change keep their timestamps. Needs the build lock.
Result<PrepareReport> prepare_tree(const Project& project);

/// Makes build/pristine the unchanged kernel source. Needs the build lock.
Status prepare_pristine(const Project& project);

/// Turns the output of a failed tar into an error a person can act on.
Error explain_unpack_failure(const std::filesystem::path& tarball, std::string_view output);

/// Turns the output of a failed `quilt push` into an error that names the patch and the hunk.
Error explain_push_failure(std::string_view output);

/// Applies @p patches to @p tree with quilt, without fuzz. On failure the tree is left without
/// any of them.
Status push_series(const Project& project, const std::filesystem::path& tree);

} // namespace kcr::tool
