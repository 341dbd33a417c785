// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"
#include "qemu.h"
#include "report.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// What a suite gets.
struct SuiteContext {
    const Project& project;
    Report& report;
    bool quick = false;
    /// The kernel configuration that the suites boot which boot one.
    std::string config = "base";
    /// Debug kernels under emulation take their time.
    [[nodiscard]] double patience() const
    {
        return config == "base" ? 1 : 6;
    }
};

/// A test suite of `kcr test`.
struct Suite {
    std::string name;
    std::string about;
    void (*run)(SuiteContext& context);
    /// Runs only if it is named: it builds a kernel that nothing else needs.
    bool on_request = false;
};

/// All suites, in the order in which they run.
const std::vector<Suite>& all_suites();

void run_suite_tool(SuiteContext& context);
void run_suite_native(SuiteContext& context);
void run_suite_libkcr(SuiteContext& context);
void run_suite_kunit_uml(SuiteContext& context);
void run_suite_kunit_x86(SuiteContext& context);
void run_suite_kselftest(SuiteContext& context);
void run_suite_kasan(SuiteContext& context);
void run_suite_kcsan(SuiteContext& context);
void run_suite_model(SuiteContext& context);
void run_suite_profit(SuiteContext& context);
void run_suite_programs(SuiteContext& context);
void run_suite_sites(SuiteContext& context);
void run_suite_soak(SuiteContext& context);
void run_suite_upstream(SuiteContext& context);
void run_suite_profiler(SuiteContext& context);
void run_suite_series(SuiteContext& context);
void run_suite_zero_impact(SuiteContext& context);

/// Judges what the demo says of one order of requests: whether observe mode predicted hits and
/// savings well enough.
void judge_prediction(Report& report, const std::string& order, const nlohmann::json& document);

/// The machine that selftests want: CPUs, nodes, one of them without CPUs, and a device that
/// writes to memory behind an IOMMU.
Machine selftest_machine();

/// Programs named by TEST_GEN_PROGS lines of a kselftest Makefile.
std::vector<std::string> selftest_programs(std::string_view makefile);

} // namespace kcr::tool
