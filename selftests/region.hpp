/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reader of a domain's region, written from the description in the uapi header
 * and from nothing else.
 */
#ifndef KCR_SELFTEST_REGION_HPP
#define KCR_SELFTEST_REGION_HPP

#include "domain.hpp"

namespace domain
{

/** xxHash64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). */
inline uint64_t xxh64(std::span<const uint8_t> data, uint64_t seed)
{
    constexpr uint64_t p1 = 0x9e3779b185ebca87ULL;
    constexpr uint64_t p2 = 0xc2b2ae3d27d4eb4fULL;
    constexpr uint64_t p3 = 0x165667b19e3779f9ULL;
    constexpr uint64_t p4 = 0x85ebca77c2b2ae63ULL;
    constexpr uint64_t p5 = 0x27d4eb2f165667c5ULL;
    const auto rotate = [](uint64_t x, int bits) { return x << bits | x >> (64 - bits); };
    const auto round = [&](uint64_t acc, uint64_t lane) {
        return rotate(acc + lane * p2, 31) * p1;
    };
    const auto word = [&](size_t at) {
        uint64_t value;
        std::memcpy(&value, data.data() + at, sizeof(value));
        return value;
    };
    size_t at = 0;
    uint64_t acc = seed + p5;

    if (data.size() >= 32) {
        uint64_t a[4] = {seed + p1 + p2, seed + p2, seed, seed - p1};
        for (; at + 32 <= data.size(); at += 32) {
            for (size_t i = 0; i < 4; i++)
                a[i] = round(a[i], word(at + 8 * i));
        }
        acc = rotate(a[0], 1) + rotate(a[1], 7) + rotate(a[2], 12) + rotate(a[3], 18);
        for (const uint64_t lane : a)
            acc = (acc ^ round(0, lane)) * p1 + p4;
    }
    acc += data.size();
    for (; at + 8 <= data.size(); at += 8)
        acc = rotate(acc ^ round(0, word(at)), 27) * p1 + p4;
    if (at + 4 <= data.size()) {
        uint32_t lane;
        std::memcpy(&lane, data.data() + at, sizeof(lane));
        acc = rotate(acc ^ lane * p1, 23) * p2 + p3;
        at += 4;
    }
    for (; at < data.size(); at++)
        acc = rotate(acc ^ data[at] * p5, 11) * p1;
    acc = (acc ^ acc >> 33) * p2;
    acc = (acc ^ acc >> 29) * p3;
    return acc ^ acc >> 32;
}

/** A domain's region, mapped read-only. */
class Region
{
public:
    Region() = default;
    explicit Region(int fd) : mapping_(fd, info(fd).region_size, PROT_READ, 0)
    {
        header_ = *reinterpret_cast<const kcr_region_header*>(mapping_.data());
        if (header_.magic != KCR_REGION_MAGIC || header_.abi != KCR_REGION_ABI)
            throw std::runtime_error("the region's header is not one");
    }

    const Mapping& mapping() const
    {
        return mapping_;
    }
    const kcr_region_header& header() const
    {
        return header_;
    }
    const kcr_region_function& function(uint32_t number) const
    {
        return at<kcr_region_function>(header_.functions_offset)[number];
    }
    uint64_t stamp(uint32_t number) const
    {
        return __atomic_load_n(&function(number).stamp, __ATOMIC_ACQUIRE);
    }

