// SPDX-License-Identifier: GPL-2.0
#include "bench.h"
#include "boot.h"
#include "commands.h"
#include "guest_sites.h"
#include "process.h"
#include "signed_module.h"
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
    std::string json;
};

/// What page faults cost in a kernel without KCR: the figures of faults, with "nokcr_" before.
Status add_faults_without(const Project& project, Figures& figures)
{
    if (auto built = prepare_and_build(project, "nokcr"); !built)
        return built;
    const auto request =
        sites_boot_request(project, "bench-nokcr", faults_command(project), "nokcr");
    const auto outcome = boot(request);
    if (!outcome)
        return outcome.error();
    if (!outcome->success())
        return Error{"the benchmark of faults failed: " + outcome->describe(), outcome->err};
    const auto without = parse_guest_bench(outcome->out);
    for (const auto& [name, value] : without.values.items())
        figures.values["guest.nokcr_" + name.substr(name.find('.') + 1)] = value;
    return {};
}

/// Runs the in-kernel benchmark in a guest that counts instructions.
Result<Figures> bench_guest(const Project& project)
{
    if (auto built = prepare_and_build(project, "base"); !built)
        return built.error();
    const auto module = build_signed_module(project, "base", sites_module);
    if (!module)
        return module.error();
    const auto request = sites_boot_request(project, "bench",
                                            "cd /sys/kernel/debug/kcr && cat bench bench_peers "
                                            "bench_bypass bench_sigverify bench_csum && " +
                                                sites_command(project, *module) + " && exec " +
                                                programs_command(project));
    const auto outcome = boot(request);
    if (!outcome)
        return outcome.error();
    if (!outcome->success())
        return Error{"the guest benchmark failed: " + outcome->describe(), outcome->err};
    auto figures = parse_guest_bench(outcome->out);
    if (figures.values.empty())
        return Error{"the guest benchmark printed no figure", outcome->out};
    if (auto added = add_faults_without(project, figures); !added)
        return added.error();
    return figures;
}

void print_figures(const Figures& figures)
{
    std::size_t width = 0;
    for (const auto& [name, value] : figures.values.items())
        width = std::max(width, name.size());
    for (const auto& [name, value] : figures.values.items())
        fmt::print("{:<{}} {:>12}\n", name, width, value.dump());
    for (const auto& comment : figures.comments)
        fmt::print("# {}\n", comment);
}

int run_bench(const Project& project, const Options& options)
{
    const std::vector<std::string> known = {"guest", "native", "uml"};
    for (const auto& suite : options.suites) {
        if (std::find(known.begin(), known.end(), suite) == known.end())
            return report_error(unknown_word("bench suite", suite, known));
    }
    nlohmann::ordered_json document = {{"figures", nlohmann::ordered_json::object()},
                                       {"meta", nlohmann::ordered_json::object()}};
    document["meta"]["guest"] = {{"emulator", "qemu -icount shift=0, one CPU"},
                                 {"cpu", cpu_model({})},
                                 {"unit", "instructions"}};
    for (const auto& suite : known) {
        const bool wanted =
            options.suites.empty() ||
            std::find(options.suites.begin(), options.suites.end(), suite) != options.suites.end();
        if (!wanted)
            continue;
        const auto figures = suite == "guest"    ? bench_guest(project)
                             : suite == "native" ? bench_native(project)
                                                 : bench_uml(project);
        if (!figures)
            return report_error(figures.error());
        print_figures(*figures);
        document["figures"].update(figures->values);
        document["meta"][suite]["comments"] = figures->comments;
    }
    if (options.json.empty())
        return 0;
    const auto written = write_file_atomic(options.json, document.dump(2) + "\n");
    return written ? 0 : report_error(written.error());
}

} // namespace

void add_bench(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("bench", "Measure what operations and hits cost");
    auto options = std::make_shared<Options>();
    command->add_option("suite", options->suites, "guest, native, uml (all without an argument)");
    command->add_option("--json", options->json, "also write the figures to this file");
    command->footer(
        "guest: instructions in the x86-64 kernel, counted by QEMU; exact.\n"
        "native: ticks of the TSC that the core takes, compiled for user space, and its peers.\n"
        "uml: ticks of the TSC that sites take in a User Mode Linux kernel.\n"
        "Examples:\n  kcr bench\n  kcr bench guest --json bench.json");
    command->callback([&project, &status, options] { status = run_bench(project, *options); });
}

} // namespace kcr::tool
