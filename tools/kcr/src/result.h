// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace kcr::tool
{

/// What went wrong, for a person to read: one sentence, and what to do about it.
struct Error {
    std::string message;
    std::string hint;
};

/// A value or an Error. (g++ 12 has no std::expected.)
template <typename T> class Result
{
public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(std::move(error)) {}

    [[nodiscard]] bool ok() const
    {
        return std::holds_alternative<T>(state_);
    }
    explicit operator bool() const
    {
        return ok();
    }
    T& operator*()
    {
        return std::get<T>(state_);
    }
    const T& operator*() const
    {
        return std::get<T>(state_);
    }
    T* operator->()
    {
        return &std::get<T>(state_);
    }
    const T* operator->() const
    {
        return &std::get<T>(state_);
    }
    [[nodiscard]] const Error& error() const
    {
        return std::get<Error>(state_);
    }

private:
    std::variant<T, Error> state_;
};

/// Nothing or an Error.
class [[nodiscard]] Status
{
public:
    Status() = default;
    Status(Error error) : error_(std::move(error)), failed_(true) {}

    [[nodiscard]] bool ok() const
    {
        return !failed_;
    }
    explicit operator bool() const
    {
        return ok();
    }
    [[nodiscard]] const Error& error() const
    {
        return error_;
    }

private:
    Error error_;
    bool failed_ = false;
};

} // namespace kcr::tool
