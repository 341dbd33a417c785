// SPDX-License-Identifier: GPL-2.0
#include "judge.h"
#include "render.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

namespace
{

const CostModel cost = {100, 1, "as the test says"};

/// A function with so many calls of a thousand nanoseconds, of which so many were repeats.
Measurement measured(const std::string& name, std::uint64_t calls, std::uint64_t repeats)
{
    Measurement found;
    found.target = {.function = name, .args = "val", .declared = true};
    found.attached = "fentry";
    found.counts.entered = calls;
    found.counts.returned = calls;
    found.counts.first = calls - repeats;
    found.counts.equal = repeats;
    found.counts.ns = 1000 * calls;
    found.counts.ns_all = found.counts.ns;
    found.counts.ns_calls = calls;
    found.counts.equal_ns = 1000 * repeats;
    found.counts.equal_ns_calls = repeats;
    found.results = 2;
    return found;
}

} // namespace

TEST(Judge, SavingIsRepeatsMinusAllLookups)
{
    auto one = measured("f", 10, 8);
    one.counts.bytes = 50;
    const auto finding = judge(one, cost);
    EXPECT_EQ(finding.verdict, Verdict::pays);
    EXPECT_DOUBLE_EQ(finding.repeats_ns, 8000);
    EXPECT_DOUBLE_EQ(finding.lookups_ns, 10 * 100 + 50);
    EXPECT_DOUBLE_EQ(finding.saving_ns, 6950);
}

TEST(Judge, ADearLookupLoses)
{
    auto one = measured("f", 10, 8);
    one.counts.bytes = 100000;
    EXPECT_EQ(judge(one, cost).verdict, Verdict::loses);
    EXPECT_LT(judge(one, cost).saving_ns, 0);
}

TEST(Judge, ADifferenceIsNeverWorthAnything)
{
    auto one = measured("f", 1000, 998);
    one.counts.equal -= 1;
    one.counts.differ = 1;
    const auto finding = judge(one, cost);
    EXPECT_EQ(finding.verdict, Verdict::differs);
    EXPECT_EQ(finding.saving_ns, 0);
}

TEST(Judge, OneResultIsNoEvidenceUnlessDeclared)
{
    auto one = measured("f", 10, 8);
    one.results = 1;
    EXPECT_EQ(judge(one, cost).verdict, Verdict::pays);
    one.target.declared = false;
    EXPECT_EQ(judge(one, cost).verdict, Verdict::constant);
    one.counts.first = 1; // one input can have only one result
    EXPECT_EQ(judge(one, cost).verdict, Verdict::constant);
    one.target.reads_memory = true;
    EXPECT_EQ(judge(one, cost).verdict, Verdict::pays);
}

TEST(Judge, CallsThatWaitedDoNotCountForTheMean)
{
    auto one = measured("f", 10, 8);
    one.counts.ns_all = 1000000;
    one.counts.ns_calls = 5;
    one.counts.ns = 5000;
    one.counts.equal_ns_calls = 4;
    one.counts.equal_ns = 4000;
    const auto finding = judge(one, cost);
    EXPECT_FALSE(finding.waits);
    EXPECT_DOUBLE_EQ(finding.mean_ns, 1000);
    EXPECT_DOUBLE_EQ(finding.repeats_ns, 8000);
    one.counts.ns_calls = 0;
    one.counts.equal_ns_calls = 0;
    EXPECT_TRUE(judge(one, cost).waits);
    EXPECT_DOUBLE_EQ(judge(one, cost).mean_ns, 100000);
}

TEST(Judge, OtherVerdicts)
{
    EXPECT_EQ(judge(measured("f", 0, 0), cost).verdict, Verdict::not_called);
    EXPECT_EQ(judge(measured("f", 5, 0), cost).verdict, Verdict::no_repeats);
    auto one = measured("f", 5, 0);
    one.counts.first = 0;
    one.counts.unreadable = 5;
    EXPECT_EQ(judge(one, cost).verdict, Verdict::not_seen);
    EXPECT_EQ(not_judged(one.counts), 5U);
    one.attached.clear();
    EXPECT_EQ(judge(one, cost).verdict, Verdict::not_attached);
}

TEST(Judge, RankedByWhatWouldBeSaved)
{
    auto impure = measured("impure", 100000, 99999);
    impure.counts.differ = 1;
    std::vector<std::string> names;
    for (const auto& finding : rank({measured("small", 10, 5), impure, measured("none", 10, 0),
                                     measured("large", 1000, 900)},
                                    cost))
        names.push_back(finding.measured.target.function);
    EXPECT_THAT(names, ElementsAre("large", "small", "none", "impure"));
}

TEST(Render, NumbersAreGrouped)
{
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(grouped(-1234), "-1,234");
    EXPECT_EQ(grouped(-0.2), "0");
}

TEST(Render, WhatWasNotSeenIsSaid)
{
    auto one = measured("f", 10, 8);
    one.counts.too_large = 3;
    one.counts.full = 2;
    const auto text = render_finding(judge(one, cost), {cost});
    EXPECT_THAT(text, HasSubstr("5: 3 too large, 2 with no room"));
    EXPECT_THAT(render_ranking({judge(one, cost)}, {cost}), HasSubstr("3 too large, 2 with no"));
}

TEST(Render, ADifferenceIsLoudAndSavesNothing)
{
    auto one = measured("f", 10, 8);
    one.counts.differ = 1;
    const auto text = render_finding(judge(one, cost), {cost});
    EXPECT_THAT(text, HasSubstr("NOT a function of what was declared"));
    EXPECT_THAT(text, Not(HasSubstr("would save")));
}

TEST(Render, NestingIsShown)
{
    auto one = measured("inner", 10, 8);
    one.inside = {{"outer", 6}, {"other", 1}};
    EXPECT_THAT(render_ranking({judge(one, cost)}, {cost}), HasSubstr("outer (75 %)"));
}

TEST(Render, JsonHasTheCounts)
{
    const auto json = to_json({judge(measured("f", 10, 8), cost)}, {cost});
    const auto& function = json.at("functions").at(0);
    EXPECT_EQ(function.at("calls"), 10);
    EXPECT_EQ(function.at("distinct"), 2);
    EXPECT_EQ(function.at("equal"), 8);
    EXPECT_EQ(function.at("differ"), 0);
    EXPECT_EQ(function.at("verdict"), "pays");
}

} // namespace kcr::ctl
