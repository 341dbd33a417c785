// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "guest_tap.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kcr::tool
{

namespace
{

constexpr double program_timeout_s = 420;
constexpr double boot_allowance_s = 120;
/// The programs about what user space asks the kernel for.
constexpr std::array<std::string_view, 4> user_space = {"kcr_domain_", "kcr_track_", "kcr_gate_",
                                                        "kcr_dma_"};
/// How often the race hunter writes, arms and looks up.
constexpr const char* many_races = "KCR_RACE_OPS=1000000";
/// What the kernel with KASAN is asked at random; the others are asked less.
constexpr const char* many_fuzz_calls = "KCR_FUZZ_CALLS=1000000";

void boot_and_run(SuiteContext& context, const std::filesystem::path& dir,
                  const std::vector<std::string>& names, const std::string& environment)
{
    std::vector<GuestProgram> programs;
    programs.reserve(names.size());
    for (const auto& name : names)
        programs.push_back({name, "env " + environment + " " + (dir / name).string()});
    const auto& project = context.project;
    auto request = boot_request(project, context.config, "kselftest");
    request.machine = selftest_machine();
    request.machine.kvm = find_accelerator(project).kvm;
    request.job.argv = {"/bin/sh", "-c",
                        guest_script(programs, program_timeout_s * context.patience())};
    request.timeout_s =
        (program_timeout_s * static_cast<double>(programs.size()) + boot_allowance_s) *
        context.patience();
    run_guest_tap(context, request, programs);
}

} // namespace

Machine selftest_machine()
{
    Machine machine;
    machine.smp = 4;
    machine.numa = 2;
    machine.bare_nodes = 1;
    machine.memory_mb = 4608;
    machine.iommu = true;
    return machine;
}

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
void run_programs(SuiteContext& context, const std::vector<std::string>& programs,
                  const std::string& environment = {})
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, context.config); !built) {
        context.report.check("build", built);
        return;
    }
    const auto dir = build_selftests(project, context.config, "kcr");
    if (!dir) {
        context.report.fail("build", dir.error().message + "\n" + dir.error().hint);
        return;
    }
    boot_and_run(context, *dir, programs, environment);
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

void run_suite_kasan(SuiteContext& context)
{
    const auto makefile = read_file(context.project.root() / "selftests/Makefile");
    if (!makefile) {
        context.report.fail("selftests/Makefile", makefile.error().message);
        return;
    }
    auto programs = selftest_programs(*makefile);
    std::erase_if(programs, [](const std::string& name) {
        return std::none_of(user_space.begin(), user_space.end(),
                            [&](std::string_view prefix) { return name.starts_with(prefix); });
    });
    context.config = "debug-kasan";
    run_programs(context, programs, many_fuzz_calls);
}

void run_suite_soak(SuiteContext& context)
{
    context.config = "debug-kasan";
    run_programs(context, {"kcr_track_race_test", "kcr_track_broken_test"}, many_races);
    context.config = "debug-kcsan";
    run_programs(context, {"kcr_track_race_test"}, many_races);
}

void run_suite_kcsan(SuiteContext& context)
{
    context.config = "debug-kcsan";
    run_programs(context, {"kcr_torture_test"});
}

} // namespace kcr::tool
