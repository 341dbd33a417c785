// SPDX-License-Identifier: GPL-2.0
#include "progress.h"

#include <gtest/gtest.h>

namespace kcr::tool
{

TEST(Progress, EstimatesFromWhatIsDone)
{
    EXPECT_DOUBLE_EQ(estimate_remaining(10, 25, 100), 30);
    EXPECT_DOUBLE_EQ(estimate_remaining(10, 100, 100), 0);
}

TEST(Progress, UnknownWithoutTotalOrStart)
{
    EXPECT_LT(estimate_remaining(10, 0, 100), 0);
    EXPECT_LT(estimate_remaining(10, 5, 0), 0);
    EXPECT_LT(estimate_remaining(10, 101, 100), 0);
}

} // namespace kcr::tool
