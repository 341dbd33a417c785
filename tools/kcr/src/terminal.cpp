// SPDX-License-Identifier: GPL-2.0
#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

namespace kcr::tool
{

namespace
{

void write_all(int fd, std::string_view text)
{
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

} // namespace

Terminal::Terminal()
{
    if (::tcgetattr(STDIN_FILENO, &saved_) != 0)
        return;
    auto raw = saved_;
    ::cfmakeraw(&raw);
    raw_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

Terminal::~Terminal()
{
    if (raw_)
        ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_);
}

void Terminal::show(std::string_view text)
{
    write_all(STDOUT_FILENO, text);
}

void Terminal::forward_input(int fd)
{
    std::array<char, 4096> buffer{};
    const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got > 0)
        write_all(fd, {buffer.data(), static_cast<std::size_t>(got)});
}

std::string Terminal::resize_command()
{
    winsize size = {};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        return "true";
    return fmt::format("stty rows {} cols {}", size.ws_row, size.ws_col);
}

} // namespace kcr::tool
