// SPDX-License-Identifier: GPL-2.0
#include "overlay.h"

#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

/// Folders whose files keep their path.
constexpr std::array<std::string_view, 7> mirrored = {
    "kernel/", "crypto/", "mm/", "net/", "drivers/", "include/", "Documentation/"};
constexpr std::string_view selftests = "selftests/";
constexpr std::string_view selftests_target = "tools/testing/selftests/kcr/";

bool is_scratch(std::string_view name)
{
    for (const std::string_view suffix : {"~", ".orig", ".rej", ".swp", ".o", ".cmd"}) {
        if (name.ends_with(suffix))
            return true;
    }
    return name.starts_with(".#");
}

void find_in(const fs::path& root, const std::string& folder, Overlay& overlay)
{
    std::error_code error;
    for (fs::recursive_directory_iterator it(root / folder, error), end; !error && it != end;
         it.increment(error)) {
        const auto path = fs::relative(it->path(), root).generic_string();
        if (it->is_regular_file() && !is_scratch(it->path().filename().string()))
            overlay[overlay_target(path)] = path;
    }
}

} // namespace

std::string overlay_target(std::string_view path)
{
    if (path == "Kconfig")
        return "kernel/kcr/Kconfig";
    if (path.starts_with(selftests))
        return std::string(selftests_target) + std::string(path.substr(selftests.size()));
    for (const auto& folder : mirrored) {
        if (path.starts_with(folder))
            return std::string(path);
    }
    return {};
}

Overlay find_overlay(const fs::path& root)
{
    Overlay overlay;
    if (fs::exists(root / "Kconfig"))
        overlay[overlay_target("Kconfig")] = "Kconfig";
    for (const auto& folder : mirrored)
        find_in(root, std::string(folder.substr(0, folder.size() - 1)), overlay);
    find_in(root, "selftests", overlay);
    return overlay;
}

Result<SyncCounts> sync_overlay(const fs::path& root, const fs::path& tree, const Overlay& overlay,
                                const std::set<std::string>& previous)
{
    SyncCounts counts;
    std::error_code error;
    for (const auto& path : previous) {
        if (!overlay.contains(path) && fs::remove(tree / path, error))
            ++counts.removed;
    }
    for (const auto& [target, source] : overlay) {
        const auto wanted = read_file(root / source);
        if (!wanted)
            return wanted.error();
        const auto destination = tree / target;
        if (fs::exists(destination)) {
            const auto present = read_file(destination);
            if (present && *present == *wanted) {
                ++counts.unchanged;
                continue;
            }
        }
        fs::create_directories(destination.parent_path(), error);
        if (auto status = write_file_atomic(destination, *wanted); !status)
            return status.error();
        const auto mode = fs::status(root / source).permissions();
        fs::permissions(destination, mode | fs::perms::owner_write, error);
        ++counts.written;
    }
    return counts;
}

Status check_overlay_is_new(const Overlay& overlay, const std::set<std::string>& upstream)
{
    for (const auto& [target, source] : overlay) {
        if (upstream.contains(target))
            return Error{fmt::format("{} would replace the kernel's own {}", source, target),
                         "an overlay file must be new; change existing files with a patch"};
    }
    return {};
}

} // namespace kcr::tool
