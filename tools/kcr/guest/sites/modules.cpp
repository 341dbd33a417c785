// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "child.hpp"
#include "figures.hpp"
#include "sites.hpp"
#include "stats.hpp"

namespace sites
{

namespace
{

/* A module's file in memory, so that it can be tampered with */
std::string read_module(const std::string& path)
{
    std::string bytes;
    const afalg::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0)
        afalg::fail(path);
    bytes.resize(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)));
    if (pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        afalg::fail(path);
    return bytes;
}

/* Returns the errno of loading; @p instructions is what that took */
int load(const std::string& bytes, uint64_t* instructions = nullptr)
{
    const uint64_t begin = __rdtsc();
    const long err = syscall(SYS_init_module, bytes.data(), bytes.size(), "");
    const uint64_t end = __rdtsc();
    if (instructions != nullptr)
        *instructions = end - begin;
    return err == 0 ? 0 : errno;
}

/* Median instructions of some loads, or what went wrong */
uint64_t load_often(const std::string& bytes, const std::string& name, unsigned loads,
                    tap::Check& check)
{
    Numbers instructions;

    for (unsigned i = 0; i < loads; i++) {
        uint64_t took = 0;
        const int err = load(bytes, &took);
        if (!check.that(err == 0, "loading " + name + ": " + std::strerror(err)))
            return 0;
        instructions.push_back(took);
        check.that(syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) == 0,
                   "unloading " + name + ": " + std::strerror(errno));
    }
    return median(instructions);
}

/* Good and bad ones in turn: a bad one is refused each time */
void tamper(const std::string& good, const std::string& name, tap::Check& check)
{
    std::string code = good;
    std::string signature = good;
    code[code.size() / 2] ^= 1;
    /* Before the 40 bytes at the end that say what it is */
    signature[signature.size() - 60] ^= 1;

    for (unsigned i = 0; i < 8; i++) {
        check.that(load(code) == EKEYREJECTED || errno == EBADMSG, "a changed module is loaded");
        check.that(load(signature) != 0, "a module with a changed signature is loaded");
        check.that(load(good) == 0, "a good module is refused after a bad one");
        syscall(SYS_delete_module, name.c_str(), O_NONBLOCK);
    }
}

} // namespace

void modules(const Settings& settings, tap::Check& check)
{
    if (settings.module.empty())
        throw tap::Skip("no signed module was named");
    const std::string bytes = read_module(settings.module);
    const std::string name = std::filesystem::path(settings.module).stem();
    uint64_t off = 0;
    uint64_t compute = 0;
    {
        const kcr::ScopedMode mode("sigverify", "off");
        off = load_often(bytes, name, settings.loads, check);
    }
    {
        const kcr::ScopedMode mode("sigverify", "observe");
        const kcr::Watch watch("sigverify");
        load_often(bytes, name, settings.loads, check);
        compute = static_cast<uint64_t>(watch["compute_ticks"] /
                                        std::max<int64_t>(watch["sampled_computes"], 1));
    }
    const kcr::Watch watch("sigverify");
    const uint64_t on = load_often(bytes, name, settings.loads, check);
    const auto hit =
        static_cast<uint64_t>(watch["hit_ticks"] / std::max<int64_t>(watch["sampled_hits"], 1));

    check.that(watch.hits() >= static_cast<int64_t>(settings.loads * 9 / 10),
               "only " + std::to_string(watch.hits()) + " verdicts were reused");
    tamper(bytes, name, check);
    figure("module_load_off_insns", off);
    figure("module_load_reuse_insns", on);
    figure("module_verify_compute_insns", compute);
    figure("module_verify_hit_insns", hit);
    remark("verifying a module's signature takes " + times(compute, hit) +
           " less, loading it as a whole " + times(off, on));
}

} // namespace sites
