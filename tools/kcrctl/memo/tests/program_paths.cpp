// SPDX-License-Identifier: GPL-2.0
#include "program.h"
#include "subject.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

namespace
{

/// Destroyed on the way of an exception.
struct Witness {
    ~Witness()
    {
        std::printf(" passed");
    }
};

int call_throwing(int a)
{
    const Witness witness;
    return subject_throws(a);
}

std::atomic<int> handled;

void handler(int /*signal*/)
{
    const int error = errno;
    for (int i = 0; i < 20; ++i) {
        const auto first = subject_i32(i, 77);
        const auto second = subject_i32(i, 77);
        if (first != second)
            std::abort();
    }
    handled.fetch_add(1);
    errno = error;
}

} // namespace

void throwing()
{
    for (int round = 0; round < rounds; ++round) {
        for (const int a : {1, -1, 2, -2}) {
            errno = ENOENT;
            std::feraiseexcept(FE_OVERFLOW);
            try {
                std::printf(" %d", call_throwing(a));
            } catch (const int thrown) {
                std::printf(" threw %d errno %d", thrown, errno);
            }
            std::printf(" flags %x\n", std::fetestexcept(FE_ALL_EXCEPT) & FE_OVERFLOW);
        }
    }
}

void jumping()
{
    static int jumps;
    static int round;
    // More often than there are buffers of any kind
    for (round = 0; round < 10 * rounds; ++round) {
        if (setjmp(subject_jump) == 0)
            std::printf(" %d", subject_jumps(round % 3 == 0 ? -1 : 4));
        else
            ++jumps;
    }
    std::printf(" jumped %d\n", jumps);
}

void recursion()
{
    for (int round = 0; round < 5; ++round)
        std::printf("%" PRIu64 " ", subject_recursive(20));
    std::printf("\n");
}

void signals()
{
    struct sigaction action = {};
    action.sa_handler = handler;
    sigaction(SIGALRM, &action, nullptr);
    const pthread_t self = pthread_self();
    std::atomic<bool> done = false;
    std::thread sender([&] {
        while (!done) {
            pthread_kill(self, SIGALRM);
            usleep(50);
        }
    });
    std::uint64_t sum = 0;
    for (int i = 0; i < 20000 || handled < 5; ++i) {
        if (i < 20000)
            sum += static_cast<std::uint64_t>(subject_i32(i % 50, 77));
    }
    done = true;
    sender.join();
    std::printf("%" PRIu64 "\n", sum);
}

void threads()
{
    std::vector<std::thread> all;
    std::vector<std::uint64_t> sums(4);
    for (std::size_t t = 0; t < sums.size(); ++t) {
        all.emplace_back([t, &sums] {
            for (int i = 0; i < 1000; ++i) {
                sums[t] += static_cast<std::uint64_t>(subject_i32(i % 100, static_cast<int>(t)));
                std::vector<unsigned char> bytes(300, static_cast<unsigned char>(i % 10));
                sums[t] += subject_sum(bytes.data(), bytes.size());
            }
        });
    }
    for (auto& thread : all)
        thread.join();
    for (const auto sum : sums)
        std::printf("%" PRIu64 "\n", sum);
}

void forking()
{
    for (int round = 0; round < rounds; ++round)
        std::printf("%d ", subject_i32(round % 4, 3));
    std::fflush(stdout);
    const pid_t child = fork();
    for (int round = 0; round < rounds; ++round)
        std::printf("%d ", subject_i32(round % 8, 3));
    std::printf("\n");
    std::fflush(stdout);
    if (child == 0)
        _exit(7);
    int status = 0;
    waitpid(child, &status, 0);
    std::printf("child %d\n", WEXITSTATUS(status));
}

void plugin(const char* path)
{
    for (const int mode : {RTLD_LAZY, RTLD_NOW}) {
        void* handle = dlopen(path, mode);
        using Function = std::int32_t (*)(std::int32_t);
        const auto function =
            reinterpret_cast<Function>(handle == nullptr ? nullptr : dlsym(handle, "plugin_calls"));
        for (int round = 0; function != nullptr && round < rounds; ++round)
            std::printf("%d ", function(round % 3));
        std::printf("\n");
        if (handle != nullptr)
            dlclose(handle);
    }
}

