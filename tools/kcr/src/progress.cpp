// SPDX-License-Identifier: GPL-2.0
#include "progress.h"

#include "process.h"
#include "text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace kcr::tool
{

namespace
{

constexpr double terminal_interval_s = 0.1;
constexpr double plain_interval_s = 15;

std::size_t terminal_width()
{
    winsize size = {};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

} // namespace

double estimate_remaining(double elapsed_s, int done, int total)
{
    if (done <= 0 || total <= 0 || done > total)
        return -1;
    return elapsed_s * (total - done) / done;
}

Progress::Progress(std::string title)
    : title_(std::move(title)), start_(now_s()), terminal_(::isatty(STDERR_FILENO) == 1)
{
    last_shown_ = terminal_ ? 0 : start_;
}

Progress::~Progress()
{
    clear();
}

void Progress::update(int done, int total, std::string_view unit)
{
    if (total <= 0 || done > total) {
        show(fmt::format("{} {}", done, unit), false);
        return;
    }
    const double left = estimate_remaining(elapsed_s(), done, total);
    show(fmt::format("{}/{} {}{}", done, total, unit,
                     left < 0 ? "" : fmt::format(", {} left", human_seconds(left))),
         done == total);
}

void Progress::note(std::string_view text)
{
    show(std::string(text), false);
}

void Progress::clear()
{
    if (visible_)
        fmt::print(stderr, "\r\033[K");
    visible_ = false;
}

double Progress::elapsed_s() const
{
    return now_s() - start_;
}

void Progress::show(const std::string& text, bool force)
{
    const double now = now_s();
    const double interval = terminal_ ? terminal_interval_s : plain_interval_s;
    if (now - last_shown_ < interval && !(force && terminal_))
        return;
    last_shown_ = now;
    auto line = fmt::format("{}: {}", title_, text);
    if (!terminal_) {
        fmt::print(stderr, "{} ({})\n", line, human_seconds(elapsed_s()));
        return;
    }
    line.resize(std::min(line.size(), terminal_width() - 1));
    fmt::print(stderr, "\r\033[K{}", line);
    visible_ = true;
}

} // namespace kcr::tool
