// SPDX-License-Identifier: GPL-2.0
#include "commands.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace
{

int run(int argc, char** argv)
{
    // What follows -- is the load or the program, whatever options it has
    auto* const end = argv + argc;
    auto* const dashes =
        std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
    if (dashes != end)
        kcr::ctl::load_command().assign(dashes + 1, end);
    int status = 0;
    CLI::App app("KCR's administration in the running system", "kcrctl");
    app.require_subcommand(1);
    kcr::ctl::add_profile(app, status);
    kcr::ctl::add_run(app, status);
    kcr::ctl::add_domains(app, status);
    try {
        app.parse(static_cast<int>(dashes - argv), argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0)
            return app.exit(error);
        return kcr::ctl::report_error({error.what(), "see kcrctl COMMAND --help"});
    }
    return status;
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        return kcr::ctl::report_error({error.what(), {}});
    }
}
