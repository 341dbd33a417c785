// SPDX-License-Identifier: GPL-2.0
#include "guest_sites.h"

#include "build.h"
#include "commands.h"
#include "process.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

constexpr double sites_timeout_s = 900;
constexpr const char* module_file = "lib/crc7.ko";

} // namespace

Result<std::filesystem::path> build_signed_module(const Project& project)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    const BuildRequest request = {
        .tree = project.src(), .targets = {"modules"}, .log_name = "modules.log"};
    if (const auto built = build_kernel(project, request); !built)
        return built.error();
    const auto objects = Project::objects(project.src(), request.config);
    const auto signed_file = objects / "signed" / std::filesystem::path(module_file).filename();
    std::error_code error;
    std::filesystem::create_directories(signed_file.parent_path(), error);
    const auto done =
        run_ok({.argv = {(objects / "scripts/sign-file").string(), "sha256",
                         (objects / "certs/signing_key.pem").string(),
                         (objects / "certs/signing_key.x509").string(),
                         (objects / module_file).string(), signed_file.string()}});
    if (!done)
        return done.error();
    return signed_file;
}

std::string sites_command(const Project& project, const std::filesystem::path& module)
{
    return fmt::format("{} --module {}",
                       (project.tool_build() / "guest/sites/kcr-sites").string(), module.string());
}

BootRequest sites_boot_request(const Project& project, const std::string& name,
                               const std::string& script)
{
    auto request = boot_request(project, "base", name);
    request.machine.icount = true;
    request.machine = *settle_machine(request.machine);
    request.machine.append = {"cryptomgr.notests"};
    request.job.argv = {"/bin/sh", "-c", script};
    request.timeout_s = sites_timeout_s;
    return request;
}

} // namespace kcr::tool
