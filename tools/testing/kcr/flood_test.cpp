// SPDX-License-Identifier: GPL-2.0
/// @file
/// What a sender who floods the tiers can take from somebody else's hit rate.
#include "system.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace kcr::native
{
namespace
{

constexpr unsigned kWarmUp = 20000;
constexpr unsigned kCounted = 10000;
/// Of its hit rate alone, in percent.
constexpr double kKeeps = 70;

/// A pair that collides under xxHash64 whatever the seed is cannot be had for all
/// seeds; equal fingerprints are what it would amount to.
enum class Collide { No, Bucket };

struct Attack {
    const char* name;
    unsigned owners;
    unsigned rate;  ///< its requests for each of the victim's
    unsigned times; ///< how often it sends each key, one after the other
    u32 bytes;
    Collide collide = Collide::No;
    bool first = false; ///< it is there before the victim is
};

struct Victim {
    const char* name;
    unsigned keys;
    u32 bytes;
};

std::ostream& operator<<(std::ostream& out, const Attack& attack)
{
    return out << attack.name;
}

std::ostream& operator<<(std::ostream& out, const Victim& victim)
{
    return out << victim.name;
}

/// Some sender: looks up, computes and stores as a site does.
class Sender
{
public:
    Sender(System& system, u32 bytes) : system_(system), body_(bytes) {}

    bool request(u64 key, Collide collide = Collide::No)
    {
        kcr_query q;
        begin(q, key);
        q.fingerprint = kcr_fingerprint(&q);
        if (collide == Collide::Bucket)
            q.fingerprint = 0x123456789abcdef0U;
        // As kcr_lookup_unified() does it, but with the fingerprint of our choice
        kcr_tier* l2 = *per_cpu_ptr(&kcr_l2, 0);
        kcr_tier* l3 = *per_cpu_ptr(&kcr_l3_local, 0);
        const bool blob = q.size_class == KCR_CLASS_BLOB;
        const bool near = !blob && kcr_tier_lookup(l2, &q);
        const bool hit = near || kcr_tier_lookup(l3, &q);
        if (!hit && kcr_tier_admits(l3, &q))
            store(q, l3);
        else if (hit && !near && !blob)
            kcr_tier_store(l2, &q, nullptr);
        kcr_query_end(&q, hit);
        return hit;
    }

private:
    void begin(kcr_query& q, u64 key)
    {
        kcr_shape shape{};
        shape.body_len = static_cast<u32>(body_.size());
        shape.bulk_len = static_cast<u32>(body_.size());
        ASSERT_GE(kcr_query_begin(&q, &system_.site(), owner_.get(), &shape), 0);
        q.flags = 0;
        std::memcpy(body_.data(), &key, sizeof(key));
        q.body = body_.data();
        q.bulk = bulk_.data();
        if (q.size_class != KCR_CLASS_BLOB)
            std::memcpy(q.key, body_.data(), body_.size());
    }

    void store(kcr_query& q, kcr_tier* l3)
    {
        kcr_blob* blob = nullptr;
        std::memset(q.res, 0, sizeof(q.res));
        if (q.size_class == KCR_CLASS_BLOB) {
            q.owned_body = kcr_shim_alloc(body_.size(), true);
            q.owned_bulk = kcr_shim_alloc(body_.size(), true);
            std::memcpy(q.owned_body, body_.data(), body_.size());
            blob = kcr_blob_create(&q);
            if (!kcr_blob_make_room(l3, &q, blob->bytes)) {
                kcr_blob_drop(blob);
                return;
            }
        }
        if (kcr_tier_store(l3, &q, blob) != 0 && blob != nullptr)
            kcr_blob_retire(l3, blob);
        if (++stores_ % 256 == 0)
            kcr_shim_quiesce();
    }

    System& system_;
    Owner owner_;
    std::vector<u8> body_;
    std::array<u8, KCR_BODY_MAX> bulk_{};
    unsigned stores_ = 0;
};

/// All of an attacker's owners.
class Attacker
{
public:
    Attacker(System& system, const Attack& attack) : attack_(attack)
    {
        for (unsigned i = 0; i < attack.owners; i++)
            senders_.push_back(std::make_unique<Sender>(system, attack.bytes));
    }

    void run(unsigned requests)
    {
        for (unsigned i = 0; i < requests; i++, next_++) {
            const u64 key = next_ / attack_.times;
            senders_[key % senders_.size()]->request(key, attack_.collide);
        }
    }

private:
    Attack attack_;
    std::vector<std::unique_ptr<Sender>> senders_;
    u64 next_ = 0;
};

class Flood : public testing::TestWithParam<std::tuple<Victim, Attack>>
{
protected:
    static void SetUpTestSuite()
    {
        system_ = std::make_unique<System>();
    }
    static void TearDownTestSuite()
    {
        system_ = nullptr;
    }

    /// The victim's hits of kCounted requests, with an attack or without. Owners sweep
    /// the tiers when they go; new secrets make what is left of tags worthless.
    static unsigned hits(const Victim& victim, const Attack& attack, bool attacked)
    {
        kcr_fingerprint_init();
        Attacker attacker(*system_, attack);
        Sender sender(*system_, victim.bytes);
        std::mt19937_64 random(1);
        unsigned count = 0;
        if (attacked && attack.first)
            attacker.run(50000);
        for (unsigned i = 0; i < kWarmUp + kCounted; i++) {
            const bool hit = sender.request(random() % victim.keys);
            count += hit && i >= kWarmUp;
            if (attacked && (attack.first || i > kWarmUp / 2))
                attacker.run(attack.rate);
        }
        kcr_shim_quiesce();
        return count;
    }

private:
    static inline std::unique_ptr<System> system_;
};

TEST_P(Flood, LeavesTheVictimMostOfItsHits)
{
    const auto& [victim, attack] = GetParam();
    const double alone = hits(victim, attack, false);
    const double attacked = hits(victim, attack, true);
    const double keeps = 100 * attacked / alone;
    RecordProperty("alone", std::to_string(100 * alone / kCounted));
    RecordProperty("keeps", std::to_string(keeps));
    EXPECT_GE(alone, kCounted * 0.85);
    EXPECT_GE(keeps, kKeeps);
}

constexpr Victim kVictims[] = {
    {"inline256", 256, 64}, {"inline1000", 1000, 64}, {"inline2000", 2000, 64},
    {"blob256", 256, 200},  {"blob1000", 1000, 200},  {"large500", 500, 4096},
};

constexpr Attack kAttacks[] = {
    {"unique", 1, 1, 1, 64},
    {"unique10", 1, 10, 1, 64},
    {"unique100", 1, 100, 1, 64},
    {"twice10", 1, 10, 2, 64},
    {"twice100", 1, 100, 2, 64},
    {"thrice100", 1, 100, 3, 64},
    {"bucket", 1, 100, 2, 64, Collide::Bucket},
    {"bucketBlob", 1, 20, 2, 200, Collide::Bucket},
    {"owners2", 2, 50, 2, 64},
    {"owners8", 8, 50, 2, 64},
    {"owners64", 64, 50, 2, 64},
    {"large", 1, 10, 2, 4096},
    {"large8", 8, 10, 2, 4096},
    {"firstUnique", 1, 20, 1, 64, Collide::No, true},
    {"firstTwice", 1, 20, 2, 64, Collide::No, true},
    {"firstLarge", 1, 10, 2, 4096, Collide::No, true},
};

INSTANTIATE_TEST_SUITE_P(All, Flood,
                         testing::Combine(testing::ValuesIn(kVictims), testing::ValuesIn(kAttacks)),
                         [](const auto& info) {
                             return std::string(std::get<0>(info.param).name) + "_" +
                                    std::get<1>(info.param).name;
                         });

} // namespace
} // namespace kcr::native
