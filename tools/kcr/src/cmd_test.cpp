// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "process.h"
#include "suites.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace kcr::tool
{

namespace
{

struct Options {
    std::vector<std::string> suites;
    bool quick = false;
    bool list = false;
    std::string config = "base";
};

std::vector<std::string> suite_names()
{
    std::vector<std::string> names;
    for (const auto& suite : all_suites())
        names.push_back(suite.name);
    return names;
}

int run_test(const Project& project, const Options& options)
{
    if (options.list) {
        for (const auto& suite : all_suites())
            fmt::print("{:<12} {}{}\n", suite.name, suite.about,
                       suite.on_request ? " (only if named)" : "");
        return 0;
    }
    const auto names = suite_names();
    for (const auto& wanted : options.suites) {
        if (std::find(names.begin(), names.end(), wanted) == names.end())
            return report_error(unknown_word("suite", wanted, names));
    }
    Report report;
    SuiteContext context{project, report, options.quick, options.config};
    for (const auto& suite : all_suites()) {
        const bool named = std::find(options.suites.begin(), options.suites.end(), suite.name) !=
                           options.suites.end();
        const bool wanted = named || (options.suites.empty() && !suite.on_request);
        if (!wanted || interrupted() != 0)
            continue;
        report.begin_suite(suite.name);
        context.config = options.config;
        suite.run(context);
        report.end_suite();
    }
    if (interrupted() != 0)
        return report_error({"interrupted", {}});
    const auto xml = project.logs() / "junit.xml";
    if (auto written = write_file_atomic(xml, report.junit_xml()); !written)
        return report_error(written.error());
    fmt::print("JUnit XML: {}\n{}\n", xml.string(), report.closing_line());
    return report.count(Verdict::failed) == 0 ? 0 : exit_failure;
}

} // namespace

const std::vector<Suite>& all_suites()
{
    static const std::vector<Suite> suites = {
        {"tool", "unit tests, clang-format and clang-tidy of the C++ code", run_suite_tool},
        {"native", "the core compiled for user space", run_suite_native},
        {"libkcr", "the user library, its interface, installation and packages", run_suite_libkcr},
        {"model", "the tiers' protocol under a weak memory model, by spin", run_suite_model},
        {"kunit-uml", "KUnit under User Mode Linux", run_suite_kunit_uml},
        {"kunit-x86", "KUnit in the x86-64 kernel under QEMU", run_suite_kunit_x86},
        {"kselftest", "what user space sees, in the guest", run_suite_kselftest},
        {"profit", "observe predicts what reuse saves", run_suite_profit},
        {"sites", "real work through the sites, with them off and on", run_suite_sites},
        {"programs", "unmodified programs, plainly and under kcrctl run", run_suite_programs},
        {"profiler", "kcrctl profile counts what loads of known size do", run_suite_profiler},
        {"kasan",
         "domains, tracked memory and gates in a kernel that looks for memory errors, leaks and "
         "lock cycles, with "
         "failing allocations and 10^6 random calls",
         run_suite_kasan, true},
        {"kcsan", "torture in a kernel that looks for data races", run_suite_kcsan, true},
        {"soak",
         "writers, by all ways to write, against tracked memory, in kernels that look for memory "
         "errors and for data races",
         run_suite_soak, true},
        {"series", "checkpatch, kernel-doc, sparse, W=1, git am", run_suite_series},
        {"zero-impact", "unpatched and patched kernels have the same code", run_suite_zero_impact},
        {"upstream", "the kernel's own tests, with and without KCR", run_suite_upstream},
    };
    return suites;
}

void add_test(CLI::App& app, const Project& project, int& status)
{
    auto* command =
        app.add_subcommand("test", "Run test suites (most of them without an argument)");
    auto options = std::make_shared<Options>();
    command->add_option("suite", options->suites, "suites to run");
    command->add_flag("--quick", options->quick, "leave out what takes minutes");
    command->add_flag("--list", options->list, "list the suites");
    command->add_option("--config", options->config, "kernel for kunit-x86 and kselftest")
        ->capture_default_str();
    command->footer("Examples:\n  kcr test\n  kcr test tool kunit-uml\n  kcr test --list\n"
                    "  kcr test kunit-x86 kselftest --config debug-kasan");
    command->callback([&project, &status, options] { status = run_test(project, *options); });
}

} // namespace kcr::tool
