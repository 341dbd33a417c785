// SPDX-License-Identifier: GPL-2.0
#include "profile.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "afalg.hpp"

namespace sites
{

namespace
{

using nlohmann::json;

struct Release {
    void operator()(void* context) const
    {
        seccomp_release(context);
    }
};
using Context = std::unique_ptr<void, Release>;

/* The capabilities that a container has unless it asks for others */
const std::set<std::string> container_caps = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",           "CAP_FSETID",
    "CAP_KILL",   "CAP_SETGID",       "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
    "CAP_SETUID", "CAP_SETPCAP",      "CAP_SYS_CHROOT"};
const std::set<std::string> arches = {"amd64", "x32", "x86"};

constexpr int last_call = 462;

Context make_context(uint32_t default_action)
{
    Context context(seccomp_init(default_action));
    if (!context)
        throw std::runtime_error("seccomp_init failed");
    return context;
}

Program export_program(const Context& context)
{
    const afalg::Fd file(memfd_create("filter", MFD_CLOEXEC));
    if (file.get() < 0)
        afalg::fail("memfd_create");
    if (const int err = seccomp_export_bpf(context.get(), file.get()); err != 0)
        afalg::fail("seccomp_export_bpf", -err);
    const auto bytes = static_cast<size_t>(lseek(file.get(), 0, SEEK_CUR));
    Program program(bytes / sizeof(sock_filter));
    if (pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes))
        afalg::fail("reading the filter");
    return program;
}

/* Whether a rule's condition names one of @p ours; true if it names none */
bool any_of(const json& rule, const char* condition, const char* what,
            const std::set<std::string>& ours, bool if_none)
{
    const auto where = rule.find(condition);
    if (where == rule.end() || !where->contains(what) || where->at(what).empty())
        return if_none;
    const auto& names = where->at(what);
    return std::any_of(names.begin(), names.end(),
                       [&](const json& name) { return ours.contains(name.get<std::string>()); });
}

bool applies(const json& rule)
{
    return any_of(rule, "includes", "caps", container_caps, true) &&
           any_of(rule, "includes", "arches", arches, true) &&
           !any_of(rule, "excludes", "caps", container_caps, false) &&
           !any_of(rule, "excludes", "arches", arches, false);
}

