// SPDX-License-Identifier: GPL-2.0
#include "series.h"

#include "mini_project.h"
#include "prepare.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Series, EveryOverlayFileNeedsExactlyOnePatch)
{
    Patch one;
    one.name = "1";
    one.overlays = {"kernel/kcr/*"};
    Patch two;
    two.name = "2";
    two.overlays = {"crypto/*"};
    const auto owners = assign_overlay({one, two}, {{"kernel/kcr/a.c", "a"}, {"crypto/b.c", "b"}});
    ASSERT_TRUE(owners);
    EXPECT_THAT(owners->at("1"), ElementsAre("kernel/kcr/a.c"));
    const auto none = assign_overlay({one}, {{"mm/c.c", "mm/c.c"}});
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().message, HasSubstr("no patch of the series names mm/c.c"));
    two.overlays = {"*"};
    const auto both = assign_overlay({one, two}, {{"kernel/kcr/a.c", "a"}});
    ASSERT_FALSE(both);
    EXPECT_THAT(both.error().message, HasSubstr("more than one"));
}

class SeriesExport : public MiniProject
{
protected:
    void SetUp() override
    {
        MiniProject::SetUp();
        repo("kernel/kcr/core.c", "int x;\n");
        repo("patches/series", "1.patch\n");
        auto patch = hash_patch("four", "4");
        patch.insert(patch.find("---\n"), "X-KCR-Overlay: kernel/kcr/*\n");
        repo("patches/1.patch", patch);
        ASSERT_TRUE(prepare_tree(project()));
    }
};

TEST_F(SeriesExport, MailsApplyAndHoldOverlayAndHooks)
{
    const auto mails = export_series(project(), root() / "mails");
    ASSERT_TRUE(mails) << mails.error().message << mails.error().hint;
    ASSERT_EQ(mails->size(), 2U);
    const auto cover = content((*mails)[0]);
    EXPECT_THAT(cover, Not(HasSubstr("***")));
    const auto mail = content((*mails)[1]);
    EXPECT_THAT(mail, HasSubstr("Subject: [PATCH 1/1] crypto: change four"));
    EXPECT_THAT(mail, HasSubstr("new file mode"));
    EXPECT_THAT(mail, HasSubstr("+int x;"));
    EXPECT_THAT(mail, Not(HasSubstr("X-KCR-Overlay")));
    EXPECT_TRUE(check_git_am(project(), {(*mails)[1]}));
}

TEST_F(SeriesExport, ExportIsReproducible)
{
    const auto first = export_series(project(), root() / "a");
    const auto second = export_series(project(), root() / "b");
    ASSERT_TRUE(first && second);
    EXPECT_EQ(content((*first)[1]), content((*second)[1]));
}

TEST_F(SeriesExport, GitAmNoticesADifferingTree)
{
    const auto mails = export_series(project(), root() / "mails");
    ASSERT_TRUE(mails);
    put(project().src() / "kernel/kcr/core.c", "other");
    const auto status = check_git_am(project(), {(*mails)[1]});
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("kernel/kcr/core.c"));
}

} // namespace kcr::tool
