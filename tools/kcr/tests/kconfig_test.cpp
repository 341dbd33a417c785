// SPDX-License-Identifier: GPL-2.0
#include "kconfig.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Kconfig, ReadsSetAndUnsetOptions)
{
    EXPECT_THAT(
        parse_fragment("# note\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x=y\"\n"),
        ElementsAre(Pair("CONFIG_A", "y"), Pair("CONFIG_B", "n"), Pair("CONFIG_C", "\"x=y\"")));
}

TEST(Kconfig, RenderIsReadBackTheSame)
{
    const Fragment fragment = {{"CONFIG_A", "y"}, {"CONFIG_B", "n"}, {"CONFIG_C", "64"}};
    EXPECT_EQ(parse_fragment(render_fragment(fragment)), fragment);
}

TEST(Kconfig, LaterFragmentWins)
{
    const auto merged = merge_fragments({{"CONFIG_KCR", "y"}}, {{"CONFIG_KCR", "n"}});
    EXPECT_THAT(merged, ElementsAre(Pair("CONFIG_KCR", "n")));
}

TEST(Kconfig, VanishedOptionIsNamed)
{
    const Fragment wanted = {{"CONFIG_A", "y"}, {"CONFIG_B", "n"}, {"CONFIG_GONE", "y"}};
    EXPECT_THAT(missing_options(wanted, {{"CONFIG_A", "y"}}), ElementsAre("CONFIG_GONE=y (is n)"));
    EXPECT_THAT(missing_options({{"CONFIG_B", "n"}}, {{"CONFIG_B", "y"}}),
                ElementsAre("CONFIG_B=n (is y)"));
    EXPECT_THAT(missing_options({{"CONFIG_A", "y"}}, {{"CONFIG_A", "y"}}), IsEmpty());
}

TEST(Kconfig, VariantsBuildOnBase)
{
    EXPECT_THAT(fragment_files("base"), ElementsAre("base.config"));
    EXPECT_THAT(fragment_files("nokcr"), ElementsAre("base.config", "nokcr.config"));
}

class ConfigFiles : public MiniProject
{
};

TEST_F(ConfigFiles, UnknownConfigGetsTheNearestName)
{
    repo("configs/base.config", "CONFIG_A=y\n");
    repo("configs/nokcr.config", "# CONFIG_A is not set\n");
    const auto config = load_config(project(), "nokrc");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().message, HasSubstr("did you mean 'nokcr'?"));
    const auto merged = load_config(project(), "nokcr");
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->at("CONFIG_A"), "n");
}

} // namespace kcr::tool
