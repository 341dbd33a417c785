// SPDX-License-Identifier: GPL-2.0
#include "run.h"

#include "../memo/describe.h"
#include "domains.h"
#include "library.h"
#include "memo_file.h"
#include "render_domains.h"
#include "supervise.h"

#include <kcr.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace kcr::ctl
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* audit_library = "libkcr-audit.so";
constexpr const char* memo_library = "libkcr-memo.so";
constexpr std::uint64_t smallest_region = 64U << 10;
constexpr std::uint64_t largest_region = 1U << 30;
/// Programs expect to get low descriptors.
constexpr rlim_t highest_fd = 1000;

/// Names have limits in what the program is told.
Status check_names(const Signature& signature)
{
    const bool good = signature.library.size() < sizeof(kcr_memo_function::library) &&
                      signature.function.size() < sizeof(kcr_memo_function::symbol) &&
                      signature.library.find_first_of("\t\n") == std::string::npos;
    if (!good)
        return Error{"a name is too long, or strange", {}};
    return {};
}

Status check_memo(Memo& memo, const fs::path& program)
{
    auto& signature = memo.signature;
    if (auto placed = place_arguments(signature); !placed)
        return placed;
    const auto known = known_prototype(signature.library, signature.function);
    if (!known)
        return known.error();
    const auto library = find_library(signature.library, program);
    if (!library)
        return library.error();
    const auto name = check_symbol(*library, signature.function);
    if (!name)
        return name.error();
    std::vector<Prototype> prototypes;
    if (known->has_value())
        prototypes.push_back(**known);
    if (auto mangled = mangled_prototype(signature.function))
        prototypes.push_back(std::move(*mangled));
    if (auto debug = debug_prototype(*library, signature.function))
        prototypes.push_back(std::move(*debug));
    for (const auto& prototype : prototypes) {
        if (auto matches = check_prototype(signature, prototype); !matches)
            return matches;
    }
    signature.library = *name;
    return check_names(signature);
}

/// How many seccomp filters this process has.
unsigned seccomp_filters()
{
    const auto status = tool::read_file("/proc/self/status");
    for (const auto& line : tool::split(status ? *status : "", '\n')) {
        const auto words = tool::words(line);
        if (words.size() == 2 && words[0] == "Seccomp_filters:")
            return static_cast<unsigned>(std::strtoul(words[1].c_str(), nullptr, 10));
    }
    return 0;
}

/// The domain's descriptor under a number that is out of the way, and that exec() leaves open.
int high_descriptor(int fd)
{
    rlimit limit{};
    rlim_t start = highest_fd;
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur <= start)
        start = limit.rlim_cur > 20 ? limit.rlim_cur - 20 : 0;
    const int high = ::fcntl(fd, F_DUPFD, static_cast<int>(start));
    return high >= 0 ? high : ::fcntl(fd, F_DUPFD, 3);
}

Status set_environment(const fs::path& libraries, const std::string& description)
{
    const auto folder = libraries.string();
    if (folder.find_first_of(" :") != std::string::npos)
        return Error{fmt::format("the libraries are in {}", folder),
                     "the dynamic linker cannot be told of a path with a space or a colon"};
    ::setenv("LD_AUDIT", with_library("LD_AUDIT", folder + "/" + audit_library).c_str(), 1);
    ::setenv("LD_PRELOAD", with_library("LD_PRELOAD", folder + "/" + memo_library).c_str(), 1);
    ::setenv(KCR_MEMO_ENV, description.c_str(), 1);
    return {};
}

void print_stats(int fd)
{
    const auto info = own_domain(fd);
    if (!info) {
        fmt::print(stderr, "kcrctl: {}\n", info.error().message);
        return;
    }
    if (info->functions.empty())
        fmt::print(stderr, "kcrctl: the program did not bind any of these functions\n");
    else
        fmt::print(stderr, "{}", render_functions(info->functions));
}

} // namespace

Result<std::vector<Memo>> check_memos(const RunOptions& options, const fs::path& program)
{
    std::vector<Memo> memos;
    for (const auto& text : options.signatures) {
        auto signature = parse_signature(text);
        if (!signature)
            return signature.error();
        memos.push_back({.signature = std::move(*signature)});
    }
    for (const auto& file : options.files) {
        auto read = read_memo_file(file);
        if (!read)
            return read.error();
        std::move(read->begin(), read->end(), std::back_inserter(memos));
    }
    if (memos.empty())
        return Error{"which function? --memo or --memo-file", "see kcrctl run --help"};
    if (memos.size() > KCR_MEMO_FUNCTIONS)
        return Error{fmt::format("more than {} functions", KCR_MEMO_FUNCTIONS), {}};
    for (auto& memo : memos) {
        memo.pure = memo.pure || options.pure;
        memo.always = memo.always || options.always;
        if (memo.learn == 0)
            memo.learn = options.learn;
        if (auto good = check_memo(memo, program); !good)
            return good.error();
    }
    return memos;
}

Result<std::uint64_t> parse_region_size(const std::string& text)
{
    std::uint64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, value);
    const std::string_view unit(last, static_cast<std::size_t>(end - last));
    const unsigned shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : 0;
    const bool good =
        error == std::errc() && (unit.empty() || shift != 0) && value <= largest_region >> shift;
    value <<= good ? shift : 0;
    if (!good || !std::has_single_bit(value) || value < smallest_region || value > largest_region)
        return Error{fmt::format("bad --size {}", text),
                     "a power of two from 64K to 1G, as in 16M"};
    return value;
}

Result<fs::path> find_memo_libraries()
{
    std::error_code error;
    const auto self = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (const auto& folder : {self / "memo", self / KCRCTL_MEMO_DIR}) {
        if (fs::exists(folder / audit_library, error) && fs::exists(folder / memo_library, error))
            return fs::weakly_canonical(folder, error);
    }
    return Error{fmt::format("there is no {} near {}", memo_library, self.string()),
                 "kcrctl is not installed completely"};
}

std::string with_library(const char* variable, const std::string& library)
{
    const char* before = std::getenv(variable);
    return before == nullptr || *before == '\0' ? library : library + ":" + before;
}

Result<int> run_program(const RunOptions& options)
{
    if (options.command.empty())
        return Error{"which program? It comes after --", "see kcrctl run --help"};
    const auto program = find_program(options.command[0]);
    if (!program)
        return program.error();
    const auto memos = check_memos(options, *program);
    if (!memos)
        return memos.error();
    kcr_domain_options domain_options{.size = sizeof(domain_options)};
    if (!options.size.empty()) {
        const auto size = parse_region_size(options.size);
        if (!size)
            return size.error();
        domain_options.region_size = *size;
    }
    const auto libraries = find_memo_libraries();
    if (!libraries)
        return libraries.error();

    kcr_domain* domain = kcr_domain_create(&domain_options);
    const char* why = nullptr;
    if (kcr_domain_status(domain, &why) != 0) {
        fmt::print(stderr, "kcrctl: nothing is reused: {}\n", why);
        return exec_program(options.command);
    }
    const int fd = high_descriptor(kcr_domain_fd(domain));
    if (fd < 0)
        return Error{fmt::format("no descriptor is left: {}", std::strerror(errno)), {}};
    const auto description = describe(fd, seccomp_filters(), *memos);
    if (auto set = set_environment(*libraries, description); !set)
        return set.error();
    if (!options.stats)
        return exec_program(options.command);
    const auto ended = supervise(options.command);
    if (!ended)
        return ended.error();
    print_stats(fd);
    return end_as(*ended);
}

} // namespace kcr::ctl
