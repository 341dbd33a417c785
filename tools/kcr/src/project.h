// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "fd.h"
#include "result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// Where everything is: the repository and its build directory.
class Project
{
public:
    explicit Project(std::filesystem::path root) : root_(std::move(root)) {}

    [[nodiscard]] const std::filesystem::path& root() const
    {
        return root_;
    }
    [[nodiscard]] std::filesystem::path build() const
    {
        return root_ / "build";
    }
    /// The prepared kernel tree.
    [[nodiscard]] std::filesystem::path src() const
    {
        return build() / "src";
    }
    /// The unpatched kernel tree.
    [[nodiscard]] std::filesystem::path pristine() const
    {
        return build() / "pristine";
    }
    /// The O= directory of @p config in @p tree. It lies directly inside the tree because
    /// kbuild then uses relative paths only: all trees share ccache's hits, and what is
    /// built does not depend on where the repository is.
    [[nodiscard]] static std::filesystem::path objects(const std::filesystem::path& tree,
                                                       std::string_view config)
    {
        return tree / ("o-" + std::string(config));
    }
    [[nodiscard]] std::filesystem::path logs() const
    {
        return build() / "logs";
    }
    [[nodiscard]] std::filesystem::path cache() const
    {
        return build() / "cache";
    }
    [[nodiscard]] std::filesystem::path tool_build() const
    {
        return build() / "tool";
    }
    [[nodiscard]] std::filesystem::path tarball() const;

    /// Makes the directories that everything else assumes.
    [[nodiscard]] Status make_directories() const;

private:
    std::filesystem::path root_;
};

/// The kernel source package's tarball, and the environment variable that overrides it.
inline constexpr const char* default_tarball = "/usr/src/linux-source-6.12.tar.xz";
inline constexpr const char* tarball_variable = "KCR_TARBALL";

/// Exclusive use of the build directory. Children inherit the lock, so that it is held until
/// the last compiler of a killed run has ended.
class BuildLock
{
public:
    /// Waits for another run to finish and says so.
    static Result<BuildLock> take(const Project& project);
    BuildLock(BuildLock&&) = default;
    BuildLock& operator=(BuildLock&&) = default;
    BuildLock(const BuildLock&) = delete;
    BuildLock& operator=(const BuildLock&) = delete;
    ~BuildLock();

private:
    explicit BuildLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

/// The configurations that can be built, from configs/.
std::vector<std::string> config_names(const Project& project);

} // namespace kcr::tool
