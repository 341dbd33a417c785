// SPDX-License-Identifier: GPL-2.0
/*
 * The first program in the guest. It makes the host's file system the root (read-only, with
 * tmpfs where programs write), runs the job that the host put into the initramfs, sends its
 * output and its exit status through virtio ports, and powers off.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace
{

struct Job {
    std::string cwd = "/";
    std::vector<std::string> keep;
    std::vector<std::string> env;
    std::vector<std::string> argv;
    bool terminal = false;
};

/// A directory to show again below a fresh tmpfs.
struct Kept {
    std::string path;
    int fd;
};

[[noreturn]] void power_off()
{
    ::sync();
    ::reboot(RB_POWER_OFF);
    for (;;)
        ::pause();
}

[[noreturn]] void give_up(const char* what)
{
    std::printf("kcr-init: %s: %s\n", what, std::strerror(errno));
    std::fflush(stdout);
    power_off();
}

void must(bool done, const char* what)
{
    if (!done)
        give_up(what);
}

void mount_if_possible(const char* type, const char* where, const char* options = nullptr)
{
    ::mkdir(where, 0755);
    if (::mount(type, where, type, 0, options) != 0)
        std::printf("kcr-init: no %s on %s: %s\n", type, where, std::strerror(errno));
}

Job read_job()
{
    Job job;
    FILE* file = std::fopen("/job", "re");
    must(file != nullptr, "open /job");
    std::array<char, 32> kind{};
    std::size_t size = 0;
    while (std::fscanf(file, "%31s %zu", kind.data(), &size) == 2) { // NOLINT(cert-err34-c)
        std::fgetc(file);
        std::string value(size, '\0');
        must(std::fread(value.data(), 1, size, file) == size, "read /job");
        std::fgetc(file);
        const std::string name = kind.data();
        if (name == "cwd")
            job.cwd = value;
        else if (name == "keep")
            job.keep.push_back(value);
        else if (name == "env")
            job.env.push_back(value);
        else if (name == "arg")
            job.argv.push_back(value);
        else if (name == "terminal")
            job.terminal = true;
    }
    std::fclose(file);
    return job;
}

/// Mounts the host's root on /root and makes it the root directory.
void enter_host_root()
{
    const char* options = "trans=virtio,version=9p2000.L,msize=262144,cache=loose";
    must(::mount("kcr-root", "/root", "9p", MS_RDONLY, options) == 0, "mount the host's root");
    must(::mount("/dev", "/root/dev", nullptr, MS_MOVE, nullptr) == 0, "move /dev");
    must(::chdir("/root") == 0, "enter the host's root");
    must(::mount(".", "/", nullptr, MS_MOVE, nullptr) == 0, "move the root");
    must(::chroot(".") == 0 && ::chdir("/") == 0, "change the root");
}

void make_directories(const std::string& path)
{
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1))
        ::mkdir(path.substr(0, slash).c_str(), 0755);
    ::mkdir(path.c_str(), 0755);
}

void mount_everything(const Job& job)
{
    std::vector<Kept> kept;
    kept.reserve(job.keep.size());
    for (const auto& path : job.keep)
        kept.push_back({path, ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)});
    mount_if_possible("proc", "/proc");
    mount_if_possible("sysfs", "/sys");
    mount_if_possible("debugfs", "/sys/kernel/debug");
    mount_if_possible("tracefs", "/sys/kernel/tracing");
    mount_if_possible("cgroup2", "/sys/fs/cgroup");
    mount_if_possible("devpts", "/dev/pts", "ptmxmode=0666");
    for (const char* path : {"/dev/shm", "/tmp", "/run", "/var/tmp"})
        mount_if_possible("tmpfs", path, "mode=1777");
    for (const auto& directory : kept) {
        if (directory.fd < 0 || ::access(directory.path.c_str(), F_OK) == 0)
            continue;
        make_directories(directory.path);
        const auto link = "/proc/self/fd/" + std::to_string(directory.fd);
        ::mount(link.c_str(), directory.path.c_str(), nullptr, MS_BIND, nullptr);
    }
    for (const auto& directory : kept)
        ::close(directory.fd);
    ::symlink("/proc/self/fd", "/dev/fd");
    ::symlink("/proc/self/fd/0", "/dev/stdin");
    ::symlink("/proc/self/fd/1", "/dev/stdout");
    ::symlink("/proc/self/fd/2", "/dev/stderr");
}

/// The device of the virtio port that QEMU calls @p name, or an empty string.
std::string find_port(const std::string& name)
{
    std::string found;
    DIR* directory = ::opendir("/sys/class/virtio-ports");
    while (const dirent* entry = directory != nullptr ? ::readdir(directory) : nullptr) {
        const std::string port = entry->d_name;
        const int fd = ::open(("/sys/class/virtio-ports/" + port + "/name").c_str(), O_RDONLY);
        std::array<char, 64> text{};
        const auto size = ::read(fd, text.data(), text.size() - 1);
        ::close(fd);
        if (size > 0 && name + "\n" == text.data())
            found = "/dev/" + port;
    }
    if (directory != nullptr)
        ::closedir(directory);
    return found;
}

int open_port(const char* name)
{
    for (int attempt = 0; attempt < 200; ++attempt) {
        const int fd = ::open(find_port(name).c_str(), O_RDWR | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        ::usleep(20'000);
    }
    give_up(name);
}

void write_all(int fd, const char* data, std::size_t size)
{
    while (size > 0) {
        const auto written = ::write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        size -= static_cast<std::size_t>(written);
    }
}

[[noreturn]] void run_job(const Job& job, int out, int err)
{
    ::setsid();
    if (job.terminal) {
        const int terminal = ::open("/dev/hvc0", O_RDWR);
        must(terminal >= 0, "open /dev/hvc0");
        ::ioctl(terminal, TIOCSCTTY, 1);
        out = terminal;
        err = terminal;
        ::dup2(terminal, STDIN_FILENO);
    } else {
        const int null = ::open("/dev/null", O_RDONLY);
        ::dup2(null, STDIN_FILENO);
    }
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    std::vector<char*> argv;
    for (const auto& word : job.argv)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::clearenv();
    for (const auto& variable : job.env)
        ::putenv(const_cast<char*>(variable.c_str()));
    if (::chdir(job.cwd.c_str()) != 0)
        ::dprintf(STDERR_FILENO, "kcr: cannot enter %s: %s\n", job.cwd.c_str(),
                  std::strerror(errno));
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "kcr: cannot run %s: %s\n", argv[0], std::strerror(errno));
    ::_exit(errno == ENOENT ? 127 : 126);
}

/// Copies what @p child writes to the ports until it has ended and its pipes are empty.
int pump(pid_t child, const std::array<int, 2>& pipes, const std::array<int, 2>& ports)
{
    int status = 0;
    bool ended = false;
    for (;;) {
        std::array<pollfd, 2> fds = {pollfd{pipes[0], POLLIN, 0}, pollfd{pipes[1], POLLIN, 0}};
        const int ready = ::poll(fds.data(), fds.size(), ended ? 0 : 50);
        bool moved = false;
        for (std::size_t i = 0; ready > 0 && i < fds.size(); ++i) {
            std::array<char, 16384> buffer{};
            if ((fds[i].revents & POLLIN) == 0)
                continue;
            const auto got = ::read(pipes[i], buffer.data(), buffer.size());
            if (got <= 0)
                continue;
            write_all(ports[i], buffer.data(), static_cast<std::size_t>(got));
            moved = true;
        }
        if (ended && !moved)
            return status;
        int other = 0;
        for (pid_t pid = ::waitpid(-1, &other, WNOHANG); pid > 0;
             pid = ::waitpid(-1, &other, WNOHANG)) {
            if (pid != child)
                continue;
            status = other;
            ended = true;
        }
        if (!ended && ready > 0 && !moved)
            ::usleep(10'000);
    }
}

} // namespace

int main()
{
    ::mkdir("/dev", 0755);
    ::mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
    const int console = ::open("/dev/console", O_RDWR);
    for (int fd = 0; console >= 0 && fd < 3; ++fd)
        ::dup2(console, fd);
    const Job job = read_job();
    enter_host_root();
    mount_everything(job);
    const std::array<int, 2> ports = {open_port("kcr.out"), open_port("kcr.err")};
    const int status_port = open_port("kcr.status");
    ::dprintf(status_port, "ready\n");
    if (job.argv.empty())
        power_off();
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    must(::pipe2(out.data(), O_CLOEXEC) == 0 && ::pipe2(err.data(), O_CLOEXEC) == 0, "pipe");
    const pid_t child = ::fork();
    must(child >= 0, "fork");
    if (child == 0)
        run_job(job, out[1], err[1]);
    ::close(out[1]);
    ::close(err[1]);
    const int status = pump(child, {out[0], err[0]}, ports);
    if (WIFEXITED(status))
        ::dprintf(status_port, "exit %d\n", WEXITSTATUS(status));
    else
        ::dprintf(status_port, "signal %d\n", WTERMSIG(status));
    ::signal(SIGCHLD, SIG_IGN);
    ::kill(-1, SIGKILL);
    power_off();
}
