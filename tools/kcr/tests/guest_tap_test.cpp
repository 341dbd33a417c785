// SPDX-License-Identifier: GPL-2.0
#include "guest_tap.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;

const std::vector<GuestProgram> programs = {{"one", "/bin/one --fast"}, {"two", "/bin/two"}};

TEST(GuestTap, ScriptRunsEachWithALimit)
{
    const auto script = guest_script(programs, 30);
    EXPECT_THAT(script, HasSubstr("timeout 30 /bin/one --fast 2>&1"));
    EXPECT_THAT(script, HasSubstr("#kcr-end two"));
}

TEST(GuestTap, PassesCasesOnAndMissesTheLastProgram)
{
    Report report;
    report.begin_suite("guest");
    GuestTapFeed feed(report);
    feed.chunk("#kcr-begin one\n1..2\nok 1 a\nnot o");
    feed.chunk("k 2 b\n#kcr-end one 1\n#kcr-begin two\n");
    EXPECT_EQ(report.count(Verdict::passed), 1);
    EXPECT_EQ(report.count(Verdict::failed), 1);
    feed.finish(programs);
    EXPECT_EQ(report.count(Verdict::failed), 2);
    report.end_suite();
}

TEST(GuestTap, AStatusWithoutAFailedCaseIsAFailure)
{
    Report report;
    report.begin_suite("guest");
    GuestTapFeed feed(report);
    feed.chunk("#kcr-begin one\n1..1\nok 1 a\n#kcr-end one 139\n"
               "#kcr-begin two\n1..0 # SKIP no such thing\n#kcr-end two 4\n");
    feed.finish(programs);
    EXPECT_EQ(report.count(Verdict::failed), 1);
    EXPECT_EQ(report.count(Verdict::skipped), 1);
    report.end_suite();
}

} // namespace kcr::tool
