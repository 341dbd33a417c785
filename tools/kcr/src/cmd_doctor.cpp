// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "build.h"
#include "commands.h"
#include "process.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <set>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr std::uintmax_t wanted_space = 12'000'000'000;

struct Finding {
    std::string what;
    bool good;
    std::string detail;
    std::string remedy;
};

std::set<std::string> installed_packages()
{
    std::set<std::string> names;
    auto list = run_ok({.argv = {"dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n"}});
    if (!list)
        return names;
    for (const auto& line : split(*list, '\n')) {
        const auto parts = words(line);
        if (parts.size() == 2 && parts[1] == "installed")
            names.insert(parts[0]);
    }
    return names;
}

void check_packages(const Project& project, std::vector<Finding>& findings)
{
    const auto installed = installed_packages();
    const auto list = read_file(project.root() / "scripts/packages.txt");
    if (!list) {
        findings.push_back({"packages", false, list.error().message, "restore the file"});
        return;
    }
    for (const auto& line : split(*list, '\n')) {
        const auto parts = words(line);
        if (parts.empty() || parts[0].starts_with("#"))
            continue;
        const bool there = installed.contains(parts[0]);
        findings.push_back({parts[0], there, there ? "installed" : "missing",
                            fmt::format("apt-get install {}", parts[0])});
    }
}

void check_space(const Project& project, std::vector<Finding>& findings)
{
    std::error_code error;
    const auto space = fs::space(project.build(), error);
    const bool built = fs::exists(project.src(), error);
    findings.push_back({"disk space", !error && (built || space.available >= wanted_space),
                        fmt::format("{} GB free", space.available / 1'000'000'000),
                        fmt::format("free some: the kernel trees need about {} GB",
                                    wanted_space / 1'000'000'000)});
}

int run_doctor(const Project& project)
{
    std::vector<Finding> findings;
    check_packages(project, findings);
    const auto tarball = project.tarball();
    findings.push_back(
        {"kernel source", fs::exists(tarball), tarball.string(),
         fmt::format("apt-get install linux-source-6.12, or set {}", tarball_variable)});
    check_space(project, findings);
    const auto cpus = cpu_count();
    findings.push_back({"CPUs", true, fmt::format("{}", cpus), {}});
    const auto accelerator = find_accelerator(project);
    findings.push_back({"accelerator",
                        true,
                        fmt::format("{}: {}{}", accelerator.kvm ? "KVM" : "TCG", accelerator.why,
                                    accelerator.cached ? " (remembered)" : ""),
                        {}});
    int bad = 0;
    for (const auto& finding : findings) {
        fmt::print("{:<4} {:<20} {}{}\n", finding.good ? "ok" : "GAP", finding.what, finding.detail,
                   finding.good ? "" : "  ->  " + finding.remedy);
        bad += finding.good ? 0 : 1;
    }
    fmt::print("{}\n", bad == 0 ? "everything is there" : fmt::format("{} gaps", bad));
    return bad == 0 ? 0 : exit_failure;
}

} // namespace

void add_doctor(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("doctor", "Check that everything needed is there");
    command->footer("Examples:\n  kcr doctor");
    command->callback([&project, &status] { status = run_doctor(project); });
}

} // namespace kcr::tool
