// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::tool
{

namespace
{

constexpr double program_timeout_s = 420;
constexpr double boot_allowance_s = 120;

/// Builds the selftests; returns the directory with the programs.
Result<std::filesystem::path> build_selftests(const Project& project, const std::string& config)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    const auto objects = Project::objects(project.src(), config);
    const BuildRequest headers = {.tree = project.src(),
                                  .config = config,
                                  .targets = {"headers_install"},
                                  .log_name = "headers.log"};
    const auto log = project.logs() / "build-kselftest.log";
    std::error_code error;
    std::filesystem::remove(log, error);
    for (const auto& argv :
         {make_arguments(headers, cpu_count()),
          std::vector<std::string>{
              "make", "-C", (project.src() / "tools/testing/selftests").string(), "TARGETS=kcr",
              "O=" + objects.string(), fmt::format("-j{}", cpu_count())}}) {
        auto exit = run({.argv = argv, .env = make_environment(project), .log = log});
        if (!exit)
            return exit.error();
        if (!exit->success())
            return Error{"building the selftests failed",
                         join(failure_lines(exit->output), "\n") + "\nfull log: " + log.string()};
    }
    return objects / "kselftest/kcr";
}

/// A shell script that runs each program and reports how it ended.
std::string guest_script(const std::filesystem::path& dir, const std::vector<std::string>& programs,
                         double timeout_s)
{
    // The emulated CPUs take turns in one thread, which makes patching code under load safe.
    std::string script = "export KCR_PATCH_UNDER_LOAD=1\n";
    for (const auto& program : programs)
        script += fmt::format("echo '#kcr-begin {0}'; timeout {1} {2}/{0} 2>&1; "
                              "echo \"#kcr-end {0} $?\"\n",
                              program, static_cast<int>(timeout_s), dir.string());
    return script;
}

/// Follows the output of guest_script().
class SelftestFeed
{
public:
    explicit SelftestFeed(Report& report) : report_(report) {}

    void chunk(std::string_view text)
    {
        partial_ += text;
        for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
            line(std::string_view(partial_).substr(0, end));
            partial_.erase(0, end + 1);
        }
    }

    void finish(const std::vector<std::string>& programs)
    {
        for (const auto& program : programs) {
            if (std::find(ended_.begin(), ended_.end(), program) == ended_.end())
                report_.fail(program, "did not run to its end");
        }
    }

private:
    void line(std::string_view text)
    {
        const auto parts = words(text);
        if (parts.size() == 2 && parts[0] == "#kcr-begin") {
            program_ = parts[1];
            parser_ = TapParser();
            reported_ = 0;
        } else if (parts.size() == 3 && parts[0] == "#kcr-end") {
            end_program(parts[2]);
        } else {
            parser_.add_line(text);
            flush();
        }
    }

    void end_program(const std::string& status)
    {
        parser_.finish();
        flush();
        ended_.push_back(program_);
        bool failed = false;
        for (const auto& test : parser_.results())
            failed = failed || test.verdict == Verdict::failed;
        const bool all_skipped = status == "4";
        if (status == "124")
            report_.fail(program_, "timed out");
        else if (status != "0" && !all_skipped && !failed)
            report_.fail(program_, "ended with status " + status + " without a failed case");
        else if (parser_.results().empty() && !all_skipped)
            report_.fail(program_, "reported no case");
        else if (parser_.results().empty())
            report_.skip(program_, "the program skipped itself");
    }

    void flush()
    {
        for (; reported_ < parser_.results().size(); ++reported_) {
            const auto& test = parser_.results()[reported_];
            report_.add(program_ + ": " + test.name, test.verdict, test.detail);
        }
    }

    Report& report_;
    TapParser parser_;
    std::size_t reported_ = 0;
    std::string program_;
    std::string partial_;
    std::vector<std::string> ended_;
};

void boot_and_run(SuiteContext& context, const std::filesystem::path& dir,
                  const std::vector<std::string>& programs)
{
    const auto& project = context.project;
    auto request = boot_request(project, context.config, "kselftest");
    request.machine.smp = 4;
    request.machine.numa = 2;
    request.machine.bare_nodes = 1;
    request.machine.memory_mb = 4608;
    request.machine.kvm = find_accelerator(project).kvm;
    request.job.argv = {"/bin/sh", "-c",
                        guest_script(dir, programs, program_timeout_s * context.patience())};
    request.timeout_s =
        (program_timeout_s * static_cast<double>(programs.size()) + boot_allowance_s) *
        context.patience();
    SelftestFeed feed(context.report);
    request.on_out = [&](std::string_view text) { feed.chunk(text); };
    const auto outcome = boot(request);
    if (!outcome) {
        context.report.fail("boot", outcome.error().message);
        return;
    }
    feed.finish(programs);
    [[maybe_unused]] const auto kept =
        write_file_atomic(project.logs() / "kselftest.log", outcome->out + outcome->err);
    context.report.check("console", outcome->success() ? Status() : Error{outcome->describe(), {}});
}

} // namespace

std::vector<std::string> selftest_programs(std::string_view makefile)
{
    std::vector<std::string> programs;
    for (const auto& line : split(makefile, '\n')) {
        const auto parts = words(line);
        if (parts.size() < 3 || parts[0] != "TEST_GEN_PROGS")
            continue;
        programs.insert(programs.end(), parts.begin() + 2, parts.end());
    }
    return programs;
}

namespace
{

/// Builds kernel and programs, and runs these.
void run_programs(SuiteContext& context, const std::vector<std::string>& programs)
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, context.config); !built) {
        context.report.check("build", built);
        return;
    }
    const auto dir = build_selftests(project, context.config);
    if (!dir) {
        context.report.fail("build", dir.error().message + "\n" + dir.error().hint);
        return;
    }
    boot_and_run(context, *dir, programs);
}

} // namespace

void run_suite_kselftest(SuiteContext& context)
{
    const auto makefile = read_file(context.project.root() / "selftests/Makefile");
    if (!makefile)
        context.report.fail("selftests/Makefile", makefile.error().message);
    else
        run_programs(context, selftest_programs(*makefile));
}

void run_suite_kcsan(SuiteContext& context)
{
    context.config = "debug-kcsan";
    run_programs(context, {"kcr_torture_test"});
}

} // namespace kcr::tool
