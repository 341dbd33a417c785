// SPDX-License-Identifier: GPL-2.0
#include "demo.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;
using ::testing::Not;

namespace
{

nlohmann::ordered_json document(bool identical)
{
    return nlohmann::ordered_json::parse(R"({"tree":"/t","files":2,"blocks":3,"duplicate_blocks":1,
      "bytes":12288,"passes":2,"unit":"instructions","answers":12000,"sites":[{"name":"hash",
      "algorithm":"sha256","requests":6,"hits":{"l2":0,"l3":4},"misses":{"cold":2,"stale":0},
      "instructions":{"compute":108025,"hit":null},"plain_total":1000,"reuse_total":1250,
      "saved":-250,"saved_percent":-25.0,"mismatches":0}],"identical":)" +
                                         std::string(identical ? "true}" : "false}"));
}

} // namespace

TEST(Demo, ShowsEachSite)
{
    const auto text = render_demo(document(true));
    EXPECT_THAT(text, HasSubstr("hash (sha256)"));
    EXPECT_THAT(text, HasSubstr("0 in L2, 4 in L3"));
    EXPECT_THAT(text, HasSubstr("2 cold"));
    EXPECT_THAT(text, Not(HasSubstr("stale")));
    EXPECT_THAT(text, HasSubstr("108,025"));
    EXPECT_THAT(text, HasSubstr("all 12,000 answers identical"));
}

TEST(Demo, ALossIsCalledALoss)
{
    EXPECT_THAT(render_demo(document(true)),
                ::testing::ContainsRegex("lost +250 instructions \\(25.0 %\\)"));
}

TEST(Demo, DifferingAnswersAreSaid)
{
    EXPECT_THAT(render_demo(document(false)), HasSubstr("ANSWERS DIFFER"));
}

TEST(Demo, GroupsDigits)
{
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(-1234567), "-1,234,567");
}

} // namespace kcr::tool
