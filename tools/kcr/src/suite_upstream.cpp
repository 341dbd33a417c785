// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "suites.h"
#include "tap.h"
#include "text.h"

#include <fmt/format.h>

#include <map>

namespace kcr::tool
{

namespace
{

constexpr double timeout_s = 900;
/// Fewer cases than this, and it was not the test that is meant here
constexpr std::size_t least_cases = 50;
constexpr const char* crypto_mark = "#kcr-crypto";

/// What a kernel says of its own tests: by name, the verdict.
using Results = std::map<std::string, std::string>;

std::string verdict_name(Verdict verdict)
{
    return verdict == Verdict::passed ? "passes" : verdict == Verdict::failed ? "fails" : "skips";
}

/// Lines "NAME DRIVER SELFTEST" from /proc/crypto, and TAP before them.
Results parse_results(const std::string& output)
{
    Results results;
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

Result<Results> run_tests(const Project& project, const std::string& config,
                          const std::filesystem::path& program)
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
    return parse_results(outcome->out);
}

} // namespace

void run_suite_upstream(SuiteContext& context)
{
    const auto tests = build_selftests(context.project, "base", "seccomp");
    if (!tests) {
        context.report.fail("build", tests.error().message + "\n" + tests.error().hint);
        return;
    }
    const auto program = *tests / "seccomp_bpf";
    const auto without = run_tests(context.project, "nokcr", program);
    const auto with = without ? run_tests(context.project, "base", program) : without;
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
