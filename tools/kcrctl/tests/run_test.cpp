// SPDX-License-Identifier: GPL-2.0
#include "run.h"

#include "library.h"
#include "supervise.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace kcr::ctl
{

using ::testing::HasSubstr;

namespace
{

std::string refusal(const std::string& signature, const std::filesystem::path& program = "/bin/sh")
{
    RunOptions options;
    options.signatures = {signature};
    const auto memos = check_memos(options, program);
    return memos.ok() ? "nothing" : memos.error().message + "\n" + memos.error().hint;
}

} // namespace

TEST(Run, SymbolsAreLookedUp)
{
    EXPECT_EQ(refusal("libc.so.6:labs(i64)->i64"), "nothing");
    EXPECT_EQ(refusal("libm.so.6:pow(f64,f64)->f64"), "nothing")
        << "one whose code is chosen at run time";
    EXPECT_THAT(refusal("libc.so.6:lapps(i64)->i64"), HasSubstr("did you mean labs?"));
    EXPECT_THAT(refusal("libc.so.6:environ(i64)->i64"), HasSubstr("is a variable"));
    EXPECT_THAT(refusal("libk.so.6:labs(i64)->i64"), HasSubstr("unknown library 'libk.so.6'"));
    EXPECT_THAT(refusal("libk.so.6:labs(i64)->i64"), HasSubstr("did you mean 'libc.so.6'"));
    EXPECT_THAT(refusal("/nowhere/libc.so.6:labs(i64)->i64"), HasSubstr("there is no library"));
    EXPECT_THAT(refusal("/etc/passwd:labs(i64)->i64"), HasSubstr("not a shared library"));
}

TEST(Run, LibrariesGoByTheNameThatTheDynamicLinkerHas)
{
    const auto path = find_library("libc.so.6", "/bin/sh");
    ASSERT_TRUE(path.ok());
    RunOptions options;
    options.signatures = {std::filesystem::canonical(*path).string() + ":labs(i64)->i64"};
    const auto memos = check_memos(options, "/bin/sh");
    ASSERT_TRUE(memos.ok()) << memos.error().message;
    EXPECT_EQ(memos->at(0).signature.library, "libc.so.6");
    options.signatures = {std::string(KCR_TEST_LIBRARY) +
                          ":kcr_test_function(f64,i32,cstr,struct{f64,f64})->f32"};
    EXPECT_EQ(check_memos(options, "/bin/sh")->at(0).signature.library, "libkcr-known.so");
}

TEST(Run, WhatIsKnownIsChecked)
{
    EXPECT_THAT(refusal("libm.so.6:pow(f64)->f64"), HasSubstr("has 2 arguments"));
    EXPECT_THAT(refusal("libc.so.6:time(u64)->u64"), HasSubstr("different results"));
    EXPECT_THAT(refusal("libm.so.6:pow(f64,f64,f64,f64,f64,f64,f64,f64,f64)->f64"),
                HasSubstr("on the stack"));
}

TEST(Run, DebugInformationIsRead)
{
    const auto known = debug_prototype(KCR_TEST_LIBRARY, "kcr_test_function");
    ASSERT_TRUE(known);
    EXPECT_EQ(to_string(*known), "(f64,i32,pointer,struct of 16 bytes)->f32");
    EXPECT_FALSE(debug_prototype(KCR_TEST_LIBRARY, "kcr_test_hidden"));
    const std::string library = KCR_TEST_LIBRARY;
    EXPECT_EQ(refusal(library + ":kcr_test_function(f64,i32,cstr,struct{f64,f64})->f32"),
              "nothing");
    EXPECT_THAT(refusal(library + ":kcr_test_function(f64,i32,cstr)->f32"),
                HasSubstr("has 4 arguments, not 3"));
    EXPECT_THAT(refusal(library + ":kcr_test_function(f64,u16,cstr,struct{f64,f64})->f32"),
                HasSubstr("arg1 is i32"));
    EXPECT_THAT(refusal(library + ":kcr_test_function(f64,i32,cstr,f64)->f32"),
                HasSubstr("arg3 is struct of 16 bytes"));
    EXPECT_THAT(refusal(library + ":kcr_test_function(f64,i32,cstr,struct{f64,f64})->f64"),
                HasSubstr("returns f32"));
    EXPECT_THAT(refusal(library + ":kcr_test_variadic(i32)->i32"), HasSubstr("variable arguments"));
}

TEST(Run, RegionSizes)
{
    EXPECT_EQ(*parse_region_size("65536"), 65536U);
    EXPECT_EQ(*parse_region_size("64K"), 65536U);
    EXPECT_EQ(*parse_region_size("16M"), 16U << 20);
    EXPECT_EQ(*parse_region_size("1G"), 1U << 30);
    for (const auto* text :
         {"", "K", "16m", "3M", "32K", "2G", "-1", "16M ", "18446744073709551615G"})
        EXPECT_FALSE(parse_region_size(text).ok()) << text;
}

TEST(Run, OtherLibrariesAreKept)
{
    ::unsetenv("KCR_TEST_LIST");
    EXPECT_EQ(with_library("KCR_TEST_LIST", "/a.so"), "/a.so");
    ::setenv("KCR_TEST_LIST", "/b.so:/c.so", 1);
    EXPECT_EQ(with_library("KCR_TEST_LIST", "/a.so"), "/a.so:/b.so:/c.so");
}

TEST(Run, ProgramsAreFoundAsTheShellDoes)
{
    EXPECT_TRUE(find_program("sh").ok());
    EXPECT_TRUE(find_program("/bin/sh").ok());
    EXPECT_FALSE(find_program("/etc/passwd").ok());
    EXPECT_FALSE(find_program("no-such-program-here").ok());
}

TEST(Run, WithoutKcrProgramsRunPlainly)
{
    if (::access("/dev/kcr", F_OK) == 0)
        GTEST_SKIP() << "this kernel has KCR";
    RunOptions options;
    options.signatures = {"libc.so.6:labs(i64)->i64"};
    options.command = {"sh", "-c", "test -z \"$LD_AUDIT$LD_PRELOAD$KCR_MEMO\" && exit 5"};
    const auto run = [&] {
        const auto status = run_program(options);
        std::exit(status ? *status : 99);
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(5), "nothing is reused: ");
    options.stats = true;
    EXPECT_EXIT(run(), testing::ExitedWithCode(5), "nothing is reused: ");
}

TEST(Run, MistakesAreRefusedBeforeAnythingRuns)
{
    RunOptions options;
    options.signatures = {"libc.so.6:labs(i64)->i64"};
    EXPECT_THAT(run_program(options).error().message, HasSubstr("which program?"));
    options.command = {"no-such-program-here"};
    EXPECT_THAT(run_program(options).error().message, HasSubstr("cannot find"));
    options.command = {"true"};
    options.size = "3M";
    EXPECT_THAT(run_program(options).error().message, HasSubstr("bad --size"));
    options.size.clear();
    options.signatures.clear();
    EXPECT_THAT(run_program(options).error().message, HasSubstr("which function?"));
    options.files = {"/nowhere.toml"};
    EXPECT_THAT(run_program(options).error().message, HasSubstr("/nowhere.toml"));
}

TEST(Supervise, StatusAndDeathArePassedOn)
{
    const auto exited = supervise({"sh", "-c", "exit 7"});
    ASSERT_TRUE(exited.ok());
    EXPECT_EQ(end_as(*exited), 7);
    const auto killed = supervise({"sh", "-c", "kill -9 $$"});
    ASSERT_TRUE(killed.ok());
    EXPECT_TRUE(WIFSIGNALED(*killed));
    EXPECT_EXIT(std::exit(end_as(*killed)), testing::KilledBySignal(SIGKILL), "");
    const auto missing = supervise({"no-such-program-here"});
    ASSERT_TRUE(missing.ok());
    EXPECT_EQ(end_as(*missing), 127);
}

TEST(Supervise, SignalsArePassedOn)
{
    // The child sends it to us, and ends by it
    const auto ended = supervise(
        {"sh", "-c", "trap 'exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.01; done"});
    ASSERT_TRUE(ended.ok());
    EXPECT_EQ(end_as(*ended), 9);
}

} // namespace kcr::ctl
