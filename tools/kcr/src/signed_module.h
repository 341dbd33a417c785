// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "result.h"

#include <filesystem>
#include <string>

namespace kcr::tool
{

/// Builds the modules of @p config and signs one of them (its path in the tree, without ".ko") as
/// the kernel wants it: with the key that was made for this kernel. Returns the signed copy.
Result<std::filesystem::path> build_signed_module(const Project& project, const std::string& config,
                                                  const std::string& module);

} // namespace kcr::tool
