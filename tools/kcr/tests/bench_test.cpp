// SPDX-License-Identifier: GPL-2.0
#include "bench.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;

TEST(Bench, ReadsFiguresAndComments)
{
    const auto figures = parse_guest_bench("# driver: cbc-aes-aesni, tier L2\n"
                                           "guest.a_insns 212\nnot a figure\nguest.b_insns x\n");
    ASSERT_EQ(figures.values.size(), 1U);
    EXPECT_EQ(figures.values["guest.a_insns"], 212);
    ASSERT_EQ(figures.comments.size(), 1U);
    EXPECT_EQ(figures.comments[0], "driver: cbc-aes-aesni, tier L2");
}

TEST(Bench, ReadsNativeFigures)
{
    const auto figures = parse_native_bench(
        R"({"figures":{"native.miss":9.5,"native.x":"y"},"comments":["two CPUs"]})");
    ASSERT_EQ(figures.values.size(), 1U);
    EXPECT_EQ(figures.values["native.miss"], 9.5);
    ASSERT_EQ(figures.comments.size(), 1U);
    EXPECT_EQ(figures.comments[0], "two CPUs");
    EXPECT_TRUE(parse_native_bench("garbage").values.empty());
}

TEST(Bench, ComparesWithFloorsAndPeers)
{
    const auto ratios = native_ratios({{"native.l2_hit_16_16", 9.0},
                                       {"native.floor_l2_16", 6.0},
                                       {"native.peer_absl_16_16", 18.0},
                                       {"native.peer_std_16_16", 36.0},
                                       {"native.hash_hit_16", 30.0},
                                       {"native.libkcr_hit_16_16", 42.0},
                                       {"native.peer_lru_mutex_16_16", 84.0},
                                       {"native.peer_redis_16_16", 2100.0},
                                       {"native.hit_rate_full", 90.0}});
    EXPECT_THAT(ratios, ElementsAre("l2_hit_16_16 / floor_l2_16 = 1.50 (target 1.80)",
                                    "l2_hit_16_16 / peer_absl_16_16 = 0.50 (target 0.45, missed)",
                                    "l2_hit_16_16 / peer_std_16_16 = 0.25 (target 0.45)",
                                    "libkcr_hit_16_16 - hash_hit_16 = 12.0 (target 10, missed)",
                                    "peer_lru_mutex_16_16 / libkcr_hit_16_16 = 2.00 (target 1.50)",
                                    "peer_redis_16_16 / libkcr_hit_16_16 = 50.00 (target 100.00, "
                                    "missed)",
                                    "hit_rate_full = 90.00 (target 88.00)"));
}

TEST(Bench, DividesWhatUserModeLinuxMeasured)
{
    const auto figures =
        parse_uml_bench("    # sigverify_ticks: uml.sigverify_rsa2048_compute_ticks 227000\n"
                        "    # sigverify_ticks: uml.sigverify_rsa2048_hit_ticks 500\n"
                        "    # sigverify_ticks: uml.alone_compute_ticks 3\n"
                        "ok 1 sigverify_ticks\n");
    EXPECT_EQ(figures.values["uml.sigverify_rsa2048_hit_ticks"], 500);
    EXPECT_EQ(figures.values["uml.ratio_sigverify_rsa2048"], 454);
    EXPECT_EQ(figures.values.size(), 4U);
    EXPECT_THAT(figures.comments,
                ElementsAre("sigverify_rsa2048 compute / hit = 454 (target 500, missed)"));
    EXPECT_TRUE(parse_uml_bench("ok 1 nothing").values.empty());
}

} // namespace kcr::tool
