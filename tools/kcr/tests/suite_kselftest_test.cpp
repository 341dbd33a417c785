// SPDX-License-Identifier: GPL-2.0
#include "suites.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;

TEST(SuiteKselftest, FindsTheProgramsOfAMakefile)
{
    EXPECT_THAT(selftest_programs("TEST_GEN_PROGS := a b\nTEST_GEN_PROGS += c\nOTHER := d\n"),
                ElementsAre("a", "b", "c"));
}

TEST(SuiteKselftest, HasWhatTheProgramsWouldOtherwiseSkip)
{
    const auto machine = selftest_machine();
    EXPECT_GE(machine.smp, 4);
    EXPECT_GE(machine.numa, 2);
    EXPECT_GE(machine.bare_nodes, 1);
    EXPECT_TRUE(machine.iommu);
    EXPECT_TRUE(settle_machine(machine));
    EXPECT_THAT(kernel_command_line(machine), ::testing::HasSubstr("intel_iommu=on"));
}

TEST(Suites, NamesAreThoseOfTheDocumentation)
{
    std::vector<std::string> names;
    for (const auto& suite : all_suites())
        names.push_back(suite.name);
    EXPECT_THAT(names, ElementsAre("tool", "native", "libkcr", "model", "kunit-uml", "kunit-x86",
                                   "kselftest", "profit", "sites", "programs", "profiler", "kasan",
                                   "kcsan", "soak", "series", "zero-impact", "upstream"));
}

} // namespace kcr::tool
