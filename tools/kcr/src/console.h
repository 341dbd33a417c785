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
    /// The first splat for a person to read; empty if there is none.
    [[nodiscard]] std::string describe() const;

private:
    std::vector<Splat> splats_;
    int follow_ = 0;
};

/// "[    1.234567] text" gives "text"; also removes the "[    T12]" of CONFIG_PRINTK_CALLER.
std::string_view strip_timestamp(std::string_view line);

} // namespace kcr::tool
