// SPDX-License-Identifier: GPL-2.0
#include "console.h"

#include "text.h"

#include <fmt/format.h>

#include <array>

namespace kcr::tool
{

namespace
{

constexpr int lines_after_splat = 40;
constexpr int lines_of_kcsan_report = 200;
constexpr std::size_t lines_shown = 20;
constexpr std::size_t splats_kept = 20;

struct Mark {
    std::string_view text;
    std::string_view kind;
    bool at_start;
};

/// In order: the first that matches names the splat.
constexpr std::array<Mark, 24> marks = {{
    {"BUG: KASAN", "kasan", true},
    {"BUG: KCSAN", "kcsan", true},
    {"BUG: KFENCE", "kfence", true},
    {"BUG: KMSAN", "kmsan", true},
    {"UBSAN:", "ubsan", true},
    {"kmemleak: ", "kmemleak", true},
    {"BUG: sleeping function called", "sleep in atomic", true},
    {"BUG: scheduling while atomic", "sleep in atomic", true},
    {"WARNING: possible circular locking", "lockdep", true},
    {"WARNING: possible recursive locking", "lockdep", true},
    {"WARNING: possible irq lock inversion", "lockdep", true},
    {"WARNING: inconsistent lock state", "lockdep", true},
    {"WARNING: suspicious RCU usage", "lockdep", true},
    {"WARNING: bad unlock balance", "lockdep", true},
    {"ODEBUG: ", "debugobjects", true},
    {"WARNING: ", "warning", true},
    {"BUG: soft lockup", "soft lockup", false},
    {"BUG: ", "bug", true},
    {"kernel BUG at", "bug", false},
    {"Oops: ", "oops", true},
    {"general protection fault", "oops", true},
    {"detected stall", "rcu stall", false},
    {"blocked for more than", "hung task", false},
    {"Kernel panic - not syncing", "panic", true},
}};

/// Notes that look like splats and are none.
bool harmless(std::string_view text)
{
    if (text.starts_with("kmemleak: "))
        return text.find("new suspected memory leaks") == std::string_view::npos;
    return false;
}

/// Whether one of the accesses that a report is about was made by KCR: by a function of its own, or
/// by one that such a function called (memcpy, a hash). What lies deeper, in timers or work queues
/// that it uses, is not its business, nor is who was interrupted.
bool has_kcr_frame(const SplatScanner::Splat& splat)
{
    constexpr int accessing_frames = 2;
    int frame = 0;
    for (const auto& line : splat.lines) {
        const auto parts = words(strip_timestamp(line));
        if (parts.empty())
            frame = 0;
        for (const auto& word : parts) {
            if (word.find("+0x") == std::string::npos)
                continue;
            if (++frame <= accessing_frames && word.find("kcr") != std::string::npos)
                return true;
        }
    }
    return false;
}

} // namespace

std::string_view strip_timestamp(std::string_view line)
{
    for (int i = 0; i < 2 && line.starts_with("["); ++i) {
        const auto end = line.find(']');
        if (end == std::string_view::npos)
            break;
        const auto inside = line.substr(1, end - 1);
        if (inside.find_first_not_of(" .0123456789TC") != std::string_view::npos)
            break;
        line.remove_prefix(end + 1);
        if (line.starts_with(" "))
            line.remove_prefix(1);
    }
    return line;
}

std::optional<std::string> splat_kind(std::string_view line)
{
    const auto text = strip_timestamp(trim(line));
    if (harmless(text))
        return {};
    for (const auto& mark : marks) {
        const bool found = mark.at_start ? text.starts_with(mark.text)
                                         : text.find(mark.text) != std::string_view::npos;
        if (found)
            return std::string(mark.kind);
    }
    return {};
}

void SplatScanner::add_line(std::string_view line)
{
    const auto kind = splat_kind(line);
    if (kind && (follow_ == 0 || *kind == "panic") && splats_.size() < splats_kept) {
        splats_.push_back({*kind, {}});
        follow_ = *kind == "kcsan" ? lines_of_kcsan_report : lines_after_splat;
    }
    if (follow_ > 0) {
        splats_.back().lines.emplace_back(trim(line));
        --follow_;
        const bool ended = strip_timestamp(trim(line)).starts_with("======");
        if (splats_.back().kind == "kcsan" && splats_.back().lines.size() > 1 && ended)
            end_kcsan();
    }
}

void SplatScanner::end_kcsan()
{
    follow_ = 0;
    if (has_kcr_frame(splats_.back()))
        return;
    splats_.pop_back();
    ++other_races_;
}

std::string SplatScanner::describe() const
{
    if (splats_.empty())
        return {};
    const auto& first = splats_.front();
    std::string text = fmt::format("{} splat{} on the console; the first is a {}:\n",
                                   splats_.size(), splats_.size() == 1 ? "" : "s", first.kind);
    for (std::size_t i = 0; i < first.lines.size() && i < lines_shown; ++i)
        text += "  " + first.lines[i] + "\n";
    return text;
}

} // namespace kcr::tool
