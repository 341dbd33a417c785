// SPDX-License-Identifier: GPL-2.0
// Programs that lock themselves in, and those that are started in a sandbox.
#include "harness.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace
{

constexpr int reused_status = 42;

class Sandbox : public testing::TestWithParam<Binding>
{
};

TEST_P(Sandbox, BySystemCall)
{
    const auto plain = run_scenario({"sandbox"}, {}, GetParam());
    EXPECT_EQ(plain.status, 0);
    const auto reused =
        run_scenario({"sandbox"}, subject_memos(true), GetParam(), {"KCR_TEST_REUSED=1"});
    EXPECT_EQ(plain.output, reused.output);
    ASSERT_TRUE(WIFEXITED(reused.status)) << "killed by signal " << WTERMSIG(reused.status);
    EXPECT_EQ(WEXITSTATUS(reused.status), reused_status) << "results from before are not used";
}

TEST_P(Sandbox, ByPrctl)
{
    const auto plain = run_scenario({"sandbox"}, {}, GetParam(), {"KCR_TEST_BY_PRCTL=1"});
    EXPECT_EQ(plain.status, 0);
    const auto reused = run_scenario({"sandbox"}, subject_memos(true), GetParam(),
                                     {"KCR_TEST_BY_PRCTL=1", "KCR_TEST_REUSED=1"});
    EXPECT_EQ(plain.output, reused.output);
    ASSERT_TRUE(WIFEXITED(reused.status)) << "killed by signal " << WTERMSIG(reused.status);
    EXPECT_EQ(WEXITSTATUS(reused.status), reused_status) << "results from before are not used";
}

INSTANTIATE_TEST_SUITE_P(Memo, Sandbox, testing::Values(Binding::lazy, Binding::now),
                         [](const auto& instance) {
                             return instance.param == Binding::lazy ? "Lazy" : "Now";
                         });

TEST(SandboxBefore, NothingIsReusedInIt)
{
    // As if kcrctl had been outside: one filter less than there are
    auto memo = memo_of("libkcr-subject.so:subject_i32(i32,i32)->i32", true);
    const auto line = memo.find('\n');
    memo = memo.substr(0, memo.rfind('\t', line) + 1) + "77" + memo.substr(line);
    const auto plain = run_scenario({"integers"}, {});
    const auto reused = run_scenario({"integers"}, memo);
    EXPECT_EQ(plain.output, reused.output);
    EXPECT_TRUE(reused.functions.empty());
}

} // namespace
