// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What a program did.
struct Ran {
    int status = 0; ///< of waitpid()
    std::string output;
    std::string errors;
    /// What libkcr says of each function that was bound.
    struct Counts {
        unsigned state = 0;
        std::uint64_t hits = 0;
        std::uint64_t computed = 0;
        std::uint64_t bypassed = 0;
    };
    std::map<std::string, Counts> functions;
};

/// Which of the programs; how symbols are bound.
enum class Binding { lazy, now };

/// Everything in libkcr-subject.so that can be reused; flags as of --pure and --always.
std::string subject_memos(bool pure);

/// The description of one signature, always looked up.
std::string memo_of(const std::string& signature, bool pure);

/// Runs a scenario of the test program; with @p description in KCR_MEMO, if there is one.
Ran run_scenario(const std::vector<std::string>& arguments, const std::string& description,
                 Binding binding = Binding::lazy, const std::vector<std::string>& environment = {});

/// Runs any program.
Ran run_command(const std::vector<std::string>& command, const std::string& description,
                const std::vector<std::string>& environment = {});
