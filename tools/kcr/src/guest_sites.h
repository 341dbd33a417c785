// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "boot.h"
#include "project.h"
#include "result.h"

#include <string>

namespace kcr::tool
{

/// Builds the base kernel's test module and signs it with that kernel's key; returns its path.
Result<std::filesystem::path> build_signed_module(const Project& project);

/// The command line of kcr-sites, which takes real work through KCR's sites in the guest.
std::string sites_command(const Project& project, const std::filesystem::path& module);

/// What boots the base kernel so that it counts instructions, to run @p script.
BootRequest sites_boot_request(const Project& project, const std::string& name,
                               const std::string& script);

} // namespace kcr::tool
