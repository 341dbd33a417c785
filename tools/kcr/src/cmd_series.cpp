// SPDX-License-Identifier: GPL-2.0
#include "commands.h"
#include "prepare.h"
#include "series.h"
#include "suites.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace kcr::tool
{

namespace
{

int run_check(const Project& project, bool bisect)
{
    Report report;
    SuiteContext context{project, report, false};
    report.begin_suite("series");
    run_suite_series(context);
    if (bisect && report.count(Verdict::failed) == 0) {
        auto lock = BuildLock::take(project);
        report.check("every prefix builds", lock ? bisect_series(project) : lock.error());
    }
    report.end_suite();
    fmt::print("{}\n", report.closing_line());
    return report.count(Verdict::failed) == 0 ? 0 : exit_failure;
}

int run_export(const Project& project, const std::string& destination)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return report_error(lock.error());
    if (const auto prepared = prepare_tree(project); !prepared)
        return report_error(prepared.error());
    const auto mails = export_series(project, destination);
    if (!mails)
        return report_error(mails.error());
    for (const auto& mail : *mails)
        fmt::print("{}\n", mail.string());
    return 0;
}

} // namespace

void add_series(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("series", "Check the series, or export it as mails");
    command->require_subcommand(1);
    command->footer("Examples:\n  kcr series check\n  kcr series export /tmp/kcr-series");
    auto* check =
        command->add_subcommand("check", "Apply, checkpatch, kernel-doc, sparse, W=1, git am");
    auto bisect = std::make_shared<bool>(false);
    check->add_flag("--bisect", *bisect, "also build every prefix, without and with KCR");
    check->footer("Examples:\n  kcr series check\n  kcr series check --bisect");
    check->callback([&project, &status, bisect] { status = run_check(project, *bisect); });
    auto* to = command->add_subcommand("export", "Write mails for git am, with a cover letter");
    auto destination = std::make_shared<std::string>();
    to->add_option("dir", *destination, "where to")->required();
    to->footer("Examples:\n  kcr series export /tmp/kcr-series");
    to->callback([&project, &status, destination] { status = run_export(project, *destination); });
}

} // namespace kcr::tool
