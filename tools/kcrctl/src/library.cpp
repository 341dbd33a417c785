// SPDX-License-Identifier: GPL-2.0
#include "library.h"

#include "elf_reader.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace kcr::ctl
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* dynamic_linker = "/lib64/ld-linux-x86-64.so.2";

bool is_executable(const fs::path& path)
{
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// In the shell's quotes.
std::string quoted(const std::string& text)
{
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'')
            result += "'\\''";
        else
            result += c;
    }
    return result + "'";
}

/// What the dynamic linker would load for @p program: lines of NAME => PATH (ADDRESS).
std::vector<std::string> listed_libraries(const fs::path& program)
{
    const auto command = fmt::format("{} --list {} 2>/dev/null", dynamic_linker, quoted(program));
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                               &::pclose);
    std::string output;
    std::array<char, 4096> buffer{};
    while (pipe) {
        const auto bytes = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
        if (bytes == 0)
            break;
        output.append(buffer.data(), bytes);
    }
    return tool::split(output, '\n');
}

std::optional<fs::path> listed_library(const std::string& name, const fs::path& program)
{
    for (const auto& line : listed_libraries(program)) {
        const auto fields = tool::words(line);
        if (fields.size() >= 3 && fields[0] == name && fields[1] == "=>")
            return fs::path(fields[2]);
    }
    return std::nullopt;
}

/// Where dlopen() finds it.
std::optional<fs::path> opened_library(const std::string& name)
{
    void* handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle == nullptr)
        return std::nullopt;
    const link_map* map = nullptr;
    std::optional<fs::path> path;
    if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] != '\0')
        path = map->l_name;
    ::dlclose(handle);
    return path;
}

} // namespace

Result<fs::path> find_program(const std::string& name)
{
    if (name.find('/') != std::string::npos) {
        if (is_executable(name))
            return fs::path(name);
        return Error{fmt::format("cannot run {}", name),
                     "no such program, or it is not executable"};
    }
    const char* path = std::getenv("PATH");
    for (const auto& folder : tool::split(path == nullptr ? "/bin:/usr/bin" : path, ':')) {
        auto candidate = fs::path(folder.empty() ? "." : folder) / name;
        if (is_executable(candidate))
            return candidate;
    }
    return Error{fmt::format("cannot find {}", name), "no program of this name is in PATH"};
}

Result<fs::path> find_library(const std::string& name, const fs::path& program)
{
    if (name.find('/') != std::string::npos) {
        std::error_code error;
        if (fs::is_regular_file(name, error))
            return fs::path(name);
        return Error{fmt::format("there is no library {}", name), {}};
    }
    if (auto path = listed_library(name, program))
        return *path;
    if (auto path = opened_library(name))
        return *path;
    std::vector<std::string> names;
    for (const auto& line : listed_libraries(program)) {
        const auto fields = tool::words(line);
        if (fields.size() >= 3 && fields[1] == "=>")
            names.push_back(fields[0]);
    }
    auto error = tool::unknown_word("library", name, names);
    error.hint += "\none that the program loads later can be given by its path";
    return error;
}

Result<std::string> check_symbol(const fs::path& library, const std::string& function)
{
    const auto file = read_library(library);
    if (!file)
        return file.error();
    std::vector<std::string> functions;
    for (const auto& symbol : file->symbols) {
        if (symbol.name == function && symbol.is_function)
            return file->soname.empty() ? library.filename().string() : file->soname;
        if (symbol.name == function)
            return Error{
                fmt::format("{} in {} is a variable, not a function", function, library.string()),
                {}};
        if (symbol.is_function)
            functions.push_back(symbol.name);
    }
    const auto nearest = tool::nearest_word(function, functions);
    return Error{fmt::format("{} has no function {}{}", library.string(), function,
                             nearest ? fmt::format("; did you mean {}?", *nearest) : ""),
                 functions.empty() ? "it offers no function at all" : ""};
}

} // namespace kcr::ctl
