// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "signature.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// A function to reuse, and how.
struct Memo {
    Signature signature;
    bool pure = false;
    bool always = false;     ///< look up even where it does not pay
    std::uint32_t learn = 0; ///< 0: as the domain
    std::uint32_t expiry_ms = 0;
    std::uint32_t max_entries = 0;
};

/// Finds the register of each argument. Errors for what does not travel in registers.
Status place_arguments(const Signature& signature);

/// What the libraries that the program is given read: see memo/describe.h.
std::string describe(int fd, unsigned seccomp_filters, const std::vector<Memo>& memos);

} // namespace kcr::ctl
