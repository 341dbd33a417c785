// SPDX-License-Identifier: GPL-2.0
#include "cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <vector>

namespace kcr::ctl
{

namespace
{

constexpr std::size_t small_input = 64;
constexpr std::size_t large_input = 4096;
constexpr std::size_t slots = 4096; ///< of a node's tier
constexpr std::size_t slot_bytes = 192;
constexpr unsigned rounds = 200;
constexpr unsigned attempts = 5;
/// What the kernel's lookup costs beyond hashing, comparing and copying (the gate, the stamp, the
/// sequence count, counters), for one measured here: `kcr bench guest` counts the whole of it.
constexpr double bookkeeping_factor = 3.5;

std::uint64_t now_ns()
{
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t load(const unsigned char* from)
{
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

std::uint64_t rotate(std::uint64_t value, unsigned by)
{
    return (value << by) | (value >> (64 - by));
}

std::uint64_t round(std::uint64_t lane, const unsigned char* from)
{
    return rotate(lane + load(from) * 0xc2b2ae3d27d4eb4fU, 31) * 0x9e3779b185ebca87U;
}

/// The four lanes of xxHash64
std::uint64_t hash(const unsigned char* data, std::size_t size, std::uint64_t seed)
{
    std::uint64_t a = seed + 1;
    std::uint64_t b = seed + 2;
    std::uint64_t c = seed + 3;
    std::uint64_t d = seed + 4;
    for (std::size_t at = 0; at + 32 <= size; at += 32) {
        a = round(a, data + at);
        b = round(b, data + at + 8);
        c = round(c, data + at + 16);
        d = round(d, data + at + 24);
    }
    return rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
}

/// True if both are equal; without branches, as the kernel compares.
bool equal(const unsigned char* a, const unsigned char* b, std::size_t size)
{
    std::uint64_t difference = 0;
    for (std::size_t at = 0; at < size; at += 32) {
        difference |= load(a + at) ^ load(b + at);
        difference |= load(a + at + 8) ^ load(b + at + 8);
        difference |= load(a + at + 16) ^ load(b + at + 16);
        difference |= load(a + at + 24) ^ load(b + at + 24);
    }
    return difference == 0;
}

/// Nanoseconds of one lookup of an input of @p size bytes; the best of some attempts.
double lookup_ns(std::size_t size, std::vector<unsigned char>& table)
{
    std::vector<unsigned char> input(size, 1);
    std::vector<unsigned char> known(size, 1);
    std::vector<unsigned char> result(size);
    double best = 1e18;
    for (unsigned attempt = 0; attempt < attempts; ++attempt) {
        const auto begin = now_ns();
        std::uint64_t seed = attempt;
        for (unsigned round = 0; round < rounds; ++round) {
            seed = hash(input.data(), size, seed);
            auto* slot = table.data() + (seed % slots) * slot_bytes;
            if (equal(input.data(), known.data(), size))
                std::memcpy(result.data(), known.data(), size / 2);
            seed += slot[0] + result[0];
            asm volatile("" : : "r"(result.data()), "r"(known.data()) : "memory");
        }
        table[seed % slots] ^= 1;
        best = std::min(best, static_cast<double>(now_ns() - begin) / rounds);
    }
    return best;
}

} // namespace

CostModel measure_cost()
{
    std::vector<unsigned char> table(slots * slot_bytes, 1);
    const double small = lookup_ns(small_input, table);
    const double large = lookup_ns(large_input, table);
    CostModel cost;
    cost.per_byte_ns = std::max(0.0, (large - small) / (large_input - small_input));
    cost.fixed_ns = std::max(1.0, small - cost.per_byte_ns * static_cast<double>(small_input)) *
                    bookkeeping_factor;
    cost.origin = "measured on this machine by hashing, comparing and copying";
    return cost;
}

Result<CostModel> parse_cost(const std::string& text)
{
    CostModel cost{.origin = "as given"};
    const auto parts = tool::split(text, ',');
    const std::array<double*, 2> to = {&cost.fixed_ns, &cost.per_byte_ns};
    for (std::size_t i = 0; i < parts.size() && i < to.size(); ++i) {
        const auto* end = parts[i].data() + parts[i].size();
        const auto [last, error] = std::from_chars(parts[i].data(), end, *to[i]);
        if (error != std::errc() || last != end || *to[i] < 0)
            return Error{fmt::format("bad --lookup-cost '{}'", text),
                         "nanoseconds, and nanoseconds for each byte: 150,0.2"};
    }
    if (parts.empty() || parts.size() > to.size())
        return Error{fmt::format("bad --lookup-cost '{}'", text),
                     "nanoseconds, and nanoseconds for each byte: 150,0.2"};
    return cost;
}

bool clock_counts_instructions()
{
#if defined(__x86_64__)
    constexpr std::uint64_t loops = 200'000;
    double best = 1e18;
    for (unsigned attempt = 0; attempt < attempts; ++attempt) {
        std::uint64_t left = loops;
        const auto begin = now_ns();
        asm volatile("1: dec %0\n\tjnz 1b" : "+r"(left) : : "cc");
        best = std::min(best, static_cast<double>(now_ns() - begin));
    }
    // two instructions a turn, to within five in a thousand
    return best >= 2.0 * loops && best - 2.0 * loops < loops / 100.0;
#else
    return false;
#endif
}

} // namespace kcr::ctl
