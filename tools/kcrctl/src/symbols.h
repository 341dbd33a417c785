// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// The kernel's functions: where they are, and which can be traced.
class Symbols
{
public:
    /// Reads /proc/kallsyms and tracefs.
    static Result<Symbols> of_kernel();
    /// From their texts; @p traceable and @p forbidden (kprobes' blacklist) may be empty.
    static Symbols parse(std::string_view kallsyms, std::string_view traceable,
                         std::string_view forbidden);

    [[nodiscard]] bool exists(const std::string& function) const;
    /// True if ftrace can attach to the function.
    [[nodiscard]] bool traceable(const std::string& function) const;
    /// True if no kprobe may be set in the function.
    [[nodiscard]] bool forbidden(const std::string& function) const;
    /// How many functions have this name; static ones may share it.
    [[nodiscard]] std::size_t count(const std::string& function) const;
    /// The function that @p address is in, or an empty name.
    [[nodiscard]] std::string_view at(std::uint64_t address) const;
    /// "unknown function 'x'; did you mean 'y'?"
    [[nodiscard]] Error unknown(const std::string& function) const;

private:
    struct Symbol {
        std::uint64_t address;
        std::string name;
    };
    std::vector<Symbol> by_address_;
    std::multiset<std::string> names_;
    std::set<std::string> traceable_;
    std::set<std::string> forbidden_;
};

} // namespace kcr::ctl
