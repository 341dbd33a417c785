// SPDX-License-Identifier: GPL-2.0
#include "library.h"

#include "fd.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libelf.h>

#include <memory>

namespace kcr::ctl
{

namespace
{

using Kind = ValueType::Kind;

struct EndDwarf {
    void operator()(Dwarf* dwarf) const
    {
        ::dwarf_end(dwarf);
    }
};

struct EndElf {
    void operator()(Elf* elf) const
    {
        ::elf_end(elf);
    }
};

/// A file and its debug information.
struct DebugFile {
    tool::Fd file;
    std::unique_ptr<Dwarf, EndDwarf> dwarf;
};

DebugFile open_debug(const std::string& path)
{
    DebugFile opened;
    opened.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (opened.file.valid())
        opened.dwarf.reset(::dwarf_begin(opened.file.get(), DWARF_C_READ));
    return opened;
}

/// Where the distribution puts the debug information of a file with this build id.
std::string debug_path(const std::filesystem::path& library)
{
    const tool::Fd file(::open(library.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid())
        return {};
    ::elf_version(EV_CURRENT);
    const std::unique_ptr<Elf, EndElf> elf(::elf_begin(file.get(), ELF_C_READ_MMAP, nullptr));
    const void* id = nullptr;
    const auto length = elf == nullptr ? 0 : ::dwelf_elf_gnu_build_id(elf.get(), &id);
    if (length < 2)
        return {};
    const auto* bytes = static_cast<const unsigned char*>(id);
    auto path = fmt::format("/usr/lib/debug/.build-id/{:02x}/", bytes[0]);
    for (int i = 1; i < length; ++i)
        path += fmt::format("{:02x}", bytes[i]);
    return path + ".debug";
}

ValueType base_type(Dwarf_Die* die)
{
    Dwarf_Attribute attribute;
    Dwarf_Word encoding = 0;
    if (::dwarf_formudata(::dwarf_attr(die, DW_AT_encoding, &attribute), &encoding) != 0)
        return {};
    const auto size = static_cast<unsigned>(std::max(0, ::dwarf_bytesize(die)));
    if (encoding == DW_ATE_float)
        return size > 8 ? ValueType{Kind::long_double, size} : ValueType{Kind::floating, size};
    if (encoding == DW_ATE_complex_float)
        return {Kind::structure, size};
    return size > 8 ? ValueType{} : ValueType{Kind::integer, size};
}

/// The type that @p die has.
ValueType type_of(Dwarf_Die* die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die type;
    Dwarf_Die bare;
    if (::dwarf_attr_integrate(die, DW_AT_type, &attribute) == nullptr)
        return {Kind::nothing, 0};
    if (::dwarf_formref_die(&attribute, &type) == nullptr || ::dwarf_peel_type(&type, &bare) != 0)
        return {};
    switch (::dwarf_tag(&bare)) {
    case DW_TAG_base_type:
        return base_type(&bare);
    case DW_TAG_enumeration_type:
        return {Kind::integer, static_cast<unsigned>(std::max(0, ::dwarf_bytesize(&bare)))};
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        return {Kind::pointer, 8};
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        return {Kind::structure, static_cast<unsigned>(std::max(0, ::dwarf_bytesize(&bare)))};
    default:
        return {};
    }
}

bool has_name(Dwarf_Die* die, const std::string& function)
{
    Dwarf_Attribute attribute;
    const char* linkage =
        ::dwarf_formstring(::dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    const char* name = linkage != nullptr ? linkage : ::dwarf_diename(die);
    return name != nullptr && function == name;
}

bool is_external(Dwarf_Die* die)
{
    Dwarf_Attribute attribute;
    bool external = false;
    return ::dwarf_formflag(::dwarf_attr_integrate(die, DW_AT_external, &attribute), &external) ==
               0 &&
           external;
}

Prototype prototype_of(Dwarf_Die* die)
{
    Prototype found{.source = "its debug information"};
    found.result = type_of(die);
    Dwarf_Die child;
    for (int more = ::dwarf_child(die, &child); more == 0;
         more = ::dwarf_siblingof(&child, &child)) {
        if (::dwarf_tag(&child) == DW_TAG_formal_parameter)
            found.parameters.push_back(type_of(&child));
        else if (::dwarf_tag(&child) == DW_TAG_unspecified_parameters)
            found.variadic = true;
    }
    return found;
}

std::optional<Prototype> find_function(Dwarf* dwarf, const std::string& function)
{
    Dwarf_CU* unit = nullptr;
    Dwarf_Die top;
    while (::dwarf_get_units(dwarf, unit, &unit, nullptr, nullptr, &top, nullptr) == 0) {
        Dwarf_Die child;
        for (int more = ::dwarf_child(&top, &child); more == 0;
             more = ::dwarf_siblingof(&child, &child)) {
            const bool found = ::dwarf_tag(&child) == DW_TAG_subprogram && is_external(&child) &&
                               ::dwarf_hasattr(&child, DW_AT_declaration) == 0 &&
                               has_name(&child, function);
            if (found)
                return prototype_of(&child);
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<Prototype> debug_prototype(const std::filesystem::path& library,
                                         const std::string& function)
{
    for (const auto& path : {library.string(), debug_path(library)}) {
        const auto opened = open_debug(path);
        if (!opened.dwarf)
            continue;
        if (auto found = find_function(opened.dwarf.get(), function))
            return found;
    }
    return std::nullopt;
}

} // namespace kcr::ctl
