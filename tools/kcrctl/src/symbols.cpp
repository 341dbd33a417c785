// SPDX-License-Identifier: GPL-2.0
#include "symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kcr::ctl
{

namespace
{

constexpr std::uint64_t user_addresses = 1ULL << 63;
constexpr std::size_t shown_names = 8;

/// Calls @p use with the white-space separated fields of each line.
template <typename Use> void each_line(std::string_view text, Use use)
{
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::vector<std::string_view> fields;
        for (std::size_t at = 0; at < line.size();) {
            const auto first = line.find_first_not_of(" \t", at);
            if (first == std::string_view::npos)
                break;
            const auto last = std::min(line.find_first_of(" \t", first), line.size());
            fields.push_back(line.substr(first, last - first));
            at = last;
        }
        if (!fields.empty())
            use(fields);
    }
}

} // namespace

Symbols Symbols::parse(std::string_view kallsyms, std::string_view traceable,
                       std::string_view forbidden)
{
    Symbols symbols;
    each_line(kallsyms, [&](const auto& fields) {
        const bool text = fields.size() >= 3 && fields[1].size() == 1 &&
                          (fields[1][0] == 't' || fields[1][0] == 'T' || fields[1][0] == 'W' ||
                           fields[1][0] == 'w');
        std::uint64_t address = 0;
        if (!text)
            return;
        std::from_chars(fields[0].data(), fields[0].data() + fields[0].size(), address, 16);
        symbols.by_address_.push_back({address, std::string(fields[2])});
        symbols.names_.emplace(fields[2]);
    });
    std::stable_sort(symbols.by_address_.begin(), symbols.by_address_.end(),
                     [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
    each_line(traceable, [&](const auto& fields) { symbols.traceable_.emplace(fields[0]); });
    each_line(forbidden, [&](const auto& fields) { symbols.forbidden_.emplace(fields.back()); });
    return symbols;
}

Result<Symbols> Symbols::of_kernel()
{
    const auto kallsyms = tool::read_file("/proc/kallsyms");
    if (!kallsyms)
        return kallsyms.error();
    auto traceable = tool::read_file("/sys/kernel/tracing/available_filter_functions");
    if (!traceable)
        traceable = tool::read_file("/sys/kernel/debug/tracing/available_filter_functions");
    if (!traceable)
        return Error{"the list of functions that can be traced is not there",
                     "the kernel needs CONFIG_FUNCTION_TRACER=y, and tracefs mounted at "
                     "/sys/kernel/tracing"};
    const auto forbidden = tool::read_file("/sys/kernel/debug/kprobes/blacklist");
    return parse(*kallsyms, *traceable, forbidden ? *forbidden : std::string());
}

bool Symbols::exists(const std::string& function) const
{
    return names_.contains(function);
}

bool Symbols::traceable(const std::string& function) const
{
    return traceable_.contains(function);
}

bool Symbols::forbidden(const std::string& function) const
{
    return forbidden_.contains(function);
}

std::size_t Symbols::count(const std::string& function) const
{
    return names_.count(function);
}

std::string_view Symbols::at(std::uint64_t address) const
{
    if (address < user_addresses)
        return {};
    auto next = std::upper_bound(
        by_address_.begin(), by_address_.end(), address,
        [](std::uint64_t wanted, const Symbol& symbol) { return wanted < symbol.address; });
    if (next == by_address_.begin())
        return {};
    return std::prev(next)->name;
}

Error Symbols::unknown(const std::string& function) const
{
    const auto pattern = fmt::format("*{}*", function);
    std::vector<std::string> containing;
    std::vector<std::string> similar;
    for (const auto& name : traceable_) {
        if (tool::glob_match(pattern, name))
            containing.push_back(name);
        const auto longer = std::max(name.size(), function.size());
        if (longer - std::min(name.size(), function.size()) <= 3)
            similar.push_back(name);
    }
    auto message = fmt::format("the kernel has no function '{}'", function);
    // The shortest that begins like it, or else the most similar
    const std::string* whole = nullptr;
    for (const auto& name : containing) {
        if (name.starts_with(function) && (whole == nullptr || name.size() < whole->size()))
            whole = &name;
    }
    const auto near =
        whole != nullptr ? std::optional(*whole) : tool::nearest_word(function, similar);
    if (near)
        message += fmt::format("; did you mean '{}'?", *near);
    if (containing.size() > shown_names)
        containing.resize(shown_names);
    std::string hint = "it may have been inlined into its callers";
    if (!containing.empty())
        hint = "similar: " + tool::join(containing, " ");
    return {message, hint};
}

} // namespace kcr::ctl
