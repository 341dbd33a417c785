// SPDX-License-Identifier: GPL-2.0
#include "model.hpp"

#include <algorithm>
#include <cstring>

namespace kcr::native
{

namespace
{

constexpr std::array<u32, 16> kLengths = {1,  8,  15, 16, 17, 31, 32,  33,
                                          48, 63, 64, 65, 80, 81, 200, 500};
constexpr u64 kTtl = 40;
constexpr u32 kHotKeys = 128;
constexpr u32 kEvictBlobs = 10;
constexpr u32 kEvictSteps = 500;

u64 mix(u64 x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

/// What computing gives.
u64 result_of(u32 cpu, u32 owner, u64 generation, u32 key)
{
    return mix(mix(generation) ^ (u64{cpu} << 48 | u64{owner} << 32 | key));
}

/// Some keys have results of the length of their body, as ciphers do.
bool has_bulk(u32 key)
{
    return key % 3 == 0;
}

u64 now()
{
    return __atomic_load_n(&kcr_shim_jiffies, __ATOMIC_SEQ_CST);
}

} // namespace

Bodies::Bodies() : bodies_(count)
{
    for (u32 key = 0; key < count; key++) {
        auto& body = bodies_[key];
        body.assign(kLengths[key % kLengths.size()], 0);
        // Short ones are alike by necessity, others differ in two bytes anywhere
        const u32 number = key / static_cast<u32>(kLengths.size());
        const std::size_t at = std::size_t{number} * 7 % body.size();
        body[at] = static_cast<u8>(number);
        if (body.size() > 1)
            body[(at + 1) % body.size()] = static_cast<u8>(1 + number % 3);
    }
}

Model::Model(System& system, const Bodies& bodies, unsigned first_cpu, bool expire, Source source)
    : system_(system), bodies_(bodies), first_cpu_(first_cpu), expire_(expire),
      source_(std::move(source)), bulk_(KCR_BODY_DEFAULT)
{
    kcr_shim_set_cpu(first_cpu);
    for (auto& owned : owned_)
        owned.owner.emplace();
}

Model::~Model()
{
    if (expire_) {
        WRITE_ONCE(system_.site().ttl, 0);
        WRITE_ONCE(kcr_rare_key.enabled, false);
    }
}

void Model::step()
{
    const u64 dice = source_();
    const u64 what = dice % 4096;
    Owned& owned = owned_[dice >> 12 & (owners - 1)];
    if (what < 8) {
        invalidate(dice >> 16, owned);
    } else if (what < 72) {
        __atomic_fetch_add(&kcr_shim_jiffies, 1, __ATOMIC_SEQ_CST);
    } else if (what < 136) {
        kcr_shim_set_cpu(first_cpu_ + (dice >> 16 & 1));
    } else if (what == 136) {
        // As when the CPU goes offline
        kcr_tier_sweep(raw_cpu_read(kcr_l2), KCR_ANY_STAMP);
    } else if (what == 137) {
        kcr_tier_evict_blobs(raw_cpu_read(kcr_l3_local), kEvictBlobs, kEvictSteps);
    } else if (what == 138 && expire_) {
        change_ttl();
    } else {
        const u32 range = (dice >> 15 & 3) == 0 ? Bodies::count : kHotKeys;
        request(dice >> 12 & (owners - 1), static_cast<u32>(dice >> 20) % range);
    }
}

/// Nothing of this owner may be found from now on.
void Model::invalidate(u64 dice, Owned& owned)
{
    owned.generation++;
    if (dice % 4 == 0)
        owned.owner.emplace(); // another one at the same address
    else
        owned.owner->renew();
    std::fill(owned.stored.begin(), owned.stored.end(), 0);
}

void Model::change_ttl()
{
    const u64 ttl = READ_ONCE(system_.site().ttl) == 0 ? kTtl : 0;
    WRITE_ONCE(system_.site().ttl, ttl);
    WRITE_ONCE(kcr_rare_key.enabled, ttl != 0);
    if (ttl != 0)
        kcr_sweep(KCR_ANY_STAMP);
}

void Model::request(u32 owner, u32 key)
{
    const auto& body = bodies_[key];
    Owned& owned = owned_[owner];
    kcr_shape shape{};
    shape.body_len = static_cast<u32>(body.size());
    shape.small_len = 8;
    shape.bulk_len = has_bulk(key) ? shape.body_len : 0;
    if (shape.bulk_len + 8 > u32{KCR_INLINE_MAX} && shape.body_len <= u32{KCR_INLINE_MAX})
        shape.bulk_len = 0;

    kcr_query q;
    const u64 before = now();
    if (kcr_query_begin(&q, &system_.site(), owned.owner->get(), &shape) < 0)
        return fail("a request was not begun");
    if (q.size_class == KCR_CLASS_BLOB) {
        q.body = body.data();
        q.bulk = bulk_.data();
    } else {
        std::memcpy(q.key, body.data(), body.size());
    }
    const bool hit = kcr_lookup_unified(&q);
    if (hit)
        check(q, owned, owner, key, before);
    else if (kcr_wants_result(&q))
        compute(q, owned, owner, key);
    kcr_query_end(&q, hit);
}

void Model::check(const kcr_query& q, const Owned& owned, u32 owner, u32 key, u64 before)
{
    hits_++;
    const u64 expected = result_of(first_cpu_, owner, owned.generation, key);
    if (q.res[0] != expected)
        return fail("a result is another's");
    if (owned.stored[key] == 0)
        return fail("a result was found that was never stored");
    const u64 ttl = READ_ONCE(system_.site().ttl);
    if (expire_ && ttl != 0 && before - owned.stored[key] > ttl)
        return fail("a result was found that had expired");
    if (q.size_class != KCR_CLASS_BLOB) {
        for (u32 i = 1; i < kcr_class_words(q.size_class); i++) {
            if (q.res[i] != expected + i)
                return fail("a result is torn");
        }
    } else if (!std::all_of(bulk_.begin(), bulk_.begin() + q.bulk_len,
                            [=](u8 byte) { return byte == static_cast<u8>(expected); })) {
        fail("a bulk is another's, or torn");
    }
}

void Model::compute(kcr_query& q, Owned& owned, u32 owner, u32 key)
{
    const u64 value = result_of(first_cpu_, owner, owned.generation, key);
    for (u32 i = 0; i < KCR_INLINE_WORDS; i++)
        q.res[i] = value + i;
    if (q.size_class == KCR_CLASS_BLOB) {
        const auto& body = bodies_[key];
        q.owned_body = kcr_shim_alloc(body.size(), false);
        std::memcpy(q.owned_body, body.data(), body.size());
        if (q.bulk_len != 0) {
            q.owned_bulk = kcr_shim_alloc(q.bulk_len, false);
            std::memset(q.owned_bulk, static_cast<u8>(value), q.bulk_len);
        }
    }
    if (kcr_store_result(&q) == 0)
        owned.stored[key] = now();
}

void Model::fail(const std::string& what)
{
    if (wrong_++ == 0)
        first_ = what;
}

} // namespace kcr::native
