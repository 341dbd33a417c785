// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace kcr::ctl
{

/// What went wrong while parsing, and where; caught by who began.
struct Failure {
    std::size_t at;
    std::string what;
    std::string hint;
};

/// A place in a text that is being parsed: what the parsers of declarations and of signatures
/// share.
class Cursor
{
protected:
    explicit Cursor(std::string_view text) : text_(text) {}

    [[noreturn]] void fail(const std::string& what, std::string hint = {}) const
    {
        throw Failure{at_, what, std::move(hint)};
    }

    /// Skips white space.
    void blank()
    {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0)
            ++at_;
    }

    /// Skips @p token if it is next.
    bool accept(std::string_view token)
    {
        blank();
        if (!text_.substr(at_).starts_with(token))
            return false;
        at_ += token.size();
        return true;
    }

    void expect(std::string_view token, const std::string& what)
    {
        if (!accept(token))
            fail("expected " + what);
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

} // namespace kcr::ctl
