// SPDX-License-Identifier: GPL-2.0
// Keys differ if anything differs that results depend on; results come back as they were.
extern "C" {
#include "memo.h"
}

#include "description.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace
{

constexpr kcr_memo_control usual = {.mxcsr = 0x1f80, .x87 = 0x37f};

kcr_memo_function function_of(const std::string& signature)
{
    auto parsed = kcr::ctl::parse_signature("lib.so:" + signature);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
    const auto text = kcr::ctl::describe(9, 2, {{.signature = *parsed}});
    kcr_memo_text reader = {text.c_str(), 0};
    int fd = 0;
    std::uint32_t filters = 0;
    kcr_memo_function function{};
    EXPECT_EQ(kcr_memo_read_head(&reader, &fd, &filters), 0);
    EXPECT_EQ(fd, 9);
    EXPECT_EQ(filters, 2U);
    EXPECT_EQ(kcr_memo_read_function(&reader, &function), 0) << text;
    EXPECT_EQ(*reader.at, '\0');
    return function;
}

/// The key, or "full".
std::string key_of(const kcr_memo_function& function, const kcr_memo_frame& frame,
                   const kcr_memo_control& control = usual, std::size_t room = KCR_MEMO_LARGE)
{
    std::vector<unsigned char> bytes(room);
    kcr_memo_buffer key = {bytes.data(), room, 0, 0};
    kcr_memo_key(&key, &function, &frame, &control);
    return key.full ? "full"
                    : std::string(bytes.begin(), bytes.begin() + static_cast<long>(key.length));
}

std::uint64_t address(const void* at)
{
    return reinterpret_cast<std::uint64_t>(at);
}

TEST(Key, IsShortWhereItCan)
{
    const auto pow = function_of("pow(f64,f64)->f64");
    const kcr_memo_frame frame{};
    EXPECT_EQ(key_of(pow, frame).size(), 16U);
    std::uint32_t key_max = 0;
    std::uint32_t result_max = 0;
    kcr_memo_limits(&pow, &key_max, &result_max);
    EXPECT_LE(result_max, 16U);
    EXPECT_EQ(key_max, 22U);
}

TEST(Key, WatchedMemoryIsNotInIt)
{
    const auto function = function_of("f(ptr[tracked,len=arg1],u64)->u64");
    EXPECT_EQ(function.nr_tracked, 1U);
    std::vector<unsigned char> memory(16 * KCR_MEMO_PAGE, 'x');
    const auto begin = (address(memory.data()) + KCR_MEMO_PAGE - 1) / KCR_MEMO_PAGE * KCR_MEMO_PAGE;
    auto* at = memory.data() + (begin - address(memory.data())) + 100;
    kcr_memo_frame frame{};
    frame.gp[0] = address(at);
    frame.gp[1] = 8 * KCR_MEMO_PAGE;
    const auto key = key_of(function, frame);
    // Which one, how long, what is before and behind whole pages, and the argument
    EXPECT_EQ(key.size(), KCR_MEMO_FRONT + 16 + KCR_MEMO_PAGE + 8U);
    EXPECT_EQ(key.substr(0, KCR_MEMO_FRONT), std::string(KCR_MEMO_FRONT, '\0'));
    kcr_memo_span span{};
    kcr_memo_inner(&function.items[0], &frame, &span);
    EXPECT_EQ(span.start, begin + KCR_MEMO_PAGE);
    EXPECT_EQ(span.end, begin + 8 * KCR_MEMO_PAGE);
    at[KCR_MEMO_PAGE] = 'y';
    EXPECT_EQ(key_of(function, frame), key);
    at[0] = 'y';
    EXPECT_NE(key_of(function, frame), key);
    at[0] = 'x';
    at[8 * KCR_MEMO_PAGE - 1] = 'y';
    EXPECT_NE(key_of(function, frame), key);
    at[8 * KCR_MEMO_PAGE - 1] = 'x';
    frame.gp[1]++;
    EXPECT_NE(key_of(function, frame), key);
}

TEST(Key, ShortMemoryThatCouldBeWatchedIsInIt)
{
    const auto function = function_of("f(ptr[tracked,len=arg1],u64)->u64");
    std::vector<unsigned char> memory(KCR_MEMO_WATCHED, 'x');
    kcr_memo_frame frame{};
    frame.gp[0] = address(memory.data());
    frame.gp[1] = KCR_MEMO_WATCHED - 1;
    const auto key = key_of(function, frame);
    for (const std::size_t at : {0, 5000, KCR_MEMO_WATCHED - 2}) {
        memory[at] = 'y';
        EXPECT_NE(key_of(function, frame), key) << at;
        memory[at] = 'x';
    }
    EXPECT_EQ(key_of(function, frame), key);
    std::uint32_t key_max = 0;
    std::uint32_t result_max = 0;
    kcr_memo_limits(&function, &key_max, &result_max);
    EXPECT_GE(key_max, key.size());
    // NULL is not memory of no bytes, and too many are too many
    frame.gp[1] = 0;
    const auto none = key_of(function, frame);
    frame.gp[0] = 0;
    EXPECT_NE(key_of(function, frame), none);
    frame.gp[0] = address(memory.data());
    frame.gp[1] = ~std::uint64_t{0};
    EXPECT_EQ(key_of(function, frame), "full");
}

TEST(Key, ControlWordsCount)
{
    const auto function = function_of("f(i32)->i32");
    const kcr_memo_frame frame{};
    const auto plain = key_of(function, frame);
    EXPECT_NE(plain, key_of(function, frame, {.mxcsr = 0x3f80, .x87 = 0x37f}));
    EXPECT_NE(plain, key_of(function, frame, {.mxcsr = 0x1f80, .x87 = 0x27f}));
    EXPECT_NE(key_of(function, frame, {.mxcsr = 0x3f80, .x87 = 0x37f}),
              key_of(function, frame, {.mxcsr = 0x1f80, .x87 = 0x27f}));
}

TEST(Key, OnlyBitsThatCount)
{
    const auto function = function_of("f(u8,i32,f32)->i32");
    kcr_memo_frame frame{};
    frame.gp[0] = 5;
    frame.gp[1] = 6;
    frame.xmm[0][0] = 7;
    const auto key = key_of(function, frame);
    EXPECT_EQ(key.size(), 9U);
    frame.gp[0] |= 0xffffffffffffff00;
    frame.gp[1] |= 0xffffffff00000000;
    frame.xmm[0][0] |= 0xffffffff00000000;
    frame.xmm[0][1] = 1;
    frame.gp[2] = 1;
    EXPECT_EQ(key, key_of(function, frame));
    frame.gp[1] ^= 0x80000000;
    EXPECT_NE(key, key_of(function, frame));
}

TEST(Key, PartsDoNotRunIntoEachOther)
{
    const auto function = function_of("f(cstr,cstr)->i32");
    kcr_memo_frame one{};
    kcr_memo_frame two{};
    one.gp[0] = address("ab");
    one.gp[1] = address("c");
    two.gp[0] = address("a");
    two.gp[1] = address("bc");
    EXPECT_NE(key_of(function, one), key_of(function, two));
    two.gp[0] = address("");
    two.gp[1] = 0;
    const auto with_null = key_of(function, two);
    two.gp[1] = address("");
    EXPECT_NE(with_null, key_of(function, two));
}

TEST(Key, WhetherOutputIsWantedCounts)
{
    const auto function = function_of("f(u32,out[8])->i32");
    std::array<char, 8> to{};
    kcr_memo_frame frame{};
    const auto without = key_of(function, frame);
    frame.gp[1] = address(to.data());
    EXPECT_NE(without, key_of(function, frame));
}

TEST(Key, TooLongIsFull)
{
    const auto function = function_of("f(ptr[len=arg1*arg2],u64,i32)->i32");
    const std::vector<char> memory(100000);
    kcr_memo_frame frame{};
    frame.gp[0] = address(memory.data());
    for (const auto& [a, b] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
             {100000, 1}, {300, 300}, {1ULL << 40, 1U << 30}, {~0ULL, 2}, {32768, 1}}) {
        frame.gp[1] = a;
        frame.gp[2] = b;
        EXPECT_EQ(key_of(function, frame), "full") << a << " * " << b;
    }
    frame.gp[1] = 100;
    frame.gp[2] = 10;
    EXPECT_EQ(key_of(function, frame).size(), 1016U);
    EXPECT_EQ(key_of(function, frame, usual, 1015), "full");
    EXPECT_EQ(key_of(function, frame, usual, 1016).size(), 1016U);
}

