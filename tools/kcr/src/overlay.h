// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace kcr::tool
{

/// Kernel path of each new file -> where it is in the repository (relative to the root).
using Overlay = std::map<std::string, std::string>;

/// The kernel path of the repository file @p path, or an empty string if it is not overlay.
std::string overlay_target(std::string_view path);

/// All overlay files of the repository at @p root.
Overlay find_overlay(const std::filesystem::path& root);

/// What sync_overlay() did.
struct SyncCounts {
    int written = 0;
    int unchanged = 0;
    int removed = 0;
};

/// Makes @p tree hold the overlay. A file is written only if its content differs, so that the
/// timestamps of unchanged files stay. Files of @p previous that are no longer in the overlay are
/// removed.
Result<SyncCounts> sync_overlay(const std::filesystem::path& root,
                                const std::filesystem::path& tree, const Overlay& overlay,
                                const std::set<std::string>& previous);

/// An error that names the first overlay file that the upstream kernel has as well.
Status check_overlay_is_new(const Overlay& overlay, const std::set<std::string>& upstream);

} // namespace kcr::tool
