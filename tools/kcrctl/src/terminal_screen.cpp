// SPDX-License-Identifier: GPL-2.0
#include "terminal_screen.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

namespace kcr::ctl
{

namespace
{

constexpr std::size_t all = 1U << 20;
constexpr double nanoseconds = 1e9;

winsize size_of_terminal()
{
    winsize size{};
    ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    return size;
}

} // namespace

Screen::Screen() : terminal_(::isatty(STDOUT_FILENO) == 1)
{
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

bool Screen::wait(double seconds) const
{
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGTERM);
    const auto whole = static_cast<std::time_t>(seconds);
    const timespec time{
        .tv_sec = whole,
        .tv_nsec = static_cast<long>((seconds - static_cast<double>(whole)) * nanoseconds)};
    return ::sigtimedwait(&signals, nullptr, &time) < 0;
}

void Screen::show(const std::string& text)
{
    // Home, the text, and away with what was below; no more than every terminal knows
    if (terminal_)
        fmt::print("{}{}\033[J", first_ ? "\033[2J\033[H" : "\033[H", text);
    else
        fmt::print("{}{}", first_ ? "" : "\n", text);
    first_ = false;
    std::fflush(stdout);
}

std::size_t Screen::lines() const
{
    const auto size = size_of_terminal();
    return terminal_ && size.ws_row > 1 ? size.ws_row - 1U : all;
}

std::size_t Screen::columns() const
{
    const auto size = size_of_terminal();
    return terminal_ && size.ws_col != 0 ? size.ws_col : all;
}

} // namespace kcr::ctl
