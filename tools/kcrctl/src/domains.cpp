// SPDX-License-Identifier: GPL-2.0
#include "domains.h"

#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace kcr::ctl
{

namespace fs = std::filesystem;

namespace
{

constexpr std::string_view link_of_domains = "anon_inode:[kcr-domain]";
constexpr std::string_view function_prefix = "kcr-function-";

template <typename T> bool parse_number(std::string_view text, T& value)
{
    const auto* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && last == end && !text.empty();
}

struct Field {
    std::string_view name;
    std::uint64_t DomainInfo::*member;
};

constexpr std::array<Field, 10> fields = {{
    {"kcr-domain", &DomainInfo::number},
    {"kcr-region", &DomainInfo::region},
    {"kcr-entries", &DomainInfo::entries},
    {"kcr-blob-bytes", &DomainInfo::blob_bytes},
    {"kcr-stored", &DomainInfo::stored},
    {"kcr-equal", &DomainInfo::equal},
    {"kcr-refused", &DomainInfo::refused},
    {"kcr-evicted", &DomainInfo::evicted},
    {"kcr-stale", &DomainInfo::stale},
    {"kcr-flushes", &DomainInfo::flushes},
}};

bool parse_function(std::string_view number, std::string_view text, FunctionCounts& counts)
{
    const auto words = tool::words(text);
    if (words.size() < 10)
        return false;
    counts.name = words[0];
    counts.state = words[1];
    return parse_number(number, counts.number) && parse_number(words[2], counts.entries) &&
           parse_number(words[3], counts.hits) && parse_number(words[4], counts.misses) &&
           parse_number(words[5], counts.bypassed) && parse_number(words[6], counts.audits) &&
           parse_number(words[7], counts.learned) && parse_number(words[8], counts.failed) &&
           parse_number(words[9], counts.saved);
}

bool parse_line(std::string_view name, std::string_view value, DomainInfo& info)
{
    if (name.starts_with(function_prefix)) {
        FunctionCounts counts;
        if (!parse_function(name.substr(function_prefix.size()), value, counts))
            return false;
        info.functions.push_back(std::move(counts));
        return true;
    }
    if (name == "kcr-access")
        info.access = value;
    for (const auto& field : fields) {
        if (field.name == name)
            return parse_number(value, info.*field.member);
    }
    return true;
}

void add_counts(FunctionCounts& sum, const FunctionCounts& more)
{
    sum.hits += more.hits;
    sum.misses += more.misses;
    sum.bypassed += more.bypassed;
    sum.audits += more.audits;
    sum.learned += more.learned;
    sum.failed += more.failed;
    sum.saved += more.saved;
}

bool same_open_file(const Holder& a, const Holder& b)
{
    return ::syscall(SYS_kcmp, a.pid, b.pid, KCMP_FILE, a.fd, b.fd) == 0;
}

/// The descriptors of one process. What ends meanwhile is passed over.
void add_process(std::vector<Domain>& domains, const fs::path& process, int pid)
{
    std::error_code error;
    for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
         it.increment(error)) {
        std::error_code gone;
        const auto number = it->path().filename().string();
        Holder holder{.pid = pid};
        if (fs::read_symlink(it->path(), gone).string() != link_of_domains ||
            !parse_number(number, holder.fd))
            continue;
        const auto text = tool::read_file(process / "fdinfo" / number);
        if (!text)
            continue;
        auto info = parse_fdinfo(*text);
        if (!info || !info->has_value())
            continue;
        if (const auto command = tool::read_file(process / "comm"))
            holder.command = std::string(tool::trim(*command));
        holder.access = (*info)->access;
        add_descriptor(domains, std::move(**info), std::move(holder), same_open_file);
    }
}

} // namespace

std::int64_t Domain::saved() const
{
    std::int64_t sum = 0;
    for (const auto& function : info.functions)
        sum += function.saved;
    return sum;
}

Result<std::optional<DomainInfo>> parse_fdinfo(std::string_view text)
{
    DomainInfo info;
    bool found = false;
    for (const auto& line : tool::split(text, '\n')) {
        const auto colon = line.find(':');
        if (colon == std::string::npos)
            continue;
        const auto name = std::string_view(line).substr(0, colon);
        found = found || name == "kcr-domain";
        if (!parse_line(name, tool::trim(std::string_view(line).substr(colon + 1)), info))
            return Error{fmt::format("cannot understand '{}' in fdinfo", line), {}};
    }
    if (!found)
        return std::optional<DomainInfo>();
    return std::optional(std::move(info));
}

void add_descriptor(std::vector<Domain>& domains, DomainInfo info, Holder holder,
                    const SameFile& same_file)
{
    const auto known = std::find_if(domains.begin(), domains.end(), [&](const Domain& domain) {
        return domain.info.number == info.number;
    });
    if (known == domains.end()) {
        domains.push_back({std::move(info), {std::move(holder)}});
        return;
    }
    const bool counted = std::any_of(known->holders.begin(), known->holders.end(),
                                     [&](const Holder& other) { return same_file(other, holder); });
    known->holders.push_back(std::move(holder));
    if (counted)
        return;
    for (const auto& more : info.functions) {
        auto& functions = known->info.functions;
        const auto sum =
            std::find_if(functions.begin(), functions.end(), [&](const FunctionCounts& function) {
                return function.number == more.number;
            });
        if (sum == functions.end())
            functions.push_back(more);
        else
            add_counts(*sum, more);
    }
}

Status check_device(const fs::path& device)
{
    if (::access(device.c_str(), R_OK) == 0)
        return {};
    if (errno == EACCES)
        return Error{fmt::format("you may not use {}", device.string()),
                     "be root, or have the administrator give you the right to read it"};
    return Error{fmt::format("there is no {}", device.string()),
                 "this needs a kernel with CONFIG_KCR_DEV, and its module: modprobe kcr"};
}

Result<std::vector<Domain>> find_domains(const fs::path& proc)
{
    std::vector<Domain> domains;
    std::error_code error;
    for (fs::directory_iterator it(proc, error), end; !error && it != end; it.increment(error)) {
        int pid = 0;
        if (parse_number(it->path().filename().string(), pid))
            add_process(domains, it->path(), pid);
    }
    if (error)
        return Error{fmt::format("cannot read {}: {}", proc.string(), error.message()), {}};
    std::stable_sort(domains.begin(), domains.end(), [](const Domain& a, const Domain& b) {
        return a.info.number < b.info.number;
    });
    return domains;
}

Result<DomainInfo> own_domain(int fd)
{
    const auto text = tool::read_file(fmt::format("/proc/self/fdinfo/{}", fd));
    if (!text)
        return text.error();
    auto info = parse_fdinfo(*text);
    if (!info)
        return info.error();
    if (!info->has_value())
        return Error{"the domain's descriptor is gone", {}};
    return **info;
}

} // namespace kcr::ctl
