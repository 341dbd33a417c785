// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <string>
#include <string_view>

namespace kcr::tool
{

/// Seconds that remain when @p done of @p total took @p elapsed_s; negative if unknown.
double estimate_remaining(double elapsed_s, int done, int total);

/// One status line: rewritten in place on a terminal, printed now and then elsewhere.
class Progress
{
public:
    explicit Progress(std::string title);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

    /// Shows "TITLE: done/total unit, ETA". @p total of 0 means that it is not known.
    void update(int done, int total, std::string_view unit);
    /// Shows "TITLE: text".
    void note(std::string_view text);
    /// Removes the line from a terminal.
    void clear();
    [[nodiscard]] double elapsed_s() const;

private:
    void show(const std::string& text, bool force);

    std::string title_;
    double start_;
    double last_shown_ = 0;
    bool terminal_;
    bool visible_ = false;
};

} // namespace kcr::tool
