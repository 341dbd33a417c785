// SPDX-License-Identifier: GPL-2.0
#include "cmake.h"

#include "process.h"
#include "text.h"

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr std::size_t tail_lines = 20;

} // namespace

std::string tail(std::string_view text, std::size_t count)
{
    auto lines = split(text, '\n');
    if (lines.size() > count)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    return join(lines, "\n");
}

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

void run_gtest(SuiteContext& context, const GtestRun& gtest)
{
    bool any = false;
    std::string output;
    Command command{.argv = {gtest.program.string(), "--gtest_color=no"},
                    .env = gtest.env,
                    .timeout_s = gtest.timeout_s};
    if (!gtest.filter.empty())
        command.argv.push_back("--gtest_filter=" + gtest.filter);
    command.on_line = [&](std::string_view line) {
        const auto parts = words(line);
        const bool result = parts.size() >= 4 && parts[0] == "[";
        if (result && parts[1] == "OK") {
            context.report.pass(gtest.prefix + parts[3]);
            any = true;
        } else if (result && parts[1] == "SKIPPED" && parts.back() == "ms)") {
            context.report.skip(gtest.prefix + parts[3], "the test skipped itself");
        } else if (line.starts_with("[  FAILED  ]") && parts.back() == "ms)") {
            auto name = parts[3];
            if (name.ends_with(","))
                name.pop_back(); // "NAME/3, where GetParam() = 3 (5 ms)"
            context.report.fail(gtest.prefix + name, tail(output, tail_lines));
            any = true;
        }
        output += std::string(line) + "\n";
    };
    const auto exit = run(command);
    const auto name = gtest.prefix + gtest.program.filename().string();
    if (!exit)
        context.report.fail(name, exit.error().message);
    else if (exit->signal != 0 || exit->timed_out || !any)
        context.report.fail(name, exit->describe() + "\n" + tail(output, tail_lines));
    else if (!exit->success() && output.find("[  FAILED  ]") == std::string::npos)
        context.report.fail(name, "every case passed, but: " + exit->describe() + "\n" +
                                      tail(output, 2 * tail_lines));
}

} // namespace kcr::tool
