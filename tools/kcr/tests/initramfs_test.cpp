// SPDX-License-Identifier: GPL-2.0
#include "initramfs.h"

#include <gtest/gtest.h>

namespace kcr::tool
{

TEST(Initramfs, JobKeepsNewlinesAndEmptyArguments)
{
    const Job job = {.argv = {"sh", "", "a\nb"}, .cwd = "/w", .env = {"A=1"}, .keep = {"/k"}};
    EXPECT_EQ(render_job(job),
              "cwd 2\n/w\nkeep 2\n/k\nenv 3\nA=1\narg 2\nsh\narg 0\n\narg 3\na\nb\n");
}

TEST(Initramfs, ArchiveIsNewcAlignedAndTerminated)
{
    const auto archive = render_cpio({{"init", 0100755, "12345"}});
    EXPECT_TRUE(archive.starts_with("070701"));
    EXPECT_EQ(archive.size() % 4, 0U);
    EXPECT_EQ(archive.substr(110, 5), std::string("init\0", 5));
    EXPECT_EQ(archive.substr(116, 5), "12345");
    EXPECT_NE(archive.find("TRAILER!!!"), std::string::npos);
}

} // namespace kcr::tool
