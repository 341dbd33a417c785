// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "cost.h"
#include "probes.h"

#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// What a measurement says about reusing a function's results.
enum class Verdict {
    pays,       ///< equal inputs gave equal results, and reuse would save
    loses,      ///< ... and reuse would cost more than it saves
    constant,   ///< one result whatever the input: probably called for what it does
    no_repeats, ///< no input came twice
    differs,    ///< equal inputs gave different results
    not_seen,   ///< too few calls could be judged
    not_called,
    not_attached,
};

/// The verdict as one word for programs, and as a sentence for people.
std::string_view verdict_name(Verdict verdict);
std::string_view verdict_text(Verdict verdict);

/// A measurement and what follows from it.
struct Finding {
    Measurement measured;
    Verdict verdict = Verdict::not_called;
    std::uint64_t judged = 0;  ///< calls whose input and result were seen
    double mean_ns = 0;        ///< of a call
    double mean_repeat_ns = 0; ///< of a repeated call
    double repeats_ns = 0;     ///< all repeated calls
    double lookups_ns = 0;     ///< what the lookups of all judged calls would have cost
    double saving_ns = 0;      ///< repeats_ns - lookups_ns, or 0 if results differ
    bool waits = false;        ///< every call was switched out: times contain waiting
};

/// Judges one measurement.
Finding judge(const Measurement& measured, const CostModel& cost);

/// Judges all; what would save most comes first, then what would not, by verdict.
std::vector<Finding> rank(const std::vector<Measurement>& measured, const CostModel& cost);

/// Calls that were not judged, for whatever reason.
std::uint64_t not_judged(const kcr_counts& counts);

} // namespace kcr::ctl
