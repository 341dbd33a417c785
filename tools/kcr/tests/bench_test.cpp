// SPDX-License-Identifier: GPL-2.0
#include "bench.h"

#include <gtest/gtest.h>

namespace kcr::tool
{

TEST(Bench, ReadsFiguresAndComments)
{
    const auto figures = parse_guest_bench("# driver: cbc-aes-aesni, tier L2\n"
                                           "guest.a_insns 212\nnot a figure\nguest.b_insns x\n");
    ASSERT_EQ(figures.values.size(), 1U);
    EXPECT_EQ(figures.values["guest.a_insns"], 212);
    ASSERT_EQ(figures.comments.size(), 1U);
    EXPECT_EQ(figures.comments[0], "driver: cbc-aes-aesni, tier L2");
}

TEST(Bench, ReadsGoogleBenchmark)
{
    const auto figures =
        parse_native_bench(R"({"benchmarks":[{"name":"hit/64","cpu_time":9.5,"time_unit":"ns"}]})");
    EXPECT_EQ(figures.values["native.hit/64_ns"], 9.5);
    EXPECT_TRUE(parse_native_bench("garbage").values.empty());
}

} // namespace kcr::tool
