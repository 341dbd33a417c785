// SPDX-License-Identifier: GPL-2.0
#include "signature.h"

#include "description.h"
#include "prototype.h"

#include <gmock/gmock.h>

namespace kcr::ctl
{

using ::testing::HasSubstr;

namespace
{

Signature parsed(std::string_view text)
{
    auto signature = parse_signature(text);
    EXPECT_TRUE(signature.ok()) << text << ": "
                                << (signature.ok() ? "" : signature.error().message);
    return signature.ok() ? *signature : Signature();
}

/// What is wrong with a signature, with the hint.
std::string refusal(std::string_view text)
{
    const auto signature = parse_signature(text);
    if (signature.ok()) {
        const auto placed = place_arguments(*signature);
        return placed.ok() ? "nothing" : placed.error().message + "\n" + placed.error().hint;
    }
    return signature.error().message + "\n" + signature.error().hint;
}

/// The line that the libraries in the program get.
std::string line(std::string_view text)
{
    const auto described = describe(7, 0, {{.signature = parsed(text)}});
    return described.substr(described.find('\n') + 1);
}

} // namespace

TEST(Signature, IsReadAsItIsWritten)
{
    const auto pow = parsed("libm.so.6:pow(f64, f64) -> f64");
    EXPECT_EQ(pow.library, "libm.so.6");
    EXPECT_EQ(pow.function, "pow");
    ASSERT_EQ(pow.arguments.size(), 2U);
    EXPECT_TRUE(pow.arguments[1].parts.at(0).floating);
    EXPECT_EQ(pow.returned.parts.at(0).size, 8U);
    const auto path = parsed("/opt/lib x/liba.so:f()->u8");
    EXPECT_EQ(path.library, "/opt/lib x/liba.so");
    EXPECT_TRUE(path.arguments.empty());
}

TEST(Signature, RegistersAreThoseOfTheAbi)
{
    EXPECT_EQ(
        line("lib.so:f(u8,f64,i32,f32)->i16"),
        "lib.so\tf\ti0,ff;f0,ffffffffffffffff;i1,ffffffff;f1,ffffffff;\ti0,ffff;\t0,0,0,0,0\n");
    EXPECT_EQ(line("/lib/lib.so:f(struct{f32,f32},struct{u8,u32},struct{u64,f64})->struct{f64,u8}"),
              "lib.so\tf\tf0,ffffffffffffffff;i0,ffffffff000000ff;i1,ffffffffffffffff;"
              "f1,ffffffffffffffff;\tf0,ffffffffffffffff;i0,ff;\t0,0,0,0,0\n");
    EXPECT_EQ(line("lib.so:f(-,ptr[len=arg2*arg3*8],u32,u8,out[len=*arg5],both[8],out cstr)->arg4"),
              "lib.so\tf\tb1,1,8,2,ffffffff,3,ff,0;i2,ffffffff;i3,ff;"
              "b2,4,1,5,ffffffffffffffff,ff,0,1;b3,5,8,ff,0,ff,0,0;s2,6;\ta4;\t0,0,0,0,1\n");
    EXPECT_EQ(line("lib.so:f(ptr[ tracked , len=arg1*8 ],u32)->i32"),
              "lib.so\tf\tt0,8,1,ffffffff,ff,0,0;i1,ffffffff;\ti0,ffffffff;\t0,0,0,0,0\n");
    EXPECT_EQ(line("lib.so:f(id,out[len=ret*2])->i32"),
              "lib.so\tf\tp0;b2,1,2,fe,ffffffff,ff,0,0;\ti0,ffffffff;\t0,0,0,0,0\n");
}

TEST(Signature, NonsenseIsRefused)
{
    EXPECT_THAT(refusal("pow(f64)->f64"), HasSubstr("expected a library and ':'"));
    EXPECT_THAT(refusal("lib.so:(f64)->f64"), HasSubstr("the name of a function"));
    EXPECT_THAT(refusal("lib.so:f f64"), HasSubstr("expected '('"));
    EXPECT_THAT(refusal("lib.so:f(f64"), HasSubstr("',' or ')'"));
    EXPECT_THAT(refusal("lib.so:f(f64)"), HasSubstr("expected '->'"));
    EXPECT_THAT(refusal("lib.so:f(f64)->"), HasSubstr("expected a type"));
    EXPECT_THAT(refusal("lib.so:f(f64)->f64 x"), HasSubstr("did not expect"));
    EXPECT_THAT(refusal("lib.so:f(f65)->f64"), HasSubstr("unknown type 'f65'"));
    EXPECT_THAT(refusal("lib.so:f(f65)->f64"), HasSubstr("\n         ^"));
}

TEST(Signature, WhatCannotBeReusedIsRefused)
{
    EXPECT_THAT(refusal("lib.so:f(long double)->f64"), HasSubstr("long double"));
    EXPECT_THAT(refusal("lib.so:f(cstr,...)->i32"), HasSubstr("variable arguments"));
    EXPECT_THAT(refusal("lib.so:f(ptr)->i32"), HasSubstr("ptr[len="));
    EXPECT_THAT(refusal("lib.so:f(u64)->cstr"), HasSubstr("memory of this process"));
    EXPECT_THAT(refusal("lib.so:f(u64)->struct{u64,u64,u8}"), HasSubstr("more than 16 bytes"));
    EXPECT_THAT(refusal("lib.so:f(both[tracked,len=arg1],u64)->u64"), HasSubstr("not written"));
    EXPECT_THAT(refusal("lib.so:f(ptr[tracked],u64)->u64"), HasSubstr("a length"));
    EXPECT_THAT(refusal("lib.so:f(ptr[tracked,8],ptr[tracked,8],ptr[tracked,8],ptr[tracked,8],"
                        "ptr[tracked,8])->u64"),
                HasSubstr("at most 4"));
    EXPECT_THAT(refusal("lib.so:f(u64)->void"), HasSubstr("called for its effect"));
    EXPECT_THAT(refusal("lib.so:f(both cstr)->i32"), HasSubstr("string that is changed"));
    EXPECT_THAT(refusal("lib.so:f(f64,f64,f64,f64,f64,f64,f64,f64,f64)->f64"),
                HasSubstr("passed on the stack"));
    EXPECT_THAT(refusal("lib.so:f(u64,u64,u64,u64,u64,struct{u64,u64})->f64"),
                HasSubstr("passed on the stack"));
    EXPECT_EQ(refusal("lib.so:f(u64,u64,u64,u64,u64,u64,u64,u64)->f64"), "nothing");
}

TEST(Signature, LengthsLeadToNumbers)
{
    EXPECT_THAT(refusal("lib.so:f(ptr[len=arg2],u64)->u64"), HasSubstr("there is no arg2"));
    EXPECT_THAT(refusal("lib.so:f(ptr[len=arg1],f64)->u64"), HasSubstr("not an integer"));
    EXPECT_THAT(refusal("lib.so:f(ptr[len=*arg1],u64)->u64"), HasSubstr("8 bytes"));
    EXPECT_THAT(refusal("lib.so:f(ptr[len=*arg1],both[4])->u64"), HasSubstr("8 bytes"));
    EXPECT_THAT(refusal("lib.so:f(ptr[len=ret])->u64"), HasSubstr("what is read"));
    EXPECT_THAT(refusal("lib.so:f(out[len=ret])->f64"), HasSubstr("no integer is returned"));
    EXPECT_THAT(refusal("lib.so:f(ptr[0])->u64"), HasSubstr("between 1 and 32768"));
    EXPECT_THAT(refusal("lib.so:f(ptr[32769])->u64"), HasSubstr("between 1 and 32768"));
    EXPECT_THAT(refusal("lib.so:f(ptr[300*300])->u64"), HasSubstr("more than 32768"));
    EXPECT_THAT(refusal("lib.so:f(out[len=arg1*arg2*ret],u64,u64)->u64"), HasSubstr("at most two"));
    EXPECT_THAT(refusal("lib.so:f(cstr)->arg1"), HasSubstr("arg1 is not a pointer"));
    EXPECT_THAT(refusal("lib.so:f(u64)->arg0"), HasSubstr("arg0 is not a pointer"));
}

namespace
{

/// What check_prototype() says of @p text, given the well-known prototype of its function.
std::string contradiction(std::string_view text)
{
    const auto signature = parsed(text);
    const auto known = known_prototype(signature.library, signature.function);
    if (!known)
        return known.error().message;
    if (!known->has_value())
        return "not known";
    const auto checked = check_prototype(signature, **known);
    return checked.ok() ? "nothing" : checked.error().message + "\n" + checked.error().hint;
}

} // namespace

TEST(Prototype, WellKnownFunctionsAreChecked)
{
    EXPECT_EQ(contradiction("libm.so.6:pow(f64,f64)->f64"), "nothing");
    EXPECT_THAT(contradiction("libm.so.6:pow(f64)->f64"), HasSubstr("pow has 2 arguments, not 1"));
    EXPECT_THAT(contradiction("libm.so.6:pow(f64,f32)->f64"), HasSubstr("arg1 is f64"));
    EXPECT_THAT(contradiction("libm.so.6:pow(f64,u64)->f64"), HasSubstr("arg1 is f64"));
    EXPECT_THAT(contradiction("libm.so.6:pow(f64,-)->f64"), HasSubstr("cannot be left out"));
    EXPECT_THAT(contradiction("libm.so.6:pow(f64,f64)->f32"), HasSubstr("pow returns f64"));
    EXPECT_THAT(contradiction("libm.so.6:ldexp(f64,u8)->f64"), HasSubstr("arg1 is i32"));
    EXPECT_EQ(contradiction("libm.so.6:ldexp(f64,i32)->f64"), "nothing");
    EXPECT_EQ(contradiction("libm.so.6:sincos(f64,out[8],out[8])->void"), "nothing");
    EXPECT_THAT(contradiction("libm.so.6:sincos(f64,f64,out[8])->void"),
                HasSubstr("arg1 is pointer"));
    EXPECT_THAT(contradiction("libm.so.6:expl(f64)->f64"), HasSubstr("long double"));
    EXPECT_EQ(contradiction("/usr/lib/libz.so.1:crc32(u64,ptr[len=arg2],u32)->u64"), "nothing");
    EXPECT_EQ(contradiction("libother.so:pow(f64)->f64"), "not known");
}

TEST(Prototype, WhatIsNotPureIsRefused)
{
    EXPECT_THAT(contradiction("libc.so.6:rand()->i32"), HasSubstr("different results"));
    EXPECT_THAT(contradiction("libc.so.6:malloc(u64)->u64"), HasSubstr("called for what it does"));
    EXPECT_THAT(contradiction("libc.so.6:getenv(cstr)->u64"), HasSubstr("more than its arguments"));
    EXPECT_THAT(contradiction("libc.so.6:printf(cstr)->i32"), HasSubstr("variable arguments"));
    EXPECT_THAT(contradiction("libcrypt.so.1:crypt(cstr,cstr)->u64"),
                HasSubstr("returns a pointer"));
}

TEST(Prototype, MangledNamesAreRead)
{
    const auto refused = [](const std::string& name, const std::string& types) {
        const auto known = mangled_prototype(name);
        EXPECT_TRUE(known) << name;
        const auto checked = check_prototype(parsed("lib.so:" + name + types), *known);
        return checked.ok() ? "nothing" : checked.error().message;
    };
    // f(double, unsigned int, char const*)
    EXPECT_EQ(refused("_Z1fdjPKc", "(f64,u32,cstr)->u64"), "nothing");
    EXPECT_THAT(refused("_Z1fdjPKc", "(f64,u32)->u64"), HasSubstr("has 3 arguments, not 2"));
    EXPECT_THAT(refused("_Z1fdjPKc", "(f32,u32,cstr)->u64"), HasSubstr("arg0 is f64"));
    EXPECT_THAT(refused("_Z1fdjPKc", "(f64,u16,cstr)->u64"), HasSubstr("arg1 is i32"));
    EXPECT_THAT(refused("_Z1fdjPKc", "(f64,u32,f64)->u64"), HasSubstr("arg2 is pointer"));
    // S::f(double) const: with this, or static
    EXPECT_EQ(refused("_ZNK1S1fEd", "(ptr[8],f64)->u64"), "nothing");
    EXPECT_EQ(refused("_ZNK1S1fEd", "(f64)->u64"), "nothing");
    EXPECT_THAT(refused("_ZNK1S1fEd", "(f64,f64)->u64"), HasSubstr("arg0 is pointer"));
    // f(long double, ...)
    EXPECT_THAT(refused("_Z1fez", "(f64)->u64"), HasSubstr("variable arguments"));
    EXPECT_FALSE(mangled_prototype("pow"));
}

TEST(Eightbytes, AreThoseOfTheAbi)
{
    const auto floats = eightbytes({{true, 4}, {true, 4}, {true, 4}});
    ASSERT_EQ(floats.size(), 2U);
    EXPECT_TRUE(floats[0].floating && floats[1].floating);
    EXPECT_EQ(floats[1].mask, 0xffffffffU);
    const auto mixed = eightbytes({{true, 4}, {false, 4}});
    ASSERT_EQ(mixed.size(), 1U);
    EXPECT_FALSE(mixed[0].floating);
    const auto padded = eightbytes({{false, 1}, {false, 2}, {false, 8}});
    ASSERT_EQ(padded.size(), 2U);
    EXPECT_EQ(padded[0].mask, 0xffff00ffU);
}

} // namespace kcr::ctl
