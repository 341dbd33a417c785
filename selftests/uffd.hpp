/* SPDX-License-Identifier: GPL-2.0 */
/*
 * userfaultfd, as far as tracked memory needs it.
 */
#ifndef KCR_SELFTEST_UFFD_HPP
#define KCR_SELFTEST_UFFD_HPP

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#include "track.hpp"

#ifndef UFFDIO_MOVE
struct uffdio_move {
    __u64 dst;
    __u64 src;
    __u64 len;
    __u64 mode;
    __s64 move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

namespace track
{

/** A userfaultfd over @p memory, until it goes. */
class Uffd
{
public:
    Uffd(std::span<uint8_t> memory, uint64_t mode)
        : fd_(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC))), range_{
                                                                          address_of(memory.data()),
                                                                          memory.size()}
    {
        uffdio_api api{};
        uffdio_register registered{};

        api.api = UFFD_API;
        registered.range = range_;
        registered.mode = mode;
        if (!fd_ || domain::request(fd_.get(), UFFDIO_API, api) < 0)
            throw tap::Skip("no userfaultfd");
        if (const int ret = domain::request(fd_.get(), UFFDIO_REGISTER, registered))
            throw tap::Skip("UFFDIO_REGISTER: " + std::string(std::strerror(-ret)));
    }

    /* Closing would not do where a child has the descriptor, too */
    ~Uffd()
    {
        domain::request(fd_.get(), UFFDIO_UNREGISTER, range_);
    }
    Uffd(const Uffd&) = delete;
    Uffd& operator=(const Uffd&) = delete;

    /** Fills the hole at @p to: 0 or a negative errno. */
    int copy(void* to, const void* from) const
    {
        uffdio_copy copy{};

        copy.dst = address_of(to);
        copy.src = address_of(from);
        copy.len = page_size;
        return domain::request(fd_.get(), UFFDIO_COPY, copy);
    }
    int zero(void* to) const
    {
        uffdio_zeropage zero{};

        zero.range = {address_of(to), page_size};
        return domain::request(fd_.get(), UFFDIO_ZEROPAGE, zero);
    }
    int protect(const void* page, bool on) const
    {
        uffdio_writeprotect protect{};
        int ret = 0;

        protect.range = {address_of(page), page_size};
        protect.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
        /* While mappings are changing it wants to be asked again */
        for (int i = 0; i < 1000; i++) {
            ret = domain::request(fd_.get(), UFFDIO_WRITEPROTECT, protect);
            if (ret != -EAGAIN)
                break;
        }
        errno = -ret;
        return ret;
    }
    /** Moves a page to the hole at @p to. */
    int move(void* to, const void* from) const
    {
        uffdio_move move{};

        move.dst = address_of(to);
        move.src = address_of(from);
        move.len = page_size;
        return domain::request(fd_.get(), UFFDIO_MOVE, move);
    }

private:
    Fd fd_;
    uffdio_range range_;
};

} // namespace track

#endif
