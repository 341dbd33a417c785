// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "boot.h"
#include "project.h"

#include <filesystem>
#include <string>

namespace kcr::tool
{

/// The module that kcr-sites loads, for build_signed_module().
inline constexpr const char* sites_module = "lib/crc7";

/// The command line of kcr-sites, which takes real work through KCR's sites in the guest.
std::string sites_command(const Project& project, const std::filesystem::path& module);

/// The command line of what kcr-sites measures in kernels without KCR, too: page faults.
std::string faults_command(const Project& project);

/// The command line of kcr-programs, which runs programs with and without kcrctl run.
std::string programs_command(const Project& project);

/// What boots the kernel of @p config so that it counts instructions, to run @p script.
BootRequest sites_boot_request(const Project& project, const std::string& name,
                               const std::string& script, const std::string& config = "base");

} // namespace kcr::tool
