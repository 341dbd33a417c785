// SPDX-License-Identifier: GPL-2.0
// Where memory cannot be tracked, or is another process's, functions compute.
#include "track_support.hpp"

#include <sys/wait.h>
#include <unistd.h>

namespace kcr::tests
{

namespace
{

using TrackDegradeTest = TrackTest;

TEST_F(TrackDegradeTest, AChildComputesAndAsksOnce)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    for (int i = 0; i < 10; i++)
        EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
    const auto pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        page.bytes[0] = 1;
        bool good = !ask_sum(function, {tracked.get()}, {&page}, 0);
        const auto calls = kcr_emul_calls();
        for (int i = 0; i < 100; i++)
            good = !ask_sum(function, {tracked.get()}, {&page}, 0) && good;
        good = good && kcr_emul_calls() == calls;
        good = good && kcr_tracked_status(tracked.get(), nullptr) == -EPERM;
        // Of its own it can
        const auto own = track(domain, page);
        good = good && kcr_tracked_status(own.get(), nullptr) == 0;
        good = !ask_sum(function, {own.get()}, {&page}, 0) && good;
        good = ask_sum(function, {own.get()}, {&page}, 0) && good;
        _exit(good && !HasFailure() ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
}

TEST_F(TrackDegradeTest, AResultOfTheParentsIsNotStoredByTheChild)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    std::array<std::uint64_t, 3> key = {};
    std::uint64_t result = 0;
    size_t len = 0;
    kcr_ticket ticket;
    kcr_tracked* pointer = tracked.get();
    ASSERT_EQ(kcr_begin_tracked(function.get(), &pointer, key.data(), sizeof(key), &result,
                                sizeof(result), &len, &ticket),
              KCR_COMPUTE);
    const auto pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        result = 1; // of what the child has written, perhaps
        kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
        _exit(0);
    }
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    EXPECT_EQ(stats_of(domain).stored, 0U);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(stats_of(domain).stored, 1U);
}

TEST_F(TrackDegradeTest, WithoutTrackersItComputes)
{
    const auto domain = make_domain();
    Page page;
    for (const int error : {ENOTTY, EACCES, ENOMEM, EOPNOTSUPP}) {
        kcr_emul_fail(KCR_IOC_TRACKER, error);
        const auto tracked = track(domain, page);
        const char* why = nullptr;
        EXPECT_EQ(kcr_tracked_status(tracked.get(), &why), -error);
        EXPECT_STRNE(why, "");
        kcr_emul_fail(0, 0);
        const auto function = make_function(domain, options(1));
        for (int i = 0; i < 10; i++)
            EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
        EXPECT_EQ(kcr_tracked_renew(tracked.get()), -EBADF);
    }
    fail_mmap(0, ENOMEM);
    const auto tracked = track(domain, page);
    EXPECT_EQ(kcr_tracked_status(tracked.get(), nullptr), -ENOMEM);
    EXPECT_EQ(kcr_tracked_status(nullptr, nullptr), -EBADF);
    // Others in the domain go on
    fail_mmap(0, 0);
    const auto plain = make_function(domain, pure_options("plain"));
    EXPECT_FALSE(ask(plain, key_of(1)));
    EXPECT_TRUE(ask(plain, key_of(1)));
}

TEST_F(TrackDegradeTest, WithoutADomainItComputes)
{
    kcr_emul_fail(0, ENOENT);
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    EXPECT_EQ(kcr_tracked_status(tracked.get(), nullptr), -ENOENT);
    const auto function = make_function(domain, options(1));
    for (int i = 0; i < 10; i++)
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
}

TEST_F(TrackDegradeTest, SwitchedOffIsNotForGood)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    kcr_emul_fail(KCR_IOC_SET_ARM, EOPNOTSUPP);
    for (int i = 0; i < 10; i++)
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_tracked_status(tracked.get(), nullptr), 0);
    kcr_emul_fail(0, 0);
    int calls = 0;
    while (!ask_sum(function, {tracked.get()}, {&page}, 0) && calls < 100)
        calls++;
    EXPECT_LT(calls, 100);
}

TEST_F(TrackDegradeTest, AClosedDescriptorIsNotAskedAgain)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    kcr_emul_fail(KCR_IOC_SET_ARM, EBADF);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    const auto calls = kcr_emul_calls();
    for (int i = 0; i < 100; i++)
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_emul_calls(), calls);
}

TEST_F(TrackDegradeTest, InASandboxWhatIsWatchedIsFound)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    kcr_stop_storing(domain.get());
    const auto calls = kcr_emul_calls();
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
    write(page, 0, 1);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_tracked_renew(tracked.get()), -EPERM);
    EXPECT_EQ(kcr_emul_calls(), calls);
}

TEST_F(TrackDegradeTest, OptionsThatMakeNoSense)
{
    const auto domain = make_domain();
    Page page;
    const kcr_span empty = {&page, 0};
    EXPECT_EQ(
        kcr_tracked_status(Tracked(kcr_tracked_create(domain.get(), &empty, 1)).get(), nullptr),
        -EINVAL);
    const std::vector<kcr_span> many(KCR_SPANS_MAX + 1, {&page, sizeof(page)});
    EXPECT_EQ(
        kcr_tracked_status(
            Tracked(kcr_tracked_create(domain.get(), many.data(), many.size())).get(), nullptr),
        -EINVAL);
    EXPECT_EQ(
        kcr_tracked_status(Tracked(kcr_tracked_create(domain.get(), nullptr, 0)).get(), nullptr),
        -EINVAL);
    EXPECT_EQ(kcr_function_status(make_function(domain, options(9)).get(), nullptr), -EINVAL);
    auto narrow = options(1);
    narrow.key_max = 15;
    EXPECT_EQ(kcr_function_status(make_function(domain, narrow).get(), nullptr), -EINVAL);
    // A key without room for the stamps
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    kcr_tracked* pointer = tracked.get();
    std::array<std::uint64_t, 2> key = {};
    std::uint64_t result = 0;
    size_t len = 0;
    kcr_ticket ticket;
    EXPECT_EQ(kcr_begin_tracked(function.get(), &pointer, key.data(), 8, &result, sizeof(result),
                                &len, &ticket),
              KCR_COMPUTE);
    kcr_end(function.get(), &ticket, key.data(), 8, &result, sizeof(result));
    // kcr_begin() does not do for such a function: nothing is stored
    EXPECT_EQ(
        kcr_begin(function.get(), key.data(), sizeof(key), &result, sizeof(result), &len, &ticket),
        KCR_COMPUTE);
    kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
    EXPECT_EQ(stats_of(domain).stored, 0U);
}

} // namespace

} // namespace kcr::tests
