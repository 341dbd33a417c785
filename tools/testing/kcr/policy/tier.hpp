// SPDX-License-Identifier: GPL-2.0
/// @file
/// A tier of kernel/kcr/tier.c without its contents: keys are numbers, and what
/// matters is which of them are there.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <random>
#include <string_view>
#include <vector>

namespace kcr::policy
{

/// Which entry goes when a slot is needed.
enum class Evict {
    Clock,       ///< one bit: a slot that was read since the hand passed is skipped
    Clock2,      ///< a counter to 3 that reads raise and the hand lowers
    ClockRandom, ///< one bit, but the hand jumps to a random slot each time
    Random,
    Fifo,
    Srrip,       ///< 2 bits of re-reference prediction; the search is bounded as Clock's
    Sieve,       ///< the hand stays where it evicted; new entries go behind all others
    Lru,         ///< exact; for reference, as no tier could afford it
    Lives,       ///< as Clock, but each read that the hand sees gives a life, up to 2
    LivesRandom, ///< as Lives, from a random slot
    LivesKey,    ///< as Lives, from a slot that the fingerprint picks: kernel/kcr/evict.c
};
constexpr unsigned kEvicts = 11;

/// Which results are stored at all.
enum class Admit {
    Always,
    Second,       ///< when the bucket's tag says that the key was seen before
    OneIn4,       ///< at random
    FreeOrSecond, ///< at once while that displaces nothing, else as Second
};
constexpr unsigned kAdmits = 4;

/// What protects owners from each other.
enum class Share {
    None,
    Strict, ///< who holds more than slots / owners displaces only its own entries
    Read,   ///< what was not read goes first; what was, as evict.c has it
};

struct Config {
    Evict evict = Evict::LivesKey;
    Admit admit = Admit::FreeOrSecond;
    Share share = Share::None;
    bool chance = false; ///< of two keys in one bucket, the one that was read stays once
    std::uint32_t slots = 4096;
    std::uint32_t factor = 8; ///< buckets for each slot
    std::uint32_t steps = 16; ///< slots that a search looks at, at most
    std::uint64_t seed = 1;
};

class Tier
{
public:
    explicit Tier(const Config& config);

    bool lookup(std::uint64_t key, std::uint32_t owner);
    /// After a miss. False if the result was not stored.
    bool store(std::uint64_t key, std::uint32_t owner);
    /// Forgets all that an owner has stored, as kcr_owner_renew() does.
    void forget(std::uint32_t owner);

    [[nodiscard]] std::uint32_t used() const
    {
        return used_;
    }
    [[nodiscard]] std::uint32_t held(std::uint32_t owner) const
    {
        return held_[owner % kOwners];
    }

private:
    static constexpr std::uint32_t kOwners = 1024;
    static constexpr std::uint32_t kNone = ~0U;

    struct Slot {
        std::uint64_t key = 0;
        std::uint32_t owner = 0;
        std::uint32_t bucket = kNone; ///< kNone if empty
        std::uint8_t ref = 0;
        std::uint8_t life = 0;
        [[nodiscard]] int rank() const
        {
            return ref * 4 + life;
        }
        std::list<std::uint32_t>::iterator place;
    };

    [[nodiscard]] std::uint64_t fingerprint(std::uint64_t key, std::uint32_t owner) const;
    [[nodiscard]] std::uint32_t bucket(std::uint64_t fp) const
    {
        return fp >> 32 & (index_.size() - 1);
    }
    std::uint32_t next_hand()
    {
        return hand_++ & (config_.slots - 1);
    }
    void touch(std::uint32_t nr);
    bool seen(std::uint32_t bucket, std::uint16_t tag);
    bool admits(std::uint32_t bucket, std::uint16_t tag, std::uint32_t owner);
    bool conflict(std::uint32_t bucket, std::uint16_t tag, std::uint32_t owner);
    std::uint32_t find_empty();
    std::uint32_t victim(std::uint64_t fp);
    std::uint32_t clock_victim();
    std::uint32_t srrip_victim();
    std::uint32_t sieve_victim();
    [[nodiscard]] std::uint32_t share() const;
    [[nodiscard]] std::uint32_t reserve(std::uint32_t owner) const;
    [[nodiscard]] bool alone(std::uint32_t owner) const;
    [[nodiscard]] bool may_take(const Slot& slot, std::uint32_t owner, bool seen) const;
    std::uint32_t shared_victim(std::uint32_t owner, std::uint64_t fp, bool seen);
    void pass(Slot& slot, bool age) const;
    void vacate(std::uint32_t nr);
    void fill(std::uint32_t nr, std::uint64_t key, std::uint32_t owner, std::uint32_t bucket);

    Config config_;
    std::mt19937_64 random_;
    std::uint64_t secret_;
    std::vector<std::uint16_t> index_;
    std::vector<std::uint16_t> tags_;
    std::vector<Slot> slots_;
    std::list<std::uint32_t> order_; ///< Lru, Sieve: newest first
    std::list<std::uint32_t>::iterator sieve_hand_;
    std::array<std::uint32_t, kOwners> held_{};
    std::uint32_t owners_ = 0;
    std::uint32_t used_ = 0;
    std::uint32_t hand_ = 0;
};

/// The CPU's tier before the node's, with promotion. @p l2 has 512 slots and always
/// admits; what @p config says is for the node's.
class Stack
{
public:
    explicit Stack(const Config& config);

    bool request(std::uint64_t key, std::uint32_t owner, bool blob);
    void forget(std::uint32_t owner);

private:
    Tier l2_;
    Tier l3_;
};

std::string_view name(Evict evict);
std::string_view name(Admit admit);
std::string_view name(Share share);

} // namespace kcr::policy
