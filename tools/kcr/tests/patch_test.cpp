// SPDX-License-Identifier: GPL-2.0
#include "patch.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace
{

constexpr const char* example = "From: KCR <k@example.com>\n"
                                "Subject: [PATCH 1/2] crypto: hook\n"
                                "\n"
                                "Why.\n"
                                "\n"
                                "Signed-off-by: KCR <k@example.com>\n"
                                "X-KCR-Overlay: kernel/kcr/* include/linux/kcr.h\n"
                                "X-KCR-Overlay: crypto/kcr.c\n"
                                "---\n"
                                "--- a/crypto/shash.c\n"
                                "+++ b/crypto/shash.c\n"
                                "@@ -1 +1 @@\n"
                                "-a\n"
                                "+b\n";

} // namespace

TEST(Patch, TakesHeaderAndDiffApart)
{
    const auto patch = parse_patch("1.patch", example);
    EXPECT_EQ(patch.subject(), "crypto: hook");
    EXPECT_EQ(patch.field("From"), "KCR <k@example.com>");
    EXPECT_EQ(patch.body(), "Why.\n\nSigned-off-by: KCR <k@example.com>\n");
    EXPECT_THAT(patch.overlays, ElementsAre("kernel/kcr/*", "include/linux/kcr.h", "crypto/kcr.c"));
    EXPECT_THAT(patch.touched, ElementsAre("crypto/shash.c"));
    EXPECT_THAT(patch.created, IsEmpty());
}

TEST(Patch, DetectsCreatedAndDeletedFiles)
{
    const auto patch = parse_patch("x", "--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+x\n"
                                        "--- a/mm/old.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
    EXPECT_THAT(patch.created, ElementsAre("mm/new.c", "mm/old.c"));
}

TEST(Patch, RemovedLinesThatLookLikeHeadersDoNotCount)
{
    const auto patch = parse_patch("x", "--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n--- a/g\n x\n");
    EXPECT_THAT(patch.touched, ElementsAre("f"));
}

TEST(Patch, SeriesIgnoresCommentsAndOptions)
{
    EXPECT_THAT(parse_series("# c\n1.patch\n\n2.patch -p1 # x\n"),
                ElementsAre("1.patch", "2.patch"));
}

class SeriesFiles : public MiniProject
{
};

TEST_F(SeriesFiles, PatchThatCreatesAFileIsRefused)
{
    repo("patches/series", "new.patch\n");
    repo("patches/new.patch", "--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+x\n");
    const auto series = load_series(project());
    ASSERT_FALSE(series);
    EXPECT_THAT(series.error().message, HasSubstr("creates or deletes mm/new.c"));
}

TEST_F(SeriesFiles, MissingPatchIsNamed)
{
    repo("patches/series", "gone.patch\n");
    const auto series = load_series(project());
    ASSERT_FALSE(series);
    EXPECT_THAT(series.error().message, HasSubstr("gone.patch"));
}

} // namespace kcr::tool
