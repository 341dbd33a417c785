// SPDX-License-Identifier: GPL-2.0
#include "build.h"

#include "overlay.h"
#include "patch.h"
#include "process.h"
#include "progress.h"
#include "text.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* build_timestamp = "Thu Jan  1 00:00:00 UTC 1970";
constexpr std::size_t failure_limit = 40;

fs::path object_dir(const BuildRequest& request)
{
    return Project::objects(request.tree, request.config);
}

fs::path log_path(const Project& project, const BuildRequest& request)
{
    return project.logs() /
           (request.log_name.empty() ? "build-" + request.config + ".log" : request.log_name);
}

/// Changes whenever the .config may come out differently.
std::string config_inputs(const Project& project, const Fragment& wanted)
{
    auto digest = content_digest(render_fragment(wanted));
    for (const auto& [target, source] : find_overlay(project.root())) {
        if (fs::path(target).filename() != "Kconfig")
            continue;
        if (const auto text = read_file(project.root() / source))
            digest = content_digest(*text, digest);
    }
    if (const auto patches = load_series(project)) {
        for (const auto& patch : *patches)
            digest = content_digest(patch.content, digest);
    }
    return fmt::format("{:016x}\n", digest);
}

/// Says why options are missing: unknown to Kconfig, or switched off by what they depend on.
Error explain_missing(const BuildRequest& request, const std::vector<std::string>& missing)
{
    std::string hint;
    for (const auto& option : missing) {
        const auto name = option.substr(7, option.find('=') - 7);
        auto found = run(
            {.argv = {"grep", "-rqE", "--include=Kconfig*",
                      fmt::format("^[[:space:]]*(menu)?config {}$", name), request.tree.string()}});
        const bool defined = found && found->code == 0;
        hint += fmt::format("  {}: {}\n", option,
                            defined ? "its dependencies are not met, or another option forces it"
                                    : "no Kconfig file defines it");
    }
    hint += fmt::format("fragments: {}", join(fragment_files(request.config), " "));
    return {fmt::format("{} option{} of config '{}' did not reach the final .config: {}",
                        missing.size(), missing.size() == 1 ? "" : "s", request.config,
                        join(missing, ", ")),
            hint};
}

/// Objects a full build of @p config compiles, remembered from the last one; 0 if not known.
int expected_objects(const Project& project, const std::string& config)
{
    for (const auto& path :
         {project.cache() / ("objects-" + config), project.root() / "configs/objects.txt"}) {
        const auto text = read_file(path);
        if (!text)
            continue;
        for (const auto& line : split(*text, '\n')) {
            const auto parts = words(line);
            if (parts.size() == 2 && parts[0] == config)
                return std::atoi(parts[1].c_str()); // NOLINT(cert-err34-c): 0 is "not known"
        }
    }
    return 0;
}

int count_objects(const fs::path& dir)
{
    int count = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator it(dir, error), end; !error && it != end;
         it.increment(error)) {
        if (it->path().extension() == ".o")
            ++count;
    }
    return count;
}

Error explain_build_failure(const fs::path& log, std::string_view output, const Exit& exit,
                            const std::string& config)
{
    auto lines = failure_lines(output);
    return {fmt::format("building config '{}' failed ({})", config, exit.describe()),
            fmt::format("{}\nfull log: {}", join(lines, "\n"), log.string())};
}

} // namespace

std::vector<std::pair<std::string, std::string>> make_environment(const Project& project)
{
    return {{"KBUILD_BUILD_USER", "kcr"},
            {"KBUILD_BUILD_HOST", "kcr"},
            {"KBUILD_BUILD_TIMESTAMP", build_timestamp},
            {"KBUILD_BUILD_VERSION", "1"},
            {"LC_ALL", "C"},
            {"MAKEFLAGS", ""},
            {"CCACHE_DIR", (project.cache() / "ccache").string()},
            {"CCACHE_COMPILERCHECK", "content"},
            {"CCACHE_BASEDIR", project.build().string()},
            {"CCACHE_MAXSIZE", "8G"}};
}

std::vector<std::string> make_arguments(const BuildRequest& request, unsigned jobs)
{
    std::vector<std::string> argv = {"make",
                                     "-C",
                                     request.tree.string(),
                                     "O=" + object_dir(request).filename().string(),
                                     "CC=ccache gcc",
                                     "HOSTCC=ccache gcc",
                                     fmt::format("-j{}", jobs)};
    argv.insert(argv.end(), request.extra.begin(), request.extra.end());
    argv.insert(argv.end(), request.targets.begin(), request.targets.end());
    return argv;
}

bool announces_object(std::string_view line)
{
    const auto parts = words(line);
    return parts.size() >= 2 && line.starts_with("  ") && parts.back().ends_with(".o") &&
           (parts[0] == "CC" || parts[0] == "AS" || parts[0] == "LD" || parts[0] == "AR");
}

std::vector<std::string> failure_lines(std::string_view log)
{
    std::vector<std::string> found;
    int context = 0;
    for (const auto& line : split(log, '\n')) {
        bool important = false;
        for (const std::string_view mark : {"error:", "fatal error", "undefined reference", "*** ",
                                            "ERROR:", "multiple definition",
                                            "No space left on device", "internal compiler error"})
            important = important || line.find(mark) != std::string::npos;
        if (important)
            context = 3;
        if (context-- > 0 && !line.starts_with("  CC ") && found.size() < failure_limit)
            found.push_back(line);
    }
    return found;
}

unsigned cpu_count()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return static_cast<unsigned>(CPU_COUNT(&set));
}

