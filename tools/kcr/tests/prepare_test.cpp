// SPDX-License-Identifier: GPL-2.0
#include "prepare.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Prepare : public MiniProject
{
protected:
    fs::path hash() const
    {
        return project().src() / "crypto/hash.c";
    }
};

TEST_F(Prepare, UnpacksAndAppliesAndIsIdempotent)
{
    repo("kernel/kcr/core.c", "new");
    repo("patches/series", "1.patch\n");
    repo("patches/1.patch", hash_patch("four", "4"));
    auto report = prepare_tree(project());
    ASSERT_TRUE(report) << report.error().message << report.error().hint;
    EXPECT_TRUE(report->unpacked);
    EXPECT_TRUE(report->patches_applied);
    EXPECT_THAT(content(hash()), HasSubstr("\n4\n"));
    EXPECT_EQ(content(project().src() / "kernel/kcr/core.c"), "new");
    const auto time = fs::last_write_time(hash());
    report = prepare_tree(project());
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->unpacked);
    EXPECT_FALSE(report->patches_applied);
    EXPECT_EQ(report->files_written, 0);
    EXPECT_EQ(fs::last_write_time(hash()), time);
}

TEST_F(Prepare, ChangedSeriesKeepsTimestampsOfEqualFiles)
{
    repo("patches/series", "1.patch\n");
    repo("patches/1.patch", hash_patch("four", "4"));
    ASSERT_TRUE(prepare_tree(project()));
    const auto time = fs::last_write_time(hash());
    repo("patches/1.patch", "Reworded: yes\n" + hash_patch("four", "4"));
    const auto report = prepare_tree(project());
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->patches_applied);
    EXPECT_EQ(fs::last_write_time(hash()), time);
    repo("patches/1.patch", hash_patch("four", "IV"));
    ASSERT_TRUE(prepare_tree(project()));
    EXPECT_THAT(content(hash()), HasSubstr("\nIV\n"));
}

TEST_F(Prepare, PatchThatLeavesTheSeriesIsTakenBack)
{
    repo("patches/series", "1.patch\n");
    repo("patches/1.patch", hash_patch("four", "4"));
    ASSERT_TRUE(prepare_tree(project()));
    repo("patches/series", "");
    ASSERT_TRUE(prepare_tree(project()));
    EXPECT_THAT(content(hash()), HasSubstr("\nfour\n"));
}

TEST_F(Prepare, BrokenPatchIsNamedAndLeavesTheTreeClean)
{
    repo("patches/series", "bad.patch\n");
    repo("patches/bad.patch", hash_patch("nonsense", "4"));
    const auto report = prepare_tree(project());
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().message, HasSubstr("patches/bad.patch does not apply"));
    EXPECT_THAT(report.error().hint, HasSubstr("FAILED"));
    EXPECT_THAT(content(hash()), HasSubstr("\nfour\n"));
    repo("patches/bad.patch", hash_patch("four", "4"));
    EXPECT_TRUE(prepare_tree(project()));
}

TEST_F(Prepare, FuzzIsAnError)
{
    repo("patches/series", "fuzzy.patch\n");
    auto patch = hash_patch("four", "4");
    patch.replace(patch.find(" one\n"), 5, " ONE\n");
    repo("patches/fuzzy.patch", patch);
    EXPECT_FALSE(prepare_tree(project()));
}

TEST_F(Prepare, KilledWhilePatchingIsRepaired)
{
    repo("patches/series", "1.patch\n");
    repo("patches/1.patch", hash_patch("four", "4"));
    ASSERT_TRUE(prepare_tree(project()));
    auto state = content(project().src() / ".kcr-state");
    const auto at = state.find("\"series\": \"") + 11;
    state.replace(at, state.find('"', at) - at, "dirty");
    put(project().src() / ".kcr-state", state);
    put(hash(), "half written");
    ASSERT_TRUE(prepare_tree(project()));
    EXPECT_THAT(content(hash()), HasSubstr("\n4\n"));
}

TEST_F(Prepare, OverlayFileThatExistsUpstreamIsRefused)
{
    repo("crypto/hash.c", "mine");
    const auto report = prepare_tree(project());
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().message, HasSubstr("crypto/hash.c"));
}

TEST_F(Prepare, TruncatedTarballIsAClearError)
{
    fs::resize_file(tarball(), fs::file_size(tarball()) / 2);
    const auto report = prepare_tree(project());
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().message, HasSubstr("truncated or damaged"));
    EXPECT_FALSE(fs::exists(project().src()));
}

TEST_F(Prepare, MissingTarballIsAClearError)
{
    fs::remove(tarball());
    const auto report = prepare_tree(project());
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().hint, HasSubstr("apt-get install linux-source-6.12"));
}

TEST_F(Prepare, HalfUnpackedTreeIsReplaced)
{
    put(project().src() / "crypto/hash.c", "partial");
    ASSERT_TRUE(prepare_tree(project()));
    EXPECT_THAT(content(hash()), HasSubstr("\nfour\n"));
}

TEST(PrepareErrors, FullDiskIsSaid)
{
    const auto error =
        explain_unpack_failure("x.tar.xz", "tar: f: Cannot write: No space left on device");
    EXPECT_THAT(error.message, HasSubstr("disk is full"));
}

} // namespace kcr::tool
