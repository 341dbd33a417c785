// SPDX-License-Identifier: GPL-2.0
#include "bench.h"
#include "cmake.h"
#include "process.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

namespace kcr::tool
{

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace
{

constexpr double timeout_s = 600;

/// The lookups' targets by size: at most so many times the floor, or a peer.
struct Targets {
    const char* bytes;
    double l2_floor;
    double l3_floor;
    double peer;
};
constexpr std::array<Targets, 3> targets = {
    {{"16", 1.8, 2.3, 0.45}, {"32", 2.0, 2.1, 0.5}, {"64", 2.2, 2.1, 0.6}}};
/// A hit in user space takes at most so many ticks more than the core's, and is so many times as
/// fast as what a program would have without KCR.
constexpr double user_extra_target = 10;
constexpr double lru_target = 1.5;
constexpr double server_target = 100;
constexpr double hash_hit_target = 0.6;
constexpr double full_target = 88;
constexpr double half_target = 95;
constexpr double scaling_target = 0.97;

class Ratios
{
public:
    explicit Ratios(const ordered_json& figures) : figures_(figures) {}

    /// Notes @p name / @p base if both were measured.
    void add(const std::string& name, const std::string& base, double target, bool least = false)
    {
        const double above = get(name);
        const double below = base.empty() ? 1 : get(base);
        if (above <= 0 || below <= 0)
            return;
        const double ratio = above / below;
        const bool met = least ? ratio >= target : ratio <= target;
        lines.push_back(fmt::format("{}{} = {:.2f} (target {:.2f}{})", name,
                                    base.empty() ? "" : " / " + base, ratio, target,
                                    met ? "" : ", missed"));
    }

    /// Notes how much more @p name is than @p base if both were measured.
    void add_difference(const std::string& name, const std::string& base, double target)
    {
        const double above = get(name);
        const double below = get(base);
        if (above <= 0 || below <= 0)
            return;
        lines.push_back(fmt::format("{} - {} = {:.1f} (target {:.0f}{})", name, base, above - below,
                                    target, above - below <= target ? "" : ", missed"));
    }

    std::vector<std::string> lines;

private:
    [[nodiscard]] double get(const std::string& name) const
    {
        return figures_.value("native." + name, 0.0);
    }

    const ordered_json& figures_;
};

} // namespace

Figures parse_native_bench(std::string_view json_text)
{
    Figures figures;
    const auto document = ordered_json::parse(json_text, nullptr, false);
    if (!document.is_object())
        return figures;
    const auto values = document.value("figures", ordered_json::object());
    for (const auto& [name, value] : values.items()) {
        if (value.is_number())
            figures.values[name] = value;
    }
    const auto comments = document.value("comments", ordered_json::array());
    for (const auto& comment : comments) {
        if (comment.is_string())
            figures.comments.push_back(comment);
    }
    return figures;
}

std::vector<std::string> native_ratios(const ordered_json& figures)
{
    Ratios ratios(figures);
    for (const auto& target : targets) {
        const std::string bytes = target.bytes;
        const std::string both = bytes + "_" + bytes;
        ratios.add("l2_hit_" + both, "floor_l2_" + bytes, target.l2_floor);
        ratios.add("l3_hit_" + both, "floor_l3_" + bytes, target.l3_floor);
        for (const std::string peer : {"absl", "bucket_hlist", "lfht", "std", "tbb"})
            ratios.add("l2_hit_" + both, "peer_" + peer + "_" + both, target.peer);
        ratios.add("hash_hit_" + bytes, "peer_absl_xxh64_" + both, hash_hit_target);
    }
    for (const std::string bytes : {"16", "32", "64"}) {
        const std::string both = bytes + "_" + bytes;
        ratios.add_difference("libkcr_hit_" + both, "hash_hit_" + bytes, user_extra_target);
        for (const std::string size : {"", "l3_"}) {
            const auto hit = "libkcr_hit_" + size + both;
            for (const std::string peer : {"lru_mutex_", "lru_sharded_", "lru_tbb_"})
                ratios.add("peer_" + peer + size + both, hit, lru_target, true);
        }
        for (const std::string server : {"redis_", "memcached_"})
            ratios.add("peer_" + server + both, "libkcr_hit_" + both, server_target, true);
    }
    ratios.add("hit_rate_full", {}, full_target, true);
    ratios.add("hit_rate_half", {}, half_target, true);
    ratios.add("scaling_l2", "scaling_empty", scaling_target, true);
    return ratios.lines;
}

namespace
{

/// What kcr-native-bench or one like it prints.
Result<Figures> run_native_bench(const fs::path& program)
{
    // The peers' memory comes from huge pages, too
    const auto printed = run_ok({.argv = {program.string()},
                                 .env = {{"GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"}},
                                 .timeout_s = timeout_s,
                                 .separate_stderr = true});
    if (!printed)
        return printed.error();
    auto figures = parse_native_bench(*printed);
    if (figures.values.empty())
        return Error{"the native benchmark printed no figure", *printed};
    return figures;
}

} // namespace

Result<Figures> bench_native(const Project& project)
{
    const auto build = project.build() / "native";
    if (auto built = build_cmake(project, project.root() / "tools/testing/kcr", build, {}); !built)
        return built.error();
    auto figures = run_native_bench(build / "kcr-native-bench");
    if (!figures)
        return figures;
    for (auto& line : native_ratios(figures->values))
        figures->comments.push_back(std::move(line));
    // The core with CONFIG_KCR_ENCRYPTION
    const auto encrypted = run_native_bench(build / "kcr-encrypted-bench");
    if (!encrypted)
        return encrypted.error();
    figures->values.update(encrypted->values);
    return figures;
}

} // namespace kcr::tool
