// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// Option name -> value as written; "n" for "# CONFIG_X is not set".
using Fragment = std::map<std::string, std::string>;

/// Reads a kernel config fragment (or a whole .config).
Fragment parse_fragment(std::string_view text);

/// A fragment in the syntax that kconfig reads.
std::string render_fragment(const Fragment& fragment);

/// @p over on top of @p base.
Fragment merge_fragments(Fragment base, const Fragment& over);

/// Options of @p wanted that @p final_config does not have, as "CONFIG_X=y (is n)".
std::vector<std::string> missing_options(const Fragment& wanted, const Fragment& final_config);

/// The files in configs/ that make up @p config, in order.
std::vector<std::string> fragment_files(std::string_view config);

/// The merged fragments of @p config, or an error if @p config is unknown.
Result<Fragment> load_config(const Project& project, const std::string& config);

} // namespace kcr::tool
