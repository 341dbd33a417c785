// SPDX-License-Identifier: GPL-2.0
// A lookup finds what was stored for this key, byte for byte, and nothing else.
#include "support.hpp"

#include <cerrno>
#include <cstring>
#include <set>

namespace kcr::tests
{

namespace
{

using LookupTest = LibTest;

/// Asks until the key is remembered: the second time may be needed for storing.
void remember(const Function& function, const Bytes& key, std::size_t result_size,
              bool (*ask)(const Function&, const Bytes&, std::size_t, std::uint64_t))
{
    for (int i = 0; i < 3 && !ask(function, key, result_size, 0); i++) {
    }
}

/// Every key length around the classes' borders, with results of some lengths.
class SizesTest : public LibTest, public testing::WithParamInterface<std::size_t>
{
};

TEST_P(SizesTest, KeysOfAllLengths)
{
    const std::size_t result_size = GetParam();
    const auto domain = make_domain();
    auto options = pure_options();
    options.key_max = 4096;
    options.result_max = static_cast<std::uint32_t>(result_size);
    const auto function = make_function(domain, options);
    ASSERT_EQ(kcr_function_status(function.get(), nullptr), 0);
    for (const std::size_t size : {0,  1,  3,  4,  5,  7,  8,  9,  12, 15,  16,   17,   24,  31,
                                   32, 33, 48, 63, 64, 65, 79, 80, 81, 100, 1000, 4095, 4096}) {
        const auto key = key_of(size * 0x0101010101010101, size);
        remember(function, key, result_size, ask);
        EXPECT_TRUE(ask(function, key, result_size)) << size;
        if (size == 0)
            continue;
        // Another in each byte is another key
        for (const std::size_t at : std::set<std::size_t>{0, size / 2, size - 1}) {
            auto other = key;
            other[at] ^= 0x80;
            EXPECT_FALSE(ask(function, other, result_size)) << size << " at " << at;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Results, SizesTest,
                         testing::Values(0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 80, 81, 4000));

TEST_F(LookupTest, ResultsOfAnyLengthUpToTheLongest)
{
    const auto domain = make_domain();
    for (const std::size_t most : {16, 32, 80, 200}) {
        auto options = pure_options();
        options.result_max = static_cast<std::uint32_t>(most);
        const auto function = make_function(domain, options);
        for (std::size_t size = 0; size <= most; size++) {
            const auto key = key_of(size);
            remember(function, key, size, ask);
            EXPECT_TRUE(ask(function, key, size)) << most << ' ' << size;
        }
    }
}

TEST_F(LookupTest, NothingIsWrittenBehindTheResult)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    const auto key = key_of(7);
    remember(function, key, 5, ask);
    Bytes buffer(16, 0xaa);
    std::size_t len = 0;
    kcr_ticket ticket;
    ASSERT_EQ(kcr_begin(function.get(), key.data(), key.size(), buffer.data(), 5, &len, &ticket),
              KCR_HIT);
    EXPECT_EQ(len, 5U);
    EXPECT_EQ(Bytes(buffer.begin() + 5, buffer.end()), Bytes(11, 0xaa));
}

TEST_F(LookupTest, ResultsForWhichThereIsNoRoomAreComputed)
{
    const auto domain = make_domain();
    for (const std::size_t size : {16, 32, 80, 1000}) {
        auto options = pure_options();
        options.result_max = static_cast<std::uint32_t>(size);
        const auto function = make_function(domain, options);
        const auto key = key_of(size);
        remember(function, key, size, ask);
        Bytes buffer(size - 1);
        std::size_t len = 0;
        kcr_ticket ticket;
        EXPECT_EQ(kcr_begin(function.get(), key.data(), key.size(), buffer.data(), buffer.size(),
                            &len, &ticket),
                  KCR_COMPUTE);
    }
}

TEST_F(LookupTest, KeysThatAreTooLongAreComputed)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    for (int i = 0; i < 4; i++)
        EXPECT_FALSE(ask(function, key_of(1, 17)));
    EXPECT_EQ(stats_of(domain).stored, 0U);
}

TEST_F(LookupTest, ResultsThatAreTooLongAreNotStored)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    for (int i = 0; i < 4; i++)
        EXPECT_FALSE(ask(function, key_of(1), 17));
    EXPECT_EQ(stats_of(domain).stored, 0U);
    EXPECT_GT(stats_of(function).failed, 0U);
}

TEST_F(LookupTest, FunctionsDoNotShareResults)
{
    const auto domain = make_domain();
    const auto one = make_function(domain, pure_options("one"));
    const auto two = make_function(domain, pure_options("two"));
    remember(one, key_of(1), 8, ask);
    EXPECT_TRUE(ask(one, key_of(1)));
    EXPECT_FALSE(ask(two, key_of(1)));
}

TEST_F(LookupTest, VersionsAndIdentitiesMakeFunctions)
{
    const auto domain = make_domain();
    auto options = pure_options();
    const auto first = make_function(domain, options);
    const auto again = make_function(domain, options);
    remember(first, key_of(1), 8, ask);
    EXPECT_TRUE(ask(again, key_of(1)));
    EXPECT_EQ(stats_of(domain).functions, 1U);
    options.version = 2;
    EXPECT_FALSE(ask(make_function(domain, options), key_of(1)));
    const Bytes identity(KCR_IDENTITY_BYTES, 1);
    options.version = 0;
    options.identity = identity.data();
    EXPECT_FALSE(ask(make_function(domain, options), key_of(1)));
    EXPECT_EQ(stats_of(domain).functions, 3U);
}

TEST_F(LookupTest, NamesThatTheKernelWouldRefuse)
{
    const auto domain = make_domain();
    auto options =
        pure_options("int f(std::string, \xc3\xbc) [a name that is longer than the kernel takes]");
    EXPECT_EQ(kcr_function_status(make_function(domain, options).get(), nullptr), 0);
}

TEST_F(LookupTest, FlushForgets)
{
    const auto domain = make_domain();
    const auto one = make_function(domain, pure_options("one"));
    const auto two = make_function(domain, pure_options("two"));
    remember(one, key_of(1), 8, ask);
    remember(two, key_of(1), 8, ask);
    EXPECT_EQ(kcr_function_flush(one.get(), 0), 0);
    EXPECT_FALSE(ask(one, key_of(1)));
    EXPECT_TRUE(ask(two, key_of(1)));
    EXPECT_EQ(kcr_domain_flush(domain.get()), 0);
    EXPECT_FALSE(ask(two, key_of(1)));
}

TEST_F(LookupTest, WhatWasComputedAcrossAFlushIsNotStored)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    const auto key = key_of(1);
    Bytes result(8);
    call(function, key, result, [&](const Bytes& k) {
        kcr_domain_flush(domain.get());
        return digest(k);
    });
    EXPECT_EQ(stats_of(domain).entries, 0U);
    EXPECT_EQ(stats_of(domain).stale, 1U);
}

