// SPDX-License-Identifier: GPL-2.0
#include "boot.h"

#include "console.h"
#include "process.h"
#include "terminal.h"
#include "text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr double poweroff_grace_s = 15;
constexpr int poll_interval_ms = 200;

/// A socket pair: one end for us, one for QEMU.
struct Channel {
    Fd ours;
    Fd theirs;

    Status open()
    {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
            return Error{fmt::format("cannot make a socket pair: {}", std::strerror(errno)), {}};
        ours.reset(ends[0]);
        theirs.reset(ends[1]);
        return {};
    }
};

/// The host's side of one running VM.
class Session
{
public:
    explicit Session(const BootRequest& request) : request_(request) {}

    Result<BootOutcome> run();

private:
    Status start();
    void loop();
    void poll_once();
    void read_from(int index);
    void deliver(int index, std::string_view chunk);
    void console_text(std::string_view chunk);
    bool channels_open() const;
    void drain();

    enum { console, out, err, status, terminal, emulator, channel_count };

    const BootRequest& request_;
    std::array<Channel, channel_count> channels_;
    std::optional<Terminal> tty_;
    Child qemu_;
    Fd log_;
    Fd initramfs_;
    BootOutcome outcome_;
    BootFacts facts_;
    SplatScanner scanner_;
    std::string console_partial_;
    double deadline_ = 0;
    double poweroff_deadline_ = 0;
};

