// SPDX-License-Identifier: GPL-2.0
#include "guest_sites.h"

#include "commands.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

constexpr double sites_timeout_s = 900;

} // namespace

std::string sites_command(const Project& project, const std::filesystem::path& module)
{
    return fmt::format("{} --module {}", (project.tool_build() / "guest/sites/kcr-sites").string(),
                       module.string());
}

std::string faults_command(const Project& project)
{
    return (project.tool_build() / "guest/sites/kcr-sites").string() + " --only 'page faults'";
}

std::string programs_command(const Project& project)
{
    return fmt::format("{} --kcrctl {} --programs {}",
                       (project.tool_build() / "guest/programs/kcr-programs").string(),
                       (project.tool_build() / "kcrctl/kcrctl").string(),
                       (project.root() / "tools/kcrctl/guest/programs").string());
}

BootRequest sites_boot_request(const Project& project, const std::string& name,
                               const std::string& script, const std::string& config)
{
    auto request = boot_request(project, config, name);
    request.machine.icount = true;
    request.machine = *settle_machine(request.machine);
    request.machine.append = {"cryptomgr.notests"};
    request.job.argv = {"/bin/sh", "-c", script};
    request.timeout_s = sites_timeout_s;
    return request;
}

} // namespace kcr::tool
