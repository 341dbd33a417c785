// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "description.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// What `kcrctl run` is asked for.
struct RunOptions {
    std::vector<std::string> signatures;
    std::vector<std::string> files;
    std::string size;
    bool pure = false;
    bool always = false;
    std::uint32_t learn = 0;
    bool stats = false; ///< say at the end what was reused
    std::vector<std::string> command;
};

/// Parses all signatures, and refuses those that are seen to be wrong for @p program.
Result<std::vector<Memo>> check_memos(const RunOptions& options,
                                      const std::filesystem::path& program);

/// "16M" in bytes; a power of two from 64K to 1G.
Result<std::uint64_t> parse_region_size(const std::string& text);

/// Where libkcr-audit.so and libkcr-memo.so are: beside this program, or where they are installed.
Result<std::filesystem::path> find_memo_libraries();

/// Puts @p library before what @p variable has already.
std::string with_library(const char* variable, const std::string& library);

/// Runs the program; returns the exit status.
Result<int> run_program(const RunOptions& options);

} // namespace kcr::ctl
