// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "process.h"
#include "text.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace kcr::tool
{

namespace
{

/// The repository: two levels above build/tool/kcr.
std::filesystem::path find_root()
{
    if (const char* root = std::getenv("KCR_ROOT"); root != nullptr && *root != '\0')
        return root;
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error)
        .parent_path()
        .parent_path()
        .parent_path();
}

std::vector<std::string> subcommand_names(const CLI::App& app)
{
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands({}))
        names.push_back(command->get_name());
    return names;
}

std::vector<std::string> option_names(const CLI::App& app)
{
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands()) {
        for (const auto* option : command->get_options()) {
            for (const auto& name : option->get_lnames())
                names.push_back("--" + name);
        }
    }
    return names;
}

int explain_parse_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv)
{
    if (error.get_exit_code() == 0)
        return app.exit(error);
    const auto names = subcommand_names(app);
    if (argc > 1 && argv[1][0] != '-' &&
        std::find(names.begin(), names.end(), argv[1]) == names.end())
        return report_error(unknown_word("command", argv[1], names));
    for (const auto& word : app.remaining(true)) {
        if (word.starts_with("--"))
            return report_error(unknown_word("option", word, option_names(app)));
    }
    return report_error({error.what(), "see kcr COMMAND --help"});
}

} // namespace

int run_tool(int argc, char** argv)
{
    const Project project(find_root());
    catch_interrupts();
    if (auto made = project.make_directories(); !made)
        return report_error(made.error());
    int status = 0;
    CLI::App app("KCR: build, boot, test and measure a kernel that reuses computations", "kcr");
    app.require_subcommand(1);
    app.footer("Start with:\n  kcr demo\n  kcr test");
    for (const auto add : {add_doctor, add_prepare, add_build, add_boot, add_test, add_bench,
                           add_demo, add_series, add_clean})
        add(app, project, status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return explain_parse_error(app, error, argc, argv);
    }
    return status;
}

} // namespace kcr::tool

int main(int argc, char** argv)
{
    try {
        return kcr::tool::run_tool(argc, argv);
    } catch (const std::exception& error) {
        return kcr::tool::report_error({error.what(), {}});
    }
}
