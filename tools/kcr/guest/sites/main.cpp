// SPDX-License-Identifier: GPL-2.0
/*
 * kcr-sites: real work through KCR's sites, each with the site off and on. Prints
 * TAP about whether the results are the same, and figures about what they cost:
 * instructions, if the machine counts them (QEMU's -icount shift=0).
 */
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include "figures.hpp"
#include "sites.hpp"
#include "stats.hpp"

namespace
{

/* Those that kernels without KCR can run */
constexpr std::array<std::string_view, 2> plain_cases = {"page faults", "mapping for a device"};

bool is_plain(const tap::Case& test)
{
    return std::find(plain_cases.begin(), plain_cases.end(), test.name) != plain_cases.end();
}

void prepare()
{
    if (access(kcr::stats_path, F_OK) != 0)
        throw tap::Skip("this kernel has no KCR, or debugfs is not mounted");
    for (const char* site : {"sigverify", "seccomp_install", "seccomp_run"})
        kcr::write_file(kcr::mode_path(site), "reuse");
}

int run(int argc, char** argv)
{
    CLI::App app("Real work through KCR's sites, with and without reuse");
    sites::Settings settings;
    std::string only;
    bool plain = false;

    app.add_option("--profile", settings.container_profile,
                   "a container runtime's seccomp profile");
    app.add_option("--module", settings.module, "a signed module to load");
    app.add_option("--processes", settings.processes, "processes to start");
    app.add_option("--loads", settings.loads, "how often to load the module");
    app.add_option("--only", only, "run what has this in its name");
    app.add_flag("--plain", plain, "run what kernels without KCR can run");
    CLI11_PARSE(app, argc, argv);

    std::vector<tap::Case> cases = {
        {"signed modules", [&](tap::Check& check) { sites::modules(settings, check); }},
        {"processes under a container profile",
         [&](tap::Check& check) { sites::containers(settings, check); }},
        {"calls under a sandbox", sites::sandbox_calls},
        {"a program under a sandbox", sites::sandbox_job},
        {"a filter that does not pay", sites::short_filter},
        {"a result of a user function", sites::zero_copy},
        {"hits without a system call", sites::silent_hits},
        {"page faults", sites::page_faults},
        {"mapping for a device", sites::device_maps},
        {"tracked memory", sites::tracked_memory},
        {"a function of tracked memory", sites::tracked_hits},
        {"gates", sites::gate_calls},
        {"the library's gates", sites::library_gates},
    };
    std::erase_if(cases, [&](const tap::Case& test) {
        return test.name.find(only) == std::string::npos || (plain && !is_plain(test));
    });
    const bool needs_kcr = !std::all_of(cases.begin(), cases.end(), is_plain);
    return tap::run_cases(
        cases, needs_kcr ? prepare : [] {});
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-sites: %s\n", error.what());
        return 1;
    }
}
