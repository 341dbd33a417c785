// SPDX-License-Identifier: GPL-2.0
/// @file
/// A KCR system in user space: what kernel/kcr/core.c is to the kernel.
#pragma once

#include <cstdint>

extern "C" {
#include "encrypt.h"
#include "kcr_private.h"
#include "tier.h"
}

// Kernel words that C++ headers use otherwise
#undef __init
#undef likely
#undef max
#undef min
#undef noinline
#undef unlikely

namespace kcr::native
{

/// The tiers of @p cpus CPUs on one node, and one site. One at a time.
class System
{
public:
    explicit System(unsigned cpus = 1, u32 l2_slots = KCR_L2_SLOTS, u32 l3_slots = KCR_L3_SLOTS,
                    long budget = KCR_BLOB_BUDGET);
    ~System();
    System(const System&) = delete;
    System& operator=(const System&) = delete;

    kcr_site& site()
    {
        return site_;
    }
    /// Sum of a counter over all CPUs.
    [[nodiscard]] std::uint64_t count(kcr_counter counter) const;

private:
    unsigned cpus_;
    static_key_false key_{};
    kcr_site site_{};
};

/// An owner that is killed, and its entries swept, at the end of its life.
class Owner
{
public:
    Owner()
    {
        kcr_owner_init(&owner_);
    }
    ~Owner()
    {
        kcr_owner_kill(&owner_);
    }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

    void renew()
    {
        kcr_owner_renew(&owner_);
    }
    kcr_owner* get()
    {
        return &owner_;
    }

private:
    kcr_owner owner_{};
};

} // namespace kcr::native
