// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"
#include "prototype.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// The file that a program is, as execvp() would find it.
Result<std::filesystem::path> find_program(const std::string& name);

/// The file that a library's name leads to: what the dynamic linker finds for @p program, or for
/// kcrctl. A name with a slash is a path.
Result<std::filesystem::path> find_library(const std::string& name,
                                           const std::filesystem::path& program);

/// Refuses what is not a function that @p library offers; names the nearest one that is. Returns
/// the name that the dynamic linker has for the library.
Result<std::string> check_symbol(const std::filesystem::path& library, const std::string& function);

/// What the debug information of @p library, or of the file that belongs to its build id, says.
std::optional<Prototype> debug_prototype(const std::filesystem::path& library,
                                         const std::string& function);

} // namespace kcr::ctl
