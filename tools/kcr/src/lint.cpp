// SPDX-License-Identifier: GPL-2.0
#include "lint.h"

#include "build.h"
#include "overlay.h"
#include "patch.h"
#include "prepare.h"
#include "process.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* codespell_dictionary =
    "/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt";

/// Files that are compiled into the kernel or included by it.
bool is_kernel_code(const std::string& path)
{
    const bool source = path.ends_with(".c") || path.ends_with(".h");
    return source && !path.starts_with("tools/") && !path.starts_with("Documentation/");
}

std::string object_of(const std::string& path)
{
    return path.substr(0, path.size() - 2) + ".o";
}

/// Objects that are built with the base config.
std::set<std::string> built_objects(const Project& project, const std::set<std::string>& sources)
{
    std::set<std::string> objects;
    const auto base = Project::objects(project.src(), "base");
    for (const auto& source : sources) {
        if (source.ends_with(".c") && fs::exists(base / object_of(source)))
            objects.insert(object_of(source));
    }
    return objects;
}

/// Compiles @p objects of @p tree with W=1 and sparse; returns their warnings.
Result<std::vector<std::string>> warnings_of(const Project& project, const fs::path& tree,
                                             const std::set<std::string>& objects)
{
    BuildRequest request{.tree = tree,
                         .config = tree == project.pristine() ? "nokcr" : "base",
                         .targets = {objects.begin(), objects.end()},
                         .extra = {"W=1", "C=1", "KBUILD_MODPOST_WARN=1"}};
    const auto from = Project::objects(tree, request.config);
    // A directory of its own: W=1 would make the next ordinary build compile everything again.
    const auto dir = tree / "o-lint";
    std::error_code error;
    fs::create_directories(dir, error);
    fs::copy_file(from / ".config", dir / ".config", fs::copy_options::overwrite_existing, error);
    for (const auto& object : objects)
        fs::remove(dir / object, error);
    auto argv = make_arguments(request, cpu_count());
    for (auto& word : argv) {
        if (word.starts_with("O="))
            word = "O=o-lint";
    }
    const auto log = project.logs() / "lint.log";
    auto exit = run({.argv = argv, .env = make_environment(project), .log = log});
    if (!exit)
        return exit.error();
    if (!exit->success())
        return Error{"compiling with W=1 and sparse failed",
                     join(failure_lines(exit->output), "\n") + "\nfull log: " + log.string()};
    return warning_lines(exit->output);
}

} // namespace

std::string checkpatch_findings(std::string_view output)
{
    std::string kept;
    std::string block;
    const auto flush = [&] {
        const bool in_cpp =
            block.find(".cpp:") != std::string::npos || block.find(".hpp:") != std::string::npos;
        // "Pair pair" is a declaration in C++; checkpatch knows C only.
        if (!(in_cpp && block.find(":REPEATED_WORD:") != std::string::npos))
            kept += block;
        block.clear();
    };
    for (const auto& line : split(output, '\n')) {
        block += line + "\n";
        if (trim(line).empty())
            flush();
    }
    flush();
    return std::string(trim(kept));
}

Status checkpatch(const Project& project, const fs::path& mail)
{
    // Debian keeps codespell's dictionary where checkpatch does not look.
    // FILE_PATH_CHANGES only asks whether MAINTAINERS needs an update: check_maintainers() knows.
    auto exit =
        run({.argv = {"perl", "scripts/checkpatch.pl", "--strict", "--codespell", "--quiet",
                      "--no-summary", "--show-types", "--ignore=FILE_PATH_CHANGES",
                      fmt::format("--codespellfile={}", codespell_dictionary), mail.string()},
             .cwd = project.src()});
    if (!exit)
        return exit.error();
    const auto findings = checkpatch_findings(exit->output);
    const bool crashed = exit->signal != 0 || exit->code > 1;
    if (findings.empty() && !crashed)
        return {};
    return Error{"checkpatch is not silent", findings};
}

