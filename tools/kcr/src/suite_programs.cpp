// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "guest_sites.h"
#include "guest_tap.h"
#include "suites.h"

namespace kcr::tool
{

namespace
{

constexpr double program_timeout_s = 800;

} // namespace

void run_suite_programs(SuiteContext& context)
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, "base"); !built) {
        context.report.check("build", built);
        return;
    }
    const std::vector<GuestProgram> programs = {{"programs", programs_command(project)}};
    auto request =
        sites_boot_request(project, "programs", guest_script(programs, program_timeout_s));
    run_guest_tap(context, request, programs);
}

} // namespace kcr::tool
