// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "demo.h"
#include "process.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace kcr::tool
{

namespace
{

constexpr double demo_timeout_s = 300;

int run_demo(const Project& project, const std::string& json_file)
{
    if (auto built = prepare_and_build(project, "base"); !built)
        return report_error(built.error());
    auto request = boot_request(project, "base", "demo");
    request.machine.icount = true;
    const auto machine = settle_machine(request.machine);
    request.machine = *machine;
    request.machine.append = {"cryptomgr.notests"};
    request.job.argv = {(project.tool_build() / "guest/demo/kcr-demo").string()};
    request.timeout_s = demo_timeout_s;
    fmt::print(stderr, "booting the patched kernel; the work itself takes about 15 seconds\n");
    std::string messages;
    request.on_err = [&messages](std::string_view text) { messages += text; };
    const auto outcome = boot(request);
    if (!outcome)
        return report_error(outcome.error());
    const auto document = nlohmann::ordered_json::parse(outcome->out, nullptr, false);
    if (!document.is_object() || document.is_discarded()) {
        fmt::print(stderr, "{}kcr: the demo did not finish: {}\nkcr: console log: {}\n", messages,
                   outcome->describe(), request.console_log.string());
        return outcome->success() ? exit_tool_error : boot_exit_code(outcome->end, outcome->code);
    }
    fmt::print("\n{}", render_demo(document));
    if (!json_file.empty()) {
        if (auto written = write_file_atomic(json_file, document.dump(2) + "\n"); !written)
            return report_error(written.error());
    }
    if (!document.value("identical", false))
        return exit_failure;
    if (!outcome->success())
        fmt::print(stderr, "kcr: {}\n", outcome->describe());
    return boot_exit_code(outcome->end, outcome->code);
}

} // namespace

void add_demo(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("demo", "Show reuse on the files of a real tree");
    auto json_file = std::make_shared<std::string>();
    command->add_option("--json", *json_file, "also write the result to this file");
    command->footer(
        "Builds and boots the patched kernel, reads a tree of files block by block as a\n"
        "backup tool would, hashes and encrypts the blocks with and without reuse, and\n"
        "compares every answer.\n"
        "Examples:\n  kcr demo\n  kcr demo --json demo.json");
    command->callback([&project, &status, json_file] { status = run_demo(project, *json_file); });
}

} // namespace kcr::tool