std::vector<std::string> added_file_patterns(const std::vector<Patch>& patches)
{
    std::vector<std::string> patterns;
    for (const auto& patch : patches) {
        for (const auto& line : split(patch.diff, '\n')) {
            if (line.starts_with("+F:"))
                patterns.emplace_back(trim(std::string_view(line).substr(3)));
        }
    }
    return patterns;
}

bool maintainers_pattern_matches(std::string_view pattern, std::string_view path)
{
    if (pattern.ends_with("/"))
        return path.starts_with(pattern);
    return glob_match(pattern, path);
}

Status check_maintainers(const Project& project)
{
    const auto patches = load_series(project);
    if (!patches)
        return patches.error();
    const auto patterns = added_file_patterns(*patches);
    std::vector<std::string> orphans;
    for (const auto& [target, source] : find_overlay(project.root())) {
        const bool covered = std::any_of(patterns.begin(), patterns.end(),
                                         [&file = target](const std::string& pattern) {
                                             return maintainers_pattern_matches(pattern, file);
                                         });
        if (!covered)
            orphans.push_back(target);
    }
    if (orphans.empty())
        return {};
    return Error{"new files without an F: line in the MAINTAINERS entry that the series adds",
                 join(orphans, "\n")};
}

Status kernel_doc(const Project& project)
{
    Command command{.argv = {"perl", "scripts/kernel-doc", "-none", "-Wall", "-Werror"},
                    .cwd = project.src()};
    for (const auto& [target, source] : find_overlay(project.root())) {
        if (is_kernel_code(target))
            command.argv.push_back(target);
    }
    auto exit = run(command);
    if (!exit)
        return exit.error();
    if (exit->success() && trim(exit->output).empty())
        return {};
    return Error{"kernel-doc is not silent", exit->output};
}

std::vector<std::string> warning_lines(std::string_view log)
{
    std::vector<std::string> found;
    for (const auto& line : split(log, '\n')) {
        const bool warning = line.find(": warning: ") != std::string::npos ||
                             line.find(": error: ") != std::string::npos;
        if (!warning)
            continue;
        // "../crypto/shash.c:12:3: warning: text" -> "crypto/shash.c: warning: text"
        auto file = line.substr(0, line.find(':'));
        while (file.starts_with("../"))
            file.erase(0, 3);
        const auto mark = std::min(line.find(": warning: "), line.find(": error: "));
        auto text = file + line.substr(mark);
        if (std::find(found.begin(), found.end(), text) == found.end())
            found.push_back(std::move(text));
    }
    return found;
}

Result<std::vector<std::string>> compiler_warnings(const Project& project)
{
    const BuildRequest base{.tree = project.src()};
    if (auto built = build_kernel(project, base); !built)
        return built.error();
    const auto patches = load_series(project);
    if (!patches)
        return patches.error();
    std::set<std::string> sources;
    std::set<std::string> changed;
    for (const auto& patch : *patches)
        changed.insert(patch.touched.begin(), patch.touched.end());
    for (const auto& [target, source] : find_overlay(project.root())) {
        if (is_kernel_code(target))
            sources.insert(target);
    }
    sources.insert(changed.begin(), changed.end());
    const auto objects = built_objects(project, sources);
    if (objects.empty())
        return Error{"there is no object to check", "is the base config built with CONFIG_KCR=y?"};
    auto warnings = warnings_of(project, project.src(), objects);
    if (!warnings || warnings->empty())
        return warnings;
    if (auto unpacked = prepare_pristine(project); !unpacked)
        return unpacked.error();
    if (auto configured = configure(project, {.tree = project.pristine(), .config = "nokcr"});
        !configured)
        return configured.error();
    auto before = warnings_of(project, project.pristine(), built_objects(project, changed));
    if (!before)
        return before;
    std::erase_if(*warnings, [&](const std::string& line) {
        return std::find(before->begin(), before->end(), line) != before->end();
    });
    return warnings;
}

} // namespace kcr::tool
