// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "abi.h"
#include "argspec.h"
#include "types.h"

#include <string>

namespace kcr::ctl
{

/// A function that is to be profiled, and what its input and result are.
struct Target {
    std::string function;
    std::string args;                     ///< the specification, as --args takes it
    std::optional<std::uint32_t> type_id; ///< of the function, if its type is known
    bool reads_memory = false;            ///< its types say that it reads data, not only numbers
    bool declared = false;                ///< somebody says what the input is; not only its types
};

/// A function and what the probes do for it.
struct Planned {
    Target target;
    kcr_plan plan{};
};

/// Input and result sizes that are looked at unless --max-bytes says otherwise.
inline constexpr std::uint32_t default_max_bytes = 32768;

/// Translates what --args says into what the probes do. @p types may be null if the function's
/// type is not known; arguments then are words, and fields cannot be named.
Result<kcr_plan> make_plan(const Types* types, const Target& target, std::uint32_t max_bytes);

} // namespace kcr::ctl
