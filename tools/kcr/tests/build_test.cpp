// SPDX-License-Identifier: GPL-2.0
#include "build.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Build, ArgumentsUseARelativeObjectDirectory)
{
    const auto argv = make_arguments({.tree = "/k/src", .config = "nokcr", .extra = {"W=1"}}, 3);
    EXPECT_THAT(argv, ElementsAre("make", "-C", "/k/src", "O=o-nokcr", "CC=ccache gcc",
                                  "HOSTCC=ccache gcc", "-j3", "W=1", "bzImage"));
}

TEST(Build, EnvironmentIsReproducible)
{
    const auto environment = make_environment(Project("/repo"));
    EXPECT_THAT(environment, Contains(Pair("KBUILD_BUILD_USER", "kcr")));
    EXPECT_THAT(environment, Contains(Pair("CCACHE_DIR", "/repo/build/cache/ccache")));
}

TEST(Build, CountsObjectLinesOnly)
{
    EXPECT_TRUE(announces_object("  CC      mm/slub.o"));
    EXPECT_TRUE(announces_object("  AS      arch/x86/entry/entry.o"));
    EXPECT_FALSE(announces_object("  GEN     include/generated/a.h"));
    EXPECT_FALSE(announces_object("make[1]: Entering directory"));
}

TEST(Build, FailureLinesAreTheCompilersErrors)
{
    const auto lines = failure_lines("  CC      a.o\n../a.c:3:1: error: expected ';'\n"
                                     "    3 | x\n      | ^\n  CC      b.o\n"
                                     "make[2]: *** [a.o] Error 1\n");
    EXPECT_THAT(lines, Contains("../a.c:3:1: error: expected ';'"));
    EXPECT_THAT(lines, Contains("make[2]: *** [a.o] Error 1"));
    EXPECT_THAT(lines, ::testing::Not(Contains("  CC      b.o")));
}

class Configure : public MiniProject
{
};

TEST_F(Configure, VanishedOptionIsAnErrorThatNamesIt)
{
    repo("configs/base.config", "CONFIG_GONE=y\n");
    const auto tree = root() / "tree";
    put(tree / "Makefile", "allnoconfig:\n\t@echo '# empty' > $(KCONFIG_CONFIG)\n");
    const auto status = configure(project(), {.tree = tree, .config = "base"});
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("CONFIG_GONE=y"));
    EXPECT_THAT(status.error().hint, HasSubstr("no Kconfig file defines it"));
}

TEST_F(Configure, ConfigIsKeptIfNothingChanged)
{
    repo("configs/base.config", "CONFIG_A=y\n");
    const auto tree = root() / "tree";
    put(tree / "Makefile", "allnoconfig:\n\t@echo CONFIG_A=y > $(KCONFIG_CONFIG)\n");
    ASSERT_TRUE(configure(project(), {.tree = tree, .config = "base"}));
    const auto config = tree / "o-base/.config";
    const auto time = std::filesystem::last_write_time(config);
    put(tree / "Makefile", "allnoconfig:\n\t@false\n");
    ASSERT_TRUE(configure(project(), {.tree = tree, .config = "base"}));
    EXPECT_EQ(std::filesystem::last_write_time(config), time);
}

} // namespace kcr::tool
