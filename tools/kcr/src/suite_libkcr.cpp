// SPDX-License-Identifier: GPL-2.0
#include "cmake.h"
#include "process.h"
#include "tempdir.h"

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr double valgrind_timeout_s = 300;

/// What runs the compiler needs no sanitizer, and that of addresses makes system calls itself.
constexpr const char* address_filter = "-*Misuse*:*Sandbox*";
constexpr const char* thread_filter = "-*Misuse*";
/// So does valgrind, which does not know rounding modes either.
constexpr const char* valgrind_filter = "-*Misuse*:*Sandbox*:*Rounding*";

fs::path library(const Project& project)
{
    return project.root() / "tools/libkcr";
}

Status done(const Result<std::string>& result)
{
    return result ? Status() : result.error();
}

/// Builds the tests one way and runs them; false if they cannot be built.
bool run_tests(SuiteContext& context, const std::string& name, const std::string& sanitizers,
               const std::string& filter)
{
    const auto& project = context.project;
    const auto build = project.build() / ("libkcr-" + name);
    std::vector<std::string> options = {"-DKCR_LIB_TESTS=ON"};
    if (!sanitizers.empty())
        options.insert(options.end(),
                       {"-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19",
                        "-DKCR_SANITIZE=" + sanitizers});
    context.report.note("building libkcr's tests: " + name);
    if (auto built = build_cmake(project, library(project), build, options); !built) {
        context.report.check(name + " build", built);
        return false;
    }
    run_gtest(context, {.program = build / "tests/kcr-lib-tests",
                        .prefix = name + " ",
                        .filter = filter,
                        .env = {{"ASAN_OPTIONS", "handle_segv=0"},
                                {"TSAN_OPTIONS", "halt_on_error=1 handle_segv=0"}}});
    return true;
}

void run_valgrind(SuiteContext& context, const fs::path& build)
{
    context.report.note("libkcr's tests under valgrind");
    context.report.check(
        "valgrind",
        done(run_ok({.argv = {"valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full",
                              "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
                              (build / "tests/kcr-lib-tests").string(),
                              std::string("--gtest_filter=") + valgrind_filter},
                     .timeout_s = valgrind_timeout_s})));
}

/// Programs that were built against an older library run with this one: nothing they rely on
/// is gone or different. What is new has to be recorded, too (`make abi`): then it stays.
void check_abi(SuiteContext& context, const fs::path& build)
{
    const auto baseline = library(context.project) / "abi/libkcr.so.1.xml";
    context.report.check(
        "ABI",
        done(run_ok({.argv = {"abidiff", baseline.string(), (build / "libkcr.so.1").string()}})));
}

void check_manual(SuiteContext& context)
{
    const auto pages = library(context.project) / "man";
    for (const auto& page : fs::directory_iterator(pages)) {
        const auto checked =
            run_ok({.argv = {"mandoc", "-T", "lint", "-W", "warning", page.path().string()}});
        context.report.check("manual page " + page.path().filename().string(), done(checked));
    }
}

/// Builds and runs programs against what `make install` installs.
void check_consumers(SuiteContext& context, const fs::path& root)
{
    const auto& project = context.project;
    const auto consumers = library(project) / "tests/consumers";
    const auto made = run_ok({.argv = {"make", "-C", library(project).string(), "install",
                                       "BUILD=" + (project.build() / "libkcr-install").string(),
                                       "DESTDIR=" + root.string(), "PREFIX=/usr"}});
    context.report.check("make install", done(made));
    if (!made)
        return;
    const auto prefix = root / "usr";
    const auto with_cmake = root / "with-cmake";
    auto built = build_cmake(project, consumers / "cmake", with_cmake,
                             {"-DCMAKE_PREFIX_PATH=" + prefix.string()});
    context.report.check("CMake consumer builds", built);
    for (const auto* program : {"c-kcr", "cpp-kcr", "c-kcr-static", "cpp-kcr-static"}) {
        if (built)
            context.report.check(
                std::string("CMake consumer ") + program,
                done(run_ok({.argv = {(with_cmake / (std::string("consumer-") + program)).string()},
                             .timeout_s = 60})));
    }
    std::string libraries;
    for (const auto& file : fs::recursive_directory_iterator(prefix)) {
        if (file.path().filename() == "kcr.pc")
            libraries = file.path().parent_path().parent_path().string();
    }
    const auto with_pkgconfig =
        run_ok({.argv = {"make", "-C", (consumers / "pkgconfig").string(), "OUT=" + root.string()},
                .env = {{"PKG_CONFIG_PATH", libraries + "/pkgconfig"},
                        {"PKG_CONFIG_SYSROOT_DIR", root.string()}}});
    context.report.check("pkg-config consumer builds", done(with_pkgconfig));
    for (const auto* program : {"consumer-c", "consumer-cpp"}) {
        if (with_pkgconfig)
            context.report.check(std::string("pkg-config ") + program,
                                 done(run_ok({.argv = {(root / program).string()},
                                              .env = {{"LD_LIBRARY_PATH", libraries}},
                                              .timeout_s = 60})));
    }
}

/// Makes the Debian packages, and looks into them.
void check_packages(SuiteContext& context)
{
    const auto build = context.project.build() / "libkcr-packages";
    context.report.note("building the packages");
    if (auto built = build_cmake(context.project, library(context.project), build,
                                 {"-DKCR_PACKAGES_TOOLS=ON", "-DCMAKE_INSTALL_PREFIX=/usr",
                                  "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
                                  "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"});
        !built) {
        context.report.check("packages", built);
        return;
    }
    const auto packages = TempDir::make(context.project.build());
    if (!packages) {
        context.report.check("packages", packages.error());
        return;
    }
    const auto packed = run_ok({.argv = {"cpack", "-B", packages->path().string()}, .cwd = build});
    context.report.check("packages", done(packed));
    if (!packed)
        return;
    struct Expected {
        const char* package;
        const char* field;
        const char* file;
    };
    for (const auto& expected : {Expected{"libkcr1", "Depends: libc6", "libkcr.so.1"},
                                 Expected{"libkcr-dev", "Depends: libkcr1", "usr/include/kcr.hpp"},
                                 Expected{"kcr-tools", "Depends: libbpf1", "usr/bin/kcrctl"}}) {
        const std::string script = "file=$(ls \"$1\"/" + std::string(expected.package) +
                                   "_*.deb) && dpkg-deb -I \"$file\" | grep -qF '" +
                                   expected.field + "' && dpkg-deb -c \"$file\" | grep -qF '" +
                                   expected.file + "'";
        context.report.check(
            std::string("package ") + expected.package,
            done(run_ok({.argv = {"sh", "-c", script, "sh", packages->path().string()}})));
    }
}

} // namespace

void run_suite_libkcr(SuiteContext& context)
{
    const auto& project = context.project;
    const bool plain = run_tests(context, "plain", {}, {});
    if (interrupted() == 0)
        run_tests(context, "asan", "address,undefined", address_filter);
    if (interrupted() == 0)
        run_tests(context, "tsan", "thread", thread_filter);
    if (!plain || interrupted() != 0)
        return;
    const auto build = project.build() / "libkcr-plain";
    if (context.quick)
        context.report.skip("valgrind", "--quick");
    else
        run_valgrind(context, build);
    check_abi(context, build);
    check_manual(context);
    const auto root = TempDir::make(project.build());
    if (!root) {
        context.report.check("make install", root.error());
        return;
    }
    check_consumers(context, root->path());
    if (context.quick)
        context.report.skip("packages", "--quick");
    else if (interrupted() == 0)
        check_packages(context);
}

} // namespace kcr::tool
