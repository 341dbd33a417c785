// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "fd.h"
#include "result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct Elf;

namespace kcr::tool
{

/// One relocation, with its symbol by name, so that symbol tables may differ in order.
struct ElfRelocation {
    std::uint64_t offset;
    std::uint64_t type;
    std::string symbol;
    std::int64_t addend;

    auto operator<=>(const ElfRelocation&) const = default;
};

/// One section that is loaded at run time.
struct ElfSection {
    std::string name;
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::string content; ///< empty for NOBITS
    std::vector<ElfRelocation> relocations;
};

/// One symbol.
struct ElfSymbol {
    std::string name;
    std::uint64_t address;
    std::uint64_t size;
    bool function;
};

/// What the zero-impact suite needs to know of an object file or of vmlinux.
struct ElfFile {
    std::vector<ElfSection> sections; ///< with SHF_ALLOC, in file order
    std::vector<ElfSymbol> symbols;

    /// The address of a symbol, or 0.
    [[nodiscard]] std::uint64_t address_of(std::string_view name) const;
    /// @p size bytes at @p address; empty if no section has them.
    [[nodiscard]] std::string bytes_at(std::uint64_t address, std::size_t size) const;
    /// "function+0x12" that contains @p address, or its number.
    [[nodiscard]] std::string place(std::uint64_t address) const;
};

/// Reads an ELF file with libelf.
Result<ElfFile> read_elf(const std::filesystem::path& path);

/// One entry of the kernel's __jump_table.
struct JumpEntry {
    std::uint64_t code;
    std::uint64_t target;
    std::uint64_t key;
};

/// Decodes the __jump_table of a linked kernel (relative references).
std::vector<JumpEntry> jump_entries(const ElfFile& kernel);

/// The length of the x86 no-op that @p bytes start with (2 or 5, what jump labels use), or 0.
std::size_t patched_nop_length(std::string_view bytes);

/// Differences between two object files that are not line numbers of WARN and its kin: names of
/// sections.
std::vector<std::string> differing_sections(const ElfFile& a, const ElfFile& b);

} // namespace kcr::tool
