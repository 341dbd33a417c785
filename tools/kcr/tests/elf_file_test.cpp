// SPDX-License-Identifier: GPL-2.0
#include "elf_file.h"

#include "mini_project.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ElfObjects : public MiniProject
{
protected:
    ElfFile compile(const std::string& name, const std::string& source)
    {
        put(root() / (name + ".c"), source);
        const auto object = root() / (name + ".o");
        EXPECT_TRUE(run_ok({.argv = {"gcc", "-O2", "-c", (root() / (name + ".c")).string(), "-o",
                                     object.string()}}));
        auto file = read_elf(object);
        EXPECT_TRUE(file);
        return file ? *file : ElfFile();
    }
};

TEST_F(ElfObjects, SameCodeIsTheSame)
{
    const auto a = compile("a", "int f(int x) { return x + 1; }");
    const auto b = compile("b", "\n\nint f(int y) { return y + 1; }");
    EXPECT_THAT(differing_sections(a, b), IsEmpty());
}

TEST_F(ElfObjects, DifferentCodeAndDataAreNamed)
{
    const auto a = compile("a", "int d = 1; int f(int x) { return x + 1; }");
    const auto b = compile("b", "int d = 2; int f(int x) { return x + 2; }");
    EXPECT_THAT(differing_sections(a, b), Contains(".text"));
    EXPECT_THAT(differing_sections(a, b), Contains(".data"));
}

TEST_F(ElfObjects, OtherCalledFunctionIsADifference)
{
    const auto a = compile("a", "void g(void); void f(void) { g(); g(); }");
    const auto b = compile("b", "void h(void); void f(void) { h(); h(); }");
    EXPECT_THAT(differing_sections(a, b), Contains(".text"));
}

TEST_F(ElfObjects, NotAnElfFile)
{
    put(root() / "x.o", "text");
    EXPECT_FALSE(read_elf(root() / "x.o"));
}

TEST(ElfFile, OnlyLineNumbersInTheBugTableMayDiffer)
{
    ElfFile a;
    a.sections.push_back({"__bug_table", 0, 12, std::string("\1\1\1\1\2\2\2\2\x10\0\0\0", 12), {}});
    auto b = a;
    b.sections[0].content[8] = 0x20;
    EXPECT_THAT(differing_sections(a, b), IsEmpty());
    b.sections[0].content[10] = 1; // flags
    EXPECT_THAT(differing_sections(a, b), ElementsAre("__bug_table"));
}

TEST(ElfFile, OnlyLineNumbersOfWarningsMayDifferInCode)
{
    using namespace std::string_literals;
    const auto code = [](const std::string& bytes) {
        ElfFile file;
        file.sections.push_back({".text", 0, bytes.size(), bytes, {}});
        return file;
    };
    const auto a = code("\xba\x10\0\0\0\x48\xc7\xc6\0\0\0\0"s);
    EXPECT_THAT(differing_sections(a, code("\xba\x12\0\0\0\x48\xc7\xc6\0\0\0\0"s)), IsEmpty());
    EXPECT_THAT(differing_sections(a, code("\xbf\x10\0\0\0\x48\xc7\xc6\0\0\0\0"s)),
                ElementsAre(".text"));
    EXPECT_THAT(differing_sections(code("\xba\x10\0\0\0\xc3"s), code("\xba\x12\0\0\0\xc3"s)),
                ElementsAre(".text"));
}

TEST(ElfFile, MissingSectionIsADifference)
{
    ElfFile a;
    a.sections.push_back({".text", 0, 1, "x", {}});
    EXPECT_THAT(differing_sections(a, {}), ElementsAre(".text"));
}

TEST(ElfFile, DecodesRelativeJumpEntries)
{
    ElfFile kernel;
    // entry at 0x1000: code at +0x100, target at 4+0x200, key at 8+0x301 (with a flag bit)
    kernel.sections.push_back(
        {".rodata", 0x1000, 16, std::string("\0\1\0\0\0\2\0\0\1\3\0\0\0\0\0\0", 16), {}});
    kernel.symbols.push_back({"__start___jump_table", 0x1000, 0, false});
    kernel.symbols.push_back({"__stop___jump_table", 0x1010, 0, false});
    const auto entries = jump_entries(kernel);
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].code, 0x1100U);
    EXPECT_EQ(entries[0].target, 0x1204U);
    EXPECT_EQ(entries[0].key, 0x1308U);
}

TEST(ElfFile, KnowsTheNoOpsOfJumpLabels)
{
    EXPECT_EQ(patched_nop_length(std::string("\x66\x90\x00", 3)), 2U);
    EXPECT_EQ(patched_nop_length(std::string("\x0f\x1f\x44\x00\x00", 5)), 5U);
    EXPECT_EQ(patched_nop_length("\xeb\x10"), 0U);
    EXPECT_EQ(patched_nop_length(""), 0U);
}

TEST(ElfFile, NamesThePlaceOfAnAddress)
{
    ElfFile kernel;
    kernel.symbols.push_back({"f", 0x10, 0x10, true});
    EXPECT_EQ(kernel.place(0x12), "f+0x2");
    EXPECT_EQ(kernel.place(0x90), "0x90");
}

} // namespace kcr::tool
