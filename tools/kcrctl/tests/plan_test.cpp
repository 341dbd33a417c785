// SPDX-License-Identifier: GPL-2.0
#include "fake_types.h"
#include "plan.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::HasSubstr;

namespace
{

/// struct alg { u32 digestsize; struct base { char name[16]; } base; };
/// struct key { u8 *data; u32 len; u8 id[4]; struct base *alg; };
/// int check(const struct key *key, u32 flags, u8 *out);
Types make_types()
{
    FakeTypes fake;
    const int base = fake.structure("base", 16, {{"name", fake.array(fake.u8, 16), 0}});
    fake.structure("alg", 20, {{"digestsize", fake.u32, 0}, {"base", base, 4}});
    const int key = fake.structure("key", 24,
                                   {{"data", fake.pointer(fake.u8), 0},
                                    {"len", fake.u32, 8},
                                    {"id", fake.array(fake.u8, 4), 12},
                                    {"alg", fake.pointer(base), 16}});
    fake.function(
        "check", fake.s32,
        {{"key", fake.const_pointer(key)}, {"flags", fake.u32}, {"out", fake.pointer(fake.u8)}});
    fake.function("make", fake.pointer(key), {{"n", fake.u32}});
    fake.function("done", 0, {});
    return fake.take();
}

Result<kcr_plan> plan(const std::string& function, const std::string& args)
{
    const auto types = make_types();
    return make_plan(
        &types, {.function = function, .args = args, .type_id = types.function(function)}, 4096);
}

std::string message(const std::string& args)
{
    const auto made = plan("check", args);
    return made.ok() ? "no error" : made.error().message;
}

} // namespace

TEST(Plan, FieldsBecomeOffsets)
{
    const auto made = plan("check", "key->data[len=key->len*2], val, out[32]");
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->nr_ops, 3U);
    const auto& data = made->ops[0];
    EXPECT_EQ(data.kind, KCR_OP_MEMORY);
    EXPECT_EQ(data.when, KCR_WHEN_IN);
    EXPECT_EQ(data.where.arg, 0);
    EXPECT_EQ(data.where.hops, 2); // the field, and what it points to
    EXPECT_EQ(data.where.offset[0], 0);
    EXPECT_EQ(data.counted, 1);
    EXPECT_EQ(data.scale, 2U);
    EXPECT_EQ(data.length.hops, 1);
    EXPECT_EQ(data.length.offset[0], 8);
    EXPECT_EQ(data.length.size, 4);
    const auto& flags = made->ops[1];
    EXPECT_EQ(flags.kind, KCR_OP_VALUE);
    EXPECT_EQ(flags.where.arg, 1);
    EXPECT_EQ(flags.where.hops, 0);
    EXPECT_EQ(flags.where.size, 4);
    EXPECT_EQ(made->ops[2].when, KCR_WHEN_OUT);
    EXPECT_EQ(made->ops[2].fixed, 32U);
    EXPECT_EQ(made->result_kind, KCR_RESULT_VALUE);
    EXPECT_EQ(made->result_size, 4);
}

TEST(Plan, ArraysAndStringsInPlace)
{
    const auto good = plan("check", "key->id, cstr key->alg->name, - flags, -");
    ASSERT_TRUE(good.ok()) << good.error().message;
    EXPECT_EQ(good->ops[0].kind, KCR_OP_MEMORY);
    EXPECT_EQ(good->ops[0].fixed, 4U);
    EXPECT_EQ(good->ops[0].where.hops, 1);
    EXPECT_EQ(good->ops[0].where.offset[0], 12);
    EXPECT_EQ(good->ops[1].kind, KCR_OP_STRING);
    EXPECT_EQ(good->ops[1].where.hops, 2);
    EXPECT_EQ(good->ops[1].where.offset[0], 16);
    EXPECT_EQ(good->ops[1].where.offset[1], 0);
    EXPECT_EQ(good->nr_ops, 2U);
}

TEST(Plan, ContainersGoBack)
{
    const auto made = plan("check", "key->alg->{alg.base}digestsize, -, -");
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->ops[0].where.hops, 2);
    EXPECT_EQ(made->ops[0].where.offset[1], -4);
    EXPECT_EQ(made->ops[0].fixed, 0U);
    EXPECT_EQ(made->ops[0].where.size, 4);
}

TEST(Plan, ResultsFollowTheType)
{
    EXPECT_EQ(plan("make", "val")->result_kind, KCR_RESULT_OBJECT);
    EXPECT_EQ(plan("make", "val, noret")->result_kind, KCR_RESULT_NONE);
    EXPECT_EQ(plan("done", "")->result_kind, KCR_RESULT_NONE);
}

TEST(Plan, EveryArgumentIsDeclared)
{
    EXPECT_THAT(message("key->id, val"), HasSubstr("nothing is said about argument 2"));
    EXPECT_THAT(message("-, -, -, -"), HasSubstr("there is no argument 3"));
}

TEST(Plan, MistakesAreExplained)
{
    EXPECT_THAT(message("val, -, -"), HasSubstr("a pointer: say what"));
    EXPECT_THAT(message("key->idd, -, -"), HasSubstr("did you mean 'id'"));
    EXPECT_THAT(message("kay->id, -, -"), HasSubstr("'kay' is not an argument"));
    EXPECT_THAT(message("key.id, -, -"), HasSubstr("'.' needs a struct"));
    EXPECT_THAT(message("key->len->x, -, -"), HasSubstr("is not a pointer"));
    EXPECT_THAT(message("-, ptr[4], -"), HasSubstr("is not a pointer"));
    EXPECT_THAT(message("key->data[len=key->id], -, -"), HasSubstr("is not a number"));
    EXPECT_THAT(message("key->alg->{nix.base}digestsize, -, -"), HasSubstr("no struct nix"));
}

TEST(Plan, WithoutTypesArgumentsAreWords)
{
    const auto made = make_plan(nullptr, {"f", "u32, ptr[len=arg2], -"}, 4096);
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->ops[0].where.size, 4);
    EXPECT_EQ(made->ops[1].where.hops, 1);
    EXPECT_EQ(made->ops[1].length.size, 8);
    EXPECT_EQ(made->nr_args, 6U);
    EXPECT_FALSE(make_plan(nullptr, {"f", "arg0->x"}, 4096).ok());
}

} // namespace kcr::ctl