TEST(Overlaps, AreSeen)
{
    const auto function = function_of("f(ptr[len=arg1],u64,out[4],both[4])->i32");
    std::array<char, 32> memory{};
    kcr_memo_frame frame{};
    const auto place = [&](int in, int out, int both) {
        frame.gp[0] = address(memory.data() + in);
        frame.gp[1] = 8;
        frame.gp[2] = address(memory.data() + out);
        frame.gp[3] = address(memory.data() + both);
        return kcr_memo_overlaps(&function, &frame);
    };
    EXPECT_EQ(place(0, 8, 12), 0);
    EXPECT_EQ(place(0, 7, 12), 1);
    EXPECT_EQ(place(4, 0, 12), 0);
    EXPECT_EQ(place(4, 1, 12), 1);
    EXPECT_EQ(place(0, 8, 11), 1);
    EXPECT_EQ(place(9, 0, 6), 1);
}

std::vector<unsigned char> record(const kcr_memo_function& function, const kcr_memo_frame& frame,
                                  const kcr_memo_effects& effects, bool* full = nullptr)
{
    std::vector<unsigned char> bytes(KCR_MEMO_LARGE);
    kcr_memo_buffer result = {bytes.data(), bytes.size(), 0, 0};
    kcr_memo_record(&result, &function, &frame, &effects);
    if (full != nullptr)
        *full = result.full != 0;
    bytes.resize(result.length);
    return bytes;
}

