// SPDX-License-Identifier: GPL-2.0
#include "cmake.h"

#include "tempdir.h"
#include "text.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <optional>

namespace kcr::tool
{

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace
{

/// A program that prints what a GoogleTest program might.
class Gtest : public ::testing::Test
{
protected:
    void SetUp() override
    {
        auto made = TempDir::make(fs::temp_directory_path());
        ASSERT_TRUE(made);
        dir_.emplace(std::move(*made));
        report_.begin_suite("native");
    }

    void run(const std::string& script)
    {
        const auto program = dir_->path() / "tests";
        ASSERT_TRUE(write_file_atomic(program.string(), "#!/bin/sh\n" + script));
        fs::permissions(program, fs::perms::owner_all);
        const Project project(dir_->path());
        SuiteContext context{project, report_};
        run_gtest(context, {.program = program, .prefix = "asan "});
        report_.end_suite();
    }

    Report report_;

private:
    std::optional<TempDir> dir_;
};

TEST_F(Gtest, ReportsEachCase)
{
    run("echo '[       OK ] Tier.Reads (3 ms)'\n"
        "echo 'a.cpp:3: Failure'\n"
        "echo '[  FAILED  ] Bits/Model.Agrees/1, where GetParam() = 12 (3 ms)'\n"
        "echo '[  FAILED  ] Bits/Model.Agrees/1, where GetParam() = 12'\n"
        "exit 1\n");
    EXPECT_EQ(report_.closing_line(), "1 passed, 1 failed, 0 skipped");
    EXPECT_THAT(report_.junit_xml(), HasSubstr("\"asan Tier.Reads\""));
    EXPECT_THAT(report_.junit_xml(), HasSubstr("\"asan Bits/Model.Agrees/1\""));
    EXPECT_THAT(report_.junit_xml(), HasSubstr("a.cpp:3: Failure"));
}

TEST_F(Gtest, FailsIfASanitizerComplainsAfterwards)
{
    run("echo '[       OK ] Tier.Reads (3 ms)'\necho 'WARNING: data race'\nexit 66\n");
    EXPECT_EQ(report_.closing_line(), "1 passed, 1 failed, 0 skipped");
    EXPECT_THAT(report_.junit_xml(), HasSubstr("data race"));
}

TEST_F(Gtest, FailsIfThereIsNoCaseAtAll)
{
    run("exit 0\n");
    EXPECT_EQ(report_.closing_line(), "0 passed, 1 failed, 0 skipped");
}

} // namespace

TEST(Tail, KeepsTheLastLines)
{
    EXPECT_EQ(tail("a\nb\nc", 2), "b\nc");
    EXPECT_EQ(tail("a", 2), "a");
}

} // namespace kcr::tool
