// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "kconfig.h"
#include "process.h"
#include "project.h"
#include "result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kcr::tool
{

/// Which kernel to build from which tree.
struct BuildRequest {
    std::filesystem::path tree; ///< build/src or build/pristine
    std::string config = "base";
    std::vector<std::string> targets = {"bzImage"};
    std::vector<std::string> extra; ///< more arguments for make, e.g. W=1
    std::string log_name;           ///< empty: "build-CONFIG.log"
};

/// What every kernel make gets, so that builds are reproducible and share ccache's hits.
std::vector<std::pair<std::string, std::string>> make_environment(const Project& project);

/// The make command line for @p request.
std::vector<std::string> make_arguments(const BuildRequest& request, unsigned jobs);

/// True for an output line of kbuild that announces an object file ("  CC      mm/slub.o").
bool announces_object(std::string_view line);

/// The lines of a build log that say what went wrong.
std::vector<std::string> failure_lines(std::string_view log);

/// Number of CPUs this process may use.
unsigned cpu_count();

/// Writes the O= directory's .config if its inputs changed, and checks that every option of the
/// fragments is in it. Needs the build lock.
Status configure(const Project& project, const BuildRequest& request);

/// configure(), then make. Needs the build lock. Returns the output of make.
Result<std::string> build_kernel(const Project& project, const BuildRequest& request);

/// Builds the kernel's selftests of @p target (a folder of tools/testing/selftests) for @p config;
/// returns the folder with the programs.
Result<std::filesystem::path> build_selftests(const Project& project, const std::string& config,
                                              const std::string& target);

/// Builds single @p programs of @p target's selftests, where not all of them can be built
/// everywhere; returns the folder with them.
Result<std::filesystem::path> build_selftest_programs(const Project& project,
                                                      const std::string& config,
                                                      const std::string& target,
                                                      const std::vector<std::string>& programs);

/// Builds the UML kernel with the stock kunit.py. Needs the build lock.
Status build_uml(const Project& project);

/// The arguments of kunit.py for @p action ("build" or "run").
Command kunit_py(const Project& project, const std::string& action);

} // namespace kcr::tool