Status Session::start()
{
    auto initramfs = make_initramfs(request_.init, request_.job);
    if (!initramfs)
        return initramfs.error();
    initramfs_ = std::move(*initramfs);
    const auto archive = fmt::format("/proc/self/fd/{}", initramfs_.get());
    log_.reset(
        ::open(request_.console_log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!log_.valid())
        return Error{
            fmt::format("cannot write {}: {}", request_.console_log.string(), std::strerror(errno)),
            {}};
    for (int i = 0; i < channel_count; ++i) {
        if (i == terminal && !request_.job.terminal)
            continue;
        if (auto done = channels_[i].open(); !done)
            return done;
    }
    const VmChannels ends = {channels_[console].theirs.get(), channels_[out].theirs.get(),
                             channels_[err].theirs.get(), channels_[status].theirs.get(),
                             channels_[terminal].theirs.get()};
    Command command{.argv = qemu_arguments(request_.machine, ends, request_.kernel, archive),
                    .death_signal = SIGKILL,
                    .keep_fds = {ends.console, ends.out, ends.err, ends.status, initramfs_.get()}};
    if (ends.terminal >= 0)
        command.keep_fds.push_back(ends.terminal);
    const int said = channels_[emulator].theirs.get();
    auto child = spawn(command, said, said);
    if (!child)
        return child.error();
    qemu_ = std::move(*child);
    for (auto& channel : channels_)
        channel.theirs.reset();
    if (request_.job.terminal)
        tty_.emplace();
    return {};
}

bool Session::channels_open() const
{
    return channels_[console].ours.valid() || channels_[emulator].ours.valid();
}

void Session::console_text(std::string_view chunk)
{
    [[maybe_unused]] const auto written = ::write(log_.get(), chunk.data(), chunk.size());
    outcome_.console += chunk;
    console_partial_ += chunk;
    for (auto end = console_partial_.find('\n'); end != std::string::npos;
         end = console_partial_.find('\n')) {
        const auto line = std::string_view(console_partial_).substr(0, end);
        scanner_.add_line(line);
        if (request_.on_console)
            request_.on_console(line);
        console_partial_.erase(0, end + 1);
    }
}

void Session::deliver(int index, std::string_view chunk)
{
    switch (index) {
    case console:
        console_text(chunk);
        break;
    case out:
        outcome_.out += chunk;
        if (request_.on_out)
            request_.on_out(chunk);
        break;
    case err:
        outcome_.err += chunk;
        if (request_.on_err)
            request_.on_err(chunk);
        break;
    case status:
        facts_.status += chunk;
        if (facts_.status.find("exit ") != std::string::npos ||
            facts_.status.find("signal ") != std::string::npos)
            poweroff_deadline_ = now_s() + poweroff_grace_s;
        break;
    case terminal:
        Terminal::show(chunk);
        break;
    default:
        outcome_.emulator += chunk;
        break;
    }
}

void Session::read_from(int index)
{
    std::array<char, 65536> buffer{};
    const auto got = ::read(channels_[index].ours.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        channels_[index].ours.reset();
    else
        deliver(index, {buffer.data(), static_cast<std::size_t>(got)});
}

void Session::poll_once()
{
    std::array<pollfd, channel_count + 2> fds{};
    for (int i = 0; i < channel_count; ++i)
        fds[i] = {channels_[i].ours.get(), POLLIN, 0};
    fds[channel_count] = {interrupt_fd(), POLLIN, 0};
    fds[channel_count + 1] = {tty_ ? STDIN_FILENO : -1, POLLIN, 0};
    if (::poll(fds.data(), fds.size(), poll_interval_ms) <= 0)
        return;
    for (int i = 0; i < channel_count; ++i) {
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            read_from(i);
    }
    if ((fds[channel_count + 1].revents & (POLLIN | POLLHUP)) != 0)
        Terminal::forward_input(channels_[terminal].ours.get());
}

void Session::loop()
{
    deadline_ = now_s() + request_.timeout_s;
    while (channels_open() && interrupted() == 0) {
        poll_once();
        const double now = now_s();
        if (poweroff_deadline_ > 0 && now > poweroff_deadline_)
            break;
        if (poweroff_deadline_ == 0 && now > deadline_) {
            facts_.timed_out = true;
            break;
        }
    }
}

/// Ends QEMU and reads what is left in the channels.
void Session::drain()
{
    qemu_.kill_group(SIGKILL);
    qemu_.wait();
    for (int i = 0; i < channel_count; ++i) {
        while (channels_[i].ours.valid())
            read_from(i);
    }
    if (!console_partial_.empty())
        scanner_.add_line(console_partial_);
}

Result<BootOutcome> Session::run()
{
    const double start_time = now_s();
    const auto started = start();
    if (started.ok()) {
        loop();
        drain();
    }
    tty_.reset();
    if (!started)
        return started.error();
    if (interrupted() != 0)
        return Error{"interrupted", {}};
    outcome_.seconds = now_s() - start_time;
    outcome_.splats = scanner_.describe();
    facts_.splat = !outcome_.splats.empty();
    facts_.has_command = !request_.job.argv.empty();
    std::tie(outcome_.end, outcome_.code) = judge_boot(facts_);
    return std::move(outcome_);
}

} // namespace

std::pair<BootEnd, int> judge_boot(const BootFacts& facts)
{
    std::optional<std::pair<BootEnd, int>> reported;
    bool ready = false;
    for (const auto& line : split(facts.status, '\n')) {
        const auto parts = words(line);
        if (parts.size() == 2 && parts[0] == "exit")
            reported = {BootEnd::exited, std::atoi(parts[1].c_str())}; // NOLINT(cert-err34-c)
        else if (parts.size() == 2 && parts[0] == "signal")
            reported = {BootEnd::signaled, std::atoi(parts[1].c_str())}; // NOLINT(cert-err34-c)
        ready = ready || line == "ready";
    }
    if (facts.splat)
        return {BootEnd::splat, reported ? reported->second : 0};
    if (reported)
        return *reported;
    if (facts.timed_out)
        return {BootEnd::timeout, 0};
    if (ready && !facts.has_command)
        return {BootEnd::exited, 0};
    return {BootEnd::lost, 0};
}

int boot_exit_code(BootEnd end, int code)
{
    switch (end) {
    case BootEnd::exited:
        return code;
    case BootEnd::signaled:
        return 128 + code;
    case BootEnd::timeout:
        return exit_timeout;
    case BootEnd::splat:
        return exit_splat;
    case BootEnd::lost:
        break;
    }
    return exit_lost_vm;
}

std::string BootOutcome::describe() const
{
    switch (end) {
    case BootEnd::exited:
        return fmt::format("the command ended with status {}", code);
    case BootEnd::signaled:
        return fmt::format("the command was killed by signal {}", code);
    case BootEnd::timeout:
        return "timeout: the deadline passed";
    case BootEnd::splat:
        return fmt::format("kernel splat: {}", splats);
    case BootEnd::lost:
        break;
    }
    auto text = std::string("lost VM: it ended without reporting a status");
    if (!emulator.empty())
        text += fmt::format("; QEMU said: {}", trim(emulator));
    return text;
}

Result<BootOutcome> boot(const BootRequest& request)
{
    return Session(request).run();
}

std::vector<std::string> guest_environment()
{
    std::vector<std::string> env = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp",
        "USER=root", "LANG=C.UTF-8", "KCR_GUEST=1"};
    const char* term = std::getenv("TERM");
    env.push_back(fmt::format("TERM={}", term != nullptr ? term : "dumb"));
    return env;
}

BootRequest boot_request(const Project& project, const std::string& config,
                         const std::string& log_name)
{
    BootRequest request;
    request.kernel = Project::objects(project.src(), config) / "arch/x86/boot/bzImage";
    request.init = project.tool_build() / "kcr-init";
    request.console_log = project.logs() / (log_name + ".console.log");
    request.job.env = guest_environment();
    std::error_code error;
    const auto cwd = fs::current_path(error);
    request.job.cwd = cwd.string();
    request.job.keep = {project.root().string(), cwd.string()};
    return request;
}

} // namespace kcr::tool
