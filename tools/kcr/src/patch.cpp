// SPDX-License-Identifier: GPL-2.0
#include "patch.h"

#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::tool
{

namespace
{

constexpr std::string_view overlay_field = "X-KCR-Overlay:";

/// "--- a/mm/slub.c\t2024-..." gives "mm/slub.c"; "/dev/null" stays.
std::string diff_path(std::string_view line)
{
    auto path = trim(line.substr(4));
    path = path.substr(0, path.find('\t'));
    if (path == "/dev/null")
        return std::string(path);
    const auto slash = path.find('/');
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

void add_unique(std::vector<std::string>& list, const std::string& item)
{
    if (std::find(list.begin(), list.end(), item) == list.end())
        list.push_back(item);
}

bool starts_diff(const std::vector<std::string>& lines, std::size_t i)
{
    if (lines[i].starts_with("diff ") || lines[i].starts_with("Index: "))
        return true;
    return lines[i].starts_with("--- ") && i + 1 < lines.size() && lines[i + 1].starts_with("+++ ");
}

bool is_header_field(std::string_view line)
{
    for (const std::string_view field : {"From:", "Subject:", "Date:"}) {
        if (line.starts_with(field))
            return true;
    }
    return false;
}

} // namespace

std::string Patch::field(std::string_view key) const
{
    for (const auto& line : split(header, '\n')) {
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':')
            return std::string(trim(std::string_view(line).substr(key.size() + 1)));
    }
    return {};
}

std::string Patch::subject() const
{
    auto text = field("Subject");
    if (text.starts_with("[")) {
        if (const auto end = text.find(']'); end != std::string::npos)
            text = std::string(trim(std::string_view(text).substr(end + 1)));
    }
    return text;
}

std::string Patch::body() const
{
    std::string text;
    bool in_fields = true;
    for (const auto& line : split(header, '\n')) {
        if (line.starts_with(overlay_field) || line == "---" ||
            (in_fields && is_header_field(line)))
            continue;
        if (trim(line).empty() && text.empty()) {
            in_fields = false;
            continue;
        }
        in_fields = false;
        text += line + "\n";
    }
    return std::string(trim(text)) + "\n";
}

Patch parse_patch(std::string name, std::string content)
{
    Patch patch;
    patch.name = std::move(name);
    const auto lines = split(content, '\n');
    patch.content = std::move(content);
    bool in_diff = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto& line = lines[i];
        in_diff = in_diff || starts_diff(lines, i);
        (in_diff ? patch.diff : patch.header) += line + "\n";
        if (!in_diff) {
            if (line.starts_with(overlay_field)) {
                for (auto& path : words(std::string_view(line).substr(overlay_field.size())))
                    patch.overlays.push_back(path);
            }
            continue;
        }
        if (!line.starts_with("--- ") || i + 1 >= lines.size() || !lines[i + 1].starts_with("+++ "))
            continue;
        const auto before = diff_path(line);
        const auto after = diff_path(lines[i + 1]);
        if (before == "/dev/null")
            add_unique(patch.created, after);
        else if (after == "/dev/null")
            add_unique(patch.created, before);
        add_unique(patch.touched, after == "/dev/null" ? before : after);
    }
    return patch;
}

std::vector<std::string> parse_series(std::string_view text)
{
    std::vector<std::string> names;
    for (const auto& line : split(text, '\n')) {
        const auto parts = words(line);
        if (!parts.empty() && !parts[0].starts_with("#"))
            names.push_back(parts[0]);
    }
    return names;
}

Result<std::vector<Patch>> load_series(const Project& project)
{
    const auto dir = project.root() / "patches";
    std::vector<Patch> patches;
    if (!std::filesystem::exists(dir / "series"))
        return patches;
    auto series = read_file(dir / "series");
    if (!series)
        return series.error();
    for (const auto& name : parse_series(*series)) {
        auto content = read_file(dir / name);
        if (!content)
            return Error{fmt::format("patches/series names {}, which cannot be read", name),
                         content.error().message};
        auto patch = parse_patch(name, std::move(*content));
        if (!patch.created.empty())
            return Error{fmt::format("patches/{} creates or deletes {}", name, patch.created[0]),
                         "patches hold hooks only: put a new file into the folder of the "
                         "repository that mirrors its place in the kernel tree"};
        if (patch.touched.empty())
            return Error{fmt::format("patches/{} changes no file: is it a unified -p1 diff?", name),
                         {}};
        patches.push_back(std::move(patch));
    }
    return patches;
}

} // namespace kcr::tool
