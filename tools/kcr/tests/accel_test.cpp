// SPDX-License-Identifier: GPL-2.0
#include "accel.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

TEST(Accel, ProbeImageIsABootSector)
{
    const auto sector = probe_boot_sector();
    ASSERT_EQ(sector.size(), 512U);
    EXPECT_EQ(sector.substr(510), "\x55\xaa");
}

TEST(Accel, ProbeUsesKvmAndTheDebugExit)
{
    const auto argv = probe_arguments("/i");
    EXPECT_THAT(argv, ::testing::Contains("kvm"));
    EXPECT_THAT(argv, ::testing::Contains("isa-debug-exit,iobase=0xf4,iosize=0x04"));
}

class AccelCache : public MiniProject
{
};

TEST_F(AccelCache, SecondAnswerIsRemembered)
{
    const auto first = find_accelerator(project());
    const auto second = find_accelerator(project());
    EXPECT_TRUE(second.cached);
    EXPECT_EQ(first.kvm, second.kvm);
    EXPECT_EQ(first.why, second.why);
}

} // namespace kcr::tool
