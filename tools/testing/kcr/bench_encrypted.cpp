// SPDX-License-Identifier: GPL-2.0
/// @file
/// What hits cost with CONFIG_KCR_ENCRYPTION, against what they cost without it for sites that
/// are no secret: requests through the node's tier, fingerprint included. Prints JSON.
#include "system.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <vector>

namespace kcr::native
{
namespace
{

constexpr u64 kKeys = 256;
constexpr int kRounds = 400;

/// One request of @p bytes of key and of result; a miss stores.
bool request(System& system, Owner& owner, u32 bytes, u64 seed, std::vector<u64>& bulk)
{
    kcr_query q;
    kcr_shape shape{};
    std::vector<u64>& body = bulk; // of the right size, and read before it is written
    shape.body_len = bytes;
    shape.bulk_len = bytes;
    if (kcr_query_begin(&q, &system.site(), owner.get(), &shape) < 0)
        std::abort();
    q.key[0] = seed;
    q.key[1] = seed;
    if (q.size_class == KCR_CLASS_BLOB) {
        body[0] = seed;
        q.body = body.data();
        q.bulk = body.data() + bytes / 8;
        q.key[0] = 0;
        q.key[1] = 0;
    }
    const bool hit = kcr_lookup_unified(&q);
    if (!hit) {
        std::fill(std::begin(q.res), std::end(q.res), seed);
        if (q.size_class == KCR_CLASS_BLOB) {
            q.owned_body = std::memcpy(kmalloc(bytes, 0), q.body, bytes);
            q.owned_bulk = std::memcpy(kmalloc(bytes, 0), q.body, bytes);
            q.body = q.owned_body;
        }
        kcr_store_result(&q);
    }
    kcr_query_end(&q, hit);
    return hit;
}

/// Ticks of a hit, the least of many rounds.
double measure(u32 bytes, bool secret)
{
    System system;
    Owner owner;
    std::vector<u64> memory(2 * bytes / 8 + 2);
    double least = std::numeric_limits<double>::max();

    system.site().secret = secret;
    system.site().max_body = bytes;
    for (int round = -2; round < kRounds; round++) {
        const u64 start = get_cycles();
        u64 hits = 0;
        for (u64 key = 0; key < kKeys; key++)
            hits += request(system, owner, bytes, key * 0x9e3779b97f4a7c15, memory) ? 1 : 0;
        const auto ticks = static_cast<double>(get_cycles() - start);
        if (round >= 0 && hits)
            least = std::min(least, ticks / static_cast<double>(kKeys));
        if (round >= 0 && hits < kKeys * 9 / 10)
            std::abort();
    }
    return std::round(least * 100) / 100;
}

} // namespace
} // namespace kcr::native

int main()
{
    try {
        nlohmann::ordered_json document;
        for (const u32 bytes : {16U, 32U, 64U, 4096U}) {
            const auto both = std::to_string(bytes) + "_" + std::to_string(bytes);
            auto& figures = document["figures"];
            figures["native.plain_request_" + both] = kcr::native::measure(bytes, false);
            figures["native.encrypted_request_" + both] = kcr::native::measure(bytes, true);
        }
        std::printf("%s\n", document.dump(2).c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-encrypted-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
