// SPDX-License-Identifier: GPL-2.0
#include "text.h"

#include "fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

namespace kcr::tool
{

namespace fs = std::filesystem;

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    std::size_t start = 0;
    while (start < text.size()) {
        const auto end = std::min(text.find(separator, start), text.size());
        parts.emplace_back(text.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

std::vector<std::string> words(std::string_view text)
{
    std::vector<std::string> parts;
    std::istringstream stream{std::string(text)};
    for (std::string word; stream >> word;)
        parts.push_back(word);
    return parts;
}

std::string_view trim(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string join(std::span<const std::string> parts, std::string_view separator)
{
    std::string out;
    for (const auto& part : parts) {
        if (!out.empty())
            out += separator;
        out += part;
    }
    return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i)
        d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j)
        d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

std::optional<std::string> nearest_word(std::string_view given, std::span<const std::string> valid)
{
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(2, given.size() / 2) + 1;
    for (const auto& word : valid) {
        auto distance = edit_distance(given, word);
        if (!given.empty() && word.starts_with(given))
            distance = 1;
        if (distance < best_distance) {
            best_distance = distance;
            best = word;
        }
    }
    return best;
}

Error unknown_word(std::string_view what, std::string_view given,
                   std::span<const std::string> valid)
{
    auto message = fmt::format("unknown {} '{}'", what, given);
    if (const auto near = nearest_word(given, valid))
        message += fmt::format("; did you mean '{}'?", *near);
    return {message, fmt::format("valid: {}", join(valid, " "))};
}

bool glob_match(std::string_view glob, std::string_view name)
{
    return fnmatch(std::string(glob).c_str(), std::string(name).c_str(), 0) == 0;
}

Result<std::string> read_file(const fs::path& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    if (!file || (content << file.rdbuf(), file.bad()))
        return Error{fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)), {}};
    return content.str();
}

Status write_file_atomic(const fs::path& path, std::string_view content)
{
    const auto temporary = path.string() + fmt::format(".new.{}", ::getpid());
    const auto fail = [&]() -> Status {
        const int error = errno;
        ::unlink(temporary.c_str());
        return Error{fmt::format("cannot write {}: {}", path.string(), std::strerror(error)),
                     error == ENOSPC ? "free some disk space and run the command again" : ""};
    };
    Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file.valid())
        return fail();
    while (!content.empty()) {
        const auto written = ::write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail();
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    file.reset();
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        return fail();
    return {};
}

std::uint64_t content_digest(std::string_view content, std::uint64_t seed)
{
    std::uint64_t hash = seed;
    for (const unsigned char byte : content) {
        hash ^= byte;
        hash *= 0x100000001b3U;
    }
    return hash;
}

std::string human_seconds(double seconds)
{
    if (seconds < 10)
        return fmt::format("{:.1f}s", seconds);
    const auto whole = std::lround(seconds);
    if (whole < 60)
        return fmt::format("{}s", whole);
    return fmt::format("{}m {:02}s", whole / 60, whole % 60);
}

} // namespace kcr::tool
