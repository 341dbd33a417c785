// SPDX-License-Identifier: GPL-2.0
/// @file
/// Fuzzes the building of keys: requests of any shape, their input gathered from pieces of any
/// length into memory that holds anything. Different requests must never have equal keys, and
/// equal ones always must; what was stored for one must be found by its equals only.
#include "../system.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace kcr::native;

namespace
{

constexpr u32 kParams = 64;
/// What the memory of the two queries is full of.
constexpr u8 kMarkers[] = {0x5a, 0xc3};

/// What a site is asked for.
struct Request {
    kcr_shape shape{};
    std::vector<u8> side;
    std::vector<u8> body;

    bool operator==(const Request& other) const
    {
        return shape.param == other.shape.param && shape.small_len == other.shape.small_len &&
               shape.bulk_len == other.shape.bulk_len && side == other.side && body == other.body;
    }
};

void fail_if(bool condition)
{
    if (condition)
        std::abort();
}

std::vector<u8> bytes(FuzzedDataProvider& data, std::size_t length)
{
    auto some = data.ConsumeBytes<u8>(data.ConsumeIntegralInRange<std::size_t>(0, length));
    some.resize(length); // the rest is zero, like padding
    return some;
}

Request any_request(FuzzedDataProvider& data)
{
    Request request;
    request.shape.param = data.ConsumeIntegralInRange<u32>(0, kParams - 1);
    request.shape.side_len = data.ConsumeIntegralInRange<u32>(0, KCR_SIDE_MAX);
    request.shape.small_len = data.ConsumeIntegralInRange<u32>(0, KCR_SMALL_MAX);
    // Mostly near the limits between classes
    const u32 longest = data.ConsumeBool() ? 100 : KCR_BODY_DEFAULT + 1;
    request.shape.body_len = data.ConsumeIntegralInRange<u32>(0, longest);
    request.shape.bulk_len = data.ConsumeIntegralInRange<u32>(0, longest);
    request.side = bytes(data, request.shape.side_len);
    request.body = bytes(data, request.shape.body_len);
    return request;
}

/// The same again, or changed a little, or another.
Request second_request(FuzzedDataProvider& data, const Request& first)
{
    Request second = first;
    auto& shape = second.shape;
    switch (data.ConsumeIntegralInRange<int>(0, 6)) {
    case 0:
        return any_request(data);
    case 1: // zeroes at the end of the body: padding that is data
        shape.body_len += data.ConsumeIntegralInRange<u32>(0, 16);
        second.body.resize(shape.body_len);
        break;
    case 2: // what was the end of the side is the beginning of the body
        if (shape.side_len > 0) {
            second.body.insert(second.body.begin(), second.side.back());
            second.side.pop_back();
            shape.side_len--;
            shape.body_len++;
        }
        break;
    case 3:
        shape.param = data.ConsumeIntegralInRange<u32>(0, kParams - 1);
        break;
    case 4: // results of other lengths: perhaps another class
        shape.small_len = data.ConsumeIntegralInRange<u32>(0, KCR_SMALL_MAX);
        shape.bulk_len = data.ConsumeIntegralInRange<u32>(0, 100);
        break;
    case 5: // a bit
        if (!second.body.empty())
            second.body[data.ConsumeIntegralInRange<std::size_t>(0, second.body.size() - 1)] ^=
                static_cast<u8>(1U << data.ConsumeIntegralInRange<unsigned>(0, 7));
        break;
    default:
        break;
    }
    return second;
}

/// Copies @p from in pieces, as from a scatterlist.
void gather(FuzzedDataProvider& data, u8* to, const std::vector<u8>& from)
{
    std::size_t done = 0;
    while (done < from.size()) {
        const auto piece = data.ConsumeIntegralInRange<std::size_t>(1, from.size() - done);
        std::memcpy(to + done, from.data() + done, piece);
        done += piece;
    }
}

/// A request on its way; false if it is not for reuse.
class Query
{
public:
    Query(FuzzedDataProvider& data, System& system, Owner& owner, const Request& request, u8 marker)
    {
        std::memset(&q, marker, sizeof(q)); // a stack holds anything
        begun = kcr_query_begin(&q, &system.site(), owner.get(), &request.shape) >= 0;
        if (!begun)
            return;
        q.start = 0; // neither timed nor audited
        auto* key = reinterpret_cast<u8*>(q.key);
        gather(data, key, request.side);
        if (q.size_class == KCR_CLASS_BLOB) {
            body.resize(request.body.size());
            gather(data, body.data(), request.body);
            q.body = body.data();
            q.bulk = bulk.data();
        } else {
            gather(data, key + request.side.size(), request.body);
        }
    }

    [[nodiscard]] bool same_key(const Query& other) const
    {
        const bool blob = q.size_class == KCR_CLASS_BLOB;
        const u32 words = blob ? KCR_SIDE_MAX / 8 : kcr_class_words(q.size_class);
        return q.head == other.q.head && std::equal(q.key, q.key + words, other.q.key) &&
               (!blob || (q.bulk_len == other.q.bulk_len && body == other.body));
    }

    /// Stores a result of all the bytes that it may have.
    int store()
    {
        std::fill(std::begin(q.res), std::end(q.res), 0);
        if (q.size_class == KCR_CLASS_BLOB) {
            q.owned_body = kcr_shim_alloc(std::max<std::size_t>(body.size(), 1), false);
            std::copy(body.begin(), body.end(), static_cast<u8*>(q.owned_body));
            if (q.bulk_len > 0)
                q.owned_bulk = kcr_shim_alloc(q.bulk_len, true);
        }
        return kcr_store_result(&q);
    }

    kcr_query q;
    bool begun = false;
    std::vector<u8> body;
    std::vector<u8> bulk = std::vector<u8>(KCR_BODY_DEFAULT + 1);
};

/// Requests that are equal but for the lengths of their results may have equal keys.
bool equal_input(const Request& a, const Request& b)
{
    return a.shape.param == b.shape.param && a.side == b.side && a.body == b.body;
}

void check_pair(Query& first, Query& second, const Request& a, const Request& b)
{
    const bool equal = first.same_key(second);
    fail_if(a == b && !equal);
    fail_if(equal && !equal_input(a, b));
    fail_if(equal && kcr_fingerprint(&first.q) != kcr_fingerprint(&second.q));

    fail_if(kcr_lookup_unified(&first.q));
    const bool stored = first.store() == 0;
    const bool hit = kcr_lookup_unified(&second.q);
    fail_if(hit && !(stored && equal));
    fail_if(stored && equal && !hit);
    kcr_query_end(&first.q, false);
    kcr_query_end(&second.q, hit);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    static System system;
    FuzzedDataProvider data(input, size);
    Owner owner; // its end sweeps what was stored
    const Request a = any_request(data);
    const Request b = second_request(data, a);
    Query first(data, system, owner, a, kMarkers[0]);
    Query second(data, system, owner, b, kMarkers[1]);
    fail_if(a == b && first.begun != second.begun);
    if (first.begun && second.begun)
        check_pair(first, second, a, b);
    kcr_shim_quiesce();
    return 0;
}
