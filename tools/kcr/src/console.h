// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// What kind of splat a console line announces ("oops", "warning", "kasan"…), if any.
std::optional<std::string> splat_kind(std::string_view line);

/// Collects splats from a kernel console, with the lines that follow each.
class SplatScanner
{
public:
    struct Splat {
        std::string kind;
        std::vector<std::string> lines;
    };

    /// Looks at one console line (with or without a time stamp).
    void add_line(std::string_view line);

    [[nodiscard]] const std::vector<Splat>& splats() const
    {
        return splats_;
    }
    /// Data races reported by KCSAN in which no function of KCR's took part: an unpatched kernel
    /// has them as well, so they are no splats here.
    [[nodiscard]] int other_races() const
    {
        return other_races_;
    }
    /// The first splat for a person to read; empty if there is none.
    [[nodiscard]] std::string describe() const;

private:
    void end_kcsan();

    std::vector<Splat> splats_;
    int other_races_ = 0;
    int follow_ = 0;
};

/// "[    1.234567] text" gives "text"; also removes the "[    T12]" of CONFIG_PRINTK_CALLER.
std::string_view strip_timestamp(std::string_view line);

} // namespace kcr::tool
