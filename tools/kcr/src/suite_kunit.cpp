// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "console.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

constexpr double kunit_timeout_s = 420;
constexpr const char* filter = "kcr*";
/// Also the kernel's own suite "checksum"; the kernel takes one glob only.
constexpr const char* filter_x86 = "[kc][ch][re]*";

/// Passes the cases that the parser completes on to the report.
class KtapFeed
{
public:
    explicit KtapFeed(Report& report) : report_(report) {}

    void line(std::string_view text)
    {
        parser_.add_line(text);
        flush();
    }
    void finish(const std::string& log)
    {
        parser_.finish();
        flush();
        if (parser_.results().empty())
            report_.fail("results", "no test reported a result; log: " + log);
    }

private:
    void flush()
    {
        for (; reported_ < parser_.results().size(); ++reported_) {
            const auto& test = parser_.results()[reported_];
            report_.add(test.name, test.verdict, test.detail);
        }
    }

    Report& report_;
    TapParser parser_;
    std::size_t reported_ = 0;
};

} // namespace

void run_suite_kunit_uml(SuiteContext& context)
{
    if (auto built = prepare_and_build(context.project, "uml"); !built) {
        context.report.check("build", built);
        return;
    }
    auto lock = BuildLock::take(context.project);
    auto command = kunit_py(context.project, "run");
    command.argv.emplace_back("--raw_output=all");
    command.argv.push_back(fmt::format("--timeout={}", static_cast<int>(kunit_timeout_s)));
    command.argv.emplace_back(filter);
    command.timeout_s = kunit_timeout_s + 60;
    command.log = context.project.logs() / "kunit-uml.log";
    std::error_code error;
    std::filesystem::remove(command.log, error);
    KtapFeed feed(context.report);
    SplatScanner scanner;
    command.on_line = [&](std::string_view line) {
        scanner.add_line(line);
        feed.line(strip_timestamp(line));
    };
    const auto exit = run(command);
    feed.finish(command.log.string());
    if (!exit)
        context.report.fail("kunit.py", exit.error().message);
    else if (exit->timed_out)
        context.report.fail("kunit.py", exit->describe());
    context.report.check("console",
                         scanner.splats().empty() ? Status() : Error{scanner.describe(), {}});
}

void run_suite_kunit_x86(SuiteContext& context)
{
    if (auto built = prepare_and_build(context.project, context.config); !built) {
        context.report.check("build", built);
        return;
    }
    auto request = boot_request(context.project, context.config, "kunit-x86");
    request.machine.smp = 2;
    request.machine.memory_mb = 4096;
    request.machine.kvm = find_accelerator(context.project).kvm;
    request.machine.append = {"kunit.enable=1", fmt::format("kunit.filter_glob={}", filter_x86),
                              "loglevel=8"};
    request.timeout_s = kunit_timeout_s * context.patience();
    KtapFeed feed(context.report);
    request.on_console = [&](std::string_view line) { feed.line(strip_timestamp(line)); };
    const auto outcome = boot(request);
    if (!outcome) {
        context.report.fail("boot", outcome.error().message);
        return;
    }
    feed.finish(request.console_log.string());
    context.report.check("console", outcome->success() ? Status() : Error{outcome->describe(), {}});
}

} // namespace kcr::tool
