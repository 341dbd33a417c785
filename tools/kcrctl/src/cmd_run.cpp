// SPDX-License-Identifier: GPL-2.0
#include "commands.h"
#include "run.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace kcr::ctl
{

namespace
{

constexpr const char* examples =
    "A signature is LIBRARY:FUNCTION(ARGUMENTS)->RESULT. Arguments are what the result depends "
    "on:\n"
    "  u8 u16 u32 u64 i8 ... i64       an integer; bool, int, long, size_t are understood, too\n"
    "  f32 f64                         floating point; float and double are understood, too\n"
    "  struct{f64,f64}                 a structure in registers\n"
    "  ptr[64]  ptr[len=arg2]          memory that is read, so many bytes\n"
    "  ptr[len=arg2*8]  ptr[len=*arg1] ... elements of 8 bytes; as many as arg1 leads to (64 "
    "bits)\n"
    "  ptr[tracked,len=arg2]           ... that is large and rarely changes: it is watched\n"
    "  cstr                            a string\n"
    "  out[32]  out[len=ret]           memory that is written, all of it, each time\n"
    "  out cstr                        a string that is written\n"
    "  both[8]                         memory that is read and written\n"
    "  id                              a pointer as such, to an object that does not change\n"
    "  -                               does not count: memory for scratch, a log\n"
    "Results: the numbers, struct{...} of up to 16 bytes, void, arg2 for that pointer or NULL.\n"
    "Arguments are counted from arg0.\n\n"
    "A --memo-file is TOML:\n"
    "  [[memo]]\n"
    "  library = \"libcrypt.so.1\"\n"
    "  function = \"crypt_rn\"\n"
    "  arguments = [\"cstr\", \"cstr\", \"out cstr\", \"i32\"]\n"
    "  returns = \"arg2\"\n"
    "  pure = true             # or learn = 20; also always, expiry_ms, max_entries\n\n"
    "Examples:\n"
    "  kcrctl run --memo 'libm.so.6:pow(f64,f64)->f64' --stats -- gnuplot plot.gp\n"
    "  kcrctl run --memo-file crypt.toml -- ./server";

} // namespace

void add_run(CLI::App& app, int& status)
{
    auto* command =
        app.add_subcommand("run", "Run a program, and have functions of its libraries reused");
    auto options = std::make_shared<RunOptions>();
    command->add_option("--memo", options->signatures, "a function to reuse: its signature")
        ->take_all()
        ->allow_extra_args(false);
    command->add_option("--memo-file", options->files, "a file of functions to reuse")
        ->take_all()
        ->allow_extra_args(false);
    command->add_option("--size", options->size, "memory for results, as in 16M");
    command->add_flag("--pure", options->pure,
                      "equal arguments give equal results, upon your word: do not learn");
    command
        ->add_option("--learn", options->learn,
                     "equal results after which a function is reused (100)")
        ->check(CLI::Range(1, 1000000));
    command->add_flag("--always", options->always,
                      "look results up even where computing them is cheaper");
    command->add_flag("--stats", options->stats, "say at the end what was reused");
    command->footer(examples);
    command->callback([&status, options] {
        options->command = load_command();
        const auto ended = run_program(*options);
        status = ended ? *ended : report_error(ended.error());
    });
}

} // namespace kcr::ctl
