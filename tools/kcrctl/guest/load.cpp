// SPDX-License-Identifier: GPL-2.0
/*
 * Work for the kernel, in exact amounts: what the profiler is demonstrated and tested with.
 */
#include "afalg.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

using afalg::Bytes;
using afalg::Fd;
using Words = std::vector<std::string>;

unsigned long number(const std::string& text)
{
    std::size_t used = 0;
    const unsigned long value = std::stoul(text, &used, 0);
    if (used != text.size())
        throw std::invalid_argument("not a number: " + text);
    return value;
}

void check(bool done, const std::string& what)
{
    if (!done)
        afalg::fail(what);
}

/// digest DISTINCT TIMES BYTES: digests of so many messages, so many times each
void digest(const Words& words, bool reuse)
{
    const auto distinct = number(words.at(0));
    const auto times = number(words.at(1));
    // Within one page if it fits: AF_ALG then takes the digest of the whole message at once
    const auto size = number(words.at(2));
    const std::unique_ptr<void, decltype(&std::free)> memory(
        std::aligned_alloc(4096, (size | 4095) + 1), std::free);
    const std::span message(static_cast<std::uint8_t*>(memory.get()), size);
    Bytes first(32);
    Bytes answer(32);
    check(memory != nullptr && size >= 2, "a message of two bytes or more");
    std::memset(message.data(), 0x5a, size);
    auto transform = afalg::try_bind("hash", "sha256");
    if (!transform)
        throw std::runtime_error("no sha256 through AF_ALG");
    if (reuse)
        transform->set_reuse();
    auto operation = transform->accept();
    for (unsigned long i = 0; i < distinct; ++i) {
        message[0] = static_cast<std::uint8_t>(i);
        message[1] = static_cast<std::uint8_t>(i >> 8);
        for (unsigned long turn = 0; turn < times; ++turn) {
            operation.digest(message, answer);
            if (turn == 0)
                first = answer;
            if (answer != first)
                throw std::runtime_error("two digests of one message differ");
        }
    }
    for (const auto byte : first)
        std::printf("%02x", byte);
    std::printf("\n");
}

void plain_digest(const Words& words)
{
    digest(words, false);
}

/// reuse-digest: the same with a transform that opted in to reuse
void reuse_digest(const Words& words)
{
    digest(words, true);
}

/// module FILE TIMES: loads and unloads a module
void module(const Words& words)
{
    const std::string& path = words.at(0);
    const auto stem = std::filesystem::path(path).stem().string();
    const std::string name = stem.substr(0, stem.find('.'));
    for (unsigned long turn = number(words.at(1)); turn > 0; --turn) {
        const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        check(file.get() >= 0, path);
        check(syscall(SYS_finit_module, file.get(), "", 0) == 0, "load " + path);
        check(syscall(SYS_delete_module, name.c_str(), 0) == 0, "unload " + name);
    }
}

/// A filter as sandboxes have them: a list of calls that are allowed, and one that is not.
std::vector<sock_filter> make_filter()
{
    constexpr unsigned int allowed[] = {SYS_read,  SYS_write, SYS_exit, SYS_exit_group,
                                        SYS_close, SYS_brk,   SYS_mmap, SYS_getppid};
    std::vector<sock_filter> filter;
    filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
    for (const auto call : allowed) {
        filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    return filter;
}

/// seccomp TIMES: processes that start, install a filter, and end
void seccomp(const Words& words)
{
    auto filter = make_filter();
    for (unsigned long turn = number(words.at(0)); turn > 0; --turn) {
        const pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            _exit(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status != 0)
            throw std::runtime_error("a process could not install its filter");
    }
}

/// files FOLDER TIMES: reads all files below a folder
void files(const Words& words)
{
    std::vector<char> buffer(65536);
    for (unsigned long turn = number(words.at(1)); turn > 0; --turn) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(words.at(0))) {
            if (!entry.is_regular_file())
                continue;
            const Fd file(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
            while (read(file.get(), buffer.data(), buffer.size()) > 0) {
            }
        }
    }
}

/// Brings the loopback device up; it is not in a guest that has no init system.
void bring_loopback_up()
{
    const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = {};
    std::strcpy(request.ifr_name, "lo");
    check(ioctl(any.get(), SIOCGIFFLAGS, &request) == 0, "the loopback device");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    check(ioctl(any.get(), SIOCSIFFLAGS, &request) == 0, "the loopback device");
}

/// sendfile BYTES TIMES: sends a file to oneself over the loopback device
void send_file(const Words& words)
{
    const auto size = number(words.at(0));
    bring_loopback_up();
    const Fd file(memfd_create("kcrctl-load", MFD_CLOEXEC));
    check(file.get() >= 0 && ftruncate(file.get(), static_cast<off_t>(size)) == 0, "memfd");
    const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    check(bind(listener.get(), generic, length) == 0 && listen(listener.get(), 1) == 0, "listen");
    check(getsockname(listener.get(), generic, &length) == 0, "getsockname");
    const Fd sender(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    check(connect(sender.get(), generic, length) == 0, "connect");
    const Fd receiver(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    check(receiver.get() >= 0, "accept");
    std::vector<char> buffer(size);
    for (unsigned long turn = number(words.at(1)); turn > 0; --turn) {
        off_t offset = 0;
        check(sendfile(sender.get(), file.get(), &offset, size) == static_cast<ssize_t>(size),
              "sendfile");
        check(recv(receiver.get(), buffer.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size),
              "recv");
    }
}

/// random TIMES: 16 bytes each
void random_bytes(const Words& words)
{
    char buffer[16];
    for (unsigned long turn = number(words.at(0)); turn > 0; --turn)
        check(syscall(SYS_getrandom, buffer, sizeof(buffer), 0) == sizeof(buffer), "getrandom");
}

struct Work {
    std::size_t words;
    void (*run)(const Words& words);
};

const std::map<std::string, Work> works = {
    {"digest", {3, plain_digest}}, {"reuse-digest", {3, reuse_digest}},
    {"module", {2, module}},       {"seccomp", {1, seccomp}},
    {"files", {2, files}},         {"sendfile", {2, send_file}},
    {"random", {1, random_bytes}},
};

} // namespace

int main(int argc, char** argv)
{
    const Words words(argv + 1, argv + argc);
    try {
        for (std::size_t at = 0; at < words.size();) {
            const auto work = works.find(words[at]);
            if (work == works.end() || at + work->second.words >= words.size())
                throw std::invalid_argument("cannot understand: " + words[at]);
            ++at;
            const auto first = words.begin() + static_cast<std::ptrdiff_t>(at);
            work->second.run({first, first + static_cast<std::ptrdiff_t>(work->second.words)});
            at += work->second.words;
        }
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr,
                     "kcrctl-load: %s\nusage: kcrctl-load WORK...  with WORK one of\n"
                     "  digest DISTINCT TIMES BYTES\n  reuse-digest DISTINCT TIMES BYTES\n  module "
                     "FILE TIMES\n  seccomp TIMES\n"
                     "  files FOLDER TIMES\n  sendfile BYTES TIMES\n  random TIMES\n",
                     error.what());
        return 1;
    }
}
