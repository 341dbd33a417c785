// SPDX-License-Identifier: GPL-2.0
#include "build.h"
#include "commands.h"
#include "lint.h"
#include "overlay.h"
#include "prepare.h"
#include "series.h"
#include "suites.h"
#include "tempdir.h"
#include "text.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

/// checkpatch and git am over the exported mails.
void check_mails(SuiteContext& context)
{
    const auto& project = context.project;
    const auto dir = TempDir::make(project.build());
    if (!dir) {
        context.report.fail("export", dir.error().message);
        return;
    }
    const auto mails = export_series(project, dir->path());
    if (!mails) {
        context.report.check("export", mails.error());
        return;
    }
    context.report.pass("export");
    const std::vector<fs::path> patches(mails->begin() + 1, mails->end());
    for (const auto& mail : patches)
        context.report.check("checkpatch " + mail.filename().string(), checkpatch(project, mail));
    context.report.check("git am", check_git_am(project, patches));
}

} // namespace

void run_suite_series(SuiteContext& context)
{
    const auto& project = context.project;
    auto lock = BuildLock::take(project);
    if (!lock) {
        context.report.fail("lock", lock.error().message);
        return;
    }
    const auto prepared = prepare_tree(project);
    if (!prepared) {
        context.report.check("every patch applies without fuzz", prepared.error());
        return;
    }
    context.report.pass("every patch applies without fuzz");
    check_mails(context);
    context.report.check("MAINTAINERS", check_maintainers(project));
    context.report.check("kernel-doc", kernel_doc(project));
    if (context.quick) {
        context.report.skip("sparse and W=1", "--quick");
        return;
    }
    context.report.note("sparse and W=1");
    const auto warnings = compiler_warnings(project);
    if (!warnings)
        context.report.check("sparse and W=1", warnings.error());
    else if (warnings->empty())
        context.report.pass("sparse and W=1");
    else
        context.report.fail("sparse and W=1", join(*warnings, "\n"));
}

} // namespace kcr::tool
