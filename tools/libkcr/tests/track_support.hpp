// SPDX-License-Identifier: GPL-2.0
/// @file
/// What the tests of tracked memory share. On the emulation memory changes when it is told so.
#pragma once

#include "support.hpp"

#include "kcr_track.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/kcr_track.h>

namespace kcr::tests
{

struct TrackedDelete {
    void operator()(kcr_tracked* tracked) const
    {
        kcr_tracked_destroy(tracked);
    }
};
using Tracked = std::unique_ptr<kcr_tracked, TrackedDelete>;

struct alignas(4096) Page {
    std::array<std::uint8_t, 4096> bytes = {};
};

class TrackTest : public LibTest
{
protected:
    static Tracked track(const Domain& domain, const Page& page)
    {
        const kcr_span span = {page.bytes.data(), page.bytes.size()};
        return Tracked(kcr_tracked_create(domain.get(), &span, 1));
    }

    static kcr_function_options options(std::uint32_t sets, std::uint32_t flags = KCR_PURE)
    {
        auto options = pure_options();
        options.flags = flags | KCR_ALWAYS;
        options.key_max = static_cast<std::uint32_t>(sets * sizeof(kcr_tracked_key) + 8);
        options.sets = sets;
        return options;
    }

    /// Byte @p index of the pages, summed up; true if that was reused.
    static bool ask_sum(const Function& function, const std::vector<kcr_tracked*>& tracked,
                        const std::vector<const Page*>& pages, std::uint64_t index)
    {
        std::vector<std::uint64_t> key(2 * tracked.size() + 1);
        key.back() = index;
        std::uint64_t result = 0;
        size_t len = 0;
        kcr_ticket ticket;
        const auto size = key.size() * sizeof(key[0]);
        const bool hit = kcr_begin_tracked(function.get(), tracked.data(), key.data(), size,
                                           &result, sizeof(result), &len, &ticket) == KCR_HIT;
        std::uint64_t sum = 0;
        for (const auto* page : pages)
            sum += page->bytes.at(index);
        if (hit) {
            EXPECT_EQ(len, sizeof(result));
            EXPECT_EQ(result, sum);
            return true;
        }
        // Dear enough to be stored at first sight: after each change it is another key
        advance_clock(1000);
        kcr_end(function.get(), &ticket, key.data(), size, &sum, sizeof(sum));
        return false;
    }

    static kcr_tracked_stats stats_of_tracked(const Tracked& tracked)
    {
        kcr_tracked_stats stats = {.size = sizeof(stats)};
        EXPECT_EQ(kcr_tracked_get_stats(tracked.get(), &stats), 0);
        return stats;
    }

    static void write(Page& page, std::uint64_t index, std::uint8_t value)
    {
        kcr_emul_touch(&page.bytes.at(index));
        page.bytes.at(index) = value;
    }

    void TearDown() override
    {
        kcr_emul_refuse(KCR_REFUSED_NOT);
    }
};

} // namespace kcr::tests
