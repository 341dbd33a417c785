// SPDX-License-Identifier: GPL-2.0
#include "elf_reader.h"

#include "fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>

#include <memory>

namespace kcr::ctl
{

namespace
{

struct EndElf {
    void operator()(Elf* elf) const
    {
        ::elf_end(elf);
    }
};

void read_section(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                  std::vector<DynamicSymbol>& symbols)
{
    Elf_Data* data = ::elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0)
        return;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
        GElf_Sym symbol{};
        if (::gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF)
            continue;
        const char* name = ::elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr || *name == '\0')
            continue;
        const auto type = GELF_ST_TYPE(symbol.st_info);
        symbols.push_back({name, type == STT_FUNC || type == STT_GNU_IFUNC});
    }
}

/// The name that a dynamic section says.
void read_soname(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, std::string& soname)
{
    Elf_Data* data = ::elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0)
        return;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
        GElf_Dyn entry{};
        if (::gelf_getdyn(data, i, &entry) == nullptr || entry.d_tag != DT_SONAME)
            continue;
        const char* name = ::elf_strptr(elf, header.sh_link, entry.d_un.d_val);
        if (name != nullptr)
            soname = name;
    }
}

} // namespace

Result<LibraryFile> read_library(const std::filesystem::path& path)
{
    const tool::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid())
        return Error{fmt::format("cannot read {}", path.string()), {}};
    ::elf_version(EV_CURRENT);
    const std::unique_ptr<Elf, EndElf> elf(::elf_begin(file.get(), ELF_C_READ_MMAP, nullptr));
    GElf_Ehdr header{};
    const bool good = elf != nullptr && ::elf_kind(elf.get()) == ELF_K_ELF &&
                      ::gelf_getehdr(elf.get(), &header) != nullptr &&
                      header.e_machine == EM_X86_64 && header.e_type == ET_DYN;
    if (!good)
        return Error{fmt::format("{} is not a shared library for x86-64", path.string()), {}};
    LibraryFile library;
    for (Elf_Scn* section = nullptr; (section = ::elf_nextscn(elf.get(), section)) != nullptr;) {
        GElf_Shdr section_header{};
        if (::gelf_getshdr(section, &section_header) == nullptr)
            continue;
        if (section_header.sh_type == SHT_DYNSYM)
            read_section(elf.get(), section, section_header, library.symbols);
        else if (section_header.sh_type == SHT_DYNAMIC)
            read_soname(elf.get(), section, section_header, library.soname);
    }
    return library;
}

} // namespace kcr::ctl
