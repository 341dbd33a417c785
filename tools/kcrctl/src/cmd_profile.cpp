// SPDX-License-Identifier: GPL-2.0
#include "commands.h"
#include "load.h"
#include "programs.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace kcr::ctl
{

namespace
{

constexpr const char* examples =
    "ARGS says what the input and the result are, one declaration for each argument:\n"
    "  u8 u16 u32 u64 s8 s16 s32 s64   a number of this size; val: as its type says\n"
    "  ptr[64]  ptr[len=arg2]          memory that is read, so many bytes\n"
    "  ptr[len=arg2*8]                 ... so many elements of 8 bytes\n"
    "  out[32]  both[len=arg1]         memory that is written, or both: part of the result\n"
    "  cstr                            a string\n"
    "  id                              a pointer as such: other object, other input\n"
    "  -                               does not count\n"
    "  arg0->key[len=arg0->keylen]     fields; also out arg1->digest[32], cstr arg0->name,\n"
    "                                  user arg1->filter[...] (in user space's memory)\n"
    "  noret, object                   the return value does not count; counts as made or not\n"
    "Arguments are arg0, arg1, ... or go by their names.\n\n"
    "Examples:\n"
    "  kcrctl profile crypto_shash_digest -- sha256sum-through-the-kernel\n"
    "  kcrctl profile --args 'ptr[len=arg1], -, out[32]' sha256\n"
    "  kcrctl profile --auto --seconds 30\n"
    "  kcrctl profile --sites -- make";

Status check(const ProfileOptions& options)
{
    const int asked =
        (options.automatic ? 1 : 0) + (options.sites ? 1 : 0) + (options.list ? 1 : 0);
    if (asked > 1)
        return Error{"--auto, --sites and --list exclude each other", {}};
    if (asked == 0 && options.functions.empty())
        return Error{"which function? Or --auto, --sites or --list", "see kcrctl profile --help"};
    if ((options.automatic || options.sites) && !options.functions.empty())
        return Error{"--auto and --sites take no function", {}};
    if (options.args && options.functions.size() != 1)
        return Error{"--args is for one function", {}};
    if (options.keep_modes && !options.sites)
        return Error{"--keep-modes goes with --sites", {}};
    return {};
}

int run_profile(const ProfileOptions& options)
{
    if (const auto valid = check(options); !valid)
        return report_error(valid.error());
    quiet_libbpf();
    catch_signals();
    Status done;
    if (options.list)
        done = list_candidates(options);
    else if (options.sites)
        done = profile_sites(options);
    else if (options.automatic)
        done = profile_automatically(options);
    else
        done = profile_functions(options);
    return done ? 0 : report_error(done.error());
}

void add_limits(CLI::App& command, ProfileOptions& options)
{
    command.add_option("--max-bytes", options.max_bytes, "larger inputs are not looked at (32768)")
        ->check(CLI::Range(1, 1 << 20));
    command.add_option("--inputs", options.inputs, "how many inputs can be remembered")
        ->check(CLI::Range(1, 1 << 24))
        ->capture_default_str();
    command
        .add_option("--overhead", options.overhead,
                    "percent of a CPU that the probes of a function may take (--auto: 10; else no "
                    "limit)")
        ->check(CLI::Range(0.1, 100.0));
    command
        .add_option("--candidates", options.candidates, "--auto: to how many functions to attach")
        ->check(CLI::Range(1, 500))
        ->capture_default_str();
    command.add_flag("--kprobes", options.kprobes, "attach by kprobes even where fentry works");
    command.add_flag("--types-only", options.types_only,
                     "forget what is known of functions; their types must say all");
    command.add_option("--lookup-cost", options.lookup_cost,
                       "FIXED[,PER_BYTE] in ns (else measured on this machine)");
    command.add_option("--catalogue", options.catalogue, "a file with more known functions")
        ->check(CLI::ExistingFile);
}

} // namespace

int report_error(const Error& error)
{
    fmt::print(stderr, "kcrctl: error: {}\n", error.message);
    for (const auto& line : tool::split(error.hint, '\n'))
        fmt::print(stderr, "  {}\n", line);
    return exit_error;
}

std::vector<std::string>& load_command()
{
    static std::vector<std::string> command;
    return command;
}

void add_profile(CLI::App& app, int& status)
{
    auto* command = app.add_subcommand("profile", "How much of the kernel's work is redundant");
    auto options = std::make_shared<ProfileOptions>();
    auto args = std::make_shared<std::string>();
    command->add_option("function", options->functions, "kernel functions (with --list: patterns)");
    auto* given = command->add_option("--args", *args, "what the input and the result are");
    command->add_flag("--auto", options->automatic, "find functions that are worth reusing");
    command->add_flag("--sites", options->sites, "watch KCR's sites, in observe mode meanwhile");
    command->add_flag("--keep-modes", options->keep_modes, "with --sites: leave modes alone");
    command->add_flag("--list", options->list, "list the functions that --auto chooses from");
    auto* seconds =
        command->add_option("--seconds", options->seconds, "how long, at most (10, or COMMAND)")
            ->check(CLI::Range(0.1, 86400.0));
    command->add_flag("--json", options->json, "print JSON");
    add_limits(*command, *options);
    command->footer(examples);
    command->callback([&status, options, args, given, seconds] {
        if (given->count() != 0)
            options->args = *args;
        options->seconds_given = seconds->count() != 0;
        options->command = load_command();
        status = run_profile(*options);
    });
}

} // namespace kcr::ctl
