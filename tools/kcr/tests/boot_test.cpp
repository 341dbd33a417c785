// SPDX-License-Identifier: GPL-2.0
#include "boot.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Boot, CommandStatusIsPassedOn)
{
    EXPECT_THAT(judge_boot({.status = "ready\nexit 3\n"}), Pair(BootEnd::exited, 3));
    EXPECT_THAT(judge_boot({.status = "ready\nsignal 9\n"}), Pair(BootEnd::signaled, 9));
}

TEST(Boot, SplatCountsMoreThanSuccess)
{
    EXPECT_THAT(judge_boot({.status = "ready\nexit 0\n", .splat = true}), Pair(BootEnd::splat, 0));
    EXPECT_EQ(judge_boot({.timed_out = true, .splat = true}).first, BootEnd::splat);
}

TEST(Boot, WithoutAStatusTheVmIsLostOrLate)
{
    EXPECT_EQ(judge_boot({.status = "ready\n"}).first, BootEnd::lost);
    EXPECT_EQ(judge_boot({.status = "", .timed_out = true}).first, BootEnd::timeout);
}

TEST(Boot, BootWithoutACommandOnlyHasToBeReady)
{
    EXPECT_THAT(judge_boot({.status = "ready\n", .has_command = false}), Pair(BootEnd::exited, 0));
    EXPECT_EQ(judge_boot({.status = "", .has_command = false}).first, BootEnd::lost);
}

TEST(Boot, ExitCodesTellTheEndsApart)
{
    EXPECT_EQ(boot_exit_code(BootEnd::exited, 7), 7);
    EXPECT_EQ(boot_exit_code(BootEnd::signaled, 9), 137);
    EXPECT_EQ(boot_exit_code(BootEnd::timeout, 0), 124);
    EXPECT_EQ(boot_exit_code(BootEnd::splat, 0), 126);
    EXPECT_EQ(boot_exit_code(BootEnd::lost, 0), 127);
}

TEST(Boot, LostVmQuotesTheEmulator)
{
    BootOutcome outcome;
    outcome.emulator = "qemu: no such device\n";
    EXPECT_THAT(outcome.describe(), HasSubstr("no such device"));
}

} // namespace kcr::tool
