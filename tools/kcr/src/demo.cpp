// SPDX-License-Identifier: GPL-2.0
#include "demo.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace kcr::tool
{

using nlohmann::ordered_json;

namespace
{

std::string number(const ordered_json& value)
{
    if (value.is_number_integer())
        return grouped(value.get<long long>());
    return "-";
}

std::string row(const std::string& label, const std::string& text)
{
    return fmt::format("    {:<28} {}\n", label, text);
}

std::string misses_text(const ordered_json& misses)
{
    std::string text;
    for (const auto& [reason, count] : misses.items()) {
        if (count.get<long long>() != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number(count), reason);
    }
    return text.empty() ? "none" : text;
}

std::string render_site(const ordered_json& site, const std::string& unit)
{
    const auto& cost = site.at("instructions");
    const double percent = site.at("saved_percent").get<double>();
    std::string text = fmt::format("\n  {} ({})\n", site.at("name").get<std::string>(),
                                   site.at("algorithm").get<std::string>());
    text += row("requests", number(site.at("requests")));
    text += row("hits", fmt::format("{} in L2, {} in L3", number(site.at("hits").at("l2")),
                                    number(site.at("hits").at("l3"))));
    text += row("misses", misses_text(site.at("misses")));
    text += row("compute, " + unit + "/op", number(cost.at("compute")));
    text += row("hit, " + unit + "/op", number(cost.at("hit")));
    text +=
        row("all passes without reuse", fmt::format("{} {}", number(site.at("plain_total")), unit));
    text +=
        row("all passes with reuse", fmt::format("{} {}", number(site.at("reuse_total")), unit));
    text += row(percent < 0 ? "lost" : "saved",
                fmt::format("{} {} ({:.1f} %), system calls included",
                            grouped(std::llabs(site.at("saved").get<long long>())), unit,
                            std::abs(percent)));
    if (site.contains("predicted")) {
        const auto& predicted = site.at("predicted");
        text += row("observe mode had predicted",
                    fmt::format("{} hits, {} {} saved", number(predicted.at("hits")),
                                number(predicted.at("saved")), unit));
    }
    if (site.at("mismatches").get<long long>() != 0)
        text += row("WRONG ANSWERS", number(site.at("mismatches")));
    return text;
}

} // namespace

std::string grouped(long long value)
{
    auto digits = fmt::format("{}", value < 0 ? -value : value);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return (value < 0 ? "-" : "") + digits;
}

std::string render_demo(const ordered_json& document)
{
    const auto unit = document.at("unit").get<std::string>();
    std::string text = fmt::format(
        "{}: {} blocks of {} files ({} bytes, {} blocks twice in the tree), {} passes\n",
        document.at("tree").get<std::string>(), number(document.at("blocks")),
        number(document.at("files")), number(document.at("bytes")),
        number(document.at("duplicate_blocks")), number(document.at("passes")));
    for (const auto& site : document.at("sites"))
        text += render_site(site, unit);
    if (document.at("identical").get<bool>())
        text += fmt::format("\n  all {} answers identical\n", number(document.at("answers")));
    else
        text += "\n  ANSWERS DIFFER\n";
    return text;
}

} // namespace kcr::tool
