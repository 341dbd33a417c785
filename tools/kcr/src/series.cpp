// SPDX-License-Identifier: GPL-2.0
#include "series.h"

#include "build.h"
#include "prepare.h"
#include "process.h"
#include "tempdir.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* commit_date = "2026-01-01T00:00:00+0000";

Command git(const fs::path& repository, std::vector<std::string> arguments)
{
    Command command{.argv = {"git", "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false", "-c",
                             "init.defaultBranch=main", "-c", "user.name=KCR Developers", "-c",
                             "user.email=kcr@kcr-project.example", "-c", "gc.auto=0"},
                    .cwd = repository};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.env = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                   {"GIT_CONFIG_SYSTEM", "/dev/null"},
                   {"GIT_AUTHOR_DATE", commit_date},
                   {"GIT_COMMITTER_DATE", commit_date},
                   {"LC_ALL", "C"}};
    return command;
}

Status copy_into(const fs::path& from, const fs::path& to)
{
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
    if (error)
        return Error{fmt::format("cannot copy {}: {}", from.string(), error.message()), {}};
    return {};
}

std::set<std::string> touched_files(const std::vector<Patch>& patches)
{
    std::set<std::string> touched;
    for (const auto& patch : patches)
        touched.insert(patch.touched.begin(), patch.touched.end());
    return touched;
}

/// A git repository that holds the unpatched state of the files that the series changes.
Result<TempDir> base_repository(const Project& project, const std::vector<Patch>& patches)
{
    auto dir = TempDir::make(project.build());
    if (!dir)
        return dir;
    for (const auto& path : touched_files(patches)) {
        // prepare keeps the originals of patched files there
        const auto original = project.src() / ".kcr-upstream" / path;
        if (auto copied = copy_into(original, dir->path() / path); !copied)
            return copied.error();
    }
    for (const auto& arguments : {std::vector<std::string>{"init", "-q"},
                                  {"add", "-A"},
                                  {"commit", "-q", "-m", "Linux 6.12"},
                                  {"tag", "base"}}) {
        if (auto done = run_ok(git(dir->path(), arguments)); !done)
            return done.error();
    }
    return dir;
}

Status commit_patch(const Project& project, const fs::path& repository, const Patch& patch,
                    const std::vector<std::string>& files, const Overlay& overlay)
{
    const auto message = repository / ".git/kcr-message";
    if (auto written = write_file_atomic(message, commit_message(patch)); !written)
        return written;
    const auto source = project.root() / "patches" / patch.name;
    auto applied = run_ok({.argv = {"patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-s",
                                    "-i", source.string()},
                           .cwd = repository});
    if (!applied)
        return Error{fmt::format("patches/{} does not apply", patch.name), applied.error().hint};
    for (const auto& file : files) {
        if (auto copied = copy_into(project.root() / overlay.at(file), repository / file); !copied)
            return copied;
    }
    if (auto added = run_ok(git(repository, {"add", "-A"})); !added)
        return added.error();
    auto done = run_ok(git(
        repository, {"commit", "-q", "-F", message.string(), "--author=" + patch.field("From")}));
    return done ? Status() : done.error();
}

/// Fills in what `git format-patch --cover-letter` leaves open.
Status write_cover_letter(const Project& project, const fs::path& mail)
{
    auto text = read_file(mail);
    if (!text)
        return text.error();
    const auto fill = [&](std::string_view mark, const std::string& value) {
        if (const auto at = text->find(mark); at != std::string::npos)
            text->replace(at, mark.size(), value);
    };
    const auto letter = read_file(project.root() / "patches/cover-letter.txt");
    std::string subject = "Kernel Computation Reuse";
    std::string blurb = "Results of deterministic computations are remembered and handed back for\n"
                        "byte-for-byte the same input. See Documentation/core-api/kcr.rst.";
    if (letter) {
        const auto end = letter->find('\n');
        subject = std::string(trim(std::string_view(*letter).substr(0, end)));
        blurb = std::string(trim(std::string_view(*letter).substr(std::min(end, letter->size()))));
    }
    fill("*** SUBJECT HERE ***", subject);
    fill("*** BLURB HERE ***", blurb);
    return write_file_atomic(mail, *text);
}

std::vector<fs::path> mails_in(const fs::path& dir)
{
    std::vector<fs::path> mails;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir, error)) {
        if (entry.path().extension() == ".patch")
            mails.push_back(entry.path());
    }
    std::sort(mails.begin(), mails.end());
    return mails;
}

/// Loads the series and gives its overlay files to the patches.
struct Loaded {
    std::vector<Patch> patches;
    Overlay overlay;
    Ownership owners;
};

Result<Loaded> load_all(const Project& project)
{
    auto patches = load_series(project);
    if (!patches)
        return patches.error();
    auto overlay = find_overlay(project.root());
    auto owners = assign_overlay(*patches, overlay);
    if (!owners)
        return owners.error();
    return Loaded{std::move(*patches), std::move(overlay), std::move(*owners)};
}

