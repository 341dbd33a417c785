// SPDX-License-Identifier: GPL-2.0
/// @file
/// How the native benchmark measures: ticks of the TSC a step, the minimum over many short
/// rounds, all subjects in turn, so that a busy moment of the machine spoils none of them.
#pragma once

#include "system.hpp"

#include "bench_core.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kcr::native
{

/// Something that is measured: @p run takes that many steps.
struct Subject {
    std::string name;
    u64 steps = 4096; ///< in a round
    std::function<void(u64 steps)> run;
    double ticks = 1e18; ///< the least for a step so far
};

template <unsigned Words> using WordArray = std::array<u64, Words>;
template <unsigned Words> inline constexpr std::size_t kBytes = sizeof(WordArray<Words>);

/// Keys in random order, each asked for after the one before: the result's first word is the
/// next one's hash, its second the next one's number, so that requests do not overlap.
template <unsigned Words> struct WorkingSet {
    std::vector<WordArray<Words>> keys;
    std::vector<WordArray<Words>> results;
    std::vector<u32> slots; ///< where they lie
};

/// A query of that many bytes of key and of result, the key being zero.
kcr_query begin_query(System& system, Owner& owner, u32 bytes);

/// Random keys of @p owner that lie in @p tier all at the same time: @p count, or a few less if
/// the tier would not have as many.
template <unsigned Words>
WorkingSet<Words> fill(kcr_tier* tier, System& system, Owner& owner, u32 count);

/// Has @p subject answer one request after the other.
template <unsigned Words>
void follow(kcr_bench_fn* subject, void* context, const WorkingSet<Words>& set, kcr_query& q,
            u64 steps);

/// Runs a round of each subject again and again, for @p seconds, and notes the least ticks.
void measure(std::vector<Subject>& subjects, double seconds);

/// Ticks that @p run takes for @p steps steps, per step.
double ticks_of(const std::function<void(u64)>& run, u64 steps);

/// Keeps the calling thread on the n-th CPU of those it may use; false if there is none.
bool pin(unsigned n);

/// Adds the structures to compare with, filled with @p set.
template <unsigned Words>
void add_peers(std::vector<Subject>& subjects, std::shared_ptr<WorkingSet<Words>> set,
               const kcr_query& like);

/// Adds libkcr and the caches that a program would have without it, with keys and results of
/// that many words.
template <unsigned Words> void add_users(std::vector<Subject>& subjects, const kcr_query& like);

/// Adds redis and memcached, filled with @p set.
template <unsigned Words>
void add_servers(std::vector<Subject>& subjects, const std::shared_ptr<WorkingSet<Words>>& set,
                 const kcr_query& like);

/// Hit rate in percent of a tier whose working set is @p keys keys, asked for uniformly.
double hit_rate(kcr_tier* tier, System& system, Owner& owner, u32 keys);

/// Hits of 64 bytes, and steps of the empty loop, that a thread does while another does the same
/// on another CPU, relative to what it does alone.
struct Scaling {
    double l2 = 0;
    double empty = 0;
};
Scaling measure_scaling(double seconds);

} // namespace kcr::native
