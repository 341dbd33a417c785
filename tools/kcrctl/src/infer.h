// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "types.h"

#include <optional>
#include <string>

namespace kcr::ctl
{

/// What the types of a function say about its input.
struct Inference {
    std::string args;        ///< a specification for --args
    bool has_memory = false; ///< it reads declared memory, and not only numbers
    std::string obstacle;    ///< why there is none, if args is empty
    [[nodiscard]] bool ok() const
    {
        return obstacle.empty();
    }
};

/// Finds out from types and parameter names what the input is: numbers, pointers to constant
/// bytes with a length beside them, and pointers to constant structs, either without pointers or of
/// the kind that describes data: with pointers that have a length beside them.
Inference infer_args(const Types& types, const Prototype& prototype);

/// True if nothing but the result can matter to the caller, as far as types tell: it returns
/// something and gets no memory to write to. (Types do not tell whether it changes other state.)
bool looks_pure(const Types& types, const Prototype& prototype, const Inference& inference);

} // namespace kcr::ctl
