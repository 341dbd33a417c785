// SPDX-License-Identifier: GPL-2.0
/// @file
/// Requests and everything that may happen to them, against what must come out.
///
/// What a request gives is a function of its owner, the owner's generation and the key, as for
/// any computation that may be reused; so a hit that is another's, or from before the owner was
/// renewed, shows by itself. When each was stored is kept, to see what should have expired.
#pragma once

#include "system.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kcr::native
{

/// The bodies of all keys: alike, and of all lengths that are dealt with differently.
class Bodies
{
public:
    Bodies();
    static constexpr u32 count = 2048;

    [[nodiscard]] const std::vector<u8>& operator[](u32 key) const
    {
        return bodies_[key];
    }

private:
    std::vector<std::vector<u8>> bodies_;
};

/// What one thread does to a system: owners of its own, on CPUs of its own.
class Model
{
public:
    /// Gives the next number; what happens is made of such.
    using Source = std::function<u64()>;

    /// @p first_cpu and the one after it are this model's. Only one model at a time may @p expire.
    Model(System& system, const Bodies& bodies, unsigned first_cpu, bool expire, Source source);
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    void step();

    [[nodiscard]] u64 hits() const
    {
        return hits_;
    }
    [[nodiscard]] u64 wrong() const
    {
        return wrong_;
    }
    /// The first thing that was wrong.
    [[nodiscard]] const std::string& first() const
    {
        return first_;
    }

private:
    static constexpr u32 owners = 4;

    struct Owned {
        std::optional<Owner> owner;
        u64 generation = 0;
        std::vector<u64> stored = std::vector<u64>(Bodies::count); ///< jiffies, 0 if never
    };

    void request(u32 owner, u32 key);
    void check(const kcr_query& q, const Owned& owned, u32 owner, u32 key, u64 now);
    void compute(kcr_query& q, Owned& owned, u32 owner, u32 key);
    void invalidate(u64 dice, Owned& owned);
    void change_ttl();
    void fail(const std::string& what);

    System& system_;
    const Bodies& bodies_;
    unsigned first_cpu_;
    bool expire_;
    Source source_;
    std::array<Owned, owners> owned_;
    std::vector<u8> bulk_;
    u64 hits_ = 0;
    u64 wrong_ = 0;
    std::string first_;
};

} // namespace kcr::native
