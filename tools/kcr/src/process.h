// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "fd.h"
#include "result.h"

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kcr::tool
{

/// A program to run.
struct Command {
    std::vector<std::string> argv;
    std::filesystem::path cwd;                               ///< empty: ours
    std::vector<std::pair<std::string, std::string>> env;    ///< added to ours
    std::filesystem::path log;                               ///< output is appended here if set
    std::function<void(std::string_view line)> on_line = {}; ///< called for each output line
    double timeout_s = 0;                                    ///< 0: none
    int death_signal = SIGTERM;   ///< what the program gets if this tool dies
    bool separate_stderr = false; ///< keep stderr out of the output, pass it to ours
    std::vector<int> keep_fds;    ///< descriptors the program inherits
};

/// How a program ended.
struct Exit {
    int code = 0;   ///< exit status, meaningful if signal is 0
    int signal = 0; ///< what killed it, or 0
    bool timed_out = false;
    std::string output; ///< stdout and stderr

    [[nodiscard]] bool success() const
    {
        return code == 0 && signal == 0 && !timed_out;
    }
    /// "exit status 2", "killed by signal 9", "timed out"
    [[nodiscard]] std::string describe() const;
};

/// A child in its own process group. The destructor kills the group and reaps the child.
class Child
{
public:
    Child() = default;
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const
    {
        return pid_;
    }
    /// Sends @p signal to the whole group.
    void kill_group(int signal) const;
    /// True and the wait status if the child has ended; does not block.
    bool try_wait(int& status);
    /// Blocks until the child has ended; returns the wait status.
    int wait();

private:
    pid_t pid_ = -1;
};

/// Starts @p command with stdin from /dev/null, @p out as stdout and @p err as stderr.
Result<Child> spawn(const Command& command, int out, int err);

/// Runs @p command to its end, collecting its output. An interrupt or the timeout ends it.
Result<Exit> run(const Command& command);

/// Like run(), but anything except success is an error that quotes the end of the output.
Result<std::string> run_ok(const Command& command);

/// True if @p program is on PATH.
bool have_program(std::string_view program);

/// Makes SIGINT, SIGTERM and SIGHUP set a flag instead of killing the tool.
void catch_interrupts();

/// The signal that arrived, or 0.
int interrupted();

/// Readable once an interrupting signal has arrived; for poll().
int interrupt_fd();

/// A descriptor that every child inherits (the lock of the build directory), or -1.
void inherit_always(int fd);

/// Seconds of a monotonic clock.
double now_s();

} // namespace kcr::tool
