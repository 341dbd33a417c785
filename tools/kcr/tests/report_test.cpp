// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;

TEST(Report, CountsAndClosingLine)
{
    Report report;
    report.begin_suite("s");
    report.pass("a");
    report.fail("b", "why");
    report.skip("c", "no reason");
    report.check("d", Status());
    report.check("e", Error{"broken", "hint"});
    report.end_suite();
    EXPECT_EQ(report.closing_line(), "2 passed, 2 failed, 1 skipped");
}

TEST(Report, JunitNamesEveryCase)
{
    Report report;
    report.begin_suite("s");
    report.fail("a<b", "x & y");
    report.skip("c", "later");
    report.end_suite();
    const auto xml = report.junit_xml();
    EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\" skipped=\"1\""));
    EXPECT_THAT(xml, HasSubstr("name=\"a&lt;b\""));
    EXPECT_THAT(xml, HasSubstr("<failure>x &amp; y</failure>"));
    EXPECT_THAT(xml, HasSubstr("<skipped message=\"later\"/>"));
}

TEST(Report, ControlCharactersDoNotBreakTheXml)
{
    EXPECT_EQ(xml_escape("a\x1b[0m\n"), "a?[0m\n");
}

} // namespace kcr::tool
