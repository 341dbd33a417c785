// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstdint>
#include <string>

namespace kcr::ctl
{

/// What a lookup would cost: so much, and so much for each byte of input and result.
struct CostModel {
    double fixed_ns = 0;
    double per_byte_ns = 0;
    std::string origin; ///< where the figures come from
};

/// Measures on this machine what KCR does in a lookup: hash the input, fetch a slot from memory,
/// compare the input, copy the result.
CostModel measure_cost();

/// Parses "FIXED" or "FIXED,PER_BYTE" in nanoseconds.
Result<CostModel> parse_cost(const std::string& text);

/// True if the clock counts instructions and not time, as in an emulator with a virtual clock.
bool clock_counts_instructions();

} // namespace kcr::ctl
