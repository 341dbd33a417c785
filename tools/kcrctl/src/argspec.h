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

/// One step from a value to a part of what it is or points to.
struct Step {
    bool arrow = true; ///< `->`, otherwise `.`
    /// `->{shash_alg.base}field`: the pointer is to this member of that struct.
    std::string container;
    std::string container_member;
    std::string field;
    std::size_t at = 0; ///< position in the text
};

/// `arg1->tfm->base.name`, by number or by the parameter's name.
struct Reference {
    std::string base;
    std::vector<Step> steps;
    std::size_t at = 0;
};

/// `[64]`, `[len=arg2]`, `[len=fprog->len*8]`
struct Length {
    std::uint64_t fixed = 0;
    std::optional<Reference> counted;
    std::uint32_t scale = 1;
};

enum class ItemKind {
    value,    ///< u64, val, or a field's value
    memory,   ///< ptr[...]: input
    output,   ///< out[...]: a part of the result
    both,     ///< both
    string,   ///< cstr
    identity, ///< id: the pointer itself is a part of the input
    ignored,  ///< -
    no_result,
    object_result,
};

/// One thing that a specification of arguments says.
struct Item {
    ItemKind kind = ItemKind::value;
    bool user = false; ///< the memory belongs to user space
    unsigned size = 0; ///< of a value in bytes; 0: as its type says
    bool is_signed = false;
    std::optional<Reference> subject; ///< without: the next argument that is not declared yet
    std::optional<Length> length;
    std::size_t at = 0;
};

/// Parses the text of --args. Errors point to the position.
Result<std::vector<Item>> parse_args(std::string_view text);

/// An error about position @p at of @p text, with the text and a mark below it.
Error spec_error(std::string_view text, std::size_t at, const std::string& what);

} // namespace kcr::ctl