TEST(Result, ComesBack)
{
    const auto function = function_of("f(out[4],out cstr)->struct{i64,f32}");
    std::array<char, 8> four = {1, 2, 3, 4, 5};
    std::array<char, 8> text = {'h', 'i', 0, 'x'};
    kcr_memo_frame frame{};
    frame.gp[0] = address(four.data());
    frame.gp[1] = address(text.data());
    frame.ret[0] = 0x1122334455667788;
    frame.retx[0][0] = 0xffffffff40000000;
    const auto bytes = record(function, frame, {.flags = 0x21, .error = 34});

    four.fill(9);
    text.fill('y');
    kcr_memo_frame back{};
    back.gp[0] = frame.gp[0];
    back.gp[1] = frame.gp[1];
    kcr_memo_effects effects{};
    ASSERT_EQ(kcr_memo_replay(bytes.data(), bytes.size(), &function, &back, &effects), 0);
    EXPECT_EQ(back.ret[0], 0x1122334455667788U);
    EXPECT_EQ(back.retx[0][0], 0x40000000U);
    EXPECT_EQ(effects.flags, 0x21U);
    EXPECT_EQ(effects.error, 34);
    EXPECT_EQ(std::string(four.data(), 5), (std::string{1, 2, 3, 4, 9}));
    EXPECT_EQ(std::string(text.data(), 4), (std::string{'h', 'i', 0, 'y'}));
}

TEST(Result, CutShortDoesNothing)
{
    const auto function = function_of("f(out[4],out[4])->i32");
    std::array<char, 8> memory = {1, 2, 3, 4, 5, 6, 7, 8};
    kcr_memo_frame frame{};
    frame.gp[0] = address(memory.data());
    frame.gp[1] = address(memory.data() + 4);
    const auto bytes = record(function, frame, {});
    memory.fill(9);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        kcr_memo_effects effects{};
        EXPECT_EQ(kcr_memo_replay(bytes.data(), length, &function, &frame, &effects), -1) << length;
        EXPECT_EQ(memory, (std::array<char, 8>{9, 9, 9, 9, 9, 9, 9, 9})) << length;
    }
}

TEST(Result, PointersToElsewhereAreNotTold)
{
    const auto function = function_of("f(cstr)->arg0");
    kcr_memo_frame frame{};
    frame.gp[0] = address("x");
    bool full = false;
    frame.ret[0] = frame.gp[0];
    record(function, frame, {}, &full);
    EXPECT_FALSE(full);
    frame.ret[0] = 0;
    record(function, frame, {}, &full);
    EXPECT_FALSE(full);
    frame.ret[0] = frame.gp[0] + 1;
    record(function, frame, {}, &full);
    EXPECT_TRUE(full);
}

TEST(Result, StrangeErrnoIsNotTold)
{
    const auto function = function_of("f(i32)->i32");
    const kcr_memo_frame frame{};
    for (const int error : {-1, 65536}) {
        bool full = false;
        record(function, frame, {.flags = 0, .error = error}, &full);
        EXPECT_TRUE(full) << error;
    }
}

} // namespace
