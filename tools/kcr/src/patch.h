// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// One patch of the series.
struct Patch {
    std::string name;                  ///< file name
    std::string content;               ///< the whole file
    std::string header;                ///< everything before the first diff, as written
    std::string diff;                  ///< the rest
    std::vector<std::string> touched;  ///< kernel paths it changes
    std::vector<std::string> created;  ///< kernel paths it creates or deletes (not allowed)
    std::vector<std::string> overlays; ///< values of its X-KCR-Overlay lines

    [[nodiscard]] std::string subject() const;
    [[nodiscard]] std::string field(std::string_view key) const;
    /// The header without From, Subject, Date and X-KCR-Overlay lines.
    [[nodiscard]] std::string body() const;
};

/// Takes a -p1 unified diff apart.
Patch parse_patch(std::string name, std::string content);

/// Names in a quilt series file, without comments and options.
std::vector<std::string> parse_series(std::string_view text);

/// All patches of patches/series, in order; an error if one creates a file.
Result<std::vector<Patch>> load_series(const Project& project);

} // namespace kcr::tool
