/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KCR's administrative files: counters in debugfs, site modes and the switch
 * in sysfs. Every program calls require_kcr() before its first case.
 */
#ifndef KCR_SELFTEST_STATS_HPP
#define KCR_SELFTEST_STATS_HPP

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

#include "afalg.hpp"
#include "tap.hpp"

namespace kcr
{

inline constexpr const char* stats_path = "/sys/kernel/debug/kcr/stats";
inline constexpr const char* enable_path = "/sys/module/kernel/parameters/kcr_enable";

inline std::string mode_path(const std::string& site)
{
    return "/sys/kernel/kcr/sites/" + site + "/mode";
}

/** The whole of a small file, without the last newline. */
inline std::string read_file(const std::string& path)
{
    const afalg::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char buffer[4096];
    ssize_t got;

    if (fd.get() < 0)
        afalg::fail(path);
    while ((got = read(fd.get(), buffer, sizeof(buffer))) > 0)
        text.append(buffer, static_cast<size_t>(got));
    if (got < 0)
        afalg::fail(path);
    if (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

/** Writes a value; returns 0 or the errno. */
inline int try_write_file(const std::string& path, const std::string& value)
{
    const afalg::Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));

    if (fd.get() < 0)
        return errno;
    return write(fd.get(), value.data(), value.size()) < 0 ? errno : 0;
}

inline void write_file(const std::string& path, const std::string& value)
{
    if (const int err = try_write_file(path, value))
        afalg::fail(path, err);
}

/** The counters of one site at one moment. */
class Counters
{
public:
    /** Reads the kernel's counters. */
    static Counters read(const std::string& site)
    {
        if (afalg::rehearsal())
            return {};
        std::istringstream text(read_file(stats_path));
        std::string name;
        std::string counter;
        Counters result;
        int64_t value = 0;

        while (text >> name >> counter >> value) {
            if (name == site)
                result.values_[counter] = value;
        }
        if (result.values_.empty())
            throw std::runtime_error("no counters for site " + site);
        return result;
    }

    int64_t operator[](const std::string& counter) const
    {
        const auto found = values_.find(counter);
        if (found == values_.end() && afalg::rehearsal())
            return 0;
        if (found == values_.end())
            throw std::runtime_error("no counter " + counter);
        return found->second;
    }

    int64_t hits() const
    {
        return (*this)["l2_hits"] + (*this)["l3_hits"];
    }

    int64_t misses() const
    {
        int64_t sum = 0;
        for (const auto& [name, value] : values_) {
            if (name.rfind("miss_", 0) == 0 && name != "miss_ticks")
                sum += value;
        }
        return sum;
    }

private:
    std::map<std::string, int64_t> values_;
};

/** What a site's counters did since the watch began. */
class Watch
{
public:
    explicit Watch(std::string site) : site_(std::move(site)), begin_(Counters::read(site_)) {}

    int64_t hits() const
    {
        return Counters::read(site_).hits() - begin_.hits();
    }
    int64_t misses() const
    {
        return Counters::read(site_).misses() - begin_.misses();
    }
    int64_t operator[](const std::string& counter) const
    {
        return Counters::read(site_)[counter] - begin_[counter];
    }

private:
    std::string site_;
    Counters begin_;
};

/** Sets a site's mode for a scope. */
class ScopedMode
{
public:
    ScopedMode(const std::string& site, const std::string& mode)
        : path_(mode_path(site)), before_(read_file(path_))
    {
        write_file(path_, mode);
    }
    ~ScopedMode()
    {
        try_write_file(path_, before_);
    }
    ScopedMode(const ScopedMode&) = delete;
    ScopedMode& operator=(const ScopedMode&) = delete;

private:
    std::string path_;
    std::string before_;
};

/** Skips the program unless it runs as root on a kernel with KCR, in reuse mode. */
inline void require_kcr()
{
    const afalg::Fd probe(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));

    if (probe.get() < 0)
        throw tap::Skip("no AF_ALG in this kernel");
    if (afalg::rehearsal())
        return;
    if (geteuid() != 0)
        throw tap::Skip("needs root to read counters and set modes");
    auto hash = afalg::try_bind("hash", "sha256");
    if (!hash)
        throw tap::Skip("no sha256 in this kernel");
    if (access(enable_path, F_OK) != 0)
        throw tap::Skip("this kernel was built without CONFIG_KCR");
    if (read_file(enable_path) != "Y")
        throw tap::Skip("KCR is disabled (kcr_enable=0)");
    if (const int err = hash->try_set_reuse(1))
        throw tap::Skip(std::string("ALG_SET_REUSE is refused: ") + std::strerror(err));
    if (access(stats_path, F_OK) != 0)
        mount("debugfs", "/sys/kernel/debug", "debugfs", 0, nullptr);
    if (access(stats_path, F_OK) != 0)
        throw tap::Skip(std::string("no ") + stats_path);
    for (const char* site : {"skcipher", "hash"})
        write_file(mode_path(site), "reuse");
}

} // namespace kcr

#endif
