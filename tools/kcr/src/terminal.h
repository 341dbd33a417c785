// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <string>
#include <string_view>

#include <termios.h>

namespace kcr::tool
{

/// Our terminal in raw mode, for a shell in the guest; restored by the destructor.
class Terminal
{
public:
    Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal();

    /// Writes what the guest sent.
    static void show(std::string_view text);
    /// Copies what was typed to @p fd.
    static void forward_input(int fd);
    /// A shell command that gives the guest's terminal the size of ours.
    static std::string resize_command();

private:
    termios saved_ = {};
    bool raw_ = false;
};

} // namespace kcr::tool
