// SPDX-License-Identifier: GPL-2.0
#include "upstream_mm.h"

#include <gtest/gtest.h>

namespace kcr::tool
{
namespace
{

TEST(UpstreamMm, NumbersCasesOfOneName)
{
    const auto results = parse_mm_results("#kcr-begin cow\nTAP version 13\n1..2\n"
                                          "ok 1 No leak\nnot ok 2 No leak\n#kcr-end 1\n");
    EXPECT_EQ(results, (TestResults{{"mm cow 001 No leak", "passes"},
                                    {"mm cow 002 No leak", "fails"},
                                    {"mm cow ends with", "1"}}));
}

TEST(UpstreamMm, ReadsWhatIsNoTap)
{
    const auto results =
        parse_mm_results("#kcr-begin uffd-unit-tests\nTesting move on anon... done\n"
                         "Testing wp on hugetlb... skipped [reason: no pages]\n"
                         "Testing poison on shmem... failed [reason: why]\n#kcr-end 1\n");
    EXPECT_EQ(results.at("mm uffd-unit-tests 001 move on anon"), "done");
    EXPECT_EQ(results.at("mm uffd-unit-tests 002 wp on hugetlb"), "skipped");
    EXPECT_EQ(results.at("mm uffd-unit-tests 003 poison on shmem"), "failed");
}

TEST(UpstreamMm, SaysWhichProgramHasNotEnded)
{
    const auto results = parse_mm_results("#kcr-begin cow\n#kcr-end 0\n#kcr-begin mkdirty\nBUG\n");
    EXPECT_EQ(results.at("mm cow ends with"), "0");
    EXPECT_EQ(results.at("mm mkdirty ends with"), "nothing");
}

TEST(UpstreamMm, RunsEachProgramOnce)
{
    const auto script = mm_script("/programs", 60);
    for (const auto& program : mm_programs()) {
        const auto at = script.find("timeout 60 /programs/" + program + " ");
        EXPECT_NE(at, std::string::npos) << program;
        EXPECT_EQ(script.find("/programs/" + program + " ", at + 20 + program.size()),
                  std::string::npos);
    }
}

} // namespace
} // namespace kcr::tool
