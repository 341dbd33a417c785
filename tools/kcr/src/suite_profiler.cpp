// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "cmake.h"
#include "commands.h"
#include "profiler_checks.h"
#include "signed_module.h"
#include "suites.h"

namespace kcr::tool
{

namespace
{

constexpr double profiler_timeout_s = 600;

} // namespace

void run_suite_profiler(SuiteContext& context)
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, context.config); !built) {
        context.report.check("build", built);
        return;
    }
    const auto module = build_signed_module(project, context.config, "lib/crc7");
    if (!module) {
        context.report.check("signed module", module.error());
        return;
    }
    auto request = boot_request(project, context.config, "profiler");
    request.machine.append = {"cryptomgr.notests"};
    request.job.argv = {"sh", "-c", profiler_script(project.tool_build() / "kcrctl", *module)};
    request.timeout_s = profiler_timeout_s * context.patience();
    const auto outcome = boot(request);
    if (!outcome) {
        context.report.check("boot", outcome.error());
        return;
    }
    if (outcome->end != BootEnd::exited)
        context.report.fail("boot", outcome->describe() + "\n" + tail(outcome->err, 30));
    judge_profiler(context.report, parse_steps(outcome->out));
}

} // namespace kcr::tool
