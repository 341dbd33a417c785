// SPDX-License-Identifier: GPL-2.0
#include "bench.h"
#include "build.h"
#include "commands.h"
#include "process.h"
#include "text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdlib>

namespace kcr::tool
{

namespace
{

constexpr double timeout_s = 300;
constexpr std::string_view compute = "_compute_ticks";

struct Target {
    const char* name;
    double ratio;
};
constexpr std::array<Target, 2> targets = {{{"sigverify_rsa2048", 500}, {"sigverify_p256", 8000}}};

/// uml.ratio_X from uml.X_compute_ticks and uml.X_hit_ticks.
void add_ratios(Figures& figures)
{
    nlohmann::ordered_json ratios = nlohmann::ordered_json::object();
    for (const auto& [name, value] : figures.values.items()) {
        if (!name.ends_with(compute))
            continue;
        const auto stem = name.substr(0, name.size() - compute.size());
        const auto hit = figures.values.find(stem + "_hit_ticks");
        if (hit == figures.values.end() || hit->get<double>() <= 0)
            continue;
        const auto ratio = std::floor(value.get<double>() / hit->get<double>());
        const auto what = stem.substr(stem.find('.') + 1);
        ratios["uml.ratio_" + what] = ratio;
        for (const auto& target : targets) {
            if (what == target.name)
                figures.comments.push_back(
                    fmt::format("{} compute / hit = {:.0f} (target {:.0f}{})", what, ratio,
                                target.ratio, ratio < target.ratio ? ", missed" : ""));
        }
    }
    figures.values.update(ratios);
}

} // namespace

Figures parse_uml_bench(std::string_view text)
{
    Figures figures;
    for (const auto& line : split(text, '\n')) {
        const auto at = line.find("uml.");
        if (at == std::string::npos)
            continue;
        const auto parts = words(std::string_view(line).substr(at));
        if (parts.size() == 2)
            figures.values[parts[0]] = std::strtoll(parts[1].c_str(), nullptr, 10);
    }
    add_ratios(figures);
    return figures;
}

Result<Figures> bench_uml(const Project& project)
{
    if (auto built = prepare_and_build(project, "uml"); !built)
        return built.error();
    auto lock = BuildLock::take(project);
    if (!lock)
        return lock.error();
    auto command = kunit_py(project, "run");
    command.argv.emplace_back("--raw_output=all");
    command.argv.emplace_back("kcr_bench*");
    command.timeout_s = timeout_s;
    const auto printed = run_ok(command);
    if (!printed)
        return printed.error();
    auto figures = parse_uml_bench(*printed);
    if (figures.values.empty())
        return Error{"the benchmark under User Mode Linux printed no figure", *printed};
    return figures;
}

} // namespace kcr::tool
