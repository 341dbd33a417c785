// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "suites.h"
#include "tap.h"
#include "text.h"
#include "upstream_mm.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

constexpr double timeout_s = 900;
constexpr double mm_program_timeout_s = 200;
/// Fewer cases than this, and it was not the test that is meant here
constexpr std::size_t least_cases = 50;
constexpr const char* crypto_mark = "#kcr-crypto";

/// Lines "NAME DRIVER SELFTEST" from /proc/crypto, and TAP before them.
TestResults parse_results(const std::string& output)
{
    TestResults results;
    TapParser parser;
    bool crypto = false;
    for (const auto& line : split(output, '\n')) {
        const auto parts = words(line);
        if (line == crypto_mark)
            crypto = true;
        else if (!crypto)
            parser.add_line(line);
        else if (parts.size() == 3)
            results["testmgr " + parts[0] + " " + parts[1]] = parts[2];
    }
    parser.finish();
    for (const auto& test : parser.results())
        results["seccomp_bpf " + test.name] = verdict_name(test.verdict);
    return results;
}

/// The tests of memory management, with swap and two nodes.
Result<TestResults> run_mm_tests(const Project& project, const std::string& config,
                                 const std::filesystem::path& dir)
{
    auto request = boot_request(project, config, "upstream-mm-" + config);
    request.machine.smp = 2;
    request.machine.numa = 2;
    request.machine.memory_mb = 3072;
    request.timeout_s = timeout_s;
    request.job.argv = {"/bin/sh", "-c", mm_script(dir.string(), mm_program_timeout_s)};
    const auto outcome = boot(request);
    if (!outcome)
        return outcome.error();
    [[maybe_unused]] const auto kept =
        write_file_atomic(project.logs() / ("upstream-mm-" + config + ".log"), outcome->out);
    if (!outcome->success())
        return Error{outcome->describe(), {}};
    return parse_mm_results(outcome->out);
}

Result<TestResults> run_tests(const Project& project, const std::string& config,
                              const std::filesystem::path& program, const std::filesystem::path& mm)
{
    if (auto built = prepare_and_build(project, config); !built)
        return built.error();
    auto request = boot_request(project, config, "upstream-" + config);
    request.machine.smp = 2;
    request.machine.memory_mb = 2048;
    request.machine.append = {"cryptomgr.noextratests=0", "cryptomgr.fuzz_iterations=10"};
    request.timeout_s = timeout_s;
    request.job.argv = {"/bin/sh", "-c",
                        fmt::format("{}; echo '{}'; awk '/^name/ {{n=$3}} /^driver/ {{d=$3}} "
                                    "/^selftest/ {{print n, d, $3}}' /proc/crypto",
                                    program.string(), crypto_mark)};
    const auto outcome = boot(request);
    if (!outcome)
        return outcome.error();
    [[maybe_unused]] const auto kept =
        write_file_atomic(project.logs() / ("upstream-" + config + ".log"), outcome->out);
    if (!outcome->success())
        return Error{outcome->describe(), {}};
    auto results = parse_results(outcome->out);
    const auto more = run_mm_tests(project, config, mm);
    if (!more)
        return more.error();
    results.insert(more->begin(), more->end());
    return results;
}

} // namespace

void run_suite_upstream(SuiteContext& context)
{
    const auto tests = build_selftests(context.project, "base", "seccomp");
    const auto mm = build_selftest_programs(context.project, "base", "mm", mm_programs());
    if (!tests || !mm) {
        const auto& error = tests ? mm.error() : tests.error();
        context.report.fail("build", error.message + "\n" + error.hint);
        return;
    }
    const auto program = *tests / "seccomp_bpf";
    const auto without = run_tests(context.project, "nokcr", program, *mm);
    const auto with = without ? run_tests(context.project, "base", program, *mm) : without;
    if (!without || !with) {
        const auto& error = without ? with.error() : without.error();
        context.report.fail("run", error.message + "\n" + error.hint);
        return;
    }
    context.report.check("enough of them",
                         without->size() >= least_cases
                             ? Status()
                             : Error{fmt::format("only {}", without->size()), {}});
    for (const auto& [name, expected] : *without) {
        const auto found = with->find(name);
        // Tests make instances of templates to compare with, and these go again
        if (found == with->end() && name.starts_with("testmgr")) {
            context.report.skip(name, "is not there any more");
            continue;
        }
        const auto got = found == with->end() ? "is missing" : found->second;
        context.report.check(
            name, got == expected
                      ? Status()
                      : Error{fmt::format("{} with KCR, {} without", got, expected), {}});
    }
}

} // namespace kcr::tool
