// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"
#include "fd.h"
#include "symbols.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// In how many samples a function was on the kernel's stack.
struct SampleCounts {
    std::uint64_t samples = 0; ///< with the kernel running
    std::uint64_t lost = 0;
    std::map<std::string, std::uint64_t, std::less<>> functions;
};

/// Looks some thousand times a second, on each CPU, which functions are on the kernel's stack. It
/// attaches to nothing, so it costs the same whatever is called how often.
class Sampler
{
public:
    /// Starts to sample.
    static Result<Sampler> start();

    /// Takes what has been sampled since the last time; to be called several times a second.
    void drain(const Symbols& symbols);
    /// Ends sampling.
    void stop();
    [[nodiscard]] const SampleCounts& counts() const
    {
        return counts_;
    }

private:
    struct Ring {
        tool::Fd fd;
        std::shared_ptr<void> memory;
    };
    void drain(const Ring& ring, const Symbols& symbols);
    void record(const char* data, std::size_t size, const Symbols& symbols);

    std::vector<Ring> rings_;
    SampleCounts counts_;
};

} // namespace kcr::ctl
