// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI
{
class App;
}

namespace kcr::ctl
{

/// Exit status: the work could not be done.
inline constexpr int exit_error = 1;

/// Prints "kcrctl: error: …" and the hint; returns exit_error.
int report_error(const Error& error);

/// What `kcrctl profile` is asked for.
struct ProfileOptions {
    std::vector<std::string> functions;
    std::optional<std::string> args;
    bool automatic = false;
    bool sites = false;
    bool keep_modes = false;
    bool list = false;
    bool kprobes = false;
    bool types_only = false;
    bool json = false;
    double seconds = 10;
    bool seconds_given = false;
    double overhead = 0; ///< percent of a CPU for each function; 0: as the command's default
    std::size_t candidates = 40;
    std::uint32_t max_bytes = 0;
    std::uint32_t inputs = 131072;
    std::string lookup_cost;
    std::string catalogue;
    std::vector<std::string> command;
};

/// Each prints its result; an error means that there is none.
Status profile_functions(const ProfileOptions& options);
Status profile_automatically(const ProfileOptions& options);
Status profile_sites(const ProfileOptions& options);
Status list_candidates(const ProfileOptions& options);

/// The command after `--`, which is the load.
std::vector<std::string>& load_command();

/// Add `kcrctl profile`, `run`, and `domains`, `stats` and `top` to @p app; set @p status when they
/// run.
void add_profile(CLI::App& app, int& status);
void add_run(CLI::App& app, int& status);
void add_domains(CLI::App& app, int& status);

} // namespace kcr::ctl
