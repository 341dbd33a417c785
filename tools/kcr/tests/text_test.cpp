// SPDX-License-Identifier: GPL-2.0
#include "text.h"

#include "tempdir.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;

TEST(Text, SplitKeepsEmptyFieldsButNoTrailingOne)
{
    EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b"));
    EXPECT_TRUE(split("", ',').empty());
}

TEST(Text, WordsSplitsAtAnyBlank)
{
    EXPECT_THAT(words("  a\t b\nc "), ElementsAre("a", "b", "c"));
}

TEST(Text, EditDistanceCountsSwapsAsOne)
{
    EXPECT_EQ(edit_distance("boot", "boot"), 0U);
    EXPECT_EQ(edit_distance("boto", "boot"), 1U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kasan", "kcsan"), 1U);
}

TEST(Text, NearestWordFindsTyposAndPrefixesOnly)
{
    const std::vector<std::string> valid = {"kunit-uml", "kselftest", "series"};
    EXPECT_EQ(nearest_word("serise", valid), "series");
    EXPECT_EQ(nearest_word("kself", valid), "kselftest");
    EXPECT_EQ(nearest_word("xyz", valid), std::nullopt);
}

TEST(Text, UnknownWordNamesTheNearestAndAllValid)
{
    const std::vector<std::string> valid = {"prepare", "build"};
    const auto error = unknown_word("command", "biuld", valid);
    EXPECT_EQ(error.message, "unknown command 'biuld'; did you mean 'build'?");
    EXPECT_EQ(error.hint, "valid: prepare build");
}

TEST(Text, GlobStarMatchesSlashes)
{
    EXPECT_TRUE(glob_match("kernel/kcr/*", "kernel/kcr/tests/a.c"));
    EXPECT_FALSE(glob_match("kernel/kcr/*.h", "kernel/kcr/a.c"));
}

TEST(Text, AtomicWriteReplacesAndLeavesNoTemporary)
{
    const auto dir = TempDir::make(std::filesystem::temp_directory_path());
    ASSERT_TRUE(dir);
    const auto file = dir->path() / "f";
    ASSERT_TRUE(write_file_atomic(file, "one"));
    ASSERT_TRUE(write_file_atomic(file, "two"));
    EXPECT_EQ(*read_file(file), "two");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir->path()), {}), 1);
}

TEST(Text, AtomicWriteToAFullDiskIsAnErrorThatSaysSo)
{
    const auto status = write_file_atomic("/nonexistent/dir/f", "x");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, ::testing::HasSubstr("/nonexistent/dir/f"));
}

TEST(Text, HumanSeconds)
{
    EXPECT_EQ(human_seconds(0.42), "0.4s");
    EXPECT_EQ(human_seconds(59), "59s");
    EXPECT_EQ(human_seconds(83), "1m 23s");
}

} // namespace kcr::tool
