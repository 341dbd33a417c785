// SPDX-License-Identifier: GPL-2.0
#include "system.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace kcr::native
{
namespace
{

constexpr u32 kKeyBytes[] = {16, 32, 64, 80};

void begin(kcr_query& q, System& system, Owner& owner, u32 bytes, u64 seed)
{
    kcr_shape shape{};
    shape.body_len = bytes;
    shape.bulk_len = bytes;
    ASSERT_GE(kcr_query_begin(&q, &system.site(), owner.get(), &shape), 0);
    for (u32 i = 0; i < bytes / 8; i++)
        q.key[i] = seed + i;
}

bool request(System& system, Owner& owner, u32 bytes, u64 seed)
{
    kcr_query q;
    begin(q, system, owner, bytes, seed);
    const bool hit = kcr_lookup_unified(&q);
    if (hit) {
        for (u32 i = 0; i < bytes / 8; i++)
            EXPECT_EQ(q.res[i], ~(seed + i));
    } else {
        for (u32 i = 0; i < KCR_INLINE_WORDS; i++)
            q.res[i] = ~(seed + i);
        kcr_store_result(&q);
    }
    kcr_query_end(&q, hit);
    return hit;
}

TEST(Tier, PromotesWhatTheNodeHas)
{
    System system;
    Owner owner;
    for (const u32 bytes : kKeyBytes) {
        EXPECT_FALSE(request(system, owner, bytes, 1));
        EXPECT_TRUE(request(system, owner, bytes, 1));
        EXPECT_TRUE(request(system, owner, bytes, 1));
    }
    EXPECT_EQ(system.count(KCR_L3_HITS), 4U);
    EXPECT_EQ(system.count(KCR_L2_HITS), 4U);
}

TEST(Tier, ForgetsWhatWasInvalidated)
{
    System system;
    Owner owner;
    request(system, owner, 64, 1);
    EXPECT_TRUE(request(system, owner, 64, 1));
    owner.renew();
    EXPECT_FALSE(request(system, owner, 64, 1));
    EXPECT_TRUE(request(system, owner, 64, 1));
}

TEST(Tier, DropsWhatWasComputedAcrossAnInvalidation)
{
    System system;
    Owner owner;
    kcr_query q;
    begin(q, system, owner, 32, 1);
    EXPECT_FALSE(kcr_lookup_unified(&q));
    owner.renew();
    EXPECT_EQ(kcr_store_result(&q), -ESTALE);
    EXPECT_EQ(system.count(KCR_STORES_DROPPED), 1U);
}

/// Entries of a site whose entries expire stay where their age is known.
TEST(Tier, DoesNotPromoteWhatExpires)
{
    System system;
    Owner owner;
    system.site().ttl = 100;
    kcr_rare_key.enabled = true;
    EXPECT_FALSE(request(system, owner, 16, 1));
    EXPECT_TRUE(request(system, owner, 16, 1));
    kcr_shim_jiffies += 99;
    EXPECT_TRUE(request(system, owner, 16, 1));
    EXPECT_EQ(system.count(KCR_L2_HITS), 0U);
    kcr_shim_jiffies += 2;
    EXPECT_FALSE(request(system, owner, 16, 1));
    kcr_rare_key.enabled = false;
}

/// Percentage of hits in the node's tier when @p keys keys are asked for at random.
double hit_rate(System& system, Owner& owner, u64 keys)
{
    constexpr u64 kRounds = 20;
    std::mt19937_64 random(keys);
    kcr_tier* tier = *per_cpu_ptr(&kcr_l3_local, 0);
    u64 hits = 0;
    for (u64 n = 0; n < 2 * kRounds * keys; n++) {
        kcr_query q;
        begin(q, system, owner, 16, random() % keys * 1000);
        q.fingerprint = kcr_fingerprint(&q);
        if (!kcr_tier_lookup(tier, &q))
            kcr_tier_store(tier, &q, nullptr);
        else if (n >= kRounds * keys)
            hits++;
    }
    return 100.0 * static_cast<double>(hits) / static_cast<double>(kRounds * keys);
}

/// What the shape of the index gives.
TEST(Tier, HoldsMostOfAWorkingSetOfItsSize)
{
    System system;
    Owner owner;
    EXPECT_GE(hit_rate(system, owner, KCR_L3_SLOTS), 88);
    kcr_sweep(KCR_ANY_STAMP);
    EXPECT_GE(hit_rate(system, owner, KCR_L3_SLOTS / 2), 95);
}

/// All buckets have a number, and none has the one that says that there is none.
TEST(Tier, BucketsFitIntoTheIndex)
{
    const System system;
    for (const kcr_tier* tier : {*per_cpu_ptr(&kcr_l2, 0), *per_cpu_ptr(&kcr_l3_local, 0)}) {
        EXPECT_EQ(tier->bucket_mask + 1, tier->nr_slots * KCR_INDEX_FACTOR);
        EXPECT_LT(tier->bucket_mask, u32{KCR_NO_BUCKET});
    }
}

/// Writers on other CPUs change the results of one key all the time: whatever is
/// read must be of one store.
TEST(Tier, NeverReadsTornEntries)
{
    constexpr unsigned kCpus = 4;
    constexpr int kOperations = 200000;
    System system(kCpus);
    Owner owner;
    std::atomic<std::uint64_t> torn{0};
    std::atomic<std::uint64_t> hits{0};

    std::vector<std::thread> threads;
    for (unsigned cpu = 0; cpu < kCpus; cpu++) {
        threads.emplace_back([&, cpu] {
            kcr_shim_set_cpu(cpu);
            // Readers may have to wait for writers to end, if decrypting takes long
            for (u64 n = 0; n < kOperations || (cpu % 2 && !hits && n < u64{10} * kOperations);
                 n++) {
                kcr_query q;
                begin(q, system, owner, 80, 7);
                if (cpu % 2 == 0) {
                    q.fingerprint = kcr_fingerprint(&q);
                    std::fill(std::begin(q.res), std::end(q.res), n * kCpus + cpu);
                    kcr_store_result(&q);
                } else if (q.fingerprint = kcr_fingerprint(&q);
                           kcr_tier_lookup(*per_cpu_ptr(&kcr_l3_local, cpu), &q)) {
                    hits++;
                    torn += std::any_of(std::begin(q.res), std::end(q.res),
                                        [&](u64 word) { return word != q.res[0]; });
                }
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(torn, 0U);
    EXPECT_GT(hits, 0U);
}

/// The same for entries out of line, whose bytes are zeroed under their readers when others take
/// their place, and freed when those are gone.
TEST(Tier, NeverReadsTornBlobs)
{
    constexpr u32 kBodyBytes = 100; // soon zeroed, so that the bulk is while it is copied
    constexpr u32 kBytes = 4096;
    constexpr u64 kStores = 50000;
    System system(2);
    Owner owner;
    const std::vector<u8> body(kBodyBytes, 3);
    kcr_shape shape{};
    shape.body_len = kBodyBytes;
    shape.bulk_len = kBytes;
    std::atomic<bool> stop{false};
    std::uint64_t torn = 0;
    std::uint64_t hits = 0;

    std::thread reader([&] {
        kcr_shim_set_cpu(1);
        std::vector<u8> bulk(kBytes);
        while (!stop) {
            kcr_query q;
            ASSERT_GE(kcr_query_begin(&q, &system.site(), owner.get(), &shape), 0);
            q.body = body.data();
            q.bulk = bulk.data();
            q.fingerprint = kcr_fingerprint(&q);
            if (kcr_tier_lookup(*per_cpu_ptr(&kcr_l3_local, 1), &q)) {
                hits++;
                torn += bulk[0] == 0 || bulk != std::vector<u8>(kBytes, bulk[0]) ? 1 : 0;
            }
            kcr_query_end(&q, false);
        }
    });
    kcr_shim_set_cpu(0);
    for (u64 n = 0; n < kStores; n++) {
        kcr_query q;
        ASSERT_GE(kcr_query_begin(&q, &system.site(), owner.get(), &shape), 0);
        q.body = body.data();
        q.owned_body = kcr_shim_alloc(kBodyBytes, false);
        q.owned_bulk = kcr_shim_alloc(kBytes, false);
        std::memset(q.owned_body, 3, kBodyBytes);
        std::memset(q.owned_bulk, static_cast<int>(n % 255 + 1), kBytes);
        q.flags = 0;
        q.fingerprint = kcr_fingerprint(&q);
        kcr_store_result(&q);
        kcr_query_end(&q, false);
    }
    stop = true;
    reader.join();
    EXPECT_EQ(torn, 0U);
    EXPECT_GT(hits, 0U);
}

/// Invalidation against stores on other CPUs: once renew() has returned, no entry
/// of the old stamp is left anywhere.
TEST(Tier, SweepsWhatIsBeingStored)
{
    constexpr unsigned kCpus = 3;
    System system(kCpus);
    Owner owner;
    std::atomic<bool> stop{false};

    std::vector<std::thread> threads;
    for (unsigned cpu = 1; cpu < kCpus; cpu++) {
        threads.emplace_back([&, cpu] {
            kcr_shim_set_cpu(cpu);
            for (u64 n = 0; !stop; n++)
                request(system, owner, 64, n % 100);
        });
    }
    kcr_shim_set_cpu(0);
    for (int n = 0; n < 300; n++) {
        const u64 old = owner.get()->stamp;
        owner.renew();
        const kcr_tier* l3 = *per_cpu_ptr(&kcr_l3_local, 0);
        for (u32 i = 0; i < l3->nr_slots; i++)
            ASSERT_NE(READ_ONCE(l3->slots[i].stamp), old);
    }
    stop = true;
    for (auto& thread : threads)
        thread.join();
}

/// The other half of it, made to happen: a sweep meets a slot that is being written.
TEST(Tier, SweepWaitsForAWriter)
{
    const System system;
    kcr_tier* tier = *per_cpu_ptr(&kcr_l3_local, 0);
    kcr_slot* slot = &tier->slots[5];
    constexpr u64 kStamp = 12345;

    ASSERT_TRUE(kcr_slot_claim(slot));
    std::thread sweep([&] { kcr_tier_sweep(tier, kStamp); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    WRITE_ONCE(slot->stamp, kStamp);
    kcr_slot_release(slot);
    sweep.join();
    EXPECT_EQ(slot->stamp, 0U);
}

/// Keys that are alike must spread over the buckets, whatever the secrets are.
TEST(Fingerprint, SpreadsSimilarKeys)
{
    constexpr u64 kBuckets = u64{KCR_L3_SLOTS} * KCR_INDEX_FACTOR;
    System system;
    Owner owner;
    for (int secrets = 0; secrets < 200; secrets++) {
        kcr_fingerprint_init();
        for (const int shift : {0, 3, 12, 20, 40, 52}) {
            std::set<u64> buckets;
            for (u64 n = 0; n < KCR_L3_SLOTS; n++) {
                kcr_query q;
                begin(q, system, owner, kKeyBytes[secrets % 4], n << shift);
                buckets.insert((kcr_fingerprint(&q) >> 32) % kBuckets);
            }
            // Chance gives 3624
            EXPECT_GE(buckets.size(), 3400U) << "shift " << shift;
        }
    }
}

} // namespace
} // namespace kcr::native
