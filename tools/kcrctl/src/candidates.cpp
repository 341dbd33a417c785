// SPDX-License-Identifier: GPL-2.0
#include "candidates.h"

#include "infer.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::ctl
{

namespace
{

/// Nothing, or why the function cannot be attached to.
Status check_attachable(const Kernel& kernel, const std::string& function)
{
    const auto& symbols = kernel.symbols;
    if (!symbols.exists(function))
        return symbols.unknown(function);
    if (const auto reason = kernel.catalogue.denied(function))
        return Error{fmt::format("{} cannot be profiled: {}", function, *reason), {}};
    if (symbols.count(function) > 1)
        return Error{
            fmt::format("there are {} functions called '{}'", symbols.count(function), function),
            "it is not clear which one is meant"};
    if (!symbols.traceable(function) && symbols.forbidden(function))
        return Error{fmt::format("{} cannot be traced: it is marked so in the kernel", function),
                     {}};
    return {};
}

} // namespace

Result<Planned> plan_named(const Kernel& kernel, const std::string& function,
                           const std::optional<std::string>& args, std::uint32_t max_bytes)
{
    if (auto attachable = check_attachable(kernel, function); !attachable)
        return attachable.error();
    Planned planned{.target = {.function = function}};
    auto& target = planned.target;
    target.type_id = kernel.types.function(function);
    if (args) {
        target.args = *args;
        target.declared = true;
    } else if (const auto known = kernel.catalogue.args(function)) {
        target.args = *known;
        target.declared = true;
    } else if (target.type_id) {
        const auto inferred = infer_args(kernel.types, kernel.types.prototype(*target.type_id));
        if (!inferred.ok())
            return Error{fmt::format("what {} reads does not follow from its types: {}", function,
                                     inferred.obstacle),
                         "say it with --args, as in --args 'ptr[len=arg1], u32, "
                         "arg2->key[len=arg2->keylen]'"};
        target.args = inferred.args;
        target.reads_memory = inferred.has_memory;
    } else {
        return Error{fmt::format("the types of {} are not known", function),
                     "say what its arguments are with --args, as in --args 'u64, ptr[64]'"};
    }
    auto plan = make_plan(&kernel.types, target, max_bytes);
    if (!plan)
        return plan.error();
    planned.plan = *plan;
    return planned;
}

std::vector<Target> find_candidates(const Kernel& kernel)
{
    std::vector<Target> found;
    for (const auto& [name, id] : kernel.types.functions()) {
        if (!kernel.symbols.traceable(name) || kernel.symbols.count(name) != 1 ||
            kernel.catalogue.denied(name))
            continue;
        if (const auto known = kernel.catalogue.args(name)) {
            found.push_back({.function = name, .args = *known, .type_id = id, .declared = true});
            continue;
        }
        if (kernel.catalogue.has_effect(name))
            continue;
        const auto prototype = kernel.types.prototype(id);
        const auto inferred = infer_args(kernel.types, prototype);
        if (looks_pure(kernel.types, prototype, inferred))
            found.push_back({name, inferred.args, id, inferred.has_memory});
    }
    return found;
}

std::vector<Target> hottest(const std::vector<Target>& candidates, const SampleCounts& samples,
                            std::size_t limit)
{
    std::vector<std::pair<std::uint64_t, const Target*>> seen;
    for (const auto& candidate : candidates) {
        const auto count = samples.functions.find(candidate.function);
        if (count != samples.functions.end())
            seen.emplace_back(count->second, &candidate);
    }
    std::stable_sort(seen.begin(), seen.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<Target> chosen;
    for (std::size_t i = 0; i < seen.size() && i < limit; ++i)
        chosen.push_back(*seen[i].second);
    // One that ends by calling another (a tail call) is not on the stack while that runs
    for (const auto& candidate : candidates) {
        if (candidate.declared && !samples.functions.contains(candidate.function))
            chosen.push_back(candidate);
    }
    return chosen;
}

} // namespace kcr::ctl
