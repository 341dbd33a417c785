// SPDX-License-Identifier: GPL-2.0
#include "build.h"
#include "cmake.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

/// C++ files below @p folder of the repository, sources only or with headers.
std::vector<std::string> cpp_files(const Project& project, const std::string& folder, bool headers)
{
    std::vector<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator it(project.root() / folder, error), end;
         !error && it != end; it.increment(error)) {
        const auto extension = it->path().extension();
        const auto name = it->path().filename();
        if (name == "shim" || name == "emul") { // kernel style: it stands in for the kernel
            it.disable_recursion_pending();
            continue;
        }
        // C is in kernel style
        const auto path = it->path().string();
        const bool c = folder == "selftests" || path.find("/libkcr/") != std::string::npos ||
                       path.find("/memo/") != std::string::npos;
        const bool header = extension == ".hpp" || (extension == ".h" && !c);
        if (extension == ".cpp" || (headers && header))
            files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void check_format(SuiteContext& context)
{
    Command command{.argv = {"clang-format", "--dry-run", "-Werror"}};
    for (const auto* folder : {"tools", "selftests"}) {
        const auto files = cpp_files(context.project, folder, true);
        command.argv.insert(command.argv.end(), files.begin(), files.end());
    }
    const auto done = run_ok(command);
    context.report.check("clang-format", done ? Status() : done.error());
}

/// What clang-tidy found in @p output, one line each and each once: it reports what is in a header
/// for every file that includes it, and counts on every file what it has suppressed.
std::string findings(const std::string& output)
{
    std::vector<std::string> found;
    for (const auto& line : split(output, '\n')) {
        const bool finding = line.find(": error: ") != std::string::npos ||
                             line.find(": warning: ") != std::string::npos ||
                             line.starts_with("error: ") || line.starts_with("Error ");
        if (finding && std::find(found.begin(), found.end(), line) == found.end())
            found.push_back(line);
    }
    return found.empty() ? tail(output, 60) : join(found, "\n");
}

/// clang-tidy over the files of one compilation database, in parallel.
void check_tidy(SuiteContext& context, const std::string& name, const fs::path& build,
                const std::vector<std::string>& files, const std::vector<std::string>& extra)
{
    if (files.empty())
        return;
    context.report.note("clang-tidy over " + name);
    std::string tidy = "clang-tidy --quiet";
    if (!build.empty())
        tidy += " -p " + build.string();
    for (const auto& argument : extra)
        tidy += " \"" + argument + '"';
    // One that dies says nothing about the code: it gets a second chance, and is named
    const std::string script =
        fmt::format(R"(each='{0} "$@" || {{ code=$?; [ $code -gt 1 ] && {0} "$@"; }} || )"
                    R"({{ echo "error: clang-tidy: exit code $code: $*"; exit 1; }}'; )"
                    R"(printf '%s\0' "$@" | xargs -0 -n 2 -P {1} sh -c "$each" sh)",
                    tidy, cpu_count());
    Command command{.argv = {"sh", "-c", script, "sh"}, .cwd = context.project.root()};
    command.argv.insert(command.argv.end(), files.begin(), files.end());
    command.log = context.project.logs() / "clang-tidy.log";
    const auto exit = run(command);
    Status status;
    if (!exit)
        status = exit.error();
    else if (!exit->success())
        status = Error{"clang-tidy found something", findings(exit->output)};
    context.report.check("clang-tidy " + name, status);
}

/// clang-tidy over what stands beside the fuzzers, which have a compilation database of their own.
void check_native_tidy(SuiteContext& context)
{
    const auto& project = context.project;
    const auto build = project.build() / "native";
    const auto configured =
        run_ok({.argv = {"cmake", "-G", "Ninja", "-S",
                         (project.root() / "tools/testing/kcr").string(), "-B", build.string()}});
    if (!configured) {
        context.report.check("clang-tidy tools/testing/kcr", configured.error());
        return;
    }
    auto files = cpp_files(project, "tools/testing/kcr", false);
    std::erase_if(files,
                  [](const std::string& file) { return file.find("/fuzz/") != std::string::npos; });
    check_tidy(context, "tools/testing/kcr", build, files, {});
}

/// clang-tidy over libkcr, whose C++ is its header and its tests.
void check_libkcr_tidy(SuiteContext& context)
{
    const auto& project = context.project;
    const auto build = project.build() / "libkcr-plain";
    const auto configured =
        run_ok({.argv = {"cmake", "-G", "Ninja", "-S", (project.root() / "tools/libkcr").string(),
                         "-B", build.string(), "-DKCR_LIB_TESTS=ON"}});
    if (!configured) {
        context.report.check("clang-tidy tools/libkcr", configured.error());
        return;
    }
    auto files = cpp_files(project, "tools/libkcr/tests", false);
    // What must not compile, and what is compiled against installed files
    std::erase_if(files, [](const std::string& file) {
        return file.ends_with("/misuse.cpp") || file.find("/consumers/") != std::string::npos;
    });
    check_tidy(context, "tools/libkcr", build, files, {});
}

} // namespace

void run_suite_tool(SuiteContext& context)
{
    const auto& project = context.project;
    const auto build = project.build() / "tool-tests";
    context.report.note("building the unit tests");
    if (auto built =
            build_cmake(project, project.root() / "tools/kcr", build, {"-DKCR_TOOL_TESTS=ON"});
        !built) {
        context.report.check("build", built);
        return;
    }
    run_gtest(context, {.program = build / "kcr-tests"});
    run_gtest(context, {.program = build / "kcrctl/kcrctl-tests"});
    run_gtest(context, {.program = build / "kcrctl/memo/tests/kcr-memo-tests"});
    check_format(context);
    if (context.quick) {
        context.report.skip("clang-tidy", "--quick");
        return;
    }
    std::error_code error;
    fs::remove(project.logs() / "clang-tidy.log", error);
    check_tidy(context, "tools/kcr", build, cpp_files(project, "tools/kcr", false), {});
    check_tidy(context, "tools/kcrctl", build, cpp_files(project, "tools/kcrctl", false), {});
    check_native_tidy(context);
    check_libkcr_tidy(context);
    // Of tests, clang-tidy's own checks only, as the tests' .clang-tidy files say elsewhere
    check_tidy(context, "selftests", {}, cpp_files(project, "selftests", false),
               {"--checks=-clang-analyzer-*", "--extra-arg=-std=c++20", "--extra-arg=-D_GNU_SOURCE",
                "--extra-arg=-I" + (project.root() / "include/uapi").string()});
}

} // namespace kcr::tool
