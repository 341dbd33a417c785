// SPDX-License-Identifier: GPL-2.0
#include "tier.hpp"

#include <algorithm>

namespace kcr::policy
{

namespace
{

constexpr std::uint8_t kLives = 2;
constexpr std::uint64_t kAgeOthers = 1024;
constexpr int kNoCost = 100;

bool in_order(Evict evict)
{
    return evict == Evict::Lru || evict == Evict::Sieve;
}

} // namespace

Tier::Tier(const Config& config)
    : config_(config), random_(config.seed), secret_(random_() | 1),
      index_(std::size_t{config.slots} * config.factor),
      tags_(std::size_t{config.slots} * config.factor), slots_(config.slots),
      sieve_hand_(order_.end())
{
}

std::uint64_t Tier::fingerprint(std::uint64_t key, std::uint32_t owner) const
{
    std::uint64_t x = (key ^ std::uint64_t{owner} << 40) + secret_;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

bool Tier::lookup(std::uint64_t key, std::uint32_t owner)
{
    const std::uint32_t nr = index_[bucket(fingerprint(key, owner))];
    const Slot& slot = slots_[nr];
    if (slot.bucket == kNone || slot.key != key || slot.owner != owner)
        return false;
    touch(nr);
    return true;
}

void Tier::touch(std::uint32_t nr)
{
    Slot& slot = slots_[nr];
    switch (config_.evict) {
    case Evict::Clock2:
        slot.ref = static_cast<std::uint8_t>(std::min(slot.ref + 1, 3));
        break;
    case Evict::Srrip:
        slot.ref = 0;
        break;
    case Evict::Lru:
        order_.splice(order_.begin(), order_, slot.place);
        break;
    default:
        slot.ref = 1;
    }
}

/// An empty slot among those that the hand comes to next, without moving it past others.
std::uint32_t Tier::find_empty()
{
    if (used_ == config_.slots)
        return kNone;
    for (std::uint32_t i = 0; i < config_.steps; i++) {
        const std::uint32_t nr = (hand_ + i) & (config_.slots - 1);
        if (slots_[nr].bucket == kNone) {
            hand_ = nr + 1;
            return nr;
        }
    }
    // As if somebody had swept here: the next store looks further on
    hand_ += config_.steps;
    return kNone;
}

bool Tier::seen(std::uint32_t bucket, std::uint16_t tag)
{
    if (tags_[bucket] == tag)
        return true;
    tags_[bucket] = tag;
    return false;
}

bool Tier::admits(std::uint32_t bucket, std::uint16_t tag, std::uint32_t owner)
{
    if (config_.admit == Admit::Always)
        return true;
    if (config_.admit == Admit::OneIn4)
        return random_() % 4 == 0;
    if (config_.admit == Admit::FreeOrSecond && config_.share != Share::None && !alone(owner) &&
        held(owner) < reserve(owner))
        return true;
    return seen(bucket, tag);
}

/// A key's bucket leads to another key's entry. Whether that one may go.
bool Tier::conflict(std::uint32_t bucket, std::uint16_t tag, std::uint32_t owner)
{
    Slot& slot = slots_[index_[bucket]];
    if (config_.admit == Admit::Always)
        return slot.owner == owner || config_.share == Share::None;
    const bool again = config_.admit == Admit::OneIn4 ? random_() % 4 == 0 : seen(bucket, tag);
    if (config_.share != Share::None && slot.owner != owner)
        return again && slot.rank() == 0 && may_take(slot, owner, true);
    if (!config_.chance || slot.rank() == 0)
        return again;
    slot.ref = 0;
    slot.life = 0;
    return false;
}

bool Tier::store(std::uint64_t key, std::uint32_t owner)
{
    const std::uint64_t fp = fingerprint(key, owner);
    const std::uint32_t b = bucket(fp);
    const auto tag = static_cast<std::uint16_t>(fp >> 48 | 1);
    const bool again = tags_[b] == tag;
    std::uint32_t nr = index_[b];

    if (slots_[nr].bucket == b) {
        if (!conflict(b, tag, owner))
            return false;
    } else {
        nr = find_empty();
        if ((nr == kNone || config_.admit != Admit::FreeOrSecond) && !admits(b, tag, owner))
            return false;
        if (nr == kNone)
            nr = config_.share == Share::None ? victim(fp) : shared_victim(owner, fp, again);
        if (nr == kNone)
            return false;
    }
    if (slots_[nr].bucket != kNone)
        vacate(nr);
    fill(nr, key, owner, b);
    tags_[b] = tag;
    return true;
}

void Tier::vacate(std::uint32_t nr)
{
    Slot& slot = slots_[nr];
    owners_ -= --held_[slot.owner % kOwners] == 0;
    used_--;
    if (in_order(config_.evict)) {
        if (sieve_hand_ == slot.place)
            sieve_hand_ = slot.place == order_.begin() ? order_.end() : std::prev(slot.place);
        order_.erase(slot.place);
    }
    slot = Slot{};
}

void Tier::fill(std::uint32_t nr, std::uint64_t key, std::uint32_t owner, std::uint32_t bucket)
{
    Slot& slot = slots_[nr];
    slot.key = key;
    slot.owner = owner;
    slot.bucket = bucket;
    slot.ref = config_.evict == Evict::Srrip ? 2 : 0;
    index_[bucket] = static_cast<std::uint16_t>(nr);
    if (in_order(config_.evict)) {
        order_.push_front(nr);
        slot.place = order_.begin();
    }
    owners_ += held_[owner % kOwners]++ == 0;
    used_++;
}

void Tier::forget(std::uint32_t owner)
{
    for (std::uint32_t nr = 0; nr < config_.slots; nr++) {
        if (slots_[nr].bucket != kNone && slots_[nr].owner == owner)
            vacate(nr);
    }
}

std::uint32_t Tier::victim(std::uint64_t fp)
{
    switch (config_.evict) {
    case Evict::Random:
        return static_cast<std::uint32_t>(random_() % config_.slots);
    case Evict::Fifo:
        return next_hand();
    case Evict::Srrip:
        return srrip_victim();
    case Evict::Sieve:
        return sieve_victim();
    case Evict::Lru:
        return order_.back();
    case Evict::LivesKey:
        hand_ = static_cast<std::uint32_t>(fp >> 48);
        return clock_victim();
    case Evict::LivesRandom:
    case Evict::ClockRandom:
        hand_ = static_cast<std::uint32_t>(random_());
        return clock_victim();
    default:
        return clock_victim();
    }
}

/// What the hand does to a slot that it does not take.
void Tier::pass(Slot& slot, bool age) const
{
    if (config_.evict == Evict::Clock2) {
        slot.ref--;
    } else if (slot.ref != 0) {
        slot.ref = 0;
        if (config_.evict >= Evict::Lives)
            slot.life = static_cast<std::uint8_t>(std::min<int>(slot.life + 1, kLives));
    } else if (age && slot.life != 0) {
        slot.life--;
    }
}

std::uint32_t Tier::clock_victim()
{
    std::uint32_t nr = 0;
    for (std::uint32_t i = 0; i < config_.steps; i++) {
        nr = next_hand();
        if (slots_[nr].ref == 0 && slots_[nr].life == 0)
            break;
        pass(slots_[nr], true);
    }
    return nr;
}

std::uint32_t Tier::srrip_victim()
{
    const std::uint32_t from = hand_;
    std::uint32_t best = 0;
    for (std::uint32_t i = 0; i < config_.steps; i++) {
        const std::uint32_t nr = (from + i) & (config_.slots - 1);
        if (i == 0 || slots_[nr].ref > slots_[best].ref)
            best = nr;
        if (slots_[nr].ref == 3)
            break;
    }
    const auto age = static_cast<std::uint8_t>(3 - slots_[best].ref);
    for (std::uint32_t i = 0; age != 0 && i < config_.steps; i++) {
        Slot& slot = slots_[(from + i) & (config_.slots - 1)];
        slot.ref = static_cast<std::uint8_t>(std::min<int>(slot.ref + age, 3));
    }
    hand_ = best + 1;
    return best;
}

std::uint32_t Tier::sieve_victim()
{
    for (std::uint32_t i = 0; i < config_.steps; i++) {
        if (sieve_hand_ == order_.end())
            sieve_hand_ = std::prev(order_.end());
        Slot& slot = slots_[*sieve_hand_];
        if (slot.ref == 0)
            break;
        slot.ref = 0;
        sieve_hand_ = sieve_hand_ == order_.begin() ? order_.end() : std::prev(sieve_hand_);
    }
    return sieve_hand_ == order_.end() ? order_.back() : *sieve_hand_;
}

bool Tier::alone(std::uint32_t owner) const
{
    return owners_ + (held(owner) == 0) == 1;
}

std::uint32_t Tier::share() const
{
    return config_.slots / std::max(owners_, 1U);
}

/// What an owner keeps of entries that nobody has read.
std::uint32_t Tier::reserve(std::uint32_t owner) const
{
    const std::uint32_t owners = std::max(owners_ + (held(owner) == 0), 1U);
    const std::uint32_t share = config_.slots / owners;
    return std::min(share, 2 * share / owners);
}

bool Tier::may_take(const Slot& slot, std::uint32_t owner, bool seen) const
{
    const bool hungry = held(owner) < share();
    if (config_.share == Share::Strict)
        return slot.owner == owner || (hungry && held(slot.owner) > share());
    if (slot.owner == owner)
        return slot.rank() == 0 || (seen && (hungry || alone(owner)));
    if (slot.rank() == 0)
        return held(slot.owner) > reserve(owner);
    return seen && held(owner) < reserve(owner) && held(slot.owner) > share();
}

/// kcr_search()
std::uint32_t Tier::shared_victim(std::uint32_t owner, std::uint64_t fp, bool seen)
{
    const auto from = static_cast<std::uint32_t>(fp >> 48);
    std::uint32_t best = kNone;
    int best_cost = kNoCost;
    Slot* least = nullptr;
    for (std::uint32_t i = 0; i < config_.steps; i++) {
        const std::uint32_t nr = (from + i) & (config_.slots - 1);
        Slot& slot = slots_[nr];
        if (slot.bucket == kNone)
            return nr;
        const int cost = 2 * slot.rank() + (slot.owner != owner);
        if (cost < best_cost && may_take(slot, owner, seen)) {
            if (slot.rank() == 0)
                return nr;
            best = nr;
            best_cost = cost;
        }
        if (slot.owner == owner && (least == nullptr || slot.rank() < least->rank()))
            least = &slot;
        if (alone(owner) || slot.owner != owner)
            pass(slot, alone(owner));
    }
    if (alone(owner))
        return best;
    const bool others = best == kNone && random_() % kAgeOthers == 0;
    const bool hungry = held(owner) < share();
    if (least != nullptr && !hungry)
        pass(*least, true);
    for (std::uint32_t i = 0; (others || hungry) && i < config_.steps; i++) {
        Slot& slot = slots_[(from + i) & (config_.slots - 1)];
        if (others || slot.owner == owner)
            pass(slot, true);
    }
    return best;
}

Stack::Stack(const Config& config)
    : l2_({Evict::LivesKey, Admit::Always, Share::None, false, 512, config.factor, 16,
           config.seed + 1}),
      l3_(config)
{
}

bool Stack::request(std::uint64_t key, std::uint32_t owner, bool blob)
{
    if (!blob && l2_.lookup(key, owner))
        return true;
    if (l3_.lookup(key, owner)) {
        if (!blob)
            l2_.store(key, owner);
        return true;
    }
    l3_.store(key, owner);
    return false;
}

void Stack::forget(std::uint32_t owner)
{
    l2_.forget(owner);
    l3_.forget(owner);
}

std::string_view name(Evict evict)
{
    constexpr std::array<std::string_view, kEvicts> names = {
        "clock", "clock2", "clock-random", "random",       "fifo",     "srrip",
        "sieve", "lru",    "lives",        "lives-random", "lives-key"};
    return names[static_cast<std::size_t>(evict)];
}

std::string_view name(Admit admit)
{
    constexpr std::array<std::string_view, kAdmits> names = {"always", "second", "1-in-4",
                                                             "free-or-second"};
    return names[static_cast<std::size_t>(admit)];
}

std::string_view name(Share share)
{
    constexpr std::array<std::string_view, 3> names = {"none", "strict", "read"};
    return names[static_cast<std::size_t>(share)];
}

} // namespace kcr::policy
