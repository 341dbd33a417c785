// SPDX-License-Identifier: GPL-2.0
#include "tap.h"

#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace kcr::tool
{

namespace
{

constexpr std::string_view subtest_mark = "# Subtest: ";
constexpr std::size_t diagnostics_limit = 4000;

/// The text after "ok 12 - ", or after "ok 12 ".
std::string_view after_number(std::string_view text)
{
    text = trim(text);
    while (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0)
        text.remove_prefix(1);
    text = trim(text);
    if (text.starts_with("- "))
        text.remove_prefix(2);
    return trim(text);
}

/// "name # SKIP reason" -> {"name", "SKIP reason"}
std::pair<std::string_view, std::string_view> split_directive(std::string_view text)
{
    const auto hash = text.find(" # ");
    if (hash == std::string_view::npos)
        return {text, {}};
    return {trim(text.substr(0, hash)), trim(text.substr(hash + 3))};
}

/// N of "1..N", or -1.
int plan_of(std::string_view text)
{
    if (!text.starts_with("1..") || text.size() < 4 ||
        std::isdigit(static_cast<unsigned char>(text[3])) == 0)
        return -1;
    return std::atoi(std::string(text.substr(3)).c_str()); // NOLINT(cert-err34-c): digits
}

} // namespace

std::string TapParser::qualified(std::string_view name) const
{
    std::string full;
    for (const auto& level : levels_) {
        if (!level.name.empty())
            full += level.name + ".";
    }
    return full + std::string(name);
}

void TapParser::open_level(std::size_t indent)
{
    close_deeper(indent);
    if (!levels_.empty() && levels_.back().indent == indent && subtest_name_.empty())
        return;
    if (!levels_.empty() && levels_.back().indent == indent) {
        check_plan(levels_.back());
        levels_.pop_back();
    }
    levels_.push_back({indent, subtest_name_, -1, 0, results_.size()});
    subtest_name_.clear();
}

void TapParser::check_plan(const Level& level)
{
    if (level.planned > level.seen)
        results_.push_back({qualified("(missing)"), Verdict::failed,
                            fmt::format("{} of {} cases reported no result",
                                        level.planned - level.seen, level.planned)});
}

void TapParser::close_deeper(std::size_t indent)
{
    while (!levels_.empty() && levels_.back().indent > indent) {
        check_plan(levels_.back());
        levels_.pop_back();
    }
}

bool TapParser::add_result(std::size_t indent, std::string_view text)
{
    const bool good = text.starts_with("ok ");
    const bool group = !levels_.empty() && levels_.back().indent > indent;
    const auto first = group ? levels_.back().first_result : 0;
    close_deeper(indent);
    if (levels_.empty() || levels_.back().indent < indent)
        open_level(indent);
    ++levels_.back().seen;
    const auto [name, directive] = split_directive(after_number(text.substr(good ? 3 : 7)));
    TapCase found{qualified(name.empty() ? "(unnamed)" : name),
                  good ? Verdict::passed : Verdict::failed, std::string(directive)};
    if (directive.starts_with("SKIP") || directive.starts_with("skip"))
        found.verdict = Verdict::skipped;
    else if (!good)
        found.detail = diagnostics_;
    diagnostics_.clear();
    if (group) {
        const bool explained =
            std::any_of(results_.begin() + static_cast<std::ptrdiff_t>(first), results_.end(),
                        [](const TapCase& member) { return member.verdict == Verdict::failed; });
        const bool has_members = results_.size() > first;
        if (has_members && (good || explained))
            return false;
    }
    results_.push_back(std::move(found));
    return true;
}

bool TapParser::add_line(std::string_view line)
{
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n'))
        line.remove_suffix(1);
    const auto indent = std::min(line.find_first_not_of(' '), line.size());
    const auto text = line.substr(indent);
    if (text.starts_with("ok ") || text.starts_with("not ok "))
        return add_result(indent, text);
    if (text.starts_with(subtest_mark)) {
        subtest_name_ = trim(text.substr(subtest_mark.size()));
        open_level(indent);
    } else if (const int plan = plan_of(text); plan >= 0) {
        open_level(indent);
        levels_.back().planned = plan;
    } else if (text.starts_with("#") && diagnostics_.size() < diagnostics_limit) {
        diagnostics_ += std::string(text) + "\n";
    }
    return false;
}

void TapParser::finish()
{
    while (!levels_.empty()) {
        check_plan(levels_.back());
        levels_.pop_back();
    }
}

} // namespace kcr::tool
