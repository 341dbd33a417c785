// SPDX-License-Identifier: GPL-2.0
// The C++ interface of tracked memory.
#include "track_support.hpp"

#include "kcr_track.hpp"

#include <numeric>
#include <stdexcept>

namespace kcr::tests
{

namespace
{

unsigned computed;

std::uint64_t sum_from(std::span<const std::uint32_t> table, std::uint32_t first)
{
    computed++;
    advance_clock(1000);
    return std::accumulate(table.begin() + first, table.end(), std::uint64_t{0});
}

class DependsTest : public TrackTest
{
protected:
    DependsTest()
    {
        computed = 0;
        options_.in = &domain_;
        options_.pure = true;
        options_.always = true;
        options_.audit_interval = KCR_NO_AUDIT;
    }

    static kcr_domain_options domain_options()
    {
        return {.size = sizeof(kcr_domain_options), .region_size = 1U << 20};
    }

    kcr_domain_options domain_options_ = domain_options();
    kcr::domain domain_{&domain_options_};
    kcr::options<> options_;
    std::vector<std::uint32_t> table_ = std::vector<std::uint32_t>(2000, 1);
};

TEST_F(DependsTest, ComputesOnceUntilTheMemoryChanges)
{
    const auto sum = kcr::memoize(sum_from, kcr::depends_on(table_), options_);
    ASSERT_EQ(sum.status(), 0) << sum.why();
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(sum(0), 2000U);
    EXPECT_EQ(sum(1), 1999U);
    EXPECT_EQ(computed, 2U);
    kcr_emul_touch(&table_[1999]);
    table_[1999] = 2;
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(sum(0), 2001U);
    EXPECT_EQ(computed, 3U);
    EXPECT_EQ(sum.stats().hits, 38U);
    table_[0] = 2; // unseen
    sum.renew();
    EXPECT_EQ(sum(0), 2002U);
}

TEST_F(DependsTest, SeveralMemoriesAndNoArgument)
{
    std::vector<std::uint8_t> bytes(5000, 3);
    const auto both = kcr::memoize(
        [](std::span<const std::uint32_t> table, std::span<const std::uint8_t> more) {
            advance_clock(1000);
            return std::string(reinterpret_cast<const char*>(more.data()), 2) +
                   std::to_string(table[0]);
        },
        kcr::depends_on(table_, bytes), options_);
    ASSERT_EQ(both.status(), 0) << both.why();
    EXPECT_EQ(both(), "\3\3"
                      "1");
    EXPECT_EQ(both(), "\3\3"
                      "1");
    EXPECT_EQ(both.stats().hits, 1U);
    kcr_emul_touch(&bytes[1]);
    bytes[1] = 4;
    EXPECT_EQ(both(), "\3\4"
                      "1");
}

TEST_F(DependsTest, AnExceptionIsNotRemembered)
{
    const auto f = kcr::memoize(
        [](std::span<const std::uint32_t> table, std::uint32_t at) {
            if (at >= table.size())
                throw std::out_of_range("at");
            return table[at];
        },
        kcr::depends_on(table_), options_);
    for (int i = 0; i < 3; i++)
        EXPECT_THROW(f(5000), std::out_of_range);
    EXPECT_EQ(f(0), 1U);
}

TEST_F(DependsTest, WithoutTrackersItComputes)
{
    kcr_emul_fail(KCR_IOC_TRACKER, ENOTTY);
    const auto sum = kcr::memoize(sum_from, kcr::depends_on(table_), options_);
    EXPECT_EQ(sum.status(), -ENOTTY);
    EXPECT_STREQ(sum.why(), "the kernel tracks no memory");
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(sum(0), 2000U);
    EXPECT_EQ(computed, 20U);
}

} // namespace

} // namespace kcr::tests
