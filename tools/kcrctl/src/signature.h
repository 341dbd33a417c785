// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// What the text of a value of up to 8 bytes says.
struct Scalar {
    bool floating = false;
    unsigned size = 0; ///< in bytes
};

/// `[64]`, `[len=arg2]`, `[len=arg1*arg2*8]`, `[len=*arg1]`, `[len=ret]`, `[tracked,len=arg1]`
struct Extent {
    std::uint32_t count = 1;          ///< bytes of an element
    std::vector<unsigned> arguments;  ///< at most two, multiplied
    bool behind_pointer = false;      ///< the first leads to a 64-bit number
    bool returned = false;            ///< the function returns it
    bool tracked = false;             ///< large, and rarely changes
    std::optional<std::size_t> first; ///< where the text of the first one is
};

/// How an argument takes part.
enum class ArgumentKind {
    value,   ///< u64, f64, struct{f64,f64}
    memory,  ///< ptr[...], out[...], both[...]
    string,  ///< cstr, out cstr
    pointer, ///< id
    ignored, ///< -
};

/// One argument of a function.
struct Argument {
    ArgumentKind kind = ArgumentKind::value;
    bool read = true;
    bool written = false;
    std::vector<Scalar> parts; ///< of a value; more than one of a structure
    Extent extent;             ///< of memory
    std::size_t at = 0;        ///< position in the text
};

/// What a function returns.
struct Returned {
    std::vector<Scalar> parts;        ///< empty for void
    std::optional<unsigned> argument; ///< a pointer that it was given, or NULL
    std::size_t at = 0;
};

/// A function to reuse, as `LIBRARY:FUNCTION(ARGUMENTS)->RESULT` says.
struct Signature {
    std::string text;
    std::string library;
    std::string function;
    std::vector<Argument> arguments;
    Returned returned;
};

/// Parses the text of --memo. Errors point to the position. What can be said but not reused (long
/// double, more arguments than registers) is refused by place_arguments().
Result<Signature> parse_signature(std::string_view text);

/// Parses the parts of a signature that a --memo-file has one by one.
Result<Signature> parse_signature(std::string_view library, std::string_view function,
                                  const std::vector<std::string>& arguments,
                                  std::string_view returned);

/// An error about position @p at of a signature, with the text and a mark below it.
Error signature_error(std::string_view text, std::size_t at, const std::string& what,
                      const std::string& hint = {});

/// The bytes of 8 that each of up to two registers holds of a structure, as the ABI says.
struct Eightbyte {
    bool floating = true;
    std::uint64_t mask = 0;
};
std::vector<Eightbyte> eightbytes(const std::vector<Scalar>& parts);

} // namespace kcr::ctl
