// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// What is known about functions beyond their types.
class Catalogue
{
public:
    /// The one that comes with the tool.
    static Catalogue builtin();

    /// Adds the lines of @p text before those that are there; errors name the line.
    Status add(std::string_view text);

    /// Forgets what functions' inputs are; what is denied or left out stays.
    void forget_inputs()
    {
        profiles_.clear();
    }

    /// What the function's input is.
    [[nodiscard]] std::optional<std::string> args(std::string_view function) const;
    /// Why the function must not be attached to, or nothing.
    [[nodiscard]] std::optional<std::string> denied(std::string_view function) const;
    /// True if the function is called for what it does, and not for its result.
    [[nodiscard]] bool has_effect(std::string_view function) const;

private:
    struct Line {
        std::string glob;
        std::string text;
    };
    static const Line* find(const std::vector<Line>& lines, std::string_view function);

    std::vector<Line> profiles_;
    std::vector<Line> denied_;
    std::vector<Line> allowed_;
    std::vector<Line> effects_;
};

} // namespace kcr::ctl
