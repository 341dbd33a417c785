// SPDX-License-Identifier: GPL-2.0
#include "memo_file.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::HasSubstr;

namespace
{

std::string error_of(std::string_view text)
{
    const auto memos = parse_memo_file(text, "x.toml");
    return memos.ok() ? "nothing" : memos.error().message + "\n" + memos.error().hint;
}

} // namespace

TEST(MemoFile, IsRead)
{
    const auto memos = parse_memo_file(R"(
[[memo]]
library = "libcrypt.so.1"
function = "crypt_rn"
arguments = ["cstr", "cstr", "out cstr", "i32"]
returns = "arg2"
pure = true
expiry_ms = 1000

[[memo]]
library = "libm.so.6"
function = "pow"
arguments = ["f64", "f64"]
returns = "f64"
learn = 20
max_entries = 50
always = true
)",
                                       "x.toml");
    ASSERT_TRUE(memos.ok()) << memos.error().message;
    ASSERT_EQ(memos->size(), 2U);
    EXPECT_EQ((*memos)[0].signature.function, "crypt_rn");
    EXPECT_TRUE((*memos)[0].pure);
    EXPECT_FALSE((*memos)[0].always);
    EXPECT_EQ((*memos)[0].expiry_ms, 1000U);
    EXPECT_EQ((*memos)[1].learn, 20U);
    EXPECT_EQ((*memos)[1].max_entries, 50U);
    EXPECT_TRUE((*memos)[1].always);
    EXPECT_FALSE((*memos)[1].pure);
}

TEST(MemoFile, SaysWhatIsWrongAndWhere)
{
    const std::string good = "[[memo]]\nlibrary = \"libm.so.6\"\nfunction = \"pow\"\n"
                             "arguments = [\"f64\", \"f64\"]\nreturns = \"f64\"\n";
    EXPECT_EQ(error_of(good), "nothing");
    EXPECT_THAT(error_of(""), HasSubstr("there is no [[memo]]"));
    EXPECT_THAT(error_of("[[memo]\n"), HasSubstr("x.toml:1:"));
    EXPECT_THAT(error_of("[[memo]]\nlibrary = \"a\"\n"), HasSubstr("needs 'function'"));
    EXPECT_THAT(error_of(good + "lern = 5\n"), HasSubstr("x.toml:6: unknown setting 'lern'"));
    EXPECT_THAT(error_of(good + "lern = 5\n"), HasSubstr("did you mean 'learn'"));
    EXPECT_THAT(error_of(good + "learn = 0\n"), HasSubstr("at least 1"));
    EXPECT_THAT(error_of(good + "learn = 1.5\n"), HasSubstr("at least 1"));
    EXPECT_THAT(error_of(good + "learn = 4294967296\n"), HasSubstr("at least 1"));
    EXPECT_THAT(error_of(good + "pure = 1\n"), HasSubstr("true or false"));
    EXPECT_THAT(error_of("memos = 1\n"), HasSubstr("unknown setting 'memos'"));
    EXPECT_THAT(error_of("[[memo]]\nlibrary = \"libm.so.6\"\nfunction = \"pow\"\n"
                         "arguments = \"f64\"\nreturns = \"f64\"\n"),
                HasSubstr("x.toml:4: 'arguments' is a list"));
    EXPECT_THAT(error_of("[[memo]]\nlibrary = \"libm.so.6\"\nfunction = \"pow\"\n"
                         "arguments = [\"f64\", \"f65\"]\nreturns = \"f64\"\n"),
                HasSubstr("unknown type 'f65'"));
}

} // namespace kcr::ctl
