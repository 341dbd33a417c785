// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::ctl
{

/// What the kernel says of a function in a domain; counts are those of one descriptor or a sum.
struct FunctionCounts {
    unsigned number = 0;
    std::string name;
    std::string state;
    std::uint64_t entries = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t bypassed = 0;
    std::uint64_t audits = 0;
    std::uint64_t learned = 0;
    std::uint64_t failed = 0;
    std::int64_t saved = 0; ///< ticks

    [[nodiscard]] std::uint64_t calls() const
    {
        return hits + misses + bypassed + audits + learned;
    }
    [[nodiscard]] std::uint64_t computed() const
    {
        return misses + audits + learned;
    }
};

/// What /proc/PID/fdinfo/FD says of a domain's descriptor.
struct DomainInfo {
    std::uint64_t number = 0;
    std::string access;
    std::uint64_t region = 0;
    std::uint64_t entries = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t stored = 0;
    std::uint64_t equal = 0;
    std::uint64_t refused = 0;
    std::uint64_t evicted = 0;
    std::uint64_t stale = 0;
    std::uint64_t flushes = 0;
    std::vector<FunctionCounts> functions;
};

/// A process's descriptor of a domain.
struct Holder {
    int pid = 0;
    int fd = 0;
    std::string command;
    std::string access;
};

/// A domain, with what all its descriptors have counted.
struct Domain {
    DomainInfo info;
    std::vector<Holder> holders;

    [[nodiscard]] std::int64_t saved() const;
};

/// Parses the text of a fdinfo file. Nothing if it is not that of a domain. Lines that are not
/// known are passed over: a later kernel may say more.
Result<std::optional<DomainInfo>> parse_fdinfo(std::string_view text);

/// Do these two descriptors lead to the same open file, and so to the same counts?
using SameFile = std::function<bool(const Holder& a, const Holder& b)>;

/// Adds what a descriptor says to the domain that it is of.
void add_descriptor(std::vector<Domain>& domains, DomainInfo info, Holder holder,
                    const SameFile& same_file);

/// All domains that processes below @p proc have descriptors of, as far as they may be looked at.
/// An error if there cannot be any: no KCR in this kernel.
Result<std::vector<Domain>> find_domains(const std::filesystem::path& proc = "/proc");

/// Is there a /dev/kcr? If not, the error says what to do.
Status check_device(const std::filesystem::path& device = "/dev/kcr");

/// What kcrctl's own descriptor @p fd says.
Result<DomainInfo> own_domain(int fd);

} // namespace kcr::ctl
