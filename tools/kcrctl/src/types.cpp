// SPDX-License-Identifier: GPL-2.0
#include "types.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <cstring>

namespace kcr::ctl
{

namespace
{

constexpr const char* kernel_btf = "/sys/kernel/btf/vmlinux";
constexpr unsigned word = 8;

} // namespace

unsigned Prototype::slots() const
{
    return parameters.empty() ? 0 : parameters.back().slot + parameters.back().slots;
}

void Types::Free::operator()(btf* types) const
{
    btf__free(types);
}

Types::Types(btf* types) : btf_(types)
{
    const auto count = btf__type_cnt(types);
    for (std::uint32_t id = 1; id < count; ++id) {
        const auto* type = btf__type_by_id(types, id);
        if (btf_is_func(type))
            functions_.emplace(name(type->name_off), id);
    }
}

Result<Types> Types::of_kernel()
{
    auto* types = btf__parse_raw(kernel_btf);
    if (types == nullptr)
        return Error{fmt::format("cannot read {}: {}", kernel_btf, std::strerror(errno)),
                     "the kernel needs CONFIG_DEBUG_INFO_BTF=y, so that types of arguments are "
                     "known"};
    return Types(types);
}

Types Types::adopt(btf* types)
{
    return Types(types);
}

const btf_type* Types::at(std::uint32_t type) const
{
    return btf__type_by_id(btf_.get(), type);
}

std::string Types::name(std::uint32_t offset) const
{
    const char* text = btf__name_by_offset(btf_.get(), offset);
    return text != nullptr ? text : "";
}

std::optional<std::uint32_t> Types::function(const std::string& name) const
{
    const auto found = functions_.find(name);
    if (found == functions_.end())
        return std::nullopt;
    return found->second;
}

Prototype Types::prototype(std::uint32_t id) const
{
    const auto* type = at(at(id)->type);
    const auto* parameters = btf_params(type);
    Prototype prototype;
    prototype.result = type->type;
    unsigned slot = 0;
    for (unsigned i = 0; i < btf_vlen(type); ++i) {
        if (parameters[i].type == 0) {
            prototype.variadic = true;
            break;
        }
        Parameter parameter{name(parameters[i].name_off), parameters[i].type, slot, 1};
        if (is_struct(parameter.type))
            parameter.slots = (size(parameter.type) + word - 1) / word;
        slot += parameter.slots;
        prototype.parameters.push_back(std::move(parameter));
    }
    return prototype;
}

std::uint32_t Types::strip(std::uint32_t type) const
{
    for (;;) {
        const auto* what = at(type);
        if (type == 0 || what == nullptr)
            return 0;
        if (!btf_is_mod(what) && !btf_is_typedef(what) && !btf_is_type_tag(what))
            return type;
        type = what->type;
    }
}

bool Types::is_scalar(std::uint32_t type) const
{
    const auto* what = at(strip(type));
    return btf_is_int(what) || btf_is_any_enum(what);
}

bool Types::is_signed(std::uint32_t type) const
{
    const auto* what = at(strip(type));
    if (btf_is_int(what))
        return (btf_int_encoding(what) & BTF_INT_SIGNED) != 0;
    return btf_is_any_enum(what) && btf_kflag(what);
}

bool Types::is_pointer(std::uint32_t type) const
{
    return btf_is_ptr(at(strip(type)));
}

bool Types::is_array(std::uint32_t type) const
{
    return btf_is_array(at(strip(type)));
}

bool Types::is_struct(std::uint32_t type) const
{
    return btf_is_composite(at(strip(type)));
}

std::uint32_t Types::pointee(std::uint32_t pointer) const
{
    return strip(at(strip(pointer))->type);
}

bool Types::is_pointer_to_const(std::uint32_t pointer) const
{
    if (!is_pointer(pointer))
        return false;
    for (std::uint32_t type = at(strip(pointer))->type; type != 0;) {
        const auto* what = at(type);
        if (btf_is_const(what))
            return true;
        if (!btf_is_mod(what) && !btf_is_typedef(what) && !btf_is_type_tag(what))
            return false;
        type = what->type;
    }
    return false;
}

bool Types::is_flat(std::uint32_t type) const
{
    const auto id = strip(type);
    const auto* what = at(id);
    if (id == 0 || is_pointer(id))
        return false;
    if (is_scalar(id))
        return true;
    if (btf_is_array(what))
        return is_flat(btf_array(what)->type);
    if (!btf_is_composite(what) || btf_vlen(what) == 0)
        return false;
    const auto* members = btf_members(what);
    for (unsigned i = 0; i < btf_vlen(what); ++i) {
        if (!is_flat(members[i].type))
            return false;
    }
    return true;
}

std::uint32_t Types::size(std::uint32_t type) const
{
    if (strip(type) == 0)
        return 0;
    const auto size = btf__resolve_size(btf_.get(), type);
    return size < 0 ? 0 : static_cast<std::uint32_t>(size);
}

std::optional<std::uint32_t> Types::find_struct(const std::string& name) const
{
    const auto id = btf__find_by_name_kind(btf_.get(), name.c_str(), BTF_KIND_STRUCT);
    if (id <= 0)
        return std::nullopt;
    return static_cast<std::uint32_t>(id);
}

std::optional<Field> Types::field(std::uint32_t structure, std::string_view wanted) const
{
    const auto* what = at(strip(structure));
    if (!btf_is_composite(what))
        return std::nullopt;
    const auto* members = btf_members(what);
    for (unsigned i = 0; i < btf_vlen(what); ++i) {
        const auto offset = btf_member_bit_offset(what, i);
        const auto label = name(members[i].name_off);
        if (label == wanted)
            return Field{members[i].type, offset / 8,
                         btf_member_bitfield_size(what, i) != 0 || offset % 8 != 0};
        if (!label.empty())
            continue;
        if (auto inner = field(members[i].type, wanted)) {
            inner->offset += offset / 8;
            return inner;
        }
    }
    return std::nullopt;
}

std::vector<std::string> Types::field_names(std::uint32_t structure) const
{
    std::vector<std::string> names;
    const auto* what = at(strip(structure));
    if (!btf_is_composite(what))
        return names;
    const auto* members = btf_members(what);
    for (unsigned i = 0; i < btf_vlen(what); ++i) {
        auto label = name(members[i].name_off);
        if (!label.empty()) {
            names.push_back(std::move(label));
            continue;
        }
        auto inner = field_names(members[i].type);
        names.insert(names.end(), inner.begin(), inner.end());
    }
    return names;
}

std::string Types::describe(std::uint32_t type) const
{
    if (type == 0)
        return "void";
    const auto* what = at(type);
    auto label = name(what->name_off);
    switch (btf_kind(what)) {
    case BTF_KIND_PTR:
        return describe(what->type) + " *";
    case BTF_KIND_CONST:
        return "const " + describe(what->type);
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_TYPE_TAG:
        return describe(what->type);
    case BTF_KIND_STRUCT:
    case BTF_KIND_FWD:
        return "struct " + label;
    case BTF_KIND_UNION:
        return "union " + label;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
        return "enum " + label;
    case BTF_KIND_ARRAY:
        return fmt::format("{}[{}]", describe(btf_array(what)->type), btf_array(what)->nelems);
    case BTF_KIND_FUNC_PROTO:
        return "function";
    default:
        return label;
    }
}

} // namespace kcr::ctl
