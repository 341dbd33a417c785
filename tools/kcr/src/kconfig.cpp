// SPDX-License-Identifier: GPL-2.0
#include "kconfig.h"

#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::tool
{

namespace
{

constexpr std::string_view prefix = "CONFIG_";
constexpr std::string_view unset_prefix = "# CONFIG_";
constexpr std::string_view unset_suffix = " is not set";

} // namespace

Fragment parse_fragment(std::string_view text)
{
    Fragment fragment;
    for (const auto& raw : split(text, '\n')) {
        const auto line = trim(raw);
        if (line.starts_with(unset_prefix) && line.ends_with(unset_suffix)) {
            const auto name = line.substr(2, line.size() - 2 - unset_suffix.size());
            fragment[std::string(name)] = "n";
        } else if (line.starts_with(prefix)) {
            const auto equals = line.find('=');
            if (equals != std::string_view::npos)
                fragment[std::string(line.substr(0, equals))] = line.substr(equals + 1);
        }
    }
    return fragment;
}

std::string render_fragment(const Fragment& fragment)
{
    std::string text;
    for (const auto& [name, value] : fragment) {
        if (value == "n")
            text += fmt::format("# {} is not set\n", name);
        else
            text += fmt::format("{}={}\n", name, value);
    }
    return text;
}

Fragment merge_fragments(Fragment base, const Fragment& over)
{
    for (const auto& [name, value] : over)
        base[name] = value;
    return base;
}

std::vector<std::string> missing_options(const Fragment& wanted, const Fragment& final_config)
{
    std::vector<std::string> missing;
    for (const auto& [name, value] : wanted) {
        const auto found = final_config.find(name);
        const std::string have = found == final_config.end() ? "n" : found->second;
        if (have != value)
            missing.push_back(fmt::format("{}={} (is {})", name, value, have));
    }
    return missing;
}

std::vector<std::string> fragment_files(std::string_view config)
{
    if (config == "base" || config == "uml")
        return {fmt::format("{}.config", config)};
    return {"base.config", fmt::format("{}.config", config)};
}

Result<Fragment> load_config(const Project& project, const std::string& config)
{
    const auto known = config_names(project);
    if (std::find(known.begin(), known.end(), config) == known.end())
        return unknown_word("config", config, known);
    Fragment merged;
    for (const auto& file : fragment_files(config)) {
        const auto text = read_file(project.root() / "configs" / file);
        if (!text)
            return text.error();
        merged = merge_fragments(std::move(merged), parse_fragment(*text));
    }
    return merged;
}

} // namespace kcr::tool
