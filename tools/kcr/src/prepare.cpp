// SPDX-License-Identifier: GPL-2.0
#include "prepare.h"

#include "overlay.h"
#include "process.h"
#include "text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <map>
#include <set>

namespace kcr::tool
{

namespace fs = std::filesystem;
using nlohmann::json;

namespace
{

constexpr const char* stamp_name = ".kcr-source";      ///< which tarball a tree came from
constexpr const char* manifest_name = ".kcr-manifest"; ///< the upstream files of a tree
constexpr const char* state_name = ".kcr-state";       ///< overlay and patches in a tree
constexpr const char* upstream_name = ".kcr-upstream"; ///< originals of the patched files
constexpr std::uintmax_t space_for_tree = 1'800'000'000;

/// Names the tarball's content without reading it.
Result<std::string> tarball_identity(const fs::path& tarball)
{
    struct stat info = {};
    if (::stat(tarball.c_str(), &info) != 0)
        return Error{fmt::format("there is no kernel source at {}", tarball.string()),
                     fmt::format("apt-get install linux-source-6.12, or set {}", tarball_variable)};
    return fmt::format("{} {} {}.{}\n", tarball.string(), info.st_size, info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
}

Status write_manifest(const fs::path& tree)
{
    std::string manifest;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        if (!entry.is_directory())
            manifest += entry.path().lexically_relative(tree).generic_string() + "\n";
    }
    return write_file_atomic(tree / manifest_name, manifest);
}

Result<std::set<std::string>> read_manifest(const fs::path& tree)
{
    auto text = read_file(tree / manifest_name);
    if (!text)
        return text.error();
    auto lines = split(*text, '\n');
    return std::set<std::string>(lines.begin(), lines.end());
}

/// Unpacks the tarball into @p tree unless a complete one from the same tarball is there.
Result<bool> unpack(const Project& project, const fs::path& tree)
{
    const auto tarball = project.tarball();
    const auto identity = tarball_identity(tarball);
    if (!identity)
        return identity.error();
    if (const auto stamp = read_file(tree / stamp_name); stamp && *stamp == *identity)
        return false;
    std::error_code error;
    const fs::path fresh = tree.string() + ".new";
    fs::remove_all(tree, error);
    fs::remove_all(fresh, error);
    fs::create_directories(fresh, error);
    if (const auto space = fs::space(project.build(), error);
        !error && space.available < space_for_tree)
        return Error{fmt::format("only {} MB are free below {}; unpacking the kernel needs {} MB",
                                 space.available / 1'000'000, project.build().string(),
                                 space_for_tree / 1'000'000),
                     "free some disk space and run the command again"};
    auto exit = run(
        {.argv = {"tar", "-xJf", tarball.string(), "--strip-components=1", "-C", fresh.string()}});
    if (!exit)
        return exit.error();
    if (!exit->success()) {
        fs::remove_all(fresh, error);
        return explain_unpack_failure(tarball, exit->output);
    }
    if (auto status = write_manifest(fresh); !status)
        return status.error();
    if (auto status = write_file_atomic(fresh / stamp_name, *identity); !status)
        return status.error();
    fs::rename(fresh, tree, error);
    if (error)
        return Error{fmt::format("cannot rename {}: {}", fresh.string(), error.message()), {}};
    return true;
}

/// What is in a prepared tree beyond upstream.
struct TreeState {
    std::set<std::string> overlay;
    std::set<std::string> touched; ///< files that the applied (or half applied) patches change
    std::string series;            ///< digest of the applied series; "dirty" while applying
};

constexpr const char* dirty = "dirty";

TreeState read_state(const fs::path& tree)
{
    TreeState state;
    const auto text = read_file(tree / state_name);
    const auto parsed = json::parse(text ? *text : "{}", nullptr, false);
    if (!parsed.is_object())
        return state;
    state.overlay = parsed.value("overlay", std::set<std::string>{});
    state.touched = parsed.value("touched", std::set<std::string>{});
    state.series = parsed.value("series", std::string());
    return state;
}

Status write_state(const fs::path& tree, const TreeState& state)
{
    const json document = {
        {"overlay", state.overlay}, {"touched", state.touched}, {"series", state.series}};
    return write_file_atomic(tree / state_name, document.dump(1) + "\n");
}

std::string series_digest(const std::vector<Patch>& patches)
{
    std::uint64_t digest = content_digest("");
    for (const auto& patch : patches)
        digest = content_digest(patch.content, content_digest(patch.name, digest));
    return fmt::format("{:016x}", digest);
}

/// Content and timestamps of files, to give the time back to those that end up the same.
class TimestampKeeper
{
public:
    TimestampKeeper(fs::path tree, const std::set<std::string>& paths) : tree_(std::move(tree))
    {
        for (const auto& path : paths) {
            struct stat info = {};
            auto content = read_file(tree_ / path);
            if (content && ::stat((tree_ / path).c_str(), &info) == 0)
                files_[path] = {std::move(*content), info.st_mtim};
        }
    }

