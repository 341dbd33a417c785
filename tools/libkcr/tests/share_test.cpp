// SPDX-License-Identifier: GPL-2.0
// Other processes, descriptors that may only look up, and sandboxes.
#include "support.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kcr::tests
{

namespace
{

class ShareTest : public LibTest
{
protected:
    /// Has key @p n remembered.
    static void remember(const Function& function, std::uint64_t n)
    {
        for (int i = 0; i < 3 && !ask(function, key_of(n)); i++) {
        }
    }

    /// Runs @p body in a child; its exit status, or 1000 + the signal that killed it.
    template <typename Body> static int in_child(Body body)
    {
        const pid_t child = fork();
        if (child == 0)
            _exit(body());
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

    /// As ask(), for children: no GoogleTest there.
    static bool quick_ask(const Function& function, std::uint64_t n)
    {
        std::uint64_t result = 0;
        std::size_t len = 0;
        kcr_ticket ticket;
        const auto expected = digest(key_of(n));
        if (kcr_begin(function.get(), &n, sizeof(n), &result, sizeof(result), &len, &ticket) ==
            KCR_HIT)
            return len == 8 && __builtin_memcmp(&result, expected.data(), 8) == 0;
        kcr_end(function.get(), &ticket, &n, sizeof(n), expected.data(), 8);
        return false;
    }

    Domain domain_ = make_domain();
    Function function_ = make_function(domain_, pure_options());
};

TEST_F(ShareTest, ChildrenUseWhatTheirParentsRemembered)
{
    remember(function_, 1);
    EXPECT_EQ(in_child([&] { return quick_ask(function_, 1) ? 0 : 1; }), 0);
}

TEST_F(ShareTest, ParentsUseWhatTheirChildrenRemembered)
{
    EXPECT_EQ(in_child([&] {
                  for (int i = 0; i < 3; i++)
                      quick_ask(function_, 2);
                  return quick_ask(function_, 2) ? 0 : 1;
              }),
              0);
    EXPECT_TRUE(ask(function_, key_of(2)));
}

TEST_F(ShareTest, ALookupDescriptorOnlyLooksUp)
{
    remember(function_, 1);
    const int fd = kcr_domain_share(domain_.get(), KCR_SHARE_LOOKUPS);
    ASSERT_GE(fd, 0);
    const Domain looking(kcr_domain_from_fd(fd));
    ASSERT_EQ(kcr_domain_status(looking.get(), nullptr), 0);
    EXPECT_EQ(stats_of(looking).may_store, 0U);
    const auto function = make_function(looking, pure_options());
    EXPECT_TRUE(ask(function, key_of(1)));
    const auto calls = kcr_emul_calls();
    for (int i = 0; i < 100; i++)
        EXPECT_FALSE(ask(function, key_of(2)));
    EXPECT_EQ(kcr_emul_calls(), calls);
    EXPECT_EQ(kcr_domain_flush(looking.get()), -EACCES);
    EXPECT_EQ(kcr_function_flush(function.get(), 1), -EACCES);
    EXPECT_EQ(kcr_domain_share(looking.get(), KCR_SHARE_LOOKUPS), -EACCES);
    EXPECT_EQ(kcr_function_status(make_function(looking, pure_options("new")).get(), nullptr),
              -ENOENT);
    // What the others store is found
    remember(function_, 2);
    EXPECT_TRUE(ask(function, key_of(2)));
}

TEST_F(ShareTest, AnAuditOnALookupDescriptorCounts)
{
    const auto wrong = [](const Bytes& /*key*/) { return key_of(4711); };
    remember(function_, 1);
    const Domain looking(kcr_domain_from_fd(kcr_domain_share(domain_.get(), KCR_SHARE_LOOKUPS)));
    auto options = pure_options();
    options.audit_interval = 1;
    const auto function = make_function(looking, options);
    Bytes result(8);
    EXPECT_FALSE(call(function, key_of(1), result, wrong));
    // It cannot tell the kernel, but it knows
    EXPECT_EQ(kcr_function_status(function.get(), nullptr), -EBADMSG);
    EXPECT_FALSE(ask(function, key_of(1)));
    EXPECT_EQ(kcr_function_status(function_.get(), nullptr), 0);
}

TEST_F(ShareTest, ASharedDescriptorMayStore)
{
    const int fd = kcr_domain_share(domain_.get(), KCR_SHARE_ALL);
    ASSERT_GE(fd, 0);
    const Domain other(kcr_domain_from_fd(fd));
    EXPECT_EQ(kcr_domain_fd(other.get()), fd);
    EXPECT_EQ(stats_of(other).domain, stats_of(domain_).domain);
    remember(make_function(other, pure_options()), 3);
    EXPECT_TRUE(ask(function_, key_of(3)));
}

TEST_F(ShareTest, ADeadDomainHasNothing)
{
    // Somebody else's last descriptor is closed; the region stays mapped
    remember(function_, 1);
    ASSERT_TRUE(ask(function_, key_of(1)));
    kcr_emul_close(kcr_domain_fd(domain_.get()));
    for (int i = 0; i < 100; i++)
        EXPECT_FALSE(ask(function_, key_of(1)));
    EXPECT_EQ(stats_of(function_).state, KCR_FUNCTION_NONE);
}

TEST_F(ShareTest, NoSystemCallAfterStopStoring)
{
    remember(function_, 1);
    kcr_stop_storing(domain_.get());
    const auto calls = kcr_emul_calls();
    for (std::uint64_t n = 0; n < 10000; n++)
        ask(function_, key_of(n % 100));
    EXPECT_TRUE(ask(function_, key_of(1)));
    EXPECT_EQ(kcr_domain_flush(domain_.get()), -EPERM);
    EXPECT_EQ(kcr_function_flush(function_.get(), 1), -EPERM);
    kcr_domain_stats stats = {.size = sizeof(stats)};
    EXPECT_EQ(kcr_domain_get_stats(domain_.get(), &stats), -EPERM);
    EXPECT_EQ(kcr_domain_share(domain_.get(), KCR_SHARE_ALL), -EPERM);
    EXPECT_EQ(kcr_function_status(make_function(domain_, pure_options("new")).get(), nullptr),
              -EPERM);
    function_.reset();
    domain_.reset();
    EXPECT_EQ(kcr_emul_calls(), calls);
}

/// Kills whoever makes a system call other than exit_group().
bool enter_sandbox()
{
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const sock_fprog program = {.len = 4, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// As the kernel's driver: whoever asks makes a system call.
int real_ioctl(int fd, unsigned long request, void* arg)
{
    syscall(SYS_getppid);
    return kcr_emul_ioctl(fd, request, arg);
}

/// What a program has: the processor's counter, and ioctls that are system calls.
void use_real_calls()
{
    static struct kcr_system real;
    real = *kcr_system;
    real.ioctl = real_ioctl;
    real.clock = nullptr;
    kcr_system = &real;
}

TEST_F(ShareTest, TheSandboxKills)
{
    EXPECT_EQ(in_child([&] {
                  use_real_calls();
                  if (!enter_sandbox())
                      return 3;
                  // Not remembered: storing is a system call
                  for (int i = 0; i < 3; i++)
                      quick_ask(function_, 77);
                  return 0;
              }),
              1000 + SIGSYS);
}

TEST_F(ShareTest, AMillionHitsInASandbox)
{
    auto options = pure_options();
    options.audit_interval = 0;
    const auto function = make_function(domain_, options);
    for (std::uint64_t n = 0; n < 64; n++)
        remember(function, n);
    EXPECT_EQ(in_child([&] {
                  use_real_calls();
                  if (!enter_sandbox())
                      return 3;
                  for (std::uint64_t i = 0; i < 1000000; i++) {
                      const std::uint64_t n = i % 64;
                      std::uint64_t result = 0;
                      std::size_t len = 0;
                      kcr_ticket ticket;
                      kcr_begin(function.get(), &n, sizeof(n), &result, sizeof(result), &len,
                                &ticket);
                  }
                  kcr_function_stats stats = {.size = sizeof(stats)};
                  kcr_function_get_stats(function.get(), &stats);
                  // Keys that want the same place are computed
                  return stats.hits > 900000 ? 0 : 2;
              }),
              0);
}

TEST_F(ShareTest, ASandboxAfterStopStoring)
{
    remember(function_, 1);
    EXPECT_EQ(in_child([&] {
                  use_real_calls();
                  kcr_stop_storing(domain_.get());
                  if (!enter_sandbox())
                      return 3;
                  for (std::uint64_t n = 0; n < 10000; n++)
                      quick_ask(function_, 100 + n % 10);
                  return quick_ask(function_, 1) ? 0 : 1;
              }),
              0);
}

} // namespace

} // namespace kcr::tests
