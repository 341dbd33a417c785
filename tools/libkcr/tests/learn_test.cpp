// SPDX-License-Identifier: GPL-2.0
// A function is reused after it has proved itself, and no more when it is caught.
#include "support.hpp"

#include <cerrno>

namespace kcr::tests
{

namespace
{

using LearnTest = LibTest;

kcr_function_options learning(std::uint32_t target)
{
    auto options = pure_options();
    options.flags = KCR_ALWAYS;
    options.learn_target = target;
    return options;
}

TEST_F(LearnTest, ReusedAfterSoManyEqualResults)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, learning(10));
    int computed = 0;
    while (!ask(function, key_of(1)) && computed < 100)
        computed++;
    // One or two calls until the first is stored, ten that are compared
    EXPECT_GE(computed, 11);
    EXPECT_LE(computed, 12);
    EXPECT_EQ(stats_of(domain).equal, 10U);
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REUSED);
    EXPECT_EQ(stats_of(function).learned, static_cast<std::uint64_t>(computed));
}

TEST_F(LearnTest, TheDomainsTargetIsTheDefault)
{
    const kcr_domain_options options = {
        .size = sizeof(options), .region_size = 1U << 20, .learn_target = 3};
    const Domain domain(kcr_domain_create(&options));
    const auto function = make_function(domain, learning(0));
    int computed = 0;
    while (!ask(function, key_of(1)) && computed < 100)
        computed++;
    EXPECT_LE(computed, 5);
}

TEST_F(LearnTest, WhatNeverRepeatsIsNotStored)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, learning(10));
    for (std::uint64_t n = 0; n < 1000; n++)
        ask(function, key_of(n));
    // One to find out what storing costs, and a few whose tags are equal
    EXPECT_LT(stats_of(domain).stored, 10U);
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_LEARNING);
}

/// Gives another result every time.
struct Counter {
    std::uint64_t n = 0;
    Bytes operator()(const Bytes& /*key*/)
    {
        return key_of(n++);
    }
};

TEST_F(LearnTest, AnImpureFunctionIsRejectedWhileItLearns)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, learning(10));
    Counter counter;
    Bytes result(8);
    for (int i = 0; i < 20; i++)
        EXPECT_FALSE(call(function, key_of(1), result, std::ref(counter)));
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REJECTED);
    EXPECT_EQ(stats_of(domain).rejected, 1U);
    const char* text = nullptr;
    EXPECT_EQ(kcr_function_status(function.get(), &text), -EBADMSG);
    EXPECT_NE(std::string(text).find("different results"), std::string::npos);
    // Others go on
    const auto other = make_function(domain, pure_options("other"));
    ask(other, key_of(1));
    ask(other, key_of(1));
    EXPECT_TRUE(ask(other, key_of(1)));
}

TEST_F(LearnTest, ARejectedFunctionGetsAnotherChance)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, learning(5));
    Counter counter;
    Bytes result(8);
    for (int i = 0; i < 20; i++)
        call(function, key_of(1), result, std::ref(counter));
    ASSERT_EQ(stats_of(function).state, KCR_FUNCTION_REJECTED);
    ASSERT_EQ(kcr_function_flush(function.get(), 1), 0);
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_LEARNING);
    for (int i = 0; i < 10; i++)
        ask(function, key_of(2));
    EXPECT_TRUE(ask(function, key_of(2)));
}

TEST_F(LearnTest, AnAuditCatchesAFunctionThatChanges)
{
    const auto domain = make_domain();
    auto options = pure_options();
    options.audit_interval = 16;
    const auto function = make_function(domain, options);
    Bytes result(8);
    int wrong = 0;
    for (int i = 0; i < 200; i++) {
        auto answer = key_of(i < 100 ? 1 : 2);
        result.resize(8);
        call(function, key_of(1), result, [&](const Bytes& /*key*/) { return answer; });
        wrong += result != answer;
    }
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REJECTED);
    EXPECT_LE(wrong, 16);
    EXPECT_GE(stats_of(function).audits, 3U);
    EXPECT_EQ(stats_of(domain).entries, 0U);
}

TEST_F(LearnTest, AnAuditComesAsOftenAsItIsAskedFor)
{
    const auto domain = make_domain();
    for (const std::uint32_t interval : {1, 7, 64, 1000}) {
        auto options = pure_options();
        options.version = interval;
        options.audit_interval = interval;
        const auto function = make_function(domain, options);
        ask(function, key_of(1));
        ask(function, key_of(1));
        constexpr unsigned calls = 10000;
        for (unsigned i = 0; i < calls; i++)
            ask(function, key_of(1));
        const auto audits = stats_of(function).audits;
        EXPECT_GE(audits, calls / interval / 2) << interval;
        // Samples are at most 63 calls apart, and an audit is one of them
        EXPECT_LE(audits, calls / interval + 1) << interval;
    }
}

TEST_F(LearnTest, AnAuditAcrossAFlushDoesNotReject)
{
    const auto domain = make_domain();
    auto options = pure_options();
    options.audit_interval = 1;
    const auto function = make_function(domain, options);
    Bytes result(8);
    const auto one = [](const Bytes& /*key*/) { return key_of(1); };
    for (int i = 0; i < 3; i++)
        call(function, key_of(1), result, one);
    // What it depends on changes while it is computed, and the owner says so
    call(function, key_of(1), result, [&](const Bytes& /*key*/) {
        kcr_function_flush(function.get(), 0);
        return key_of(2);
    });
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REUSED);
}

TEST_F(LearnTest, WithoutAuditsNothingIsComputedAgain)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    ask(function, key_of(1));
    ask(function, key_of(1));
    for (int i = 0; i < 5000; i++)
        ASSERT_TRUE(ask(function, key_of(1)));
}

TEST_F(LearnTest, AuditsOfResultsThatAreElsewhere)
{
    const auto domain = make_domain();
    auto options = pure_options();
    options.audit_interval = 4;
    options.key_max = 1000;
    options.result_max = 1000;
    const auto function = make_function(domain, options);
    for (int i = 0; i < 50; i++)
        ask(function, key_of(1, 700), 900);
    EXPECT_GT(stats_of(function).audits, 5U);
    Bytes result(900);
    for (int i = 0; i < 8; i++) {
        result.resize(900);
        call(function, key_of(1, 700), result, [](const Bytes& k) {
            auto answer = digest(k, 900);
            answer.back() ^= 1;
            return answer;
        });
    }
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REJECTED);
}

} // namespace

} // namespace kcr::tests
