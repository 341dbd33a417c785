// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "catalogue.h"
#include "plan.h"
#include "sampler.h"
#include "symbols.h"
#include "types.h"

#include <optional>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// All that is known about the running kernel's functions.
struct Kernel {
    Types types;
    Symbols symbols;
    Catalogue catalogue;
};

/// The function that somebody named, with what he says of its arguments, what the catalogue knows,
/// or what its types say, in this order.
Result<Planned> plan_named(const Kernel& kernel, const std::string& function,
                           const std::optional<std::string>& args, std::uint32_t max_bytes);

/// Every function that can be traced and whose input is known: from the catalogue, or because its
/// types look like those of a computation.
std::vector<Target> find_candidates(const Kernel& kernel);

/// Of @p candidates those that were on the stack most often, at most @p limit, and those of the
/// catalogue whether seen or not: they are few.
std::vector<Target> hottest(const std::vector<Target>& candidates, const SampleCounts& samples,
                            std::size_t limit);

} // namespace kcr::ctl