TEST_F(LookupTest, ExpiryEnds)
{
    for (const std::uint32_t size : {16, 32, 80, 500}) {
        const auto domain = make_domain();
        auto options = pure_options();
        options.expiry_ms = 50;
        options.result_max = size;
        const auto function = make_function(domain, options);
        kcr_emul_set_clock(1000);
        remember(function, key_of(1), 8, ask);
        EXPECT_TRUE(ask(function, key_of(1))) << size;
        // The region's clock goes on with the next who stores
        kcr_emul_set_clock(1050);
        remember(function, key_of(2), 8, ask);
        EXPECT_TRUE(ask(function, key_of(1))) << size;
        kcr_emul_set_clock(1051);
        remember(function, key_of(3), 8, ask);
        EXPECT_FALSE(ask(function, key_of(1))) << size;
    }
}

TEST_F(LookupTest, HitsMakeNoSystemCall)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    remember(function, key_of(1), 8, ask);
    const auto before = kcr_emul_calls();
    for (int i = 0; i < 10000; i++)
        ASSERT_TRUE(ask(function, key_of(1)));
    EXPECT_EQ(kcr_emul_calls(), before);
}

TEST_F(LookupTest, ErrnoStays)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    kcr_emul_fail(KCR_IOC_STORE, EBADF);
    errno = 4711;
    for (int i = 0; i < 4; i++)
        ask(function, key_of(1));
    EXPECT_EQ(errno, 4711);
    kcr_domain_flush(nullptr);
    const Domain none(kcr_domain_from_fd(-1));
    EXPECT_EQ(errno, 4711);
}

TEST_F(LookupTest, CallsThatAreLeftDoNoHarm)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    for (std::uint64_t n = 0; n < 1000; n++) {
        Bytes result(8);
        std::size_t len = 0;
        kcr_ticket ticket;
        const auto key = key_of(n % 10);
        kcr_begin(function.get(), key.data(), key.size(), result.data(), 8, &len, &ticket);
    }
    EXPECT_EQ(stats_of(domain).entries, 0U);
    EXPECT_EQ(stats_of(function).misses, 1000U);
    remember(function, key_of(1), 8, ask);
    EXPECT_TRUE(ask(function, key_of(1)));
}

TEST_F(LookupTest, PeekShowsAResultWhereItIs)
{
    const auto domain = make_domain();
    for (const std::size_t size : {8, 32, 80, 1000}) {
        auto options = pure_options();
        options.result_max = static_cast<std::uint32_t>(size);
        const auto function = make_function(domain, options);
        const auto key = key_of(size);
        kcr_view view;
        EXPECT_EQ(kcr_peek(function.get(), key.data(), key.size(), &view), KCR_COMPUTE);
        remember(function, key, size, ask);
        ASSERT_EQ(kcr_peek(function.get(), key.data(), key.size(), &view), KCR_HIT);
        ASSERT_EQ(view.len, size);
        EXPECT_EQ(std::memcmp(view.data, digest(key, size).data(), size), 0);
        EXPECT_EQ(kcr_view_valid(&view), 1);
        kcr_function_flush(function.get(), 0);
        EXPECT_EQ(kcr_view_valid(&view), 0);
        EXPECT_EQ(kcr_peek(function.get(), key.data(), key.size(), &view), KCR_COMPUTE);
    }
}

TEST_F(LookupTest, ManyKeysInASmallRegion)
{
    const auto domain = make_domain(64U << 10);
    auto options = pure_options();
    options.key_max = 300;
    options.result_max = 300;
    const auto function = make_function(domain, options);
    int hits = 0;
    for (std::uint64_t n = 0; n < 20000; n++)
        hits += ask(function, key_of(n * n % 997, 8 + n * n % 997 % 290), n * n % 997 % 300);
    EXPECT_GT(hits, 0);
    EXPECT_GT(stats_of(domain).evicted, 0U);
}

TEST_F(LookupTest, CountsAreExact)
{
    const auto domain = make_domain();
    const auto function = make_function(domain, pure_options());
    std::uint64_t hits = 0;
    for (std::uint64_t n = 0; n < 5000; n++)
        hits += ask(function, key_of(n % 50));
    EXPECT_EQ(stats_of(function).hits, hits);
    EXPECT_EQ(stats_of(function).misses, 5000 - hits);
    EXPECT_EQ(stats_of(function).state, KCR_FUNCTION_REUSED);
}

} // namespace

} // namespace kcr::tests
