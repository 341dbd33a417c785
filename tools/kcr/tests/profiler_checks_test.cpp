// SPDX-License-Identifier: GPL-2.0
#include "profiler_checks.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace kcr::tool
{

using nlohmann::json;
using ::testing::HasSubstr;

namespace
{

/// What a good profiler says of 800 digests of 8 messages.
json good_document()
{
    return {{"functions",
             {{{"calls", 800},
               {"distinct", 8},
               {"repeats", 792},
               {"equal", 792},
               {"differ", 0},
               {"distinct_results", 8},
               {"hottest", 100},
               {"attached", "fentry"},
               {"verdict", "pays"},
               {"not_judged", {{"full", 0}}}}}}};
}

/// How many checks whose name begins with @p prefix failed.
long failures(const json& document, const std::string& prefix)
{
    Report report;
    report.begin_suite("profiler");
    judge_profiler(report, {{"digests", {document.dump(), 0}}});
    report.end_suite();
    const auto xml = report.junit_xml();
    long count = 0;
    const auto name = "name=\"" + prefix;
    for (auto at = xml.find(name); at != std::string::npos; at = xml.find(name, at + 1)) {
        const auto end = xml.find("<testcase", at + 1);
        count += xml.substr(at, end - at).find("<failure") != std::string::npos ? 1 : 0;
    }
    return count;
}

} // namespace

TEST(ProfilerChecks, StepsAreSplit)
{
    const auto steps = parse_steps("noise\n#kcr-begin a\n1\n2\n#kcr-end 0\n#kcr-begin b\n"
                                   "#kcr-end 3\nnoise\n#kcr-begin c\nhalf");
    ASSERT_EQ(steps.size(), 3U);
    EXPECT_EQ(steps.at("a").out, "1\n2\n");
    EXPECT_EQ(steps.at("a").status, 0);
    EXPECT_EQ(steps.at("b").status, 3);
    EXPECT_EQ(steps.at("c").status, -1);
}

TEST(ProfilerChecks, ExactCountsPass)
{
    EXPECT_EQ(failures(good_document(), "digests:"), 0);
}

TEST(ProfilerChecks, OneCallTooManyFails)
{
    auto document = good_document();
    document["functions"][0]["equal"] = 793;
    EXPECT_EQ(failures(document, "digests:"), 1);
    document["functions"][0]["not_judged"]["full"] = 1;
    EXPECT_EQ(failures(document, "digests:"), 2);
}

TEST(ProfilerChecks, WhatDidNotRunFails)
{
    Report report;
    report.begin_suite("profiler");
    judge_profiler(report, {});
    report.end_suite();
    EXPECT_GT(report.count(Verdict::failed), 10);
    EXPECT_THAT(report.junit_xml(), HasSubstr("did not come so far"));
}

TEST(ProfilerChecks, TheScriptRunsTheToolsItIsGiven)
{
    const auto script = profiler_script("/tool", "/modules/x.ko");
    EXPECT_THAT(script, HasSubstr("step digests /tool/kcrctl profile --json"));
    EXPECT_THAT(script, HasSubstr("/tool/kcrctl-load module /modules/x.ko"));
}

} // namespace kcr::tool
