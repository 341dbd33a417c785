// SPDX-License-Identifier: GPL-2.0
#include "supervise.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace kcr::ctl
{

namespace
{

/// Signals that a supervisor gets and its child should have.
constexpr std::array passed_on = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

/// Waits for the child, and passes on what comes meanwhile. The terminal sends its signals to both.
int wait_for(pid_t child, const sigset_t& signals)
{
    for (;;) {
        siginfo_t info{};
        const int signal = ::sigwaitinfo(&signals, &info);
        if (signal < 0)
            continue;
        if (signal != SIGCHLD) {
            if (info.si_code != SI_KERNEL)
                ::kill(child, signal);
            continue;
        }
        int status = 0;
        if (::waitpid(child, &status, WNOHANG) == child)
            return status;
    }
}

} // namespace

Error exec_program(const std::vector<std::string>& command)
{
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const auto& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    return {fmt::format("cannot run {}: {}", command[0], std::strerror(errno)), {}};
}

Result<int> supervise(const std::vector<std::string>& command)
{
    sigset_t signals;
    sigset_t before;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGCHLD);
    for (const int signal : passed_on)
        ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, &before);
    const pid_t child = ::fork();
    if (child < 0)
        return Error{fmt::format("cannot fork: {}", std::strerror(errno)), {}};
    if (child == 0) {
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        const auto error = exec_program(command);
        fmt::print(stderr, "kcrctl: error: {}\n", error.message);
        ::_exit(127);
    }
    const int status = wait_for(child, signals);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return status;
}

int end_as(int wait_status)
{
    if (!WIFSIGNALED(wait_status))
        return WEXITSTATUS(wait_status);
    const int signal = WTERMSIG(wait_status);
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(signal, SIG_DFL);
    ::raise(signal);
    return 128 + signal;
}

} // namespace kcr::ctl
