// SPDX-License-Identifier: GPL-2.0
#include "catalogue.h"

#include "catalogue_text.h"

#include <fmt/format.h>

namespace kcr::ctl
{

namespace
{

template <typename T> void prepend(std::vector<T>& lines, const std::vector<T>& more)
{
    lines.insert(lines.begin(), more.begin(), more.end());
}

} // namespace

Catalogue Catalogue::builtin()
{
    Catalogue catalogue;
    // a unit test parses it
    [[maybe_unused]] const auto added = catalogue.add(catalogue_text);
    return catalogue;
}

Status Catalogue::add(std::string_view text)
{
    Catalogue more;
    std::size_t number = 0;
    for (const auto& raw : tool::split(text, '\n')) {
        ++number;
        const auto line = tool::trim(raw);
        if (line.empty() || line.front() == '#')
            continue;
        const auto colon = std::min(line.find(" : "), line.size());
        const auto head = tool::words(line.substr(0, colon));
        const auto rest =
            colon < line.size() ? std::string(tool::trim(line.substr(colon + 3))) : "";
        const bool profile = head[0] == "profile";
        const bool deny = head[0] == "deny";
        if (head.size() != 2 || (profile || deny) == rest.empty())
            return Error{fmt::format("catalogue, line {}: cannot understand '{}'", number, line),
                         "profile GLOB : ARGS, deny GLOB : REASON, allow NAME, or effect GLOB"};
        if (profile)
            more.profiles_.push_back({head[1], rest});
        else if (deny)
            more.denied_.push_back({head[1], rest});
        else if (head[0] == "allow")
            more.allowed_.push_back({head[1], {}});
        else if (head[0] == "effect")
            more.effects_.push_back({head[1], {}});
        else
            return Error{fmt::format("catalogue, line {}: unknown word '{}'", number, head[0]),
                         "valid: profile deny allow effect"};
    }
    prepend(profiles_, more.profiles_);
    prepend(denied_, more.denied_);
    prepend(allowed_, more.allowed_);
    prepend(effects_, more.effects_);
    return {};
}

const Catalogue::Line* Catalogue::find(const std::vector<Line>& lines, std::string_view function)
{
    for (const auto& line : lines) {
        if (tool::glob_match(line.glob, function))
            return &line;
    }
    return nullptr;
}

std::optional<std::string> Catalogue::args(std::string_view function) const
{
    const auto* line = find(profiles_, function);
    return line != nullptr ? std::optional(line->text) : std::nullopt;
}

std::optional<std::string> Catalogue::denied(std::string_view function) const
{
    if (find(allowed_, function) != nullptr)
        return std::nullopt;
    const auto* line = find(denied_, function);
    return line != nullptr ? std::optional(line->text) : std::nullopt;
}

bool Catalogue::has_effect(std::string_view function) const
{
    return find(effects_, function) != nullptr;
}

} // namespace kcr::ctl
