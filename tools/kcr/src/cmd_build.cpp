// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "build.h"
#include "commands.h"
#include "prepare.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

int run_prepare(const Project& project)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return report_error(lock.error());
    const auto report = prepare_tree(project);
    if (!report)
        return report_error(report.error());
    fmt::print("{}\n", report->summary());
    return 0;
}

int run_clean(const Project& project, bool all)
{
    std::error_code error;
    {
        auto lock = BuildLock::take(project);
        if (!lock)
            return report_error(lock.error());
        for (const auto& entry : fs::directory_iterator(project.build(), error)) {
            const auto name = entry.path().filename();
            // The running tool and the caches stay; --all takes them, too.
            if (all || (name != "tool" && name != "cache" && name != ".lock"))
                fs::remove_all(entry.path(), error);
        }
    }
    if (all)
        fs::remove_all(project.build(), error);
    return 0;
}

/// build/o-CONFIG -> src/o-CONFIG, where one looks for it.
void link_objects(const Project& project, const std::string& config)
{
    const auto link = project.build() / ("o-" + config);
    std::error_code error;
    if (!fs::is_symlink(link, error))
        fs::create_directory_symlink(fs::path("src") / ("o-" + config), link, error);
}

} // namespace

Status prepare_and_build(const Project& project, const std::string& config)
{
    if (const auto known = load_config(project, config); !known)
        return known.error();
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    const auto report = prepare_tree(project);
    if (!report)
        return report.error();
    if (report->unpacked || report->files_written > 0 || report->patches_applied)
        fmt::print(stderr, "{}\n", report->summary());
    link_objects(project, config);
    if (config == "uml")
        return build_uml(project);
    const auto built = build_kernel(project, {.tree = project.src(), .config = config});
    return built ? Status() : built.error();
}

void add_prepare(CLI::App& app, const Project& project, int& status)
{
    auto* command =
        app.add_subcommand("prepare", "Unpack the kernel, add the overlay, push the series");
    command->footer(
        "Examples:\n  kcr prepare\n  KCR_TARBALL=~/linux-source-6.12.tar.xz kcr prepare");
    command->callback([&project, &status] { status = run_prepare(project); });
}

void add_build(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("build", "Build a kernel from a fragment in configs/");
    auto config = std::make_shared<std::string>("base");
    command->add_option("--config", *config, "which one (base, nokcr, debug-kasan, …)")
        ->capture_default_str();
    command->footer("Examples:\n  kcr build\n  kcr build --config debug-kasan");
    command->callback([&project, &status, config] {
        const auto built = prepare_and_build(project, *config);
        if (!built) {
            status = report_error(built.error());
            return;
        }
        fmt::print("config '{}' is built in build/o-{}\n", *config, *config);
    });
}

void add_clean(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("clean", "Remove kernel trees and logs");
    auto all = std::make_shared<bool>(false);
    command->add_flag("--all", *all, "also the caches and the tool itself");
    command->footer("Examples:\n  kcr clean\n  kcr clean --all");
    command->callback([&project, &status, all] { status = run_clean(project, *all); });
}

} // namespace kcr::tool
