// SPDX-License-Identifier: GPL-2.0
#include "infer.h"

#include "abi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kcr::ctl
{

namespace
{

constexpr std::uint32_t largest_struct = 1024;

bool is_length_name(std::string_view name)
{
    constexpr std::array<std::string_view, 8> exact = {"n",     "len",    "size",   "count",
                                                       "bytes", "nbytes", "length", "l"};
    if (std::find(exact.begin(), exact.end(), name) != exact.end())
        return true;
    return name.ends_with("len") || name.ends_with("_size") || name.ends_with("size") ||
           name.ends_with("_count") || name.ends_with("_bytes");
}

/// A number of elements, and not of bytes.
bool is_count_name(std::string_view name)
{
    return name == "n" || name == "count" || name.starts_with("num") || name.starts_with("nr") ||
           name.starts_with("nents") || name.ends_with("_count") || name == "flen";
}

/// Bytes: void, or integers of one byte.
bool points_to_bytes(const Types& types, std::uint32_t pointer)
{
    const auto to = types.pointee(pointer);
    return to == 0 || (types.is_scalar(to) && types.size(to) == 1);
}

/// The parameter that says how long the memory of parameter @p at is: the next one that is a
/// number with such a name, with nothing but another pointer in between.
std::optional<std::size_t> length_of(const Types& types, const Prototype& prototype, std::size_t at)
{
    const auto& parameters = prototype.parameters;
    for (std::size_t i = at + 1; i < parameters.size() && i <= at + 2; ++i) {
        if (types.is_scalar(parameters[i].type) && is_length_name(parameters[i].name))
            return i;
        if (i == at + 1 && !types.is_pointer(parameters[i].type))
            return std::nullopt;
    }
    return std::nullopt;
}

/// The field that says how long the memory is that field @p name points to: keylen for key,
/// s_size for s, paramlen for params.
std::string length_field(const Types& types, std::uint32_t structure, const std::string& name)
{
    auto singular = name;
    if (singular.ends_with("s") && singular.size() > 1)
        singular.pop_back();
    for (const auto& stem : {name, singular}) {
        for (const char* suffix : {"len", "_len", "size", "_size"}) {
            const auto field = types.field(structure, stem + suffix);
            if (field && !field->bitfield && types.is_scalar(field->type))
                return stem + suffix;
        }
    }
    return {};
}

/// A structure that describes data: numbers, names, and at least one pointer with its length. What
/// counts of it, or nothing. One pointer to something else is let pass.
std::string infer_structure(const Types& types, std::uint32_t structure, std::size_t at)
{
    std::string text;
    unsigned data = 0;
    unsigned unknown = 0;
    for (const auto& name : types.field_names(structure)) {
        const auto field = types.field(structure, name);
        const auto path = fmt::format("arg{}->{}", at, name);
        std::string item;
        if (!field || field->bitfield) {
            return {};
        }
        if (types.is_flat(field->type) && types.size(field->type) != 0) {
            item = path;
        } else if (types.is_pointer(field->type) && points_to_bytes(types, field->type)) {
            const auto length = length_field(types, structure, name);
            if (!length.empty()) {
                item = fmt::format("{}[len=arg{}->{}]", path, at, length);
                ++data;
            } else if (types.is_pointer_to_const(field->type)) {
                item = "cstr " + path;
            }
        }
        if (item.empty())
            ++unknown;
        else
            text += (text.empty() ? "" : ", ") + item;
    }
    return data != 0 && unknown <= 1 ? text : "";
}

/// What to say about a pointer, or nothing.
std::string infer_pointer(const Types& types, const Prototype& prototype, std::size_t at)
{
    const auto type = prototype.parameters[at].type;
    if (!types.is_pointer_to_const(type))
        return {};
    const auto to = types.pointee(type);
    const auto length = length_of(types, prototype, at);
    if (points_to_bytes(types, type))
        return length ? fmt::format("ptr[len=arg{}]", *length) : "";
    if (at + 1 < prototype.parameters.size() && types.is_flat(to) &&
        types.is_scalar(prototype.parameters[at + 1].type) &&
        is_count_name(prototype.parameters[at + 1].name))
        return fmt::format("ptr[len=arg{}*{}]", at + 1, types.size(to));
    if (types.is_struct(to) && types.is_flat(to) && types.size(to) <= largest_struct)
        return fmt::format("ptr[{}]", types.size(to));
    if (types.is_struct(to) && types.size(to) != 0 && types.size(to) <= largest_struct)
        return infer_structure(types, to, at);
    return {};
}

} // namespace

Inference infer_args(const Types& types, const Prototype& prototype)
{
    Inference found;
    if (prototype.variadic) {
        found.obstacle = "it takes a variable number of arguments";
        return found;
    }
    if (prototype.slots() > KCR_MAX_ARGS) {
        found.obstacle = "it takes too many arguments";
        return found;
    }
    std::string text;
    for (std::size_t i = 0; i < prototype.parameters.size(); ++i) {
        const auto& parameter = prototype.parameters[i];
        std::string item = types.is_scalar(parameter.type) ? "val" : "";
        if (types.is_pointer(parameter.type)) {
            item = infer_pointer(types, prototype, i);
            found.has_memory = found.has_memory || !item.empty();
        }
        if (item.empty()) {
            found.obstacle = fmt::format("argument {}, '{} {}', is not a number and not constant "
                                         "memory of known size",
                                         i, types.describe(parameter.type), parameter.name);
            return found;
        }
        text += (text.empty() ? "" : ", ") + item;
    }
    found.args = text;
    return found;
}

bool looks_pure(const Types& types, const Prototype& prototype, const Inference& inference)
{
    if (!inference.ok() || prototype.parameters.empty() || prototype.result == 0)
        return false;
    // An object is a result only if it can be made from what is in memory
    if (types.is_pointer(prototype.result))
        return inference.has_memory;
    return types.is_scalar(prototype.result);
}

} // namespace kcr::ctl
