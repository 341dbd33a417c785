// SPDX-License-Identifier: GPL-2.0
#include "process.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Process, ReportsOutputAndStatus)
{
    const auto exit = run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 3);
    EXPECT_EQ(exit->output, "out\nerr\n");
    EXPECT_EQ(exit->describe(), "exit status 3");
}

TEST(Process, PassesLinesOnAlsoAnUnfinishedOne)
{
    std::vector<std::string> lines;
    Command command{.argv = {"printf", "a\\nb"}};
    command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    ASSERT_TRUE(run(command));
    EXPECT_THAT(lines, ElementsAre("a", "b"));
}

TEST(Process, TimeoutEndsTheWholeGroup)
{
    const double start = now_s();
    const auto exit = run({.argv = {"sh", "-c", "sleep 60 & sleep 60"}, .timeout_s = 0.3});
    ASSERT_TRUE(exit);
    EXPECT_TRUE(exit->timed_out);
    EXPECT_LT(now_s() - start, 10);
}

TEST(Process, RunOkQuotesTheOutputOfAFailure)
{
    const auto done = run_ok({.argv = {"sh", "-c", "echo reason; exit 1"}});
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().hint, HasSubstr("reason"));
}

TEST(Process, MissingProgramIsAnError)
{
    EXPECT_FALSE(run_ok({.argv = {"/nonexistent/program"}}));
    EXPECT_FALSE(have_program("nonexistent-program"));
    EXPECT_TRUE(have_program("sh"));
}

TEST(Process, DestructorOfAChildKillsIt)
{
    pid_t pid = -1;
    {
        auto child = spawn({.argv = {"sleep", "60"}}, 1, 2);
        ASSERT_TRUE(child);
        pid = child->pid();
    }
    EXPECT_NE(::kill(pid, 0), 0);
}

} // namespace kcr::tool