    void restore() const
    {
        for (const auto& [path, file] : files_) {
            const auto content = read_file(tree_ / path);
            if (!content || *content != file.content)
                continue;
            const std::array<timespec, 2> times = {file.time, file.time};
            ::utimensat(AT_FDCWD, (tree_ / path).c_str(), times.data(), 0);
        }
    }

private:
    struct File {
        std::string content;
        timespec time;
    };
    fs::path tree_;
    std::map<std::string, File> files_;
};

/// Keeps a copy of each upstream file that is about to be patched for the first time.
Status save_upstream(const fs::path& tree, const std::set<std::string>& paths)
{
    std::error_code error;
    for (const auto& path : paths) {
        const auto copy = tree / upstream_name / path;
        if (fs::exists(copy))
            continue;
        const auto content = read_file(tree / path);
        if (!content)
            return content.error();
        fs::create_directories(copy.parent_path(), error);
        if (auto status = write_file_atomic(copy, *content); !status)
            return status;
    }
    return {};
}

/// Brings @p paths back to their upstream content, whatever state quilt was killed in.
Status restore_upstream(const fs::path& tree, const std::set<std::string>& paths)
{
    std::error_code error;
    fs::remove_all(tree / ".pc", error);
    for (const auto& path : paths) {
        const auto content = read_file(tree / upstream_name / path);
        if (!content)
            continue;
        const auto mode = fs::status(tree / path).permissions();
        if (auto status = write_file_atomic(tree / path, *content); !status)
            return status;
        fs::permissions(tree / path, mode, error);
        fs::remove(tree / (path + ".rej"), error);
        fs::remove(tree / (path + ".orig"), error);
    }
    return {};
}

Command quilt(const Project& project, const fs::path& tree, std::vector<std::string> arguments)
{
    Command command{.argv = {"quilt", "--quiltrc", "-"}, .cwd = tree};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.env = {{"QUILT_PATCHES", (project.root() / "patches").string()},
                   {"QUILT_SERIES", (project.root() / "patches/series").string()},
                   {"LC_ALL", "C"}};
    return command;
}

/// Replaces the applied patches by those of the repository.
Result<bool> update_patches(const Project& project, const fs::path& tree, TreeState& state,
                            const std::vector<Patch>& patches)
{
    const auto digest = series_digest(patches);
    if (state.series == digest)
        return false;
    auto all = state.touched;
    std::set<std::string> touched;
    for (const auto& patch : patches)
        touched.insert(patch.touched.begin(), patch.touched.end());
    all.insert(touched.begin(), touched.end());
    const TimestampKeeper times(tree, all);
    if (auto status = save_upstream(tree, touched); !status)
        return status.error();
    state.series = dirty;
    state.touched = all;
    if (auto status = write_state(tree, state); !status)
        return status.error();
    if (auto status = restore_upstream(tree, all); !status)
        return status.error();
    if (auto status = push_series(project, tree); !status) {
        [[maybe_unused]] const auto restored = restore_upstream(tree, all);
        return status.error();
    }
    times.restore();
    state.touched = touched;
    state.series = digest;
    return true;
}

/// Every file a patch changes must be upstream's.
Status check_touched_exist(const std::vector<Patch>& patches, const std::set<std::string>& upstream)
{
    for (const auto& patch : patches) {
        for (const auto& path : patch.touched) {
            if (!upstream.contains(path))
                return Error{fmt::format("patches/{} changes {}, which the kernel does not have",
                                         patch.name, path),
                             "patches hold hooks into existing files only"};
        }
    }
    return {};
}

} // namespace

std::string PrepareReport::summary() const
{
    return fmt::format("build/src: {}{} of {} overlay files written{}, {} patches {}",
                       unpacked ? "unpacked, " : "", files_written, files_total,
                       files_removed > 0 ? fmt::format(" ({} removed)", files_removed) : "",
                       patches_total, patches_applied ? "applied" : "already applied");
}

Error explain_unpack_failure(const fs::path& tarball, std::string_view output)
{
    const auto has = [&](std::string_view text) {
        return output.find(text) != std::string_view::npos;
    };
    if (has("No space left on device"))
        return {
            "the disk is full: the kernel source could not be unpacked",
            "free some disk space (the kernel trees need about 8 GB) and run the command again"};
    if (has("Unexpected end of input") || has("Unexpected EOF") || has("format not recognized") ||
        has("Compressed data is corrupt") || has("does not look like a tar archive"))
        return {fmt::format("the kernel source {} is truncated or damaged", tarball.string()),
                "apt-get install --reinstall linux-source-6.12"};
    return {fmt::format("cannot unpack {}", tarball.string()), std::string(trim(output))};
}

Error explain_push_failure(std::string_view output)
{
    std::string patch = "?";
    std::vector<std::string> details;
    for (const auto& line : split(output, '\n')) {
        if (line.starts_with("Applying patch "))
            patch = fs::path(line.substr(15)).filename().string();
        if (line.find("FAILED") != std::string::npos || line.find("fuzz") != std::string::npos ||
            line.find("malformed") != std::string::npos ||
            line.find("can't find file") != std::string::npos ||
            line.find("No space left") != std::string::npos)
            details.push_back(line);
    }
    if (details.empty())
        details.emplace_back(trim(output));
    return {fmt::format("patches/{} does not apply", patch), join(details, "\n")};
}

Status push_series(const Project& project, const fs::path& tree)
{
    if (!fs::exists(project.root() / "patches/series"))
        return {};
    auto exit = run(quilt(project, tree, {"push", "-a", "--fuzz=0"}));
    if (!exit)
        return exit.error();
    if (exit->success() || exit->output.find("No patches in series") != std::string::npos)
        return {};
    return explain_push_failure(exit->output);
}

Result<PrepareReport> prepare_tree(const Project& project)
{
    const auto patches = load_series(project);
    if (!patches)
        return patches.error();
    PrepareReport report;
    const auto tree = project.src();
    const auto unpacked = unpack(project, tree);
    if (!unpacked)
        return unpacked.error();
    report.unpacked = *unpacked;
    const auto upstream = read_manifest(tree);
    if (!upstream)
        return upstream.error();
    const auto overlay = find_overlay(project.root());
    if (auto status = check_overlay_is_new(overlay, *upstream); !status)
        return status.error();
    if (auto status = check_touched_exist(*patches, *upstream); !status)
        return status.error();
    auto state = read_state(tree);
    auto previous = state.overlay;
    for (const auto& [target, source] : overlay)
        state.overlay.insert(target);
    if (auto status = write_state(tree, state); !status)
        return status.error();
    const auto counts = sync_overlay(project.root(), tree, overlay, previous);
    if (!counts)
        return counts.error();
    const auto applied = update_patches(project, tree, state, *patches);
    if (!applied)
        return applied.error();
    state.overlay.clear();
    for (const auto& [target, source] : overlay)
        state.overlay.insert(target);
    if (auto status = write_state(tree, state); !status)
        return status.error();
    report.files_written = counts->written;
    report.files_removed = counts->removed;
    report.files_total = static_cast<int>(overlay.size());
    report.patches_total = static_cast<int>(patches->size());
    report.patches_applied = *applied;
    return report;
}

Status prepare_pristine(const Project& project)
{
    const auto unpacked = unpack(project, project.pristine());
    return unpacked ? Status() : unpacked.error();
}

} // namespace kcr::tool
