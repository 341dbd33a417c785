// SPDX-License-Identifier: GPL-2.0
#include "tap.h"

#include "text.h"

#include <gtest/gtest.h>

namespace kcr::tool
{

namespace
{

std::vector<TapCase> parse(std::string_view text)
{
    TapParser parser;
    for (const auto& line : split(text, '\n'))
        parser.add_line(line);
    parser.finish();
    return parser.results();
}

} // namespace

TEST(Tap, ReadsKselftestOutput)
{
    const auto cases = parse("TAP version 13\n1..3\nok 1 first case\n# what happened\n"
                             "not ok 2 - second\nok 3 third # SKIP no device\n");
    ASSERT_EQ(cases.size(), 3U);
    EXPECT_EQ(cases[0].name, "first case");
    EXPECT_EQ(cases[0].verdict, Verdict::passed);
    EXPECT_EQ(cases[1].name, "second");
    EXPECT_EQ(cases[1].verdict, Verdict::failed);
    EXPECT_EQ(cases[1].detail, "# what happened\n");
    EXPECT_EQ(cases[2].verdict, Verdict::skipped);
}

TEST(Tap, CountsOnlyTheInnermostCases)
{
    const auto cases = parse("KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: kcr_tier\n"
                             "    1..2\n    ok 1 stores\n    ok 2 finds\nok 1 kcr_tier\n");
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_EQ(cases[0].name, "kcr_tier.stores");
    EXPECT_EQ(cases[1].name, "kcr_tier.finds");
}

TEST(Tap, ParametersAreCasesOfTheirOwn)
{
    const auto cases =
        parse("1..1\n    # Subtest: s\n    1..1\n        # Subtest: p\n        ok 1 a\n"
              "        ok 2 b\n    ok 1 p\nok 1 s\n");
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_EQ(cases[1].name, "s.p.b");
}

TEST(Tap, TwoSuitesFollowEachOther)
{
    const auto cases = parse("1..2\n    # Subtest: a\n    1..1\n    ok 1 x\nok 1 a\n"
                             "    # Subtest: b\n    1..1\n    not ok 1 y\nnot ok 2 b\n");
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_EQ(cases[0].name, "a.x");
    EXPECT_EQ(cases[1].name, "b.y");
    EXPECT_EQ(cases[1].verdict, Verdict::failed);
}

TEST(Tap, GroupThatFailsByItselfCounts)
{
    const auto cases =
        parse("1..1\n    # Subtest: a\n    1..1\n    ok 1 x\n# suite exit failed\nnot ok 1 a\n");
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_EQ(cases[1].verdict, Verdict::failed);
}

TEST(Tap, MissingResultsAreFailures)
{
    const auto cases = parse("1..3\nok 1 a\n");
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_EQ(cases[1].verdict, Verdict::failed);
    EXPECT_EQ(cases[1].detail, "2 of 3 cases reported no result");
}

TEST(Tap, OtherOutputIsIgnored)
{
    EXPECT_TRUE(parse("booting\nok computer\n").size() <= 1);
    EXPECT_TRUE(parse("nothing here\nokay 1 no\n").empty());
}

} // namespace kcr::tool