    /** The result for @p key, if it is remembered. */
    std::optional<Bytes> find(uint32_t number, uint32_t result_max,
                              std::span<const uint8_t> key) const
    {
        const size_t longest = std::max<size_t>(key.size(), result_max);
        const uint64_t size_class = longest <= 16   ? KCR_REGION_16
                                    : longest <= 32 ? KCR_REGION_32
                                    : longest <= 80 ? KCR_REGION_80
                                                    : KCR_REGION_BLOB;
        constexpr std::array<size_t, 5> class_words = {0, 2, 4, 10, 0};
        const size_t words = class_words[size_class];
        const uint64_t head = uint64_t(key.size()) << 32 | number << 16 | size_class;
        const uint64_t stamp = this->stamp(number);
        const auto& f = function(number);

        if (!stamp || __atomic_load_n(&f.state, __ATOMIC_RELAXED) != KCR_STATE_REUSE)
            return std::nullopt;
        const uint64_t fingerprint = this->fingerprint(head, words, key);
        const uint16_t nr = __atomic_load_n(
            &at<uint16_t>(header_.index_offset)[fingerprint >> 32 & header_.index_mask],
            __ATOMIC_RELAXED);
        const auto& slot = at<kcr_region_slot>(header_.slots_offset)[nr];
        return read(slot, {stamp, head, fingerprint}, words, f.expiry_ms, key);
    }

    /** Whether @p pattern lies anywhere in the region. */
    bool contains(std::span<const uint8_t> pattern) const
    {
        return memmem(mapping_.data(), mapping_.size(), pattern.data(), pattern.size()) != nullptr;
    }

    /** Whether everything from @p from on is zero. */
    bool zero(size_t from = 0) const
    {
        for (size_t i = from; i < mapping_.size(); i++) {
            if (mapping_.data()[i])
                return false;
        }
        return true;
    }

private:
    struct Wanted {
        uint64_t stamp;
        uint64_t head;
        uint64_t fingerprint;
    };

    template <typename T> const T* at(size_t offset) const
    {
        return reinterpret_cast<const T*>(mapping_.data() + offset);
    }

    uint64_t fingerprint(uint64_t head, size_t words, std::span<const uint8_t> key) const
    {
        const auto& s = header_.secrets;
        std::array<uint64_t, KCR_REGION_WORDS> w{};
        uint64_t h = (head ^ s[0]) * s[1];

        if (words && !key.empty())
            std::memcpy(w.data(), key.data(), key.size());
        for (size_t i = 0; i < words; i += 2) {
            const auto product =
                static_cast<unsigned __int128>(w[i] ^ s[2 + i]) * (w[i + 1] ^ s[3 + i]);
            h ^= static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
        }
        h *= s[KCR_REGION_SECRETS - 1];
        return words ? h : xxh64(key, h);
    }

    std::optional<Bytes> read(const kcr_region_slot& shared, const Wanted& wanted, size_t words,
                              uint32_t expiry_ms, std::span<const uint8_t> key) const
    {
        const uint64_t seq = __atomic_load_n(&shared.seq, __ATOMIC_ACQUIRE);
        kcr_region_slot slot;
        Bytes found_key(key.size());
        Bytes result;

        std::memcpy(&slot, &shared, sizeof(slot));
        if (seq & 1 || !same(shared, seq) || slot.stamp != wanted.stamp || slot.head != wanted.head)
            return std::nullopt;
        result.resize(slot.result_len);
        if (words) {
            std::memcpy(found_key.data(), &slot.data[words], key.size());
            std::memcpy(result.data(), slot.data, result.size());
        } else {
            const uint8_t* blob = mapping_.data() + slot.data[0];
            if (slot.data[1] != wanted.fingerprint)
                return std::nullopt;
            std::memcpy(found_key.data(), blob, key.size());
            std::memcpy(result.data(), blob + (key.size() + 7) / 8 * 8, result.size());
            if (!same(shared, seq))
                return std::nullopt;
        }
        if (!std::equal(key.begin(), key.end(), found_key.begin()))
            return std::nullopt;
        const auto now = static_cast<uint32_t>(
            __atomic_load_n(&at<kcr_region_header>(0)->clock, __ATOMIC_RELAXED));
        if (expiry_ms && now - slot.born > expiry_ms)
            return std::nullopt;
        return result;
    }

    static bool same(const kcr_region_slot& slot, uint64_t seq)
    {
        std::atomic_thread_fence(std::memory_order_acquire);
        return __atomic_load_n(&slot.seq, __ATOMIC_RELAXED) == seq;
    }

    Mapping mapping_;
    kcr_region_header header_{};
};

} // namespace domain

#endif
