// SPDX-License-Identifier: GPL-2.0
#include "argspec.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::HasSubstr;

namespace
{

std::vector<Item> parsed(std::string_view text)
{
    auto items = parse_args(text);
    EXPECT_TRUE(items.ok()) << (items.ok() ? "" : items.error().message);
    return items.ok() ? *items : std::vector<Item>();
}

std::string message(std::string_view text)
{
    const auto items = parse_args(text);
    return items.ok() ? "no error" : items.error().message;
}

} // namespace

TEST(ArgSpec, NothingIsNoDeclaration)
{
    EXPECT_TRUE(parsed("").empty());
    EXPECT_TRUE(parsed("  ").empty());
}

TEST(ArgSpec, OneDeclarationForEachArgument)
{
    const auto items = parsed("u64, ptr[len=arg2], s32,cstr, ptr[64], out[len=arg4], id, -");
    ASSERT_EQ(items.size(), 8U);
    EXPECT_EQ(items[0].kind, ItemKind::value);
    EXPECT_EQ(items[0].size, 8U);
    EXPECT_EQ(items[1].kind, ItemKind::memory);
    EXPECT_EQ(items[1].length->counted->base, "arg2");
    EXPECT_TRUE(items[2].is_signed);
    EXPECT_EQ(items[3].kind, ItemKind::string);
    EXPECT_EQ(items[4].length->fixed, 64U);
    EXPECT_EQ(items[5].kind, ItemKind::output);
    EXPECT_EQ(items[6].kind, ItemKind::identity);
    EXPECT_EQ(items[7].kind, ItemKind::ignored);
}

TEST(ArgSpec, FieldsAreFollowed)
{
    const auto items = parsed("arg0->key[len=arg0->keylen*4]");
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].kind, ItemKind::memory);
    EXPECT_EQ(items[0].subject->base, "arg0");
    ASSERT_EQ(items[0].subject->steps.size(), 1U);
    EXPECT_EQ(items[0].subject->steps[0].field, "key");
    EXPECT_EQ(items[0].length->counted->steps[0].field, "keylen");
    EXPECT_EQ(items[0].length->scale, 4U);
}

TEST(ArgSpec, FieldsOfFieldsAndContainers)
{
    const auto items = parsed("cstr desc->tfm->base.name, "
                              "out out[len=desc->{shash_alg.base}digestsize]");
    ASSERT_EQ(items.size(), 2U);
    const auto& steps = items[0].subject->steps;
    ASSERT_EQ(steps.size(), 3U);
    EXPECT_TRUE(steps[1].arrow);
    EXPECT_FALSE(steps[2].arrow);
    EXPECT_EQ(items[1].kind, ItemKind::output);
    EXPECT_EQ(items[1].subject->base, "out");
    const auto& back = items[1].length->counted->steps[0];
    EXPECT_EQ(back.container, "shash_alg");
    EXPECT_EQ(back.container_member, "base");
    EXPECT_EQ(back.field, "digestsize");
}

TEST(ArgSpec, WordsInFront)
{
    const auto items = parsed("user prog->filter[len=prog->len*8], - pfp, noret");
    ASSERT_EQ(items.size(), 3U);
    EXPECT_TRUE(items[0].user);
    EXPECT_EQ(items[0].kind, ItemKind::memory);
    EXPECT_EQ(items[1].kind, ItemKind::ignored);
    EXPECT_EQ(items[1].subject->base, "pfp");
    EXPECT_EQ(items[2].kind, ItemKind::no_result);
}

TEST(ArgSpec, ErrorsPointToThePosition)
{
    const auto items = parse_args("u64, ptr[len=");
    ASSERT_FALSE(items.ok());
    EXPECT_THAT(items.error().message, HasSubstr("at character 14"));
    EXPECT_EQ(items.error().hint, "u64, ptr[len=\n             ^");
}

TEST(ArgSpec, WhatIsWrongIsSaid)
{
    EXPECT_THAT(message("u64 u64"), HasSubstr("','"));
    EXPECT_THAT(message("u64,"), HasSubstr("expected a declaration"));
    EXPECT_THAT(message("ptr"), HasSubstr("a length"));
    EXPECT_THAT(message("ptr[0]"), HasSubstr("between 1 and"));
    EXPECT_THAT(message("ptr[99999999999]"), HasSubstr("between 1 and"));
    EXPECT_THAT(message("ptr[size=4]"), HasSubstr("len="));
    EXPECT_THAT(message("ptr[64"), HasSubstr("']'"));
    EXPECT_THAT(message("cstr[4]"), HasSubstr("have a length"));
    EXPECT_THAT(message("arg0->"), HasSubstr("name of a field"));
    EXPECT_THAT(message("arg0->{a}b"), HasSubstr("'.'"));
    EXPECT_THAT(message("5"), HasSubstr("expected a declaration"));
}

} // namespace kcr::ctl
