// SPDX-License-Identifier: GPL-2.0
#include "candidates.h"
#include "fake_types.h"
#include "infer.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace
{

Types make_types()
{
    FakeTypes fake;
    const int pair = fake.structure("pair", 8, {{"a", fake.u32, 0}, {"b", fake.u32, 4}});
    const int node = fake.structure("node", 8, {{"next", fake.pointer(pair), 0}});
    const int bytes = fake.const_pointer(fake.u8);
    fake.function("sum", fake.u32, {{"data", bytes}, {"len", fake.size_t_}, {"seed", fake.u32}});
    fake.function("sum_void", fake.u32, {{"data", fake.const_pointer(0)}, {"nbytes", fake.u32}});
    fake.function("no_length", fake.u32, {{"data", bytes}, {"seed", fake.u32}});
    fake.function("fill", fake.u32, {{"data", fake.pointer(fake.u8)}, {"len", fake.u32}});
    fake.function("of_pair", fake.s32, {{"pair", fake.const_pointer(pair)}});
    fake.function("of_pairs", fake.s32, {{"pair", fake.const_pointer(pair)}, {"n", fake.u32}});
    fake.function(
        "of_two", fake.s32,
        {{"a", fake.const_pointer(pair)}, {"b", fake.const_pointer(pair)}, {"len", fake.u32}});
    fake.function("of_words", fake.s32,
                  {{"words", fake.const_pointer(fake.u32)}, {"len", fake.u32}});
    const int signature = fake.structure("signature", 40,
                                         {{"s", fake.pointer(fake.u8), 0},
                                          {"params", fake.pointer(0), 8},
                                          {"s_size", fake.u32, 16},
                                          {"paramlen", fake.u32, 20},
                                          {"algo", fake.const_pointer(fake.u8), 24},
                                          {"other", fake.pointer(node), 32}});
    fake.function("verify", fake.s32, {{"sig", fake.const_pointer(signature)}});
    const int names = fake.structure(
        "names", 16,
        {{"a", fake.const_pointer(fake.u8), 0}, {"b", fake.const_pointer(fake.u8), 8}});
    fake.function("of_names", fake.s32, {{"names", fake.const_pointer(names)}});
    fake.function("of_node", fake.s32, {{"node", fake.const_pointer(node)}});
    fake.function("parse", fake.pointer(node), {{"data", bytes}, {"len", fake.size_t_}});
    fake.function("make_node", fake.pointer(node), {{"kind", fake.u32}});
    fake.function("tell", 0, {{"kind", fake.u32}});
    fake.function("now", fake.u32, {});
    fake.function("kmalloc_sum", fake.u32, {{"kind", fake.u32}});
    return fake.take();
}

std::string args_of(const Types& types, const std::string& function)
{
    const auto found = infer_args(types, types.prototype(*types.function(function)));
    return found.ok() ? found.args : "?";
}

bool pure(const Types& types, const std::string& function)
{
    const auto prototype = types.prototype(*types.function(function));
    return looks_pure(types, prototype, infer_args(types, prototype));
}

} // namespace

TEST(Infer, BytesWithTheirLength)
{
    const auto types = make_types();
    EXPECT_EQ(args_of(types, "sum"), "ptr[len=arg1], val, val");
    EXPECT_EQ(args_of(types, "sum_void"), "ptr[len=arg1], val");
}

TEST(Infer, WhatCannotBeKnownIsNotGuessed)
{
    const auto types = make_types();
    EXPECT_EQ(args_of(types, "no_length"), "?");
    EXPECT_EQ(args_of(types, "fill"), "?");
    EXPECT_EQ(args_of(types, "of_node"), "?");
    const auto found = infer_args(types, types.prototype(*types.function("of_node")));
    EXPECT_THAT(found.obstacle, HasSubstr("argument 0, 'const struct node * node'"));
}

TEST(Infer, StructsWithoutPointers)
{
    const auto types = make_types();
    EXPECT_EQ(args_of(types, "of_pair"), "ptr[8]");
    EXPECT_EQ(args_of(types, "of_pairs"), "ptr[len=arg1*8], val");
    EXPECT_EQ(args_of(types, "of_two"), "ptr[8], ptr[8], val"); // not the length of the structs
    EXPECT_EQ(args_of(types, "of_words"), "?");                 // of words or of bytes?
}

