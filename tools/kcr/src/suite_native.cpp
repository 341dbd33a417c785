// SPDX-License-Identifier: GPL-2.0
#include "cmake.h"
#include "process.h"
#include "tempdir.h"
#include "text.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

/// One way to build the tests.
struct Flavour {
    std::string name;
    std::vector<std::string> options;
    std::string filter; ///< which tests
    long operations;    ///< of the model
    long quick_operations;
};

/// What floods do to hit rates is counted once; sanitizers would only take their time over it.
constexpr const char* sanitized_filter = "-*Flood*";

/// Of the model, where entries are encrypted.
constexpr long encrypted_operations = 200000;

const std::vector<std::string> clang = {"-DCMAKE_C_COMPILER=clang-19",
                                        "-DCMAKE_CXX_COMPILER=clang++-19"};

std::vector<Flavour> flavours()
{
    return {
        {"plain", {}, {}, 100000000, 5000000},
        {"asan", {"-DKCR_SANITIZE=address,undefined"}, sanitized_filter, 4000000, 400000},
        {"tsan", {"-DKCR_SANITIZE=thread"}, sanitized_filter, 4000000, 400000},
    };
}

fs::path harness(const Project& project)
{
    return project.root() / "tools/testing/kcr";
}

void run_flavour(SuiteContext& context, const Flavour& flavour)
{
    const auto& project = context.project;
    auto options = flavour.options;
    if (!options.empty())
        options.insert(options.end(), clang.begin(), clang.end());
    const auto build = project.build() / (options.empty() ? "native" : "native-" + flavour.name);
    context.report.note("building the core for user space: " + flavour.name);
    if (auto built = build_cmake(project, harness(project), build, options); !built) {
        context.report.check(flavour.name + " build", built);
        return;
    }
    const long operations = context.quick ? flavour.quick_operations : flavour.operations;
    run_gtest(context, {.program = build / "kcr-native-tests",
                        .prefix = flavour.name + " ",
                        .filter = flavour.filter,
                        .env = {{"KCR_MODEL_OPERATIONS", std::to_string(operations)},
                                {"TSAN_OPTIONS", "halt_on_error=1"}}});
    // With CONFIG_KCR_ENCRYPTION: the same logic, and dear
    run_gtest(context, {.program = build / "kcr-encrypted-tests",
                        .prefix = flavour.name + " encrypted ",
                        .env = {{"KCR_MODEL_OPERATIONS", std::to_string(encrypted_operations)},
                                {"TSAN_OPTIONS", "halt_on_error=1"}}});
}

/// Runs the fuzzers over their corpora, and a little further.
void run_fuzzers(SuiteContext& context)
{
    const auto& project = context.project;
    const auto build = project.build() / "native-fuzz";
    auto options = clang;
    options.insert(options.end(), {"-DKCR_SANITIZE=address,undefined", "-DKCR_FUZZ=ON"});
    context.report.note("building the fuzzers");
    if (auto built = build_cmake(project, harness(project), build, options); !built) {
        context.report.check("fuzz build", built);
        return;
    }
    for (const std::string target : {"key", "tier"}) {
        const auto found = TempDir::make(project.build());
        if (!found) {
            context.report.check("fuzz " + target, found.error());
            continue;
        }
        const auto corpus = harness(project) / "fuzz/corpus" / target;
        const auto done =
            run_ok({.argv = {(build / ("kcr-fuzz-" + target)).string(), found->path().string(),
                             corpus.string(), context.quick ? "-runs=5000" : "-runs=50000",
                             "-seed=1", "-max_len=4096", "-print_final_stats=0"},
                    .cwd = found->path(),
                    .timeout_s = 600});
        context.report.check("fuzz " + target, done ? Status() : done.error());
    }
}

/// The simulator behind kcr-policies.rst checks itself against what is known in closed form.
void run_policy_check(SuiteContext& context)
{
    const auto& project = context.project;
    const auto build = project.build() / "native-policy";
    if (auto built = build_cmake(project, harness(project) / "policy", build, {}); !built) {
        context.report.check("policy build", built);
        return;
    }
    const auto done = run_ok({.argv = {(build / "kcr-policy").string(), "check"}});
    context.report.check("policy simulator", done ? Status() : done.error());
}

} // namespace

void run_suite_native(SuiteContext& context)
{
    for (const auto& flavour : flavours()) {
        if (interrupted() == 0)
            run_flavour(context, flavour);
    }
    if (interrupted() == 0)
        run_fuzzers(context);
    if (interrupted() == 0)
        run_policy_check(context);
}

} // namespace kcr::tool
