// SPDX-License-Identifier: GPL-2.0
#include "process.h"

#include "text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace kcr::tool
{

namespace
{

volatile std::sig_atomic_t pending_signal = 0;
std::array<int, 2> signal_pipe = {-1, -1};
int always_inherited = -1;

extern "C" void on_signal(int signal)
{
    const int saved = errno;
    pending_signal = signal;
    const char byte = 0;
    [[maybe_unused]] const auto written = ::write(signal_pipe[1], &byte, 1);
    errno = saved;
}

/// The part of spawn() between fork and exec; never returns.
[[noreturn]] void become(const Command& command, std::vector<char*>& argv, int out, int err,
                         pid_t parent)
{
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, command.death_signal);
    if (::getppid() != parent)
        ::_exit(127);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
        ::signal(signal, SIG_DFL);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (always_inherited >= 0)
        ::fcntl(always_inherited, F_SETFD, 0);
    for (const int fd : command.keep_fds)
        ::fcntl(fd, F_SETFD, 0);
    for (const auto& [name, value] : command.env)
        ::setenv(name.c_str(), value.c_str(), 1);
    if (!command.cwd.empty() && ::chdir(command.cwd.c_str()) != 0) {
        ::dprintf(STDERR_FILENO, "cannot enter %s: %s\n", command.cwd.c_str(),
                  std::strerror(errno));
        ::_exit(127);
    }
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], std::strerror(errno));
    ::_exit(127);
}

/// Cuts the output of a child into lines, logs it and keeps it.
class OutputSink
{
public:
    OutputSink(const Command& command, std::string& output) : command_(command), output_(output)
    {
        if (!command.log.empty())
            log_.reset(
                ::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    }

    void add(std::string_view chunk)
    {
        if (log_.valid()) {
            [[maybe_unused]] const auto written = ::write(log_.get(), chunk.data(), chunk.size());
        }
        output_ += chunk;
        if (!command_.on_line)
            return;
        partial_ += chunk;
        for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
            command_.on_line(std::string_view(partial_).substr(0, end));
            partial_.erase(0, end + 1);
        }
    }

    void finish()
    {
        if (command_.on_line && !partial_.empty())
            command_.on_line(partial_);
    }

private:
    const Command& command_;
    std::string& output_;
    std::string partial_;
    Fd log_;
};

/// Waits for output of @p child until end of file, the deadline or an interrupt.
void pump(const Command& command, const Child& child, int fd, Exit& exit)
{
    OutputSink sink(command, exit.output);
    double deadline = command.timeout_s > 0 ? now_s() + command.timeout_s : 0;
    bool killed = false;
    for (;;) {
        std::array<pollfd, 2> fds = {pollfd{fd, POLLIN, 0},
                                     pollfd{killed ? -1 : interrupt_fd(), POLLIN, 0}};
        ::poll(fds.data(), fds.size(), deadline > 0 ? 200 : 1000);
        const bool late = deadline > 0 && now_s() > deadline;
        if (late && killed) {
            child.kill_group(SIGKILL);
            break;
        }
        if (!killed && (interrupted() != 0 || late)) {
            exit.timed_out = late && interrupted() == 0;
            child.kill_group(SIGTERM);
            killed = true;
            deadline = now_s() + 3;
        }
        if ((fds[0].revents & (POLLIN | POLLHUP)) == 0)
            continue;
        std::array<char, 65536> buffer{};
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        sink.add({buffer.data(), static_cast<std::size_t>(got)});
    }
    sink.finish();
}

} // namespace

std::string Exit::describe() const
{
    if (timed_out)
        return "timed out";
    if (signal != 0)
        return fmt::format("killed by signal {}", signal);
    return fmt::format("exit status {}", code);
}

Child& Child::operator=(Child&& other) noexcept
{
    std::swap(pid_, other.pid_);
    return *this;
}

Child::~Child()
{
    if (pid_ <= 0)
        return;
    kill_group(SIGKILL);
    wait();
}

void Child::kill_group(int signal) const
{
    if (pid_ > 0 && ::kill(-pid_, signal) != 0)
        ::kill(pid_, signal);
}

bool Child::try_wait(int& status)
{
    if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_)
        return false;
    pid_ = -1;
    return true;
}

int Child::wait()
{
    int status = 0;
    while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
}

Result<Child> spawn(const Command& command, int out, int err)
{
    std::vector<std::string> words = command.argv;
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return Error{fmt::format("cannot start {}: {}", words[0], std::strerror(errno)), {}};
    if (pid == 0)
        become(command, argv, out, err, parent);
    ::setpgid(pid, pid);
    return Child(pid);
}

Result<Exit> run(const Command& command)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return Error{fmt::format("cannot make a pipe: {}", std::strerror(errno)), {}};
    const Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    auto child =
        spawn(command, write_end.get(), command.separate_stderr ? STDERR_FILENO : write_end.get());
    if (!child)
        return child.error();
    write_end.reset();
    Exit exit;
    pump(command, *child, read_end.get(), exit);
    const int status = child->wait();
    exit.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (interrupted() != 0)
        return Error{"interrupted", {}};
    return exit;
}

Result<std::string> run_ok(const Command& command)
{
    auto exit = run(command);
    if (!exit)
        return exit.error();
    if (exit->success())
        return std::move(exit->output);
    auto lines = split(exit->output, '\n');
    if (lines.size() > 20)
        lines.erase(lines.begin(), lines.end() - 20);
    return Error{fmt::format("{}: {}", command.argv[0], exit->describe()), join(lines, "\n")};
}

bool have_program(std::string_view program)
{
    const char* path = std::getenv("PATH");
    for (const auto& dir : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
        if (::access(fmt::format("{}/{}", dir, program).c_str(), X_OK) == 0)
            return true;
    }
    return false;
}

void catch_interrupts()
{
    if (signal_pipe[0] < 0 && ::pipe2(signal_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    struct sigaction action = {};
    action.sa_handler = on_signal;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        ::sigaction(signal, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

int interrupted()
{
    return pending_signal;
}

int interrupt_fd()
{
    return signal_pipe[0];
}

void inherit_always(int fd)
{
    always_inherited = fd;
}

double now_s()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

} // namespace kcr::tool
