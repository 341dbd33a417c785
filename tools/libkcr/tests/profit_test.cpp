// SPDX-License-Identifier: GPL-2.0
// Reuse that does not pay is bypassed. All costs here are a clock's that the tests move.
#include "support.hpp"

#include <algorithm>

namespace kcr::tests
{

namespace
{

constexpr std::uint64_t store_cost = 1000;

class ProfitTest : public LibTest
{
protected:
    ProfitTest()
    {
        set_system_call_cost(store_cost);
        options_.flags = KCR_PURE;
    }

    /// Asks for @p keys keys in turn, @p calls times; how many calls were computed.
    static std::uint64_t work(const Function& function, std::uint64_t calls, std::uint64_t keys,
                              std::uint64_t cost, std::uint64_t first = 0)
    {
        std::uint64_t computed = 0;
        for (std::uint64_t n = 0; n < calls; n++)
            computed += !ask(function, key_of(first + n % keys), 8, cost);
        return computed;
    }

    kcr_function_options options_ = pure_options();
};

TEST_F(ProfitTest, WhatNeverRepeatsIsBypassed)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    constexpr std::uint64_t calls = 200000;
    for (std::uint64_t n = 0; n < calls; n++)
        ask(function, key_of(n), 8, store_cost / 2);
    const auto stats = stats_of(function);
    EXPECT_EQ(stats.bypassed + stats.misses + stats.hits, calls);
    // A trial of some 4096, a few of 512 until the back-off is long
    EXPECT_LT(stats.misses, 15000U);
    EXPECT_LE(stats.saved, 0);
}

TEST_F(ProfitTest, TheBackOffDoubles)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    std::vector<std::uint64_t> bypasses;
    std::uint64_t last = 0;
    std::uint64_t run = 0;
    for (std::uint64_t n = 0; n < 100000; n++) {
        ask(function, key_of(n), 8, store_cost * 10);
        const auto bypassed = stats_of(function).bypassed;
        if (bypassed > last)
            run++;
        else if (run > 0)
            bypasses.push_back(std::exchange(run, 0));
        last = bypassed;
    }
    ASSERT_GE(bypasses.size(), 4U);
    for (std::size_t i = 0; i < bypasses.size(); i++)
        EXPECT_EQ(bypasses[i], 1024U << i);
}

TEST_F(ProfitTest, WhatPaysIsNotBypassed)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    work(function, 50000, 100, store_cost * 10);
    const auto stats = stats_of(function);
    EXPECT_EQ(stats.bypassed, 0U);
    EXPECT_GT(stats.hits, 45000U);
    EXPECT_GT(stats.saved, static_cast<std::int64_t>(store_cost * 10 * 30000));
}

TEST_F(ProfitTest, AlwaysMeansAlways)
{
    const auto domain = make_domain();
    options_.flags |= KCR_ALWAYS;
    const auto function = make_function(domain, options_);
    for (std::uint64_t n = 0; n < 50000; n++)
        ask(function, key_of(n), 8, store_cost / 2);
    EXPECT_EQ(stats_of(function).bypassed, 0U);
}

TEST_F(ProfitTest, WhoAsksNeedNotBegin)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    std::uint64_t begun = 0;
    std::uint64_t skipped = 0;
    constexpr std::uint64_t calls = 100000;
    for (std::uint64_t n = 0; n < calls;) {
        const auto bypassed = kcr_bypass_calls(function.get());
        skipped += bypassed;
        n += bypassed;
        if (bypassed == 0) {
            ask(function, key_of(n++), 8, store_cost / 2);
            begun++;
        }
    }
    const auto stats = stats_of(function);
    EXPECT_EQ(stats.bypassed, skipped) << "none is bypassed in the other way";
    EXPECT_EQ(stats.misses, begun);
    EXPECT_LT(begun, 15000U);
}

TEST_F(ProfitTest, NothingIsNotWorthACall)
{
    EXPECT_GT(kcr_bypass_calls(nullptr), 0U);
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 0U);
}

TEST_F(ProfitTest, WhatCallersPayCounts)
{
    const auto domain = make_domain();
    options_.overhead = store_cost;
    const auto function = make_function(domain, options_);
    // Cheaper than that: hits lose
    work(function, 50000, 10, store_cost / 2);
    EXPECT_GT(stats_of(function).bypassed, 40000U);
    EXPECT_LT(stats_of(function).saved, 0);
    options_.name = "dearer";
    const auto dearer = make_function(domain, options_);
    work(dearer, 50000, 10, store_cost * 2);
    EXPECT_EQ(stats_of(dearer).bypassed, 0U);
}