void symbols()
{
    using Function = std::int32_t (*)(std::int32_t, std::int32_t);
    const auto function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "subject_i32"));
    for (int round = 0; round < rounds; ++round)
        std::printf("%d %d\n", function(round % 3, 1), subject_i32(round % 3, 1));
}

void impure()
{
    for (int round = 0; round < 10 * rounds; ++round)
        std::printf("%u ", subject_impure(5));
    std::printf("\n");
}

void large()
{
    std::vector<unsigned char> in(40000);
    std::vector<unsigned char> out(40000);
    for (int round = 0; round < rounds; ++round) {
        for (const std::size_t length : {10, 1000, 30000, 32768, 32769, 40000}) {
            for (std::size_t i = 0; i < length; ++i)
                in[i] = static_cast<unsigned char>(i * length);
            const auto done = subject_large(in.data(), length, out.data());
            std::uint64_t sum = done;
            for (std::size_t i = 0; i < length; ++i)
                sum = sum * 31 + out[i];
            std::printf("%" PRIx64 " ", sum);
        }
        std::printf("\n");
    }
}

void watching()
{
    // Where there is an emulated kernel, it is told of changes
    auto* touch = reinterpret_cast<void (*)(const void*)>(dlsym(RTLD_DEFAULT, "kcr_emul_touch"));
    std::vector<unsigned char> data(100000);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<unsigned char>(i * 7 >> 3);
    for (int round = 0; round < 10 * rounds; ++round) {
        const std::size_t from = round % 5 < 3 ? 7 : 4096;
        for (const std::size_t length : {90000, 50000, 13000, 12000, 100, 0})
            std::printf("%" PRIx64 " ",
                        subject_watched(length > 0 ? &data[from] : nullptr, length, round % 2));
        // What is not in whole pages is part of the key, and its neighbours do not count
        ++data[round % 10 == 0 ? 7 : 0];
        if (round % 30 == 29) {
            if (touch != nullptr)
                touch(&data[40000]);
            ++data[40000];
        }
    }
    std::printf("\n");
}

void descriptors()
{
    for (int round = 0; round < rounds; ++round)
        std::printf("%d ", subject_i32(round % 3, 9));
    std::fflush(stdout);
    for (int fd = 3; fd < 1024; ++fd)
        close(fd);
    // Somebody else's now
    for (int i = 0; i < 50; ++i) {
        if (open("/dev/zero", O_RDWR) < 0)
            std::printf("no descriptor ");
    }
    for (int round = 0; round < 10 * rounds; ++round)
        std::printf("%d ", subject_i32(round % 30, 9));
    std::printf("\n");
}

void sandbox()
{
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter = {.len = sizeof(code) / sizeof(*code), .filter = code};
    static char buffer[1 << 16];
    std::setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    for (int round = 0; round < rounds; ++round)
        std::printf("%d ", subject_i32(round % 3, 9));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const bool by_prctl = std::getenv("KCR_TEST_BY_PRCTL") != nullptr;
    const long error = by_prctl ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)
                                : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
    const auto before = subject_computed;
    for (int round = 0; round < rounds; ++round)
        std::printf("%d ", subject_i32(round % 3, 9));
    // Only this much may differ: whether something was computed
    const bool reused = subject_computed == before;
    for (int round = 0; round < 10 * rounds; ++round)
        std::printf("%d ", subject_i32(round % 50, 10));
    std::printf("%ld\n", error);
    std::fflush(stdout);
    // _exit() is exit_group(); destructors would write a report
    _exit(std::getenv("KCR_TEST_REUSED") != nullptr && reused ? 42 : 0);
}

void stack()
{
    // Wherever the stack is, and however little there is of it
    std::uint64_t sum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_t thread;
    pthread_create(
        &thread, &attributes,
        [](void* arg) -> void* {
            for (int i = 0; i < 100; ++i)
                *static_cast<std::uint64_t*>(arg) +=
                    static_cast<std::uint64_t>(subject_i32(i % 5, 1));
            return nullptr;
        },
        &sum);
    pthread_join(thread, nullptr);
    std::printf("%" PRIu64 "\n", sum);
}
