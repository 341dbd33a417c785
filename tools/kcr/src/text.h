// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// Splits at every @p separator; empty fields are kept, a trailing empty field is not.
std::vector<std::string> split(std::string_view text, char separator);

/// Splits at runs of white space.
std::vector<std::string> words(std::string_view text);

/// Without leading and trailing white space.
std::string_view trim(std::string_view text);

/// The parts with @p separator between them.
std::string join(std::span<const std::string> parts, std::string_view separator);

/// Number of single-character edits (insert, delete, replace, swap neighbours) from a to b.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The word of @p valid nearest to @p given, or nothing if none is near.
std::optional<std::string> nearest_word(std::string_view given, std::span<const std::string> valid);

/// "unknown WHAT 'x'; did you mean 'y'?" with the list of valid words as the hint.
Error unknown_word(std::string_view what, std::string_view given,
                   std::span<const std::string> valid);

/// True if @p name matches the shell pattern @p glob (`*` also matches '/').
bool glob_match(std::string_view glob, std::string_view name);

/// The whole file, or an error that names it.
Result<std::string> read_file(const std::filesystem::path& path);

/// Writes @p content so that a reader sees the old file or the new one, never a part.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content);

/// 64-bit FNV-1a: tells whether a file changed between two runs; not for security.
std::uint64_t content_digest(std::string_view content, std::uint64_t seed = 0xcbf29ce484222325U);

/// "1m 23s", "45s", "0.4s"
std::string human_seconds(double seconds);

} // namespace kcr::tool
