// SPDX-License-Identifier: GPL-2.0
// Whatever cannot be had, programs get the results that they would get without KCR.
#include "support.hpp"

#include "plain_c.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace kcr::tests
{

namespace
{

class DegradeTest : public LibTest
{
protected:
    static void only_computes(const Domain& domain, int status)
    {
        const char* text = nullptr;
        EXPECT_EQ(kcr_domain_status(domain.get(), &text), status);
        ASSERT_NE(text, nullptr);
        EXPECT_STRNE(text, "");
        const auto function = make_function(domain, pure_options());
        EXPECT_EQ(kcr_function_status(function.get(), &text), status);
        for (int i = 0; i < 2000; i++)
            EXPECT_FALSE(ask(function, key_of(1)));
        EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_NONE);
        EXPECT_EQ(stats_of(function).bypassed, 0U);
        EXPECT_EQ(kcr_function_flush(function.get(), 0), -EBADF);
        EXPECT_EQ(kcr_domain_fd(domain.get()), -EBADF);
        EXPECT_EQ(kcr_domain_flush(domain.get()), -EBADF);
        EXPECT_EQ(kcr_domain_share(domain.get(), KCR_SHARE_ALL), -EBADF);
        kcr_view view;
        EXPECT_EQ(kcr_peek(function.get(), "", 0, &view), KCR_COMPUTE);
    }
};

TEST_F(DegradeTest, NoDevice)
{
    kcr_emul_fail(0, ENOENT);
    only_computes(make_domain(), -ENOENT);
}

TEST_F(DegradeTest, NoRights)
{
    kcr_emul_fail(0, EACCES);
    only_computes(make_domain(), -EACCES);
}

TEST_F(DegradeTest, NoMemory)
{
    kcr_emul_fail(KCR_IOC_CREATE, ENOMEM);
    only_computes(make_domain(), -ENOMEM);
}

TEST_F(DegradeTest, TheUsersLimit)
{
    kcr_emul_fail(KCR_IOC_CREATE, EDQUOT);
    only_computes(make_domain(), -EDQUOT);
}

TEST_F(DegradeTest, SwitchedOff)
{
    kcr_emul_set_enabled(false);
    only_computes(make_domain(), -EOPNOTSUPP);
}

TEST_F(DegradeTest, NoMapping)
{
    fail_mmap(0, ENOMEM);
    only_computes(make_domain(), -ENOMEM);
}

TEST_F(DegradeTest, NoStatistics)
{
    kcr_emul_fail(KCR_IOC_INFO, ENOTTY);
    only_computes(make_domain(), -ENOTTY);
}

TEST_F(DegradeTest, BadOptions)
{
    const kcr_domain_options options = {.size = sizeof(options), .region_size = 12345};
    only_computes(Domain(kcr_domain_create(&options)), -EINVAL);
}

TEST_F(DegradeTest, DescriptorsOfSomethingElse)
{
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    only_computes(Domain(kcr_domain_from_fd(fds[0])), -ENOTTY);
    // It is still the caller's
    EXPECT_EQ(close(fds[0]), 0);
    only_computes(Domain(kcr_domain_from_fd(fds[0])), -EBADF);
    close(fds[1]);
}

TEST_F(DegradeTest, NullsOnlyCompute)
{
    const Function none;
    for (int i = 0; i < 2000; i++)
        EXPECT_FALSE(ask(none, key_of(1)));
    EXPECT_EQ(kcr_function_status(nullptr, nullptr), -EBADF);
    kcr_function_stats stats = {.size = sizeof(stats)};
    EXPECT_EQ(kcr_function_get_stats(nullptr, &stats), 0);
    EXPECT_EQ(stats.hits, 0U);
    kcr_function_destroy(nullptr);
    kcr_domain_destroy(nullptr);
    kcr_stop_storing(nullptr);
    const Function orphan = make_function(Domain(), pure_options());
    EXPECT_FALSE(ask(orphan, key_of(1)));
    EXPECT_NE(kcr_function_status(orphan.get(), nullptr), 0);
}

TEST_F(DegradeTest, WithoutCountsThereAreStatisticsAllTheSame)
{
    fail_mmap(KCR_COUNTS_OFFSET, EINVAL);
    const auto domain = make_domain();
    ASSERT_EQ(kcr_domain_status(domain.get(), nullptr), 0);
    const auto function = make_function(domain, pure_options());
    ask(function, key_of(1));
    ask(function, key_of(1));
    EXPECT_TRUE(ask(function, key_of(1)));
    EXPECT_GE(stats_of(function).hits, 1U);
}

TEST_F(DegradeTest, MoreFunctionsThanHaveCounts)
{
    const auto domain = make_domain();
    std::vector<Function> functions;
    for (int i = 0; i < KCR_FUNCTIONS_MAX + 1; i++) {
        functions.push_back(make_function(domain, pure_options(std::to_string(i).c_str())));
        ask(functions.back(), key_of(1));
        ask(functions.back(), key_of(1));
        const bool there = i < KCR_FUNCTIONS_MAX;
        EXPECT_EQ(ask(functions.back(), key_of(1)), there) << i;
        EXPECT_EQ(stats_of(functions.back()).hits > 0, there) << i;
    }
    EXPECT_EQ(kcr_function_status(functions.back().get(), nullptr), -ENOSPC);
}

TEST_F(DegradeTest, BadFunctionOptions)
{
    const auto domain = make_domain();
    auto options = pure_options();
    options.name = "";
    EXPECT_EQ(kcr_function_status(make_function(domain, options).get(), nullptr), -EINVAL);
    options = pure_options();
    options.key_max = KCR_KEY_MAX + 1;
    EXPECT_EQ(kcr_function_status(make_function(domain, options).get(), nullptr), -EINVAL);
    options = pure_options();
    options.flags = 0x80;
    EXPECT_EQ(kcr_function_status(make_function(domain, options).get(), nullptr), -EINVAL);
    EXPECT_EQ(
        kcr_function_status(Function(kcr_function_create(domain.get(), nullptr)).get(), nullptr),
        -EINVAL);
}

/// The program closes our descriptor: what is remembered is still found, nothing more is stored.
TEST_F(DegradeTest, TheDescriptorIsClosedUnderUs)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    ask(function, key_of(1));
    ask(function, key_of(1));
    ASSERT_TRUE(ask(function, key_of(1)));
    kcr_emul_fail(KCR_IOC_STORE, EBADF);
    ask(function, key_of(2));
    ask(function, key_of(2));
    const auto calls = kcr_emul_calls();
    kcr_emul_fail(0, 0);
    for (int i = 0; i < 100; i++)
        EXPECT_FALSE(ask(function, key_of(2)));
    EXPECT_EQ(kcr_emul_calls(), calls);
    EXPECT_TRUE(ask(function, key_of(1)));
    EXPECT_GE(stats_of(function).failed, 1U);
}

