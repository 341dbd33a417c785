// SPDX-License-Identifier: GPL-2.0
#include "accel.h"
#include "boot.h"
#include "commands.h"
#include "terminal.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <memory>

namespace kcr::tool
{

namespace
{

constexpr double command_timeout_s = 600;
constexpr double shell_timeout_s = 24 * 3600;

struct Options {
    std::string config = "base";
    Machine machine;
    std::vector<std::string> append;
    std::vector<std::string> env;
    double timeout_s = 0;
    bool tcg = false;
    bool console = false;
    bool no_build = false;
    std::vector<std::string> command;
};

void print_to(FILE* stream, std::string_view text)
{
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
}

void want_shell(BootRequest& request)
{
    request.job.terminal = true;
    request.job.argv = {"/bin/sh", "-c",
                        Terminal::resize_command() + "; exec bash -i || exec sh -i"};
}

int run_boot(const Project& project, const Options& options)
{
    auto wanted = options.machine;
    for (const auto& parameter : options.append)
        wanted.append.push_back(parameter);
    const bool shell = options.command.empty();
    if (shell && ::isatty(STDIN_FILENO) != 1)
        return report_error({"without a command, boot gives a shell, and that needs a terminal",
                             "kcr boot -- uname -a"});
    if (!options.no_build) {
        if (auto built = prepare_and_build(project, options.config); !built)
            return report_error(built.error());
    }
    wanted.kvm = !options.tcg && !wanted.icount && find_accelerator(project).kvm;
    const auto machine = settle_machine(wanted);
    if (!machine)
        return report_error(machine.error());
    auto request = boot_request(project, options.config, "boot");
    request.machine = *machine;
    request.job.argv = options.command;
    request.job.env.insert(request.job.env.end(), options.env.begin(), options.env.end());
    request.timeout_s = shell ? shell_timeout_s : command_timeout_s;
    if (options.timeout_s > 0)
        request.timeout_s = options.timeout_s;
    if (shell)
        want_shell(request);
    request.on_out = [](std::string_view text) { print_to(stdout, text); };
    request.on_err = [](std::string_view text) { print_to(stderr, text); };
    if (options.console)
        request.on_console = [](std::string_view line) { fmt::print(stderr, "{}\n", trim(line)); };
    const auto outcome = boot(request);
    if (!outcome)
        return report_error(outcome.error());
    if (outcome->end != BootEnd::exited || outcome->code != 0)
        fmt::print(stderr, "kcr: {}\nkcr: console log: {}\n", outcome->describe(),
                   request.console_log.string());
    return boot_exit_code(outcome->end, outcome->code);
}

} // namespace

void add_boot(CLI::App& app, const Project& project, int& status)
{
    auto* command = app.add_subcommand("boot", "Boot the kernel and run a command in it");
    auto options = std::make_shared<Options>();
    command->add_option("--config", options->config, "which kernel")->capture_default_str();
    command->add_option("--smp", options->machine.smp, "number of CPUs")->capture_default_str();
    command->add_option("--numa", options->machine.numa, "number of NUMA nodes")
        ->capture_default_str();
    command->add_option("--memory", options->machine.memory_mb, "memory in MB")
        ->capture_default_str();
    command->add_flag("--iommu", options->machine.iommu, "add an IOMMU and an edu device");
    command->add_flag("--icount", options->machine.icount,
                      "count instructions: one CPU, a TSC tick is an instruction");
    command->add_flag("--tcg", options->tcg, "do not use KVM even if it works");
    command->add_flag("--console", options->console, "show the kernel's console, too");
    command->add_flag("--no-build", options->no_build, "boot what was built last");
    command->add_option("--append", options->append, "more kernel parameters (repeatable)")
        ->allow_extra_args(false);
    command->add_option("--env", options->env, "NAME=value for the command (repeatable)")
        ->allow_extra_args(false);
    command->add_option("--timeout", options->timeout_s, "seconds until the VM is ended");
    command->add_option("cmd", options->command, "command and arguments; a shell without one");
    command->footer(
        "The host's file system is the read-only root; /tmp, /run and /var/tmp are tmpfs.\n"
        "Exit status: the command's own (128+N if signal N killed it), 124 timeout,\n"
        "125 the boot could not be tried, 126 kernel splat, 127 lost VM.\n"
        "Examples:\n  kcr boot -- uname -a\n  kcr boot --smp 4 --numa 2 -- lscpu\n"
        "  kcr boot --icount --timeout 60 -- cat /sys/kernel/debug/kcr/bench");
    command->callback([&project, &status, options] { status = run_boot(project, *options); });
}

} // namespace kcr::tool