Status build_prefix(const Project& project, const fs::path& tree, const std::string& name)
{
    for (const auto* config : {"nokcr", "base"}) {
        fmt::print(stderr, "{}: config {}\n", name, config);
        auto built =
            build_kernel(project, {.tree = tree,
                                   .config = config,
                                   .targets = {"vmlinux"},
                                   .log_name = fmt::format("bisect-{}-{}.log", name, config)});
        if (!built)
            return Error{
                fmt::format("the series up to {} does not build with config {}", name, config),
                built.error().hint};
    }
    return {};
}

} // namespace

Result<Ownership> assign_overlay(const std::vector<Patch>& patches, const Overlay& overlay)
{
    Ownership owners;
    for (const auto& [target, source] : overlay) {
        std::vector<std::string> names;
        for (const auto& patch : patches) {
            const bool named = std::any_of(
                patch.overlays.begin(), patch.overlays.end(),
                [&file = target](const std::string& glob) { return glob_match(glob, file); });
            if (named)
                names.push_back(patch.name);
        }
        if (names.size() != 1)
            return Error{names.empty() ? fmt::format("no patch of the series names {}", source)
                                       : fmt::format("{} is named by more than one patch: {}",
                                                     source, join(names, ", ")),
                         fmt::format("each overlay file needs exactly one 'X-KCR-Overlay: {}' line "
                                     "in the header of a patch",
                                     target)};
        owners[names[0]].push_back(target);
    }
    return owners;
}

std::string commit_message(const Patch& patch)
{
    return patch.subject() + "\n\n" + patch.body();
}

Result<std::vector<fs::path>> export_series(const Project& project, const fs::path& destination)
{
    auto loaded = load_all(project);
    if (!loaded)
        return loaded.error();
    if (loaded->patches.empty())
        return Error{"patches/series is empty: there is nothing to export", {}};
    const auto repository = base_repository(project, loaded->patches);
    if (!repository)
        return repository.error();
    for (const auto& patch : loaded->patches) {
        if (auto done = commit_patch(project, repository->path(), patch, loaded->owners[patch.name],
                                     loaded->overlay);
            !done)
            return done.error();
    }
    std::error_code error;
    fs::create_directories(destination, error);
    for (const auto& old : mails_in(destination))
        fs::remove(old, error);
    auto made =
        run_ok(git(repository->path(), {"format-patch", "-q", "--cover-letter", "--no-signature",
                                        "-o", fs::absolute(destination).string(), "base..HEAD"}));
    if (!made)
        return made.error();
    auto mails = mails_in(destination);
    if (auto done = write_cover_letter(project, mails.front()); !done)
        return done.error();
    return mails;
}

Status check_git_am(const Project& project, const std::vector<fs::path>& mails)
{
    const auto loaded = load_all(project);
    if (!loaded)
        return loaded.error();
    const auto repository = base_repository(project, loaded->patches);
    if (!repository)
        return repository.error();
    std::vector<std::string> arguments = {"am", "-q"};
    for (const auto& mail : mails)
        arguments.push_back(mail.string());
    if (auto done = run_ok(git(repository->path(), arguments)); !done)
        return done.error();
    auto files = touched_files(loaded->patches);
    for (const auto& [target, source] : loaded->overlay)
        files.insert(target);
    for (const auto& file : files) {
        const auto applied = read_file(repository->path() / file);
        const auto prepared = read_file(project.src() / file);
        if (!applied || !prepared || *applied != *prepared)
            return Error{fmt::format("after git am, {} differs from the prepared tree", file), {}};
    }
    return {};
}

Status bisect_series(const Project& project)
{
    const auto loaded = load_all(project);
    if (!loaded)
        return loaded.error();
    if (auto unpacked = prepare_pristine(project); !unpacked)
        return unpacked;
    const auto tree = project.build() / "bisect";
    std::error_code error;
    fs::remove_all(tree, error);
    auto copied = run_ok({.argv = {"rsync", "-a", "--exclude=/o-*",
                                   project.pristine().string() + "/", tree.string() + "/"}});
    if (!copied)
        return copied.error();
    for (const auto& patch : loaded->patches) {
        auto applied = run_ok({.argv = {"patch", "-p1", "--fuzz=0", "-s", "-i",
                                        (project.root() / "patches" / patch.name).string()},
                               .cwd = tree});
        if (!applied)
            return applied.error();
        const auto owned = loaded->owners.find(patch.name);
        const auto files =
            owned == loaded->owners.end() ? std::vector<std::string>{} : owned->second;
        for (const auto& file : files) {
            if (auto done = copy_into(project.root() / loaded->overlay.at(file), tree / file);
                !done)
                return done;
        }
        if (auto built = build_prefix(project, tree, patch.name); !built)
            return built;
    }
    fs::remove_all(tree, error);
    return {};
}

} // namespace kcr::tool
