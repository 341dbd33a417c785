// SPDX-License-Identifier: GPL-2.0
#include "signed_module.h"

#include "build.h"
#include "process.h"

namespace kcr::tool
{

namespace fs = std::filesystem;

Result<fs::path> build_signed_module(const Project& project, const std::string& config,
                                     const std::string& module)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    const auto built = build_kernel(project, {.tree = project.src(),
                                              .config = config,
                                              .targets = {"modules"},
                                              .log_name = "modules-" + config + ".log"});
    if (!built)
        return built.error();
    const auto objects = Project::objects(project.src(), config);
    const auto folder = project.build() / "modules" / config;
    std::error_code error;
    fs::create_directories(folder, error);
    const auto plain = objects / (module + ".ko");
    const auto copy = folder / plain.filename();
    // The debug information is large, and is read through the guest's slow file system
    const auto stripped =
        run_ok({.argv = {"strip", "--strip-debug", "-o", copy.string(), plain.string()}});
    if (!stripped)
        return stripped.error();
    const auto signed_it =
        run_ok({.argv = {(objects / "scripts/sign-file").string(), "sha256",
                         (objects / "certs/signing_key.pem").string(),
                         (objects / "certs/signing_key.x509").string(), copy.string()}});
    if (!signed_it)
        return signed_it.error();
    return copy;
}

} // namespace kcr::tool
