// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "signature.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// What is known of a parameter's or result's type.
struct ValueType {
    enum class Kind { unknown, nothing, integer, pointer, floating, long_double, structure };
    Kind kind = Kind::unknown;
    unsigned size = 0; ///< in bytes; 0 if not known
};

/// A function's type as somebody else knows it.
struct Prototype {
    std::vector<ValueType> parameters;
    ValueType result;
    bool variadic = false;
    bool maybe_member = false; ///< there may be another parameter before the first
    std::string source;        ///< who says so
};

/// Refuses a signature that @p known contradicts: other numbers of arguments, other registers, or
/// integers that are wider than the signature says.
Status check_prototype(const Signature& signature, const Prototype& known);

/// What data/prototypes.txt says: a prototype, nothing, or why the function is not to be reused.
Result<std::optional<Prototype>> known_prototype(std::string_view library,
                                                 std::string_view function);

/// What a mangled C++ name says, if it is one.
std::optional<Prototype> mangled_prototype(const std::string& function);

/// "f64 (f64, i32)"
std::string to_string(const Prototype& prototype);

} // namespace kcr::ctl
