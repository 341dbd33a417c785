// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <cstddef>
#include <string>

namespace kcr::ctl
{

/// Text that is shown again and again in one place, if that is a terminal; otherwise one text below
/// the other. The terminal's modes are never changed, so that nothing has to be put back.
class Screen
{
public:
    Screen();

    /// Waits; false if the user wants to end it (Ctrl-C).
    [[nodiscard]] bool wait(double seconds) const;
    void show(const std::string& text);

    [[nodiscard]] std::size_t lines() const;
    [[nodiscard]] std::size_t columns() const;

private:
    bool terminal_;
    bool first_ = true;
};

} // namespace kcr::ctl
