// SPDX-License-Identifier: GPL-2.0
#include "child.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <utility>

namespace sites
{

namespace
{

void write_all(int fd, const void* data, size_t len)
{
    if (write(fd, data, len) != static_cast<ssize_t>(len))
        _exit(EXIT_FAILURE);
}

void read_all(int fd, void* data, size_t len)
{
    auto* at = static_cast<char*>(data);
    while (len > 0) {
        const ssize_t got = read(fd, at, len);
        if (got <= 0)
            throw std::runtime_error("a child died without a report");
        at += got;
        len -= static_cast<size_t>(got);
    }
}

[[noreturn]] void run_child(int report, int hold, const std::function<Numbers()>& work)
{
    try {
        const Numbers numbers = work();
        const uint64_t count = numbers.size();
        char byte = 0;

        write_all(report, &count, sizeof(count));
        write_all(report, numbers.data(), count * sizeof(uint64_t));
        /* Until the parent says so */
        if (read(hold, &byte, 1) < 0)
            _exit(EXIT_FAILURE);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

} // namespace

uint64_t install(const Program& program)
{
    sock_fprog fprog = {static_cast<unsigned short>(program.size()),
                        const_cast<sock_filter*>(program.data())};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        afalg::fail("PR_SET_NO_NEW_PRIVS");
    const uint64_t begin = __rdtsc();
    const long err = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog);
    const uint64_t end = __rdtsc();
    if (err != 0)
        afalg::fail("seccomp");
    return end - begin;
}

Child::Child(const std::function<Numbers()>& work)
{
    int report[2];
    int hold[2];

    if (pipe2(report, O_CLOEXEC) != 0 || pipe2(hold, O_CLOEXEC) != 0)
        afalg::fail("pipe2");
    pid_ = fork();
    if (pid_ < 0)
        afalg::fail("fork");
    if (pid_ == 0) {
        close(report[0]);
        close(hold[1]);
        run_child(report[1], hold[0], work);
    }
    close(report[1]);
    close(hold[0]);
    report_ = afalg::Fd(report[0]);
    hold_ = afalg::Fd(hold[1]);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), report_(std::move(other.report_)),
      hold_(std::move(other.hold_))
{
}

Child::~Child()
{
    if (pid_ < 0)
        return;
    /* Not by closing: children that were made later have a copy of the descriptor */
    if (write(hold_.get(), "x", 1) == 1)
        waitpid(pid_, nullptr, 0);
}

Numbers Child::numbers()
{
    uint64_t count = 0;

    read_all(report_.get(), &count, sizeof(count));
    Numbers numbers(count);
    read_all(report_.get(), numbers.data(), count * sizeof(uint64_t));
    return numbers;
}

Numbers in_child(const std::function<Numbers()>& work)
{
    return Child(work).numbers();
}

} // namespace sites
