// SPDX-License-Identifier: GPL-2.0
// Programs behave as they do without their functions being reused.
#include "harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace
{

constexpr unsigned state_rejected = 3;

struct Case {
    std::string scenario;
    std::vector<std::string> reused; ///< functions that are answered from memory
};

void PrintTo(const Case& value, std::ostream* out)
{
    *out << value.scenario;
}

class Scenario : public testing::TestWithParam<Case>
{
protected:
    static void compare(Binding binding, bool pure)
    {
        const auto& param = GetParam();
        const auto plain = run_scenario({param.scenario}, {}, binding);
        const auto reused = run_scenario({param.scenario}, subject_memos(pure), binding);
        EXPECT_FALSE(plain.output.empty());
        EXPECT_EQ(plain.output, reused.output);
        EXPECT_EQ(plain.status, reused.status);
        EXPECT_EQ(reused.errors, "");
        for (const auto& function : param.reused) {
            ASSERT_TRUE(reused.functions.contains(function)) << function << " was not bound";
            EXPECT_GT(reused.functions.at(function).hits, 0U) << function;
            EXPECT_GT(reused.functions.at(function).computed, 0U) << function;
        }
    }
};

TEST_P(Scenario, SameWhenBoundLazily)
{
    compare(Binding::lazy, true);
}

TEST_P(Scenario, SameWhenBoundAtOnce)
{
    compare(Binding::now, true);
}

TEST_P(Scenario, SameWhenLearnt)
{
    const auto& param = GetParam();
    const auto plain = run_scenario({param.scenario}, {});
    const auto reused = run_scenario({param.scenario}, subject_memos(false));
    EXPECT_EQ(plain.output, reused.output);
    EXPECT_EQ(plain.status, reused.status);
}

INSTANTIATE_TEST_SUITE_P(
    Memo, Scenario,
    testing::Values(
        Case{"integers", {"subject_u8", "subject_i16", "subject_i32", "subject_six"}},
        Case{"floating", {"subject_f32", "subject_eight", "subject_mixed", "subject_same"}},
        Case{"structures",
             {"subject_two_doubles", "subject_struct", "subject_floats", "subject_padded",
              "subject_words", "subject_takes_two", "subject_takes_padded"}},
        Case{"memory", {"subject_sum", "subject_sum_words", "subject_text"}},
        Case{"outputs",
             {"subject_fill", "subject_reverse", "subject_name", "subject_static",
              "subject_double_bytes", "subject_some"}},
        Case{"stack_arguments", {"subject_ten", "subject_seven", "subject_object"}},
        Case{"effects", {"subject_effects"}}, Case{"rounding", {"subject_third"}},
        Case{"throwing", {"subject_throws"}}, Case{"jumping", {"subject_jumps"}},
        Case{"recursion", {"subject_recursive"}}, Case{"signals", {"subject_i32"}},
        Case{"threads", {"subject_i32", "subject_sum"}}, Case{"forking", {"subject_i32"}},
        Case{"symbols", {"subject_i32"}}, Case{"large", {"subject_large"}}, Case{"descriptors", {}},
        Case{"stack", {"subject_i32"}}, Case{"watching", {"subject_watched"}}),
    [](const auto& instance) { return instance.param.scenario; });

TEST(Memo, WhatIsWatchedIsReused)
{
    const auto reused = run_scenario({"watching"}, subject_memos(true));
    const auto& counts = reused.functions.at("subject_watched");
    EXPECT_GT(counts.hits, counts.computed);
}

TEST(Memo, RecursionIsReused)
{
    const auto reused = run_scenario({"recursion"}, subject_memos(true));
    // 22,000 calls without reuse
    EXPECT_LT(reused.functions.at("subject_recursive").computed, 2000U);
}

TEST(Memo, SignalsOfFloatingPointArePlain)
{
    const auto plain = run_scenario({"control"}, {});
    const auto reused = run_scenario({"control"}, subject_memos(true));
    EXPECT_TRUE(WIFSIGNALED(plain.status) && WTERMSIG(plain.status) == SIGFPE);
    EXPECT_EQ(plain.status, reused.status);
    EXPECT_EQ(plain.output, reused.output);
}

TEST(Memo, LearningCatchesWhatIsNotPure)
{
    const auto plain = run_scenario({"impure"}, {});
    const auto reused = run_scenario({"impure"}, subject_memos(false));
    EXPECT_EQ(plain.output, reused.output);
    EXPECT_EQ(reused.functions.at("subject_impure").state, state_rejected);
    EXPECT_EQ(reused.functions.at("subject_impure").hits, 0U);
}

TEST(Memo, OneWhoVouchesIsBelieved)
{
    // That is what makes the test above one that can fail
    const auto plain = run_scenario({"impure"}, {});
    const auto reused = run_scenario({"impure"}, subject_memos(true));
    EXPECT_NE(plain.output, reused.output);
}

TEST(Memo, LibrariesThatAreLoadedLater)
{
    const std::string path = KCR_MEMO_BUILD "/libkcr-plugin.so";
    const auto plain = run_scenario({"plugin", path}, {});
    const auto reused = run_scenario({"plugin", path}, subject_memos(true));
    EXPECT_EQ(plain.output, reused.output);
    EXPECT_GT(reused.functions.at("subject_i32").hits, 0U);
}

TEST(Memo, OnlyWhatWasAskedFor)
{
    const auto reused =
        run_scenario({"integers"}, memo_of("libkcr-subject.so:subject_i32(i32,i32)->i32", true));
    EXPECT_EQ(reused.functions.size(), 1U);
    EXPECT_GT(reused.functions.at("subject_i32").hits, 0U);
}

TEST(Memo, OtherLibrariesOfThatNameAreLeftAlone)
{
    const auto reused =
        run_scenario({"integers"}, memo_of("libother.so:subject_i32(i32,i32)->i32", true));
    EXPECT_TRUE(reused.functions.empty());
}

TEST(Memo, NonsenseIsPassedOver)
{
    const auto plain = run_scenario({"integers"}, {});
    const auto memo = memo_of("libkcr-subject.so:subject_i32(i32,i32)->i32", true);
    for (std::size_t length = 1; length < memo.size(); ++length) {
        const auto reused = run_scenario({"integers"}, memo.substr(0, length));
        EXPECT_EQ(plain.output, reused.output) << memo.substr(0, length);
        EXPECT_EQ(plain.status, reused.status);
        EXPECT_TRUE(reused.functions.empty()) << memo.substr(0, length);
    }
}

TEST(Memo, ProgramsThatDoNotCallThem)
{
    const auto reused = run_command({"sh", "-c", "ls / | head -2 >/dev/null; echo done; exit 3"},
                                    subject_memos(true));
    EXPECT_EQ(reused.output, "done\n");
    EXPECT_EQ(reused.errors, "");
    EXPECT_EQ(WEXITSTATUS(reused.status), 3);
}

} // namespace
