// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "guest_sites.h"
#include "guest_tap.h"
#include "signed_module.h"
#include "suites.h"
#include "text.h"

namespace kcr::tool
{

namespace
{

constexpr double program_timeout_s = 800;

} // namespace

void run_suite_sites(SuiteContext& context)
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, "base"); !built) {
        context.report.check("build", built);
        return;
    }
    const auto module = build_signed_module(project, "base", sites_module);
    if (!module) {
        context.report.fail("signed module", module.error().message + "\n" + module.error().hint);
        return;
    }
    const std::vector<GuestProgram> programs = {{"sites", sites_command(project, *module)}};
    auto request = sites_boot_request(project, "sites", guest_script(programs, program_timeout_s));
    run_guest_tap(context, request, programs);
}

} // namespace kcr::tool
