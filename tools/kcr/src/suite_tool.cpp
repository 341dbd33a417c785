// SPDX-License-Identifier: GPL-2.0
#include "build.h"
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
        if (it->path().filename() == "shim") { // kernel style: it stands in for kernel headers
            it.disable_recursion_pending();
            continue;
        }
        const bool header = extension == ".hpp" || (extension == ".h" && folder != "selftests");
        if (extension == ".cpp" || (headers && header))
            files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// The last lines of @p text.
std::string tail(const std::string& text, std::size_t count)
{
    auto lines = split(text, '\n');
    if (lines.size() > count)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    return join(lines, "\n");
}

/// Configures and builds the CMake project @p source with its tests.
Status build_cmake(const Project& project, const fs::path& source, const fs::path& build,
                   const std::vector<std::string>& options)
{
    Command configure{
        .argv = {"cmake", "-G", "Ninja", "-S", source.string(), "-B", build.string()}};
    configure.argv.insert(configure.argv.end(), options.begin(), options.end());
    configure.env = {{"CCACHE_DIR", (project.cache() / "ccache").string()}};
    if (auto done = run_ok(configure); !done)
        return done.error();
    auto done = run_ok({.argv = {"ninja", "-C", build.string()}, .env = configure.env});
    return done ? Status() : done.error();
}

/// Runs a GoogleTest program and reports each of its cases.
void run_gtest(SuiteContext& context, const fs::path& program)
{
    bool any = false;
    std::string output;
    Command command{.argv = {program.string(), "--gtest_color=no"}, .timeout_s = 900};
    command.on_line = [&](std::string_view line) {
        const auto parts = words(line);
        const bool result = parts.size() >= 4 && parts[0] == "[";
        if (result && parts[1] == "OK") {
            context.report.pass(parts[3]);
            any = true;
        } else if (result && parts[1] == "SKIPPED" && parts.back() == "ms)") {
            context.report.skip(parts[3], "the test skipped itself");
        } else if (line.starts_with("[  FAILED  ]") && parts.back() == "ms)") {
            context.report.fail(parts[3], tail(output, 20));
            any = true;
        }
        output += std::string(line) + "\n";
    };
    const auto exit = run(command);
    if (!exit)
        context.report.fail(program.filename().string(), exit.error().message);
    else if (exit->signal != 0 || exit->timed_out || !any)
        context.report.fail(program.filename().string(),
                            exit->describe() + "\n" + tail(output, 20));
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

/// clang-tidy over the files of one compilation database, in parallel.
void check_tidy(SuiteContext& context, const std::string& name, const fs::path& build,
                const std::vector<std::string>& files, const std::vector<std::string>& extra)
{
    if (files.empty())
        return;
    context.report.note("clang-tidy over " + name);
    std::string script =
        fmt::format("printf '%s\\0' \"$@\" | xargs -0 -n 2 -P {} clang-tidy --quiet", cpu_count());
    if (!build.empty())
        script += " -p " + build.string();
    for (const auto& argument : extra)
        script += " --extra-arg=" + argument;
    Command command{.argv = {"sh", "-c", script, "sh"}, .cwd = context.project.root()};
    command.argv.insert(command.argv.end(), files.begin(), files.end());
    command.log = context.project.logs() / "clang-tidy.log";
    const auto exit = run(command);
    Status status;
    if (!exit)
        status = exit.error();
    else if (!exit->success())
        status = Error{"clang-tidy found something", tail(exit->output, 60)};
    context.report.check("clang-tidy " + name, status);
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
    run_gtest(context, build / "kcr-tests");
    check_format(context);
    if (context.quick) {
        context.report.skip("clang-tidy", "--quick");
        return;
    }
    std::error_code error;
    fs::remove(project.logs() / "clang-tidy.log", error);
    check_tidy(context, "tools/kcr", build, cpp_files(project, "tools/kcr", false), {});
    check_tidy(context, "selftests", {}, cpp_files(project, "selftests", false),
               {"-std=c++20", "-D_GNU_SOURCE", "-I" + (project.root() / "include/uapi").string()});
}

void run_suite_native(SuiteContext& context)
{
    const auto& project = context.project;
    const auto source = project.root() / "tools/testing/kcr";
    if (!fs::exists(source / "CMakeLists.txt")) {
        context.report.skip("tools/testing/kcr", "the user-space harness is not there yet");
        return;
    }
    const auto build = project.build() / "native";
    if (auto built = build_cmake(project, source, build, {}); !built) {
        context.report.check("build", built);
        return;
    }
    run_gtest(context, build / "kcr-native-tests");
}

} // namespace kcr::tool
