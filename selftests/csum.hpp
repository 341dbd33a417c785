/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the csum sites share: files in memory, a site that is not
 * bypassed, and transfers that are compared with what was sent.
 */
#ifndef KCR_SELFTEST_CSUM_HPP
#define KCR_SELFTEST_CSUM_HPP

#include <sys/mman.h>

#include "data.hpp"
#include "net.hpp"

namespace csum
{

using afalg::Bytes;
using afalg::Fd;
using tap::Check;

inline constexpr unsigned both_seals = F_SEAL_WRITE | F_SEAL_SHRINK;

inline Fd memfd(const Bytes& content, unsigned seals)
{
    Fd fd(memfd_create("kcr", MFD_CLOEXEC | MFD_ALLOW_SEALING));

    if (fd.get() < 0 ||
        write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
        afalg::fail("memfd");
    if (seals && fcntl(fd.get(), F_ADD_SEALS, seals) != 0)
        afalg::fail("F_ADD_SEALS");
    return fd;
}

/** A site in some mode that is looked up whether it pays or not, for a scope. */
class Site
{
public:
    Site(const std::string& name, const std::string& mode)
        : name_(name), mode_(name, mode), path_("/sys/kernel/kcr/sites/" + name + "/bypass")
    {
        kcr::write_file(path_, "never");
    }
    ~Site()
    {
        kcr::try_write_file(path_, "auto");
    }
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    /** The tiers are allocated after the first miss, by a worker. */
    static void warm(const std::function<void()>& request)
    {
        const kcr::Watch watch("csum");
        for (int i = 0; i < 50 && watch["stores"] == 0; i++) {
            request();
            usleep(20000);
        }
    }

private:
    std::string name_;
    kcr::ScopedMode mode_;
    std::string path_;
};

/** Sends a whole file over @p connection, @p times times, and compares. */
inline void transfer(Check& check, net::Connection& connection, int file, const Bytes& content,
                     unsigned times, const std::string& what)
{
    for (unsigned i = 0; i < times; i++) {
        const Bytes got = connection.transfer(file, 0, content.size());
        check.same(got, content, what + ", transfer " + std::to_string(i));
    }
}

/** Needs what the csum sites and these tests need. */
inline void require()
{
    kcr::require_kcr();
    if (access(kcr::mode_path("csum").c_str(), F_OK) != 0)
        throw tap::Skip("this kernel has no csum site");
    for (const char* program : {"/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/mkfs.ext4"}) {
        if (access(program, X_OK) != 0)
            throw tap::Skip(std::string("no ") + program);
    }
}

} // namespace csum

#endif
