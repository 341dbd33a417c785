// SPDX-License-Identifier: GPL-2.0
/// @file
/// Entries that only the process that made them can read.
#include "system.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

extern "C" {
#include "encrypt.h"
}

namespace kcr::native
{
namespace
{

constexpr u32 kKeyBytes[] = {16, 32, 80};
constexpr u32 kBlobBytes = 1000;
constexpr u64 kResult = 0x5253544c5f454e44;

/// What a thread is while it is in scope.
class Process
{
public:
    Process()
    {
        kcr_cipher_init(&mm_.kcr_cipher);
        enter();
    }
    ~Process()
    {
        kcr_cipher_destroy(&mm_.kcr_cipher);
        kcr_shim_current.mm = nullptr;
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void enter()
    {
        kcr_shim_current.mm = &mm_;
    }
    /// As exec(2) does.
    void forget()
    {
        kcr_cipher_destroy(&mm_.kcr_cipher);
        kcr_cipher_init(&mm_.kcr_cipher);
    }

private:
    mm_struct mm_{};
};

bool request_inline(System& system, Owner& owner, u32 bytes, u64 seed)
{
    kcr_query q;
    kcr_shape shape{};
    shape.body_len = bytes;
    shape.bulk_len = bytes;
    EXPECT_GE(kcr_query_begin(&q, &system.site(), owner.get(), &shape), 0);
    for (u32 i = 0; i < bytes / 8; i++)
        q.key[i] = seed;
    const bool hit = kcr_lookup_unified(&q);
    if (hit) {
        for (u32 i = 0; i < bytes / 8; i++)
            EXPECT_EQ(q.res[i], kResult);
    } else {
        for (u64& word : q.res)
            word = kResult;
        kcr_store_result(&q);
    }
    kcr_query_end(&q, hit);
    return hit;
}

bool request_blob(System& system, Owner& owner, u64 seed)
{
    kcr_query q;
    kcr_shape shape{};
    std::vector<u64> key(kBlobBytes / 8, seed);
    std::vector<u64> bulk(kBlobBytes / 8);
    shape.body_len = kBlobBytes;
    shape.bulk_len = kBlobBytes;
    shape.small_len = 16;
    EXPECT_GE(kcr_query_begin(&q, &system.site(), owner.get(), &shape), 0);
    q.body = key.data();
    q.bulk = bulk.data();
    const bool hit = kcr_lookup_unified(&q);
    if (hit) {
        EXPECT_EQ(bulk, std::vector<u64>(kBlobBytes / 8, kResult));
        EXPECT_EQ(q.res[1], kResult);
    } else {
        for (u64& word : q.res)
            word = kResult;
        q.owned_body = kmalloc(kBlobBytes, 0);
        q.owned_bulk = kmalloc(kBlobBytes, 0);
        std::memcpy(q.owned_body, key.data(), kBlobBytes);
        for (u32 i = 0; i < kBlobBytes / 8; i++)
            std::memcpy(static_cast<char*>(q.owned_bulk) + std::size_t{8} * i, &kResult, 8);
        q.body = q.owned_body;
        q.bulk = q.owned_bulk;
        EXPECT_EQ(kcr_store_result(&q), 0);
    }
    kcr_query_end(&q, hit);
    return hit;
}

/// How many words of a tier's slots, and of what they point to, are @p word.
unsigned words_in(const kcr_tier& tier, u64 word)
{
    unsigned found = 0;
    for (u32 nr = 0; nr < tier.nr_slots; nr++) {
        for (const u64 data : tier.slots[nr].data)
            found += data == word;
        if (!kcr_slot_has_blob(&tier.slots[nr]))
            continue;
        const auto* blob = std::bit_cast<const kcr_blob*>(tier.slots[nr].data[KCR_BLOB_PTR]);
        for (const u64 small : blob->small)
            found += small == word;
        for (u32 i = 0; i < blob->bulk_len / 8; i++)
            found += static_cast<const u64*>(blob->bulk)[i] == word;
    }
    return found;
}

TEST(Encrypt, BlockIsThatOfTheRfc)
{
    // RFC 8439, 2.3.2
    std::array<u32, 16> state{};
    std::array<u8, 64> stream{};
    chacha_init_consts(state.data());
    for (u32 i = 0; i < 32; i++)
        reinterpret_cast<u8*>(state.data() + 4)[i] = static_cast<u8>(i);
    state[12] = 1;
    state[13] = 0x09000000;
    state[14] = 0x4a000000;
    chacha20_block(state.data(), stream.data());
    constexpr std::array<u8, 16> expected = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15,
                                             0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4};
    EXPECT_EQ(std::memcmp(stream.data(), expected.data(), expected.size()), 0);
    EXPECT_EQ(state[12], 2U);
}

TEST(Encrypt, AProcessFindsItsOwn)
{
    System system;
    Owner owner;
    const Process process;
    for (const u32 bytes : kKeyBytes) {
        EXPECT_FALSE(request_inline(system, owner, bytes, 1));
        EXPECT_TRUE(request_inline(system, owner, bytes, 1)); // the node's tier
        EXPECT_TRUE(request_inline(system, owner, bytes, 1)); // the CPU's
    }
    EXPECT_FALSE(request_blob(system, owner, 1));
    EXPECT_TRUE(request_blob(system, owner, 1));
}

TEST(Encrypt, AnotherProcessFindsNothing)
{
    System system;
    Owner owner;
    Process first;
    for (const u32 bytes : kKeyBytes)
        request_inline(system, owner, bytes, 1);
    request_blob(system, owner, 1);
    {
        const Process second;
        for (const u32 bytes : kKeyBytes) {
            EXPECT_FALSE(request_inline(system, owner, bytes, 1));
            EXPECT_TRUE(request_inline(system, owner, bytes, 1));
        }
        EXPECT_FALSE(request_blob(system, owner, 1));
        EXPECT_TRUE(request_blob(system, owner, 1));
    }
    first.enter();
    for (const u32 bytes : kKeyBytes)
        EXPECT_TRUE(request_inline(system, owner, bytes, 1));
    EXPECT_TRUE(request_blob(system, owner, 1));
}

TEST(Encrypt, WhoIsNoProcessHasAKeyToo)
{
    System system;
    Owner owner;
    EXPECT_FALSE(request_inline(system, owner, 16, 1));
    EXPECT_TRUE(request_inline(system, owner, 16, 1));
    const Process process;
    EXPECT_FALSE(request_inline(system, owner, 16, 1));
}

TEST(Encrypt, AForgottenKeyForgetsResults)
{
    System system;
    Owner owner;
    Process process;
    request_inline(system, owner, 80, 1);
    request_blob(system, owner, 1);
    process.forget();
    EXPECT_FALSE(request_inline(system, owner, 80, 1));
    EXPECT_FALSE(request_blob(system, owner, 1));
}

TEST(Encrypt, NothingIsThereInTheClear)
{
    constexpr u64 key = 0x4b45595f424c4f42;
    System system;
    Owner owner;
    const Process process;
    for (const u32 bytes : kKeyBytes) {
        request_inline(system, owner, bytes, key);
        request_inline(system, owner, bytes, key); // promoted
    }
    request_blob(system, owner, key);
    for (const kcr_tier* tier : {kcr_cpu_tier(0), kcr_node_tier(0)}) {
        EXPECT_GT(kcr_tier_used(tier), 0U);
        EXPECT_EQ(words_in(*tier, kResult), 0U);
    }
    // Out of line only the result is encrypted
    unsigned keys = 0;
    for (const u64 data : kcr_cpu_tier(0)->slots->data)
        keys += data == key;
    EXPECT_EQ(keys, 0U);
}

TEST(Encrypt, NoKeyStreamIsUsedTwice)
{
    System system;
    Owner owner;
    const Process process;
    std::vector<u64> seen;
    // The same key and result, again and again, into the same slot
    for (int i = 0; i < 100; i++) {
        request_inline(system, owner, 80, 1);
        const kcr_tier& tier = *kcr_node_tier(0);
        for (u32 nr = 0; nr < tier.nr_slots; nr++) {
            if (tier.slots[nr].stamp)
                seen.insert(seen.end(), std::begin(tier.slots[nr].data),
                            std::end(tier.slots[nr].data));
        }
        kcr_owner_renew(owner.get());
    }
    const auto count = seen.size();
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    EXPECT_GE(count, 100U * 20);
    EXPECT_EQ(seen.size(), count);
}

TEST(Encrypt, WhatIsNoSecretIsSharedAndPlain)
{
    System system;
    Owner owner;
    system.site().secret = false;
    {
        const Process first;
        request_inline(system, owner, 16, 1);
    }
    const Process second;
    EXPECT_TRUE(request_inline(system, owner, 16, 1));
    EXPECT_GT(words_in(*kcr_node_tier(0), kResult), 0U);
}

} // namespace
} // namespace kcr::native
