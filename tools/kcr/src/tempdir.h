// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "result.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace kcr::tool
{

/// A new directory that is removed with everything in it by the destructor.
class TempDir
{
public:
    /// Makes it below @p parent.
    static Result<TempDir> make(const std::filesystem::path& parent)
    {
        auto name = (parent / "kcr-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            return Error{
                "cannot make a directory in " + parent.string() + ": " + std::strerror(errno), {}};
        return TempDir(name);
    }
    TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TempDir& operator=(TempDir&& other) noexcept
    {
        std::swap(path_, other.path_);
        return *this;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir()
    {
        std::error_code error;
        if (!path_.empty())
            std::filesystem::remove_all(path_, error);
    }

    [[nodiscard]] const std::filesystem::path& path() const
    {
        return path_;
    }

private:
    explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

} // namespace kcr::tool