/// No memory, a limit: not for good.
TEST_F(DegradeTest, StoringIsTriedAgainAfterALackOfMemory)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    kcr_emul_fail(KCR_IOC_STORE, ENOMEM);
    for (int i = 0; i < 300; i++)
        EXPECT_FALSE(ask(function, key_of(1)));
    kcr_emul_fail(0, 0);
    int more = 0;
    while (!ask(function, key_of(1)) && more < 1000)
        more++;
    EXPECT_LT(more, 300);
    EXPECT_LE(stats_of(function).failed, 3U);
}

TEST_F(DegradeTest, AFunctionsLimitIsKept)
{
    const auto domain = make_domain();
    auto options = pure_options();
    options.max_entries = 10;
    const auto function = make_function(domain, options);
    for (std::uint64_t n = 0; n < 2000; n++)
        ask(function, key_of(n % 100));
    EXPECT_EQ(stats_of(domain).entries, 10U);
}

TEST_F(DegradeTest, FunctionsOutliveTheDomainsOwner)
{
    auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    domain.reset();
    ask(function, key_of(1));
    ask(function, key_of(1));
    EXPECT_TRUE(ask(function, key_of(1)));
}

TEST_F(DegradeTest, FromC)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    int computed = 0;
    EXPECT_EQ(plain_c_call(function.get(), -5, &computed), -5);
    EXPECT_EQ(stats_of(domain).entries, 0U);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(plain_c_call(function.get(), 0, &computed), 49);
    EXPECT_EQ(computed, 0);
    EXPECT_EQ(plain_c_call(nullptr, 0, &computed), 49);
    EXPECT_EQ(computed, 1);
    EXPECT_EQ(kcr_version() >> 16, static_cast<unsigned>(KCR_VERSION_MAJOR));
}

TEST_F(DegradeTest, CodeHasAnIdentity)
{
    static int here;
    static int there;
    Bytes one(KCR_IDENTITY_BYTES);
    auto two = one;
    auto again = one;
    EXPECT_EQ(kcr_code_identity(&here, one.data()), 0);
    EXPECT_EQ(kcr_code_identity(&there, two.data()), 0);
    EXPECT_EQ(kcr_code_identity(&here, again.data()), 0);
    EXPECT_NE(one, two);
    EXPECT_EQ(one, again);
    int on_the_stack = 0;
    EXPECT_EQ(kcr_code_identity(&on_the_stack, one.data()), -ENOENT);
}

} // namespace

} // namespace kcr::tests
