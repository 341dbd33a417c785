// SPDX-License-Identifier: GPL-2.0
/// @file
/// Random requests against a reference map: a hit must be what the map says.
#include "system.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace kcr::native
{
namespace
{

constexpr unsigned kOwners = 8;
constexpr u64 kKeys = 3000;
constexpr std::array<u32, 12> kBodies = {1, 8, 15, 16, 17, 32, 48, 64, 80, 81, 500, 4096};

/// The body that belongs to a key number.
std::vector<u8> body_of(u64 key)
{
    std::vector<u8> body(kBodies[key % kBodies.size()]);
    for (std::size_t i = 0; i < body.size(); i++)
        body[i] = static_cast<u8>(key * 37 + i * (key % 5));
    if (body.size() >= sizeof(key))
        std::memcpy(body.data(), &key, sizeof(key));
    return body;
}

class Model
{
public:
    void run(std::uint64_t operations, std::uint64_t seed)
    {
        random_.seed(seed);
        for (auto& owner : owners_)
            owner = std::make_unique<Owner>();
        for (std::uint64_t n = 0; n < operations; n++)
            step();
        EXPECT_GT(hits_, operations / 10);
    }

private:
    void step()
    {
        const u64 dice = random_() % 1000;
        const unsigned owner = random_() % kOwners;
        if (dice == 0) {
            owners_[owner]->renew();
            generation_[owner]++;
        } else if (dice == 1) {
            // Another owner, perhaps at the same address
            owners_[owner] = nullptr;
            owners_[owner] = std::make_unique<Owner>();
            generation_[owner]++;
        } else if (dice == 2) {
            kcr_tier_evict_blobs(*per_cpu_ptr(&kcr_l3_local, 0), 10, 500);
            kcr_shim_quiesce();
        } else {
            request(owner, random_() % 4 == 0 ? random_() % kKeys : random_() % 200);
        }
    }

    void request(unsigned owner, u64 key)
    {
        const auto body = body_of(key);
        kcr_shape shape{};
        shape.body_len = static_cast<u32>(body.size());
        shape.small_len = 8;
        kcr_query q;
        ASSERT_GE(kcr_query_begin(&q, &system_.site(), owners_[owner]->get(), &shape), 0);
        if (q.size_class == KCR_CLASS_BLOB)
            q.body = body.data();
        else
            std::memcpy(q.key, body.data(), body.size());

        const bool hit = kcr_lookup_unified(&q);
        if (hit) {
            hits_++;
            const auto expected = results_.find({owner, body});
            ASSERT_NE(expected, results_.end());
            ASSERT_EQ(expected->second.first, generation_[owner]);
            ASSERT_EQ(expected->second.second, q.res[0]);
        } else {
            compute(q, owner, body);
        }
        kcr_query_end(&q, hit);
    }

    /// Every computation gives another result, so that a mix-up shows.
    void compute(kcr_query& q, unsigned owner, const std::vector<u8>& body)
    {
        std::memset(q.res, 0, sizeof(q.res));
        q.res[0] = ++next_;
        if (q.size_class == KCR_CLASS_BLOB) {
            q.owned_body = kcr_shim_alloc(body.size(), false);
            std::memcpy(q.owned_body, body.data(), body.size());
        }
        if (kcr_store_result(&q) == 0)
            results_[{owner, body}] = {generation_[owner], next_};
    }

    System system_;
    std::mt19937_64 random_;
    std::array<std::unique_ptr<Owner>, kOwners> owners_;
    std::array<u64, kOwners> generation_{};
    std::map<std::pair<unsigned, std::vector<u8>>, std::pair<u64, u64>> results_;
    u64 next_ = 0;
    u64 hits_ = 0;
};

TEST(Model, AgreesWithAMap)
{
    for (std::uint64_t seed = 1; seed <= 3; seed++)
        Model().run(300000, seed);
}

} // namespace
} // namespace kcr::native
