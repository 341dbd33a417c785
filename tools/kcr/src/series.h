// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "overlay.h"
#include "patch.h"
#include "project.h"
#include "result.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kcr::tool
{

/// Patch name -> kernel paths of the overlay files that belong to it.
using Ownership = std::map<std::string, std::vector<std::string>>;

/// Gives each overlay file to the patch whose X-KCR-Overlay lines name it. An error if a file is
/// named by no patch or by two.
Result<Ownership> assign_overlay(const std::vector<Patch>& patches, const Overlay& overlay);

/// The commit message of @p patch.
std::string commit_message(const Patch& patch);

/// Writes the series to @p destination as mails that `git am` accepts, with a cover letter. The
/// tree must be prepared. Returns the mails in order, the cover letter first.
Result<std::vector<std::filesystem::path>> export_series(const Project& project,
                                                         const std::filesystem::path& destination);

/// Applies @p mails (without a cover letter) with `git am` to the unpatched files, and compares
/// the outcome with the prepared tree.
Status check_git_am(const Project& project, const std::vector<std::filesystem::path>& mails);

/// Builds every prefix of the series without and with KCR. Needs the build lock.
Status bisect_series(const Project& project);

} // namespace kcr::tool