TEST_F(ProfitTest, WhoIsToldBelieves)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    work(function, 1000, 10, store_cost * 10);
    const auto hits = static_cast<std::int64_t>(stats_of(function).hits);
    ASSERT_GT(hits, 0);
    kcr_tell_costs(function.get(), 30, 110);
    EXPECT_EQ(stats_of(function).saved, -80 * hits);
    work(function, 50000, 10, store_cost * 10);
    EXPECT_GT(stats_of(function).bypassed, 40000U);
}

TEST_F(ProfitTest, AWorkloadThatBeginsToRepeatIsNoticed)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    for (std::uint64_t n = 0; n < 20000; n++)
        ask(function, key_of(1000 + n), 8, store_cost * 10);
    ASSERT_GT(stats_of(function).bypassed, 0U);
    work(function, 50000, 50, store_cost * 10);
    // Two keys that want the same place may displace each other
    EXPECT_LT(work(function, 10000, 50, store_cost * 10), 1000U);
}

TEST_F(ProfitTest, ACompleteWorkingSetIsWaitedFor)
{
    const auto domain = make_domain(16U << 20);
    const auto function = make_function(domain, options_);
    // More keys than calls in the first trial; cheaper than storing, but they repeat
    work(function, 60000, 6000, store_cost / 2);
    EXPECT_LT(work(function, 12000, 6000, store_cost / 2), 1200U);
}

TEST_F(ProfitTest, WhatIsDearIsStoredAtFirstSight)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    work(function, 100, 1, store_cost * 100); // now it is known to be
    const auto before = stats_of(domain).stored;
    ask(function, key_of(4711), 8, store_cost * 100);
    EXPECT_EQ(stats_of(domain).stored, before + 1);
    EXPECT_TRUE(ask(function, key_of(4711)));
}

TEST_F(ProfitTest, WhatIsCheapIsStoredAtSecondSight)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    work(function, 100, 1, store_cost / 2);
    const auto before = stats_of(domain).stored;
    ask(function, key_of(4711), 8, store_cost / 2);
    EXPECT_EQ(stats_of(domain).stored, before);
    ask(function, key_of(4711), 8, store_cost / 2);
    EXPECT_EQ(stats_of(domain).stored, before + 1);
}

TEST_F(ProfitTest, CallersMayAskBeforeTheyMakeAKey)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 0U);
    std::uint64_t n = 0;
    while (kcr_bypass_calls(function.get()) == 0 && n < 20000)
        ask(function, key_of(n++), 8, store_cost * 10);
    // The first back-off is 1024 calls; 256 of them were given away above
    const auto before = stats_of(function).bypassed;
    EXPECT_EQ(before, 256U);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 256U);
    EXPECT_EQ(stats_of(function).bypassed, 512U);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 256U);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 256U);
    EXPECT_EQ(kcr_bypass_calls(function.get()), 0U);
    EXPECT_GT(kcr_bypass_calls(nullptr), 0U);
}

TEST_F(ProfitTest, CallersMayKnowBetter)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, options_);
    // By the clock it pays; the caller says that it does not
    kcr_tell_costs(function.get(), 10, 100);
    work(function, 20000, 10, store_cost * 10);
    EXPECT_GT(stats_of(function).bypassed, 0U);
    EXPECT_LT(stats_of(function).saved, 0);
    auto dear = options_;
    dear.name = "dear";
    dear.overhead = store_cost * 100;
    const auto other = make_function(domain, dear);
    work(other, 20000, 10, store_cost * 10);
    EXPECT_GT(stats_of(other).bypassed, 0U);
}

TEST_F(ProfitTest, LearningWhatNeverRepeatsIsBypassedToo)
{
    const auto domain = make_domain();
    options_.flags = 0;
    const auto function = make_function(domain, options_);
    for (std::uint64_t n = 0; n < 100000; n++)
        ask(function, key_of(n), 8, 0);
    const auto stats = stats_of(function);
    EXPECT_LE(stats.learned, 100000U);
    EXPECT_EQ(stats.state, KCR_FUNCTION_LEARNING);
    EXPECT_LT(stats_of(domain).stored, 100U);
}

} // namespace

} // namespace kcr::tests