Status configure(const Project& project, const BuildRequest& request)
{
    const auto wanted = load_config(project, request.config);
    if (!wanted)
        return wanted.error();
    const auto dir = object_dir(request);
    std::error_code error;
    fs::create_directories(dir, error);
    const auto inputs = config_inputs(project, *wanted);
    const auto stamp = dir / ".kcr-config";
    if (const auto old = read_file(stamp); old && *old == inputs && fs::exists(dir / ".config"))
        return {};
    fs::remove(stamp, error);
    const auto fragment = dir / ".kcr-fragment";
    const auto fresh = dir / ".config.kcr";
    if (auto status = write_file_atomic(fragment, render_fragment(*wanted)); !status)
        return status;
    auto make = request;
    make.targets = {"allnoconfig"};
    Command command{.argv = make_arguments(make, 1), .env = make_environment(project)};
    command.env.emplace_back("KCONFIG_ALLCONFIG", fragment.string());
    command.env.emplace_back("KCONFIG_CONFIG", fresh.string());
    auto made = run_ok(command);
    if (!made)
        return made.error();
    const auto text = read_file(fresh);
    if (!text)
        return text.error();
    if (const auto missing = missing_options(*wanted, parse_fragment(*text)); !missing.empty())
        return explain_missing(request, missing);
    if (const auto old = read_file(dir / ".config"); !old || *old != *text) {
        if (auto status = write_file_atomic(dir / ".config", *text); !status)
            return status;
    }
    return write_file_atomic(stamp, inputs);
}

Result<std::string> build_kernel(const Project& project, const BuildRequest& request)
{
    if (auto status = configure(project, request); !status)
        return status.error();
    const auto log = log_path(project, request);
    std::error_code error;
    fs::remove(log, error);
    const bool pristine = request.tree == project.pristine();
    Progress progress(fmt::format("build {}{}", request.config, pristine ? " (pristine)" : ""));
    const int before = count_objects(object_dir(request));
    const int expected = expected_objects(project, request.config);
    const bool full = before < expected * 9 / 10;
    int done = full ? before : 0;
    Command command{.argv = make_arguments(request, cpu_count()),
                    .env = make_environment(project),
                    .log = log,
                    .on_line = [&](std::string_view line) {
                        if (announces_object(line))
                            progress.update(++done, full ? expected : 0, "objects");
                    }};
    auto exit = run(command);
    progress.clear();
    if (!exit)
        return exit.error();
    if (!exit->success())
        return explain_build_failure(log, exit->output, *exit, request.config);
    const auto count = fmt::format("{} {}\n", request.config, count_objects(object_dir(request)));
    if (auto status = write_file_atomic(project.cache() / ("objects-" + request.config), count);
        !status)
        return status.error();
    return std::move(exit->output);
}

namespace
{

/// Installs the headers of @p config's kernel, then runs @p make.
Status make_selftests(const Project& project, const std::string& config, const std::string& target,
                      const std::vector<std::string>& make)
{
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    const BuildRequest headers = {.tree = project.src(),
                                  .config = config,
                                  .targets = {"headers_install"},
                                  .log_name = "headers.log"};
    const auto log = project.logs() / ("build-selftests-" + target + ".log");
    std::error_code error;
    fs::remove(log, error);
    for (const auto& argv : {make_arguments(headers, cpu_count()), make}) {
        auto exit = run({.argv = argv, .env = make_environment(project), .log = log});
        if (!exit)
            return exit.error();
        if (!exit->success())
            return Error{"building the selftests of " + target + " failed",
                         join(failure_lines(exit->output), "\n") + "\nfull log: " + log.string()};
    }
    return {};
}

} // namespace

Result<fs::path> build_selftests(const Project& project, const std::string& config,
                                 const std::string& target)
{
    const auto objects = Project::objects(project.src(), config);
    const auto made = make_selftests(
        project, config, target,
        {"make", "-C", (project.src() / "tools/testing/selftests").string(), "TARGETS=" + target,
         "O=" + objects.string(), fmt::format("-j{}", cpu_count())});
    if (!made)
        return made.error();
    return objects / "kselftest" / target;
}

Result<fs::path> build_selftest_programs(const Project& project, const std::string& config,
                                         const std::string& target,
                                         const std::vector<std::string>& programs)
{
    const auto objects = Project::objects(project.src(), config);
    const auto output = objects / "kselftest" / (target + "-programs");
    std::vector<std::string> make = {"make",
                                     "-C",
                                     (project.src() / "tools/testing/selftests" / target).string(),
                                     "OUTPUT=" + output.string(),
                                     "KHDR_INCLUDES=-isystem " + (objects / "usr/include").string(),
                                     fmt::format("-j{}", cpu_count())};
    for (const auto& program : programs)
        make.push_back((output / program).string());
    std::error_code error;
    fs::create_directories(output, error);
    const auto made = make_selftests(project, config, target, make);
    if (!made)
        return made.error();
    return output;
}

Command kunit_py(const Project& project, const std::string& action)
{
    Command command{.argv = {"python3", "tools/testing/kunit/kunit.py", action,
                             "--kunitconfig=" + (project.root() / "configs/uml.config").string(),
                             "--build_dir=o-uml", fmt::format("--jobs={}", cpu_count()),
                             "--make_options=CC=ccache gcc", "--make_options=HOSTCC=ccache gcc"},
                    .cwd = project.src(),
                    .env = make_environment(project)};
    return command;
}

Status build_uml(const Project& project)
{
    auto command = kunit_py(project, "build");
    const auto log = project.logs() / "build-uml.log";
    std::error_code error;
    fs::remove(log, error);
    command.log = log;
    const Progress progress("build uml");
    auto exit = run(command);
    if (!exit)
        return exit.error();
    if (!exit->success())
        return explain_build_failure(log, exit->output, *exit, "uml");
    return {};
}

} // namespace kcr::tool
