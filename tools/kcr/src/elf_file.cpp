// SPDX-License-Identifier: GPL-2.0
#include "elf_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kcr::tool
{

namespace
{

using Handle = std::unique_ptr<Elf, int (*)(Elf*)>;

/// struct bug_entry: two relative references of 4 bytes, the line (u16), flags (u16).
constexpr std::size_t bug_entry_size = 12;
constexpr std::size_t bug_line_offset = 8;
constexpr std::size_t jump_entry_size = 16;
constexpr std::uint64_t key_flags = 3; ///< the low bits of a key reference are flags

std::string symbol_name(Elf* elf, const GElf_Shdr& table, Elf_Data* symbols, std::size_t index)
{
    GElf_Sym symbol;
    if (gelf_getsym(symbols, static_cast<int>(index), &symbol) == nullptr)
        return "?";
    if (GELF_ST_TYPE(symbol.st_info) == STT_SECTION) {
        GElf_Shdr header;
        std::size_t names = 0;
        elf_getshdrstrndx(elf, &names);
        Elf_Scn* section = elf_getscn(elf, symbol.st_shndx);
        if (section == nullptr || gelf_getshdr(section, &header) == nullptr)
            return "?";
        return elf_strptr(elf, names, header.sh_name);
    }
    const char* name = elf_strptr(elf, table.sh_link, symbol.st_name);
    return name != nullptr ? name : "?";
}

void read_symbols(Elf* elf, Elf_Scn* scn, const GElf_Shdr& header, ElfFile& file)
{
    Elf_Data* data = elf_getdata(scn, nullptr);
    const auto count = header.sh_entsize != 0 ? header.sh_size / header.sh_entsize : 0;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr)
            continue;
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr || *name == '\0')
            continue;
        file.symbols.push_back(
            {name, symbol.st_value, symbol.st_size, GELF_ST_TYPE(symbol.st_info) == STT_FUNC});
    }
}

void read_relocations(Elf* elf, Elf_Scn* scn, const GElf_Shdr& header, ElfSection& target)
{
    GElf_Shdr table;
    Elf_Scn* symbols = elf_getscn(elf, header.sh_link);
    if (symbols == nullptr || gelf_getshdr(symbols, &table) == nullptr)
        return;
    Elf_Data* symbol_data = elf_getdata(symbols, nullptr);
    Elf_Data* data = elf_getdata(scn, nullptr);
    const auto count = header.sh_entsize != 0 ? header.sh_size / header.sh_entsize : 0;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Rela rela;
        if (gelf_getrela(data, static_cast<int>(i), &rela) == nullptr)
            continue;
        target.relocations.push_back({rela.r_offset, GELF_R_TYPE(rela.r_info),
                                      symbol_name(elf, table, symbol_data, GELF_R_SYM(rela.r_info)),
                                      rela.r_addend});
    }
}

ElfSection read_section(Elf* elf, Elf_Scn* scn, const GElf_Shdr& header, std::size_t names)
{
    ElfSection section;
    section.name = elf_strptr(elf, names, header.sh_name);
    section.address = header.sh_addr;
    section.size = header.sh_size;
    if (header.sh_type == SHT_NOBITS)
        return section;
    if (const Elf_Data* data = elf_rawdata(scn, nullptr); data != nullptr && data->d_buf != nullptr)
        section.content.assign(static_cast<const char*>(data->d_buf), data->d_size);
    return section;
}

std::string without_bug_lines(std::string content)
{
    for (std::size_t at = bug_line_offset; at + 2 <= content.size(); at += bug_entry_size) {
        content[at] = 0;
        content[at + 1] = 0;
    }
    return content;
}

/// ASSERT_RTNL() and the like pass line and file to what prints them: mov $LINE,%edx; mov
/// $FILE,%rsi.
std::string without_warning_lines(std::string content)
{
    constexpr std::size_t line_size = 4;
    constexpr char mov_edx = '\xba';
    constexpr std::string_view mov_rsi = "\x48\xc7\xc6";
    for (std::size_t at = 0; at + 1 + line_size + mov_rsi.size() <= content.size(); ++at) {
        if (content[at] == mov_edx &&
            content.compare(at + 1 + line_size, mov_rsi.size(), mov_rsi) == 0)
            content.replace(at + 1, line_size, line_size, '\0');
    }
    return content;
}

bool ignored_section(std::string_view name)
{
    return name == ".note.gnu.build-id";
}

