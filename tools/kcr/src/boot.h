// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "initramfs.h"
#include "project.h"
#include "qemu.h"
#include "result.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace kcr::tool
{

/// Exit codes of `kcr boot` besides the command's own (those of timeout(1) where it has one).
/// A line on stderr says the same, since a command may end with these numbers itself.
inline constexpr int exit_timeout = 124;
inline constexpr int exit_tool_error = 125;
inline constexpr int exit_splat = 126;
inline constexpr int exit_lost_vm = 127;

/// One boot.
struct BootRequest {
    Machine machine;
    Job job;
    std::filesystem::path kernel;
    std::filesystem::path init;        ///< the guest's init program
    std::filesystem::path console_log; ///< where the kernel's console goes
    double timeout_s = 300;
    std::function<void(std::string_view)> on_out = {};     ///< chunks of the command's stdout
    std::function<void(std::string_view)> on_err = {};     ///< chunks of its stderr
    std::function<void(std::string_view)> on_console = {}; ///< lines of the console
};

enum class BootEnd { exited, signaled, timeout, splat, lost };

/// How a boot ended.
struct BootOutcome {
    BootEnd end = BootEnd::lost;
    int code = 0;         ///< exit status or signal of the command
    std::string out;      ///< its stdout
    std::string err;      ///< its stderr
    std::string console;  ///< the kernel's console
    std::string splats;   ///< description of the splats found, or empty
    std::string emulator; ///< what QEMU itself said
    double seconds = 0;

    [[nodiscard]] bool success() const
    {
        return end == BootEnd::exited && code == 0;
    }
    /// One line (or more for a splat) that says how it ended.
    [[nodiscard]] std::string describe() const;
};

/// What the guest reported on its status port and what happened around it.
struct BootFacts {
    std::string status; ///< everything read from the status port
    bool has_command = true;
    bool timed_out = false;
    bool splat = false;
};

/// Decides how a boot ended. A splat counts more than the command's status, and a timeout
/// without a splat more than a lost VM.
std::pair<BootEnd, int> judge_boot(const BootFacts& facts);

/// The exit status of `kcr boot`: the command's own (128 + signal), or one of the above.
int boot_exit_code(BootEnd end, int code);

/// Boots and runs the job. An error means that the boot could not be tried.
Result<BootOutcome> boot(const BootRequest& request);

/// PATH, HOME, TERM and the like for a command in the guest.
std::vector<std::string> guest_environment();

/// The request for booting @p config of the prepared tree: kernel, init, log, visible folders.
BootRequest boot_request(const Project& project, const std::string& config,
                         const std::string& log_name);

} // namespace kcr::tool
