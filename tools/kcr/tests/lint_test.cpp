// SPDX-License-Identifier: GPL-2.0
#include "lint.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::ElementsAre;

TEST(Lint, WarningsLoseTheirPositions)
{
    EXPECT_THAT(warning_lines("  CC      a.o\n../crypto/a.c:3:1: warning: x\n"
                              "../crypto/a.c:9:1: warning: x\nnote: y\n"),
                ElementsAre("crypto/a.c: warning: x"));
}

TEST(Lint, RepeatedWordsAreAllowedInCppOnly)
{
    const std::string cpp = "WARNING:REPEATED_WORD: Possible repeated word: 'Pair'\n"
                            "#1: FILE: a/b.cpp:3:\n+ Pair pair;\n\n";
    EXPECT_EQ(checkpatch_findings(cpp), "");
    const std::string c = "WARNING:REPEATED_WORD: Possible repeated word: 'the'\n"
                          "#1: FILE: a/b.c:3:\n+ the the\n\n";
    EXPECT_NE(checkpatch_findings(cpp + c), "");
    const std::string other = "WARNING:LONG_LINE: too long\n#1: FILE: a/b.cpp:3:\n+ x\n\n";
    EXPECT_NE(checkpatch_findings(other), "");
}

TEST(Lint, MaintainersPatterns)
{
    Patch patch;
    patch.diff = "+KCR\n+F:\tkernel/kcr/\n+F:\tcrypto/kcr_*\n F:\tmm/\n";
    const auto patterns = added_file_patterns({patch});
    EXPECT_THAT(patterns, ElementsAre("kernel/kcr/", "crypto/kcr_*"));
    EXPECT_TRUE(maintainers_pattern_matches("kernel/kcr/", "kernel/kcr/tests/a.c"));
    EXPECT_TRUE(maintainers_pattern_matches("crypto/kcr_*", "crypto/kcr_hash.c"));
    EXPECT_FALSE(maintainers_pattern_matches("crypto/kcr_*", "crypto/shash.c"));
}

} // namespace kcr::tool