TEST(Infer, StructsThatDescribeData)
{
    const auto types = make_types();
    EXPECT_EQ(args_of(types, "verify"),
              "arg0->s[len=arg0->s_size], arg0->params[len=arg0->paramlen], arg0->s_size, "
              "arg0->paramlen, cstr arg0->algo");
    EXPECT_TRUE(pure(types, "verify"));
    EXPECT_EQ(args_of(types, "of_names"), "?"); // no data at all
}

TEST(Infer, WhatLooksLikeAComputation)
{
    const auto types = make_types();
    EXPECT_TRUE(pure(types, "sum"));
    EXPECT_TRUE(pure(types, "parse"));      // an object made from bytes
    EXPECT_FALSE(pure(types, "make_node")); // an object made from nothing
    EXPECT_FALSE(pure(types, "tell"));      // returns nothing
    EXPECT_FALSE(pure(types, "now"));       // reads nothing
}

TEST(Candidates, AreTraceableAndNotDenied)
{
    Kernel kernel{make_types(),
                  Symbols::parse("ffffffff81000000 T sum\nffffffff81000100 T sum_void\n"
                                 "ffffffff81000200 T parse\nffffffff81000300 t of_pair\n"
                                 "ffffffff81000400 t of_pair\nffffffff81000500 T kmalloc_sum\n"
                                 "ffffffff81000600 T fill\n",
                                 "sum\nparse\nof_pair\nkmalloc_sum\nfill\n", ""),
                  Catalogue()};
    ASSERT_TRUE(kernel.catalogue.add("deny par* : used by the probes\neffect *malloc*\n"
                                     "profile fill : out[len=arg1], -\n"));
    std::vector<std::string> names;
    for (const auto& target : find_candidates(kernel))
        names.push_back(target.function + (target.declared ? "!" : ""));
    EXPECT_THAT(names, ElementsAre("fill!", "sum"));
}

TEST(Candidates, TheHottestComeFirstAndKnownOnesAlways)
{
    const std::vector<Target> all = {{"cold", "val"},
                                     {"hot", "val"},
                                     {.function = "known", .args = "val", .declared = true},
                                     {"unseen", "val"},
                                     {"warm", "val"}};
    SampleCounts samples;
    samples.functions = {{"cold", 1}, {"hot", 100}, {"warm", 10}, {"else", 1000}};
    std::vector<std::string> names;
    for (const auto& target : hottest(all, samples, 2))
        names.push_back(target.function);
    EXPECT_THAT(names, ElementsAre("hot", "warm", "known"));
}

TEST(Candidates, NamedFunctionsAreChecked)
{
    Kernel kernel{make_types(),
                  Symbols::parse("ffffffff81000000 T sum\nffffffff81000100 T fill\n"
                                 "ffffffff81000300 t of_pair\nffffffff81000400 t of_pair\n"
                                 "ffffffff81000500 T parse\n",
                                 "sum\nfill\nof_pair\nparse\n", ""),
                  Catalogue()};
    ASSERT_TRUE(kernel.catalogue.add("deny par* : used by the probes"));
    EXPECT_TRUE(plan_named(kernel, "sum", {}, 4096).ok());
    EXPECT_FALSE(plan_named(kernel, "sum", {}, 4096)->target.declared);
    EXPECT_TRUE(plan_named(kernel, "fill", "out[len=arg1], val", 4096)->target.declared);
    EXPECT_THAT(plan_named(kernel, "summ", {}, 4096).error().message,
                HasSubstr("did you mean 'sum'"));
    EXPECT_THAT(plan_named(kernel, "fil", {}, 4096).error().message,
                HasSubstr("did you mean 'fill'"));
    EXPECT_THAT(plan_named(kernel, "fill", {}, 4096).error().message,
                HasSubstr("does not follow from its types"));
    EXPECT_THAT(plan_named(kernel, "of_pair", {}, 4096).error().message, HasSubstr("there are 2"));
    EXPECT_THAT(plan_named(kernel, "parse", {}, 4096).error().message,
                HasSubstr("used by the probes"));
}

} // namespace kcr::ctl
