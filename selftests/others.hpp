/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Others who write to this process's memory: a thread that sleeps between what it
 * is told to do, and another process.
 */
#ifndef KCR_SELFTEST_OTHERS_HPP
#define KCR_SELFTEST_OTHERS_HPP

#include <csignal>
#include <cstdint>
#include <functional>
#include <sched.h>
#include <string>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <thread>

#include "track.hpp"

namespace track
{

/** Runs @p what in a child, which exits with what it returns. */
template <typename F> int in_child(F what)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        domain::fail("fork");
    if (!pid)
        _exit(what());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/** Writes through /proc/PID/mem: 0 or an errno. */
inline int write_mem(pid_t pid, void* to, const void* from, size_t len)
{
    const Fd mem(open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC));

    errno = 0;
    return mem && pwrite(mem.get(), from, len, static_cast<off_t>(address_of(to))) ==
                       static_cast<ssize_t>(len)
               ? 0
               : std::max(errno, 1);
}

/** process_vm_writev(): 0 or an errno. */
inline int write_vm(pid_t pid, void* to, const void* from, size_t len)
{
    const iovec local = {const_cast<void*>(from), len};
    const iovec remote = {to, len};

    errno = 0;
    return process_vm_writev(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(len)
               ? 0
               : std::max(errno, 1);
}

/** Pins @p memory for reading, for a moment, as process_vm_readv() does. */
inline void pin_for_reading(const void* memory)
{
    uint64_t word = 0;
    const iovec local = {&word, sizeof(word)};
    const iovec remote = {const_cast<void*>(memory), sizeof(word)};

    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != sizeof(word))
        domain::fail("process_vm_readv");
}

/** A pipe. */
struct Pipe {
    Fd in;
    Fd out;

    Pipe()
    {
        std::array<int, 2> ends{};

        if (pipe2(ends.data(), O_CLOEXEC) < 0)
            domain::fail("pipe2");
        out = Fd(ends[0]);
        in = Fd(ends[1]);
    }
    void put(std::span<const uint8_t> bytes) const
    {
        if (write(in.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
            domain::fail("write to a pipe");
    }
    /** One byte; false if there will be none. */
    bool take() const
    {
        uint8_t byte = 0;
        return read(out.get(), &byte, 1) == 1;
    }
};

/** A thread that does what it is told, and sleeps in the kernel otherwise. */
class Servant
{
public:
    Servant() : thread_([this] { serve(); })
    {
        done_.take();
        wait_asleep();
    }
    ~Servant()
    {
        orders_.in.reset();
        thread_.join();
    }
    Servant(const Servant&) = delete;
    Servant& operator=(const Servant&) = delete;

    /** Runs @p what there; returns when it is done and the thread asleep again. */
    void run(std::function<void()> what)
    {
        what_ = std::move(what);
        orders_.put(bytes_of(uint8_t(1)));
        done_.take();
        wait_asleep();
    }

private:
    void serve()
    {
        tid_ = static_cast<pid_t>(syscall(SYS_gettid));
        done_.put(bytes_of(uint8_t(1)));
        while (orders_.take()) {
            what_();
            done_.put(bytes_of(uint8_t(1)));
        }
    }
    /* It sleeps, interruptibly, only while it waits for orders */
    void wait_asleep() const
    {
        const std::string path = "/proc/self/task/" + std::to_string(tid_) + "/stat";
        std::string line;

        do {
            std::ifstream stat(path);
            line.clear();
            std::getline(stat, line);
            sched_yield();
        } while (line.find(") S") == std::string::npos);
    }

    Pipe orders_;
    Pipe done_;
    std::function<void()> what_;
    std::atomic<pid_t> tid_ = 0;
    std::thread thread_;
};

/**
 * A process that writes to this one's memory. To be made before the memory, of
 * which it would share pages otherwise.
 */
class Puppeteer
{
public:
    enum class Way { poke, mem, vm };

    Puppeteer() : master_(getpid())
    {
        std::array<int, 2> ends{};

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
            domain::fail("socketpair");
        ours_ = Fd(ends[0]);
        Fd theirs(ends[1]);
        pid_ = fork();
        if (pid_ < 0)
            domain::fail("fork");
        if (!pid_) {
            ours_.reset();
            serve(theirs.get());
            _exit(0);
        }
    }
    ~Puppeteer()
    {
        ours_.reset();
        waitpid(pid_, nullptr, 0);
    }
    Puppeteer(const Puppeteer&) = delete;
    Puppeteer& operator=(const Puppeteer&) = delete;

    /** Writes a word of this process: 0 or an errno. */
    int write(Way way, void* to, uint64_t value) const
    {
        const Order order = {way, to, value};
        int answer = EIO;

        if (send(ours_.get(), &order, sizeof(order), 0) != sizeof(order) ||
            recv(ours_.get(), &answer, sizeof(answer), 0) != sizeof(answer))
            domain::fail("the other process");
        return answer;
    }

private:
    struct Order {
        Way way;
        void* to;
        uint64_t value;
    };

    void serve(int fd) const
    {
        Order order{};

        while (recv(fd, &order, sizeof(order), 0) == sizeof(order)) {
            const int answer = obey(order);
            if (send(fd, &answer, sizeof(answer), 0) != sizeof(answer))
                return;
        }
    }
    int obey(const Order& order) const
    {
        switch (order.way) {
        case Way::poke:
            return poke(order.to, order.value);
        case Way::mem:
            return write_mem(master_, order.to, &order.value, sizeof(order.value));
        case Way::vm:
            return write_vm(master_, order.to, &order.value, sizeof(order.value));
        }
        return EINVAL;
    }
    int poke(void* to, uint64_t value) const
    {
        int status = 0;

        if (ptrace(PTRACE_SEIZE, master_, nullptr, nullptr) < 0)
            return errno;
        if (ptrace(PTRACE_INTERRUPT, master_, nullptr, nullptr) < 0 ||
            waitpid(master_, &status, __WALL) != master_)
            return errno;
        const int answer = ptrace(PTRACE_POKEDATA, master_, to, value) < 0 ? errno : 0;
        ptrace(PTRACE_DETACH, master_, nullptr, nullptr);
        return answer;
    }

    pid_t master_;
    pid_t pid_ = 0;
    Fd ours_;
};

} // namespace track

#endif
