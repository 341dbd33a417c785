// SPDX-License-Identifier: GPL-2.0
#include "overlay.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(Overlay, MapsFoldersOfTheRepository)
{
    EXPECT_EQ(overlay_target("Kconfig"), "kernel/kcr/Kconfig");
    EXPECT_EQ(overlay_target("selftests/tap.hpp"), "tools/testing/selftests/kcr/tap.hpp");
    EXPECT_EQ(overlay_target("include/linux/kcr.h"), "include/linux/kcr.h");
    EXPECT_EQ(overlay_target("tools/kcr/src/main.cpp"), "");
    EXPECT_EQ(overlay_target("README.md"), "");
}

class OverlayFiles : public MiniProject
{
};

TEST_F(OverlayFiles, FindsNewFilesAndLeavesScratchOut)
{
    repo("Kconfig", "k");
    repo("kernel/kcr/core.c", "c");
    repo("kernel/kcr/core.c~", "backup");
    repo("README.md", "r");
    EXPECT_THAT(find_overlay(root()),
                UnorderedElementsAre(Pair("kernel/kcr/Kconfig", "Kconfig"),
                                     Pair("kernel/kcr/core.c", "kernel/kcr/core.c")));
}

TEST_F(OverlayFiles, SyncWritesOnlyWhatDiffers)
{
    repo("kernel/kcr/a.c", "a");
    repo("kernel/kcr/b.c", "b");
    const auto tree = root() / "tree";
    const auto overlay = find_overlay(root());
    auto counts = sync_overlay(root(), tree, overlay, {});
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->written, 2);
    const auto before = std::filesystem::last_write_time(tree / "kernel/kcr/a.c");
    repo("kernel/kcr/b.c", "changed");
    counts = sync_overlay(root(), tree, overlay, {});
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->written, 1);
    EXPECT_EQ(counts->unchanged, 1);
    EXPECT_EQ(std::filesystem::last_write_time(tree / "kernel/kcr/a.c"), before);
    EXPECT_EQ(content(tree / "kernel/kcr/b.c"), "changed");
}

TEST_F(OverlayFiles, SyncRemovesWhatLeftTheRepository)
{
    repo("kernel/kcr/a.c", "a");
    const auto tree = root() / "tree";
    put(tree / "kernel/kcr/old.c", "old");
    const auto counts = sync_overlay(root(), tree, find_overlay(root()), {"kernel/kcr/old.c"});
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->removed, 1);
    EXPECT_FALSE(std::filesystem::exists(tree / "kernel/kcr/old.c"));
}

TEST(Overlay, FileThatExistsUpstreamIsRefused)
{
    const auto status = check_overlay_is_new({{"crypto/shash.c", "crypto/shash.c"}},
                                             {"crypto/shash.c", "Makefile"});
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("crypto/shash.c"));
}

} // namespace kcr::tool