bool same_section(const ElfSection& a, const ElfSection& b)
{
    if (a.size != b.size || a.relocations != b.relocations)
        return false;
    if (a.name == "__bug_table")
        return without_bug_lines(a.content) == without_bug_lines(b.content);
    if (a.name.starts_with(".text"))
        return without_warning_lines(a.content) == without_warning_lines(b.content);
    return a.content == b.content;
}

template <typename T> T value_at(std::string_view bytes, std::size_t offset)
{
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

} // namespace

std::uint64_t ElfFile::address_of(std::string_view name) const
{
    for (const auto& symbol : symbols) {
        if (symbol.name == name)
            return symbol.address;
    }
    return 0;
}

std::string ElfFile::bytes_at(std::uint64_t address, std::size_t size) const
{
    for (const auto& section : sections) {
        if (address >= section.address &&
            address + size <= section.address + section.content.size())
            return section.content.substr(address - section.address, size);
    }
    return {};
}

std::string ElfFile::place(std::uint64_t address) const
{
    for (const auto& symbol : symbols) {
        if (symbol.function && address >= symbol.address && address < symbol.address + symbol.size)
            return fmt::format("{}+{:#x}", symbol.name, address - symbol.address);
    }
    return fmt::format("{:#x}", address);
}

Result<ElfFile> read_elf(const std::filesystem::path& path)
{
    elf_version(EV_CURRENT);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid())
        return Error{fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)), {}};
    const Handle elf(elf_begin(fd.get(), ELF_C_READ_MMAP, nullptr), elf_end);
    std::size_t names = 0;
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF || elf_getshdrstrndx(elf.get(), &names) != 0)
        return Error{fmt::format("{} is not an ELF file", path.string()), {}};
    ElfFile file;
    std::map<std::size_t, std::size_t> position; // section index -> index in file.sections
    std::vector<Elf_Scn*> rela;
    for (Elf_Scn* scn = elf_nextscn(elf.get(), nullptr); scn != nullptr;
         scn = elf_nextscn(elf.get(), scn)) {
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr)
            continue;
        if (header.sh_type == SHT_SYMTAB) {
            read_symbols(elf.get(), scn, header, file);
        } else if (header.sh_type == SHT_RELA) {
            rela.push_back(scn);
        } else if ((header.sh_flags & SHF_ALLOC) != 0) {
            position[elf_ndxscn(scn)] = file.sections.size();
            file.sections.push_back(read_section(elf.get(), scn, header, names));
        }
    }
    for (Elf_Scn* scn : rela) {
        GElf_Shdr header;
        gelf_getshdr(scn, &header);
        if (const auto at = position.find(header.sh_info); at != position.end())
            read_relocations(elf.get(), scn, header, file.sections[at->second]);
    }
    return file;
}

std::vector<JumpEntry> jump_entries(const ElfFile& kernel)
{
    std::vector<JumpEntry> entries;
    // The table lies inside .rodata; symbols mark it.
    const auto start = kernel.address_of("__start___jump_table");
    const auto table = kernel.bytes_at(start, kernel.address_of("__stop___jump_table") - start);
    for (std::size_t at = 0; at + jump_entry_size <= table.size(); at += jump_entry_size) {
        const auto base = start + at;
        const auto code = static_cast<std::int64_t>(value_at<std::int32_t>(table, at));
        const auto target = static_cast<std::int64_t>(value_at<std::int32_t>(table, at + 4));
        const auto key = value_at<std::int64_t>(table, at + 8);
        entries.push_back({base + static_cast<std::uint64_t>(code),
                           base + 4 + static_cast<std::uint64_t>(target),
                           (base + 8 + static_cast<std::uint64_t>(key)) & ~key_flags});
    }
    return entries;
}

std::size_t patched_nop_length(std::string_view bytes)
{
    using namespace std::string_view_literals;
    if (bytes.starts_with("\x66\x90"sv))
        return 2;
    return bytes.starts_with("\x0f\x1f\x44\x00\x00"sv) ? 5 : 0;
}

std::vector<std::string> differing_sections(const ElfFile& a, const ElfFile& b)
{
    std::vector<std::string> names;
    const auto count = std::max(a.sections.size(), b.sections.size());
    for (std::size_t i = 0; i < count; ++i) {
        const bool in_a = i < a.sections.size();
        const bool in_b = i < b.sections.size();
        const auto& name = in_a ? a.sections[i].name : b.sections[i].name;
        if (ignored_section(name))
            continue;
        if (!in_a || !in_b || a.sections[i].name != b.sections[i].name ||
            !same_section(a.sections[i], b.sections[i]))
            names.push_back(name);
    }
    return names;
}

} // namespace kcr::tool