scmp_compare comparison(const std::string& name)
{
    static const std::initializer_list<std::pair<const char*, scmp_compare>> names = {
        {"SCMP_CMP_NE", SCMP_CMP_NE},
        {"SCMP_CMP_LT", SCMP_CMP_LT},
        {"SCMP_CMP_LE", SCMP_CMP_LE},
        {"SCMP_CMP_EQ", SCMP_CMP_EQ},
        {"SCMP_CMP_GE", SCMP_CMP_GE},
        {"SCMP_CMP_GT", SCMP_CMP_GT},
        {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
    for (const auto& [text, value] : names) {
        if (name == text)
            return value;
    }
    throw std::runtime_error("the profile compares by " + name);
}

std::vector<scmp_arg_cmp> conditions(const json& rule)
{
    std::vector<scmp_arg_cmp> result;
    if (!rule.contains("args") || rule.at("args").is_null())
        return result;
    for (const auto& arg : rule.at("args"))
        result.push_back(
            {arg.at("index").get<unsigned>(), comparison(arg.at("op").get<std::string>()),
             arg.at("value").get<scmp_datum_t>(), arg.value("valueTwo", scmp_datum_t{0})});
    return result;
}

uint32_t action(const json& rule, const char* name, const char* errno_name)
{
    const auto text = rule.at(name).get<std::string>();
    if (text == "SCMP_ACT_ALLOW")
        return SCMP_ACT_ALLOW;
    if (text == "SCMP_ACT_ERRNO")
        return SCMP_ACT_ERRNO(rule.value(errno_name, 1U));
    throw std::runtime_error("the profile has the action " + text);
}

void add_rule(const Context& context, const json& rule, uint32_t default_action)
{
    const uint32_t what = action(rule, "action", "errnoRet");
    if (what == default_action)
        return;
    const auto args = conditions(rule);
    for (const auto& name : rule.at("names")) {
        const int call = seccomp_syscall_resolve_name(name.get<std::string>().c_str());
        if (call == __NR_SCMP_ERROR)
            continue; /* newer than the library */
        const int err = seccomp_rule_add_array(context.get(), what, call,
                                               static_cast<unsigned>(args.size()), args.data());
        if (err != 0 && err != -EEXIST)
            afalg::fail("rule for " + name.get<std::string>(), -err);
    }
}

using Values = std::initializer_list<scmp_datum_t>;

/* Allow @p call if argument @p arg, of which @p mask counts, is one of @p values */
void allow_values(const Context& context, int call, unsigned arg, scmp_datum_t mask, Values values)
{
    for (const scmp_datum_t value : values) {
        const scmp_arg_cmp compare = {arg, SCMP_CMP_MASKED_EQ, mask, value};
        if (const int err =
                seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, call, 1, &compare);
            err != 0)
            afalg::fail("rule for a frequent call", -err);
    }
}

void add_frequent_calls(const Context& context)
{
    constexpr scmp_datum_t all = 0xffffffff;
    constexpr scmp_datum_t futex_op = ~scmp_datum_t{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME};
    constexpr scmp_datum_t write_exec = PROT_WRITE | PROT_EXEC;

    allow_values(context, SYS_futex, 1, futex_op & all,
                 {FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
                  FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET});
    allow_values(context, SYS_mmap, 2, write_exec, {0, PROT_WRITE, PROT_EXEC});
    allow_values(context, SYS_mprotect, 2, write_exec, {0, PROT_WRITE, PROT_EXEC});
    allow_values(context, SYS_madvise, 2, all,
                 {MADV_NORMAL, MADV_DONTNEED, MADV_FREE, MADV_WILLNEED, MADV_HUGEPAGE,
                  MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_SEQUENTIAL});
    allow_values(context, SYS_fcntl, 1, all,
                 {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW,
                  F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS});
    allow_values(context, SYS_ioctl, 1, all,
                 {TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX});
    allow_values(context, SYS_epoll_ctl, 1, all, {EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD});
}

} // namespace

Program container_profile(const std::string& path)
{
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error("cannot read " + path +
                                 ": install golang-github-containers-common");
    const auto profile = json::parse(file);
    const uint32_t default_action = action(profile, "defaultAction", "defaultErrnoRet");
    const auto context = make_context(default_action);
    for (const uint32_t arch : {SCMP_ARCH_X86, SCMP_ARCH_X32}) {
        if (const int err = seccomp_arch_add(context.get(), arch); err != 0)
            afalg::fail("seccomp_arch_add", -err);
    }
    for (const auto& rule : profile.at("syscalls")) {
        if (applies(rule))
            add_rule(context, rule, default_action);
    }
    return export_program(context);
}

Program sandbox_profile(Order order)
{
    const std::set<int> frequent = {SYS_futex, SYS_mmap,  SYS_mprotect, SYS_madvise,
                                    SYS_fcntl, SYS_ioctl, SYS_epoll_ctl};
    const auto context = make_context(SCMP_ACT_ERRNO(EPERM));
    if (order == Order::tree)
        seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (int call = 0; call <= last_call; call++) {
        if (frequent.contains(call))
            continue;
        char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, call);
        if (name != nullptr)
            seccomp_rule_add_array(context.get(), SCMP_ACT_ALLOW, call, 0, nullptr);
        std::free(name); /* NOLINT(cppcoreguidelines-no-malloc): the library's contract */
    }
    add_frequent_calls(context);
    return export_program(context);
}

Program short_profile()
{
    return {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETOWN, 0, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
}

Program open_profile()
{
    return {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

} // namespace sites
