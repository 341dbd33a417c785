// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "child.hpp"
#include "figures.hpp"
#include "sites.hpp"
#include "stats.hpp"

namespace sites
{

namespace
{

constexpr unsigned rounds = 256;
constexpr unsigned short_calls = 200'000;
constexpr unsigned settle_calls = 20'000;

struct Call {
    const char* name;
    long number;
    std::array<long, 4> args;
};

/* They fail early, or do little: what is measured is the way to them */
const std::array<Call, 6> calls = {{
    {"fcntl", SYS_fcntl, {-1, F_GETFL, 0, 0}},
    {"ioctl", SYS_ioctl, {-1, TCGETS, 0, 0}},
    {"epoll_ctl", SYS_epoll_ctl, {-1, EPOLL_CTL_DEL, -1, 0}},
    {"madvise", SYS_madvise, {1, 4096, MADV_DONTNEED, 0}},
    {"mprotect", SYS_mprotect, {1, 4096, PROT_READ, 0}},
    {"futex", SYS_futex, {1, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0}},
}};

/* The cheapest of some calls, and what it returned, for each kind */
Numbers measure_calls()
{
    Numbers numbers;

    for (const Call& call : calls) {
        uint64_t best = std::numeric_limits<uint64_t>::max();
        long got = 0;
        for (unsigned i = 0; i < rounds; i++) {
            const uint64_t begin = __rdtsc();
            got = syscall(call.number, call.args[0], call.args[1], call.args[2], call.args[3]);
            best = std::min(best, static_cast<uint64_t>(__rdtsc() - begin));
        }
        numbers.push_back(best);
        numbers.push_back(got < 0 ? static_cast<uint64_t>(errno) : 0);
    }
    return numbers;
}

Numbers under(const std::vector<Program>& filters)
{
    return in_child([&] {
        for (const auto& filter : filters)
            install(filter);
        return measure_calls();
    });
}

/* Instructions of the filters alone: beyond what a filter costs that the bitmap answers */
Numbers beyond(const Numbers& numbers, const Numbers& open)
{
    Numbers result;
    for (size_t i = 0; i < calls.size(); i++)
        result.push_back(numbers[2 * i] - std::min(numbers[2 * i], open[2 * i]));
    return result;
}

bool same_answers(const Numbers& a, const Numbers& b)
{
    for (size_t i = 0; i < calls.size(); i++) {
        if (a[2 * i + 1] != b[2 * i + 1])
            return false;
    }
    return true;
}

/* What the kernel says about the chain alone: compute and hit, for each kind of call */
Numbers chain_costs(const std::vector<Program>& filters)
{
    return in_child([&] {
        for (const auto& filter : filters)
            install(filter);
        std::istringstream text(kcr::read_file("/sys/kernel/debug/kcr/bench_seccomp"));
        Numbers numbers;
        uint64_t call = 0;
        uint64_t compute = 0;
        uint64_t hit = 0;
        while (text >> call >> compute >> hit) {
            numbers.push_back(compute);
            numbers.push_back(hit);
        }
        return numbers;
    });
}

void print_chain_costs(const std::string& name, const Numbers& costs)
{
    uint64_t compute = 0;
    uint64_t hit = 0;

    if (costs.empty())
        return; /* a kernel without CONFIG_KCR_BENCH */
    for (size_t i = 0; i < costs.size(); i += 2) {
        compute += costs[i];
        hit += costs[i + 1];
    }
    figure(name + "_compute_insns", compute * 2 / costs.size());
    figure(name + "_hit_insns", hit * 2 / costs.size());
}

void compare(const std::string& name, const std::vector<Program>& filters, const Numbers& open,
             tap::Check& check)
{
    Numbers off;
    {
        const kcr::ScopedMode mode("seccomp_run", "off");
        off = under(filters);
    }
    const kcr::Watch watch("seccomp_run");
    const Numbers on = under(filters);

    check.that(same_answers(on, off), name + ": system calls are answered in another way");
    check.that(watch.hits() > static_cast<int64_t>(calls.size() * rounds / 2),
               name + ": only " + std::to_string(watch.hits()) + " answers were reused");
    const Numbers compute = beyond(off, open);
    const Numbers hit = beyond(on, open);
    print_chain_costs(name, chain_costs(filters));
    std::string text = name + ", beyond a call that the bitmap answers:";
    for (size_t i = 0; i < calls.size(); i++)
        text += std::string(" ") + calls[i].name + " " + std::to_string(compute[i]) + "/" +
                std::to_string(hit[i]);
    remark(text);
}

/* Mean instructions of a call under a filter that is too short to pay */
uint64_t mean_short_call()
{
    const Program filter = short_profile();
    return in_child([&] {
               install(filter);
               for (unsigned i = 0; i < settle_calls; i++)
                   syscall(SYS_fcntl, -1, F_GETFL, 0);
               const uint64_t begin = __rdtsc();
               for (unsigned i = 0; i < short_calls; i++)
                   syscall(SYS_fcntl, -1, F_GETFL, 0);
               return Numbers{(__rdtsc() - begin) * 10 / short_calls};
           })
        .front();
}

} // namespace

void sandbox_calls(tap::Check& check)
{
    const kcr::ScopedMode always("seccomp_run", "reuse");
    const Program linear = sandbox_profile(Order::linear);
    const Program tree = sandbox_profile(Order::tree);
    const Numbers open = under({open_profile()});

    remark("the sandbox has " + std::to_string(linear.size()) + " instructions in linear order, " +
           std::to_string(tree.size()) + " as a tree; compute/hit by call");
    compare("seccomp_run", {linear}, open, check);
    compare("seccomp_run_stacked", {linear, linear}, open, check);
    compare("seccomp_run_tree", {tree}, open, check);
    compare("seccomp_run_tree_stacked", {tree, tree}, open, check);
}

void short_filter(tap::Check& check)
{
    uint64_t off = 0;
    {
        const kcr::ScopedMode mode("seccomp_run", "off");
        off = mean_short_call();
    }
    const kcr::Watch watch("seccomp_run");
    const uint64_t on = mean_short_call();

    check.that(watch["bypassed"] > 0, "the site has not stepped aside");
    figure("seccomp_run_short_off_tenths", off);
    figure("seccomp_run_short_reuse_tenths", on);
    remark("a filter that does not pay: " + std::to_string(static_cast<double>(on - off) / 10) +
           " instructions more for a call of " + std::to_string(off / 10));
}

} // namespace sites
