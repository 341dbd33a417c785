// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "abi.h"
#include "plan.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// What was seen of a function.
struct Measurement {
    Target target;
    std::string attached; ///< how: "fentry", "kprobe"; empty: not
    std::string obstacle; ///< why it could not be attached to
    kcr_counts counts{};
    std::uint64_t results = 0;                   ///< different results
    std::uint64_t hottest = 0;                   ///< calls with the most frequent input
    std::map<std::string, std::uint64_t> inside; ///< repeats inside of other profiled calls
};

/// How probes are loaded.
struct ProbeOptions {
    std::uint32_t inputs = 131072; ///< how many inputs can be remembered
    bool kprobes = false;          ///< kprobes even where fentry works
};

/// The probes of some functions. They are detached when this ends.
class Probes
{
public:
    /// Loads the BPF programs. Nothing is attached yet.
    static Result<std::unique_ptr<Probes>>
    load(const Types& types, const std::vector<Planned>& functions, const ProbeOptions& options);
    Probes(const Probes&) = delete;
    Probes& operator=(const Probes&) = delete;
    ~Probes();

    /// Attaches to all functions that can be; returns how many.
    std::size_t attach();
    /// Begins and ends counting.
    void arm(bool on);
    /// What the probes of one function may take on one CPU, in all. Beyond it they only count.
    void set_budget(std::uint64_t ns);
    /// Detaches from everything.
    void detach();
    /// Reads what was counted, in the order of the functions.
    Result<std::vector<Measurement>> read();

private:
    class State;
    explicit Probes(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Why this process cannot attach probes at all, or nothing.
Status check_privileges();

} // namespace kcr::ctl
