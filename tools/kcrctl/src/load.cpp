// SPDX-License-Identifier: GPL-2.0
#include "load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

namespace kcr::ctl
{

namespace
{

constexpr useconds_t tick_us = 20'000;
constexpr int exec_failed = 127;

volatile std::sig_atomic_t signalled = 0;

void on_signal(int number)
{
    signalled = number;
}

double now_s()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

Result<pid_t> start(const std::vector<std::string>& command)
{
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const auto& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return Error{fmt::format("cannot make a pipe: {}", std::strerror(errno)), {}};
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::setpgid(0, 0);
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        ::execvp(argv[0], argv.data());
        const int error = errno;
        [[maybe_unused]] const auto written = ::write(ends[1], &error, sizeof(error));
        ::_exit(exec_failed);
    }
    ::close(ends[1]);
    int error = 0;
    const auto got = pid < 0 ? 0 : ::read(ends[0], &error, sizeof(error));
    ::close(ends[0]);
    if (pid < 0)
        return Error{fmt::format("cannot start a process: {}", std::strerror(errno)), {}};
    if (got == sizeof(error)) {
        ::waitpid(pid, nullptr, 0);
        return Error{fmt::format("cannot run {}: {}", command[0], std::strerror(error)), {}};
    }
    return pid;
}

/// True if the child has ended; its status is then in @p outcome.
bool reap(pid_t child, int flags, LoadOutcome& outcome)
{
    int status = 0;
    if (::waitpid(child, &status, flags) != child)
        return false;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

} // namespace

void catch_signals()
{
    struct sigaction action = {};
    action.sa_handler = on_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

Result<LoadOutcome> run_load(const LoadOptions& options, const std::function<void()>& often)
{
    LoadOutcome outcome;
    pid_t child = -1;
    if (!options.command.empty()) {
        auto started = start(options.command);
        if (!started)
            return started.error();
        child = *started;
    }
    const double begin = now_s();
    bool ended = false;
    while (!ended) {
        ::usleep(tick_us);
        often();
        ended = child > 0 && reap(child, WNOHANG, outcome);
        const bool late = now_s() - begin >= options.seconds;
        outcome.interrupted = signalled != 0;
        if (ended || !(outcome.interrupted || (late && (child < 0 || options.limited))))
            continue;
        outcome.cut_short = child > 0;
        if (child > 0) {
            ::kill(-child, SIGTERM);
            reap(child, 0, outcome);
        }
        ended = true;
    }
    outcome.seconds = now_s() - begin;
    often();
    return outcome;
}

} // namespace kcr::ctl
