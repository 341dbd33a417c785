// SPDX-License-Identifier: GPL-2.0
/// @file
/// A hit stores nothing into memory that CPUs share: it works when all of the tiers' memory is
/// read-only. What it does store, its CPU's counters, lies elsewhere.
#include "system.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace kcr::native
{
namespace
{

constexpr u64 kKeys = 100;
constexpr u32 kBodies[] = {16, 32, 64, 80, 200};
constexpr u64 kPage = 4096;

bool protect(const void* start, u64 size)
{
    return mprotect(const_cast<void*>(start), (size + kPage - 1) / kPage * kPage, PROT_READ) == 0;
}

/// The shim gives all of a tier's memory pages of its own.
bool protect(const kcr_tier* tier)
{
    const u64 buckets = tier->bucket_mask + 1;
    return protect(tier->slots, tier->nr_slots * sizeof(*tier->slots)) &&
           protect(tier->index, buckets * sizeof(*tier->index)) &&
           protect(tier->tags, buckets * sizeof(*tier->tags)) && protect(tier, sizeof(*tier));
}

class ReadOnly : public testing::TestWithParam<u32>
{
protected:
    /// True if it was a hit; otherwise stores.
    bool request(u64 key)
    {
        u8 body[200] = {};
        __builtin_memcpy(body, &key, sizeof(key));
        kcr_shape shape{};
        shape.body_len = GetParam();
        shape.small_len = 8;
        kcr_query q;
        if (kcr_query_begin(&q, &system_.site(), owner_.get(), &shape) < 0)
            return false;
        q.start = 0; // neither timed nor audited
        if (q.size_class == KCR_CLASS_BLOB)
            q.body = body;
        else
            __builtin_memcpy(q.key, body, GetParam());
        const bool hit = kcr_lookup_unified(&q);
        if (!hit) {
            std::fill(std::begin(q.res), std::end(q.res), key);
            if (q.size_class == KCR_CLASS_BLOB) {
                q.owned_body = kcr_shim_alloc(GetParam(), false);
                __builtin_memcpy(q.owned_body, body, GetParam());
            }
            kcr_store_result(&q);
        }
        kcr_query_end(&q, hit && q.res[0] == key);
        return hit;
    }

    /// Brings keys into L3 and L2 and has them marked as read in both. Those that share a bucket
    /// of L2 with another displace each other, which is no hit's doing: they are left out.
    void SetUp() override
    {
        for (u64 key = 0; key < kKeys; key++)
            keys_.push_back(key);
        for (int round = 0; round < 5; round++)
            hits();
        std::erase_if(keys_, [this](u64 key) {
            const auto before = system_.count(KCR_L2_HITS);
            const bool hit = request(key);
            return !hit || (GetParam() <= KCR_INLINE_MAX && system_.count(KCR_L2_HITS) == before);
        });
        ASSERT_GT(keys_.size(), kKeys / 2);
    }

    u64 hits()
    {
        return static_cast<u64>(
            std::count_if(keys_.begin(), keys_.end(), [this](u64 key) { return request(key); }));
    }

    /// The process ends well if all keys hit while nothing can be stored.
    [[noreturn]] void hit_protected()
    {
        std::signal(SIGSEGV, SIG_DFL); // the sanitizers' handlers would hide what it was
        const bool done = protect(raw_cpu_read(kcr_l2)) && protect(raw_cpu_read(kcr_l3_local));
        std::_Exit(done && hits() == keys_.size() ? 0 : 1);
    }

    System system_;
    Owner owner_;
    std::vector<u64> keys_;
};

TEST_P(ReadOnly, HitsStoreNothingIntoTheTiers)
{
    ASSERT_EQ(hits(), keys_.size());
    EXPECT_EXIT(hit_protected(), testing::ExitedWithCode(0), "");
}

TEST_P(ReadOnly, L3HitsStoreNothingEither)
{
    kcr_tier* l2 = std::exchange(raw_cpu_read(kcr_l2), nullptr);
    std::erase_if(keys_, [this](u64 key) { return !request(key); }); // was in L2 only
    std::erase_if(keys_, [this](u64 key) { return !request(key); }); // displaced by that
    EXPECT_EXIT(
        {
            std::signal(SIGSEGV, SIG_DFL);
            const bool done = protect(raw_cpu_read(kcr_l3_local));
            std::_Exit(done && hits() == keys_.size() ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
    raw_cpu_read(kcr_l2) = l2;
}

/// The control: a mark that is not set has to be, and that is seen.
TEST_P(ReadOnly, AStoreWouldBeSeen)
{
    for (kcr_tier* tier : {raw_cpu_read(kcr_l2), raw_cpu_read(kcr_l3_local)}) {
        for (u32 i = 0; i < tier->nr_slots; i++)
            tier->slots[i].ref = 0;
    }
    EXPECT_EXIT(hit_protected(), testing::KilledBySignal(SIGSEGV), "");
}

INSTANTIATE_TEST_SUITE_P(Bytes, ReadOnly, testing::ValuesIn(kBodies),
                         testing::PrintToStringParamName());

} // namespace
} // namespace kcr::native
