/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices and rings that read into tracked memory, and a place to swap it to.
 */
#ifndef KCR_SELFTEST_TRACKIO_HPP
#define KCR_SELFTEST_TRACKIO_HPP

#include <linux/io_uring.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <memory>

#include "track.hpp"

namespace track
{

inline constexpr size_t sector_size = 512;

/** A memory disk, read and written past the page cache. */
class Disk
{
public:
    Disk() : fd_(open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC)), buffer_(1)
    {
        if (!fd_)
            throw tap::Skip("no /dev/ram0: " + std::string(std::strerror(errno)));
    }

    int fd() const
    {
        return fd_.get();
    }
    /** Has @p value in every word of sector @p sector. */
    void put(size_t sector, uint64_t value) const
    {
        for (size_t i = 0; i < sector_size / sizeof(value); i++)
            buffer_.word(0, i) = value;
        write_from(sector, buffer_.data());
    }
    void write_from(size_t sector, const void* memory) const
    {
        if (pwrite(fd(), memory, sector_size, offset(sector)) != sector_size)
            domain::fail("write to the disk");
    }
    void read_to(size_t sector, void* memory) const
    {
        if (pread(fd(), memory, sector_size, offset(sector)) != sector_size)
            domain::fail("read from the disk");
    }
    static off_t offset(size_t sector)
    {
        return static_cast<off_t>(sector * sector_size);
    }

private:
    Fd fd_;
    Area buffer_;
};

/** An io_uring, one request at a time. */
class Ring
{
public:
    Ring()
    {
        io_uring_params params{};

        fd_ = Fd(static_cast<int>(syscall(SYS_io_uring_setup, 4, &params)));
        if (!fd_)
            throw tap::Skip("no io_uring: " + std::string(std::strerror(errno)));
        const size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
        const size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
        const int prot = PROT_READ | PROT_WRITE;
        sq_ = domain::Mapping(fd_.get(), sq_size, prot, IORING_OFF_SQ_RING);
        cq_ = domain::Mapping(fd_.get(), cq_size, prot, IORING_OFF_CQ_RING);
        sqes_ = domain::Mapping(fd_.get(), params.sq_entries * sizeof(io_uring_sqe), prot,
                                IORING_OFF_SQES);
        params_ = params;
    }

    /** Has @p request done: its result, or a negative errno. */
    int run(const io_uring_sqe& request) const
    {
        auto* tail = word(sq_, params_.sq_off.tail);
        const uint32_t slot = *tail & *word(sq_, params_.sq_off.ring_mask);

        reinterpret_cast<io_uring_sqe*>(sqes_.writable())[slot] = request;
        word(sq_, params_.sq_off.array)[slot] = slot;
        __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
        long entered = 0;
        do {
            entered = syscall(SYS_io_uring_enter, fd_.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr,
                              size_t(0));
        } while (entered < 0 && errno == EINTR);
        if (entered < 0)
            return -errno;
        return complete();
    }
    /** Reads @p len bytes from @p fd to @p memory, to a registered buffer if @p fixed. */
    int read_to(int fd, off_t offset, void* memory, size_t len, bool fixed) const
    {
        io_uring_sqe request{};

        request.opcode = fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
        request.fd = fd;
        request.off = static_cast<uint64_t>(offset);
        request.addr = address_of(memory);
        request.len = static_cast<uint32_t>(len);
        return run(request);
    }
    /** Registers one buffer: its pages stay pinned until it is unregistered. */
    int try_pin(void* memory, size_t len) const
    {
        const iovec buffer = {memory, len};
        return syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_BUFFERS, &buffer, 1) < 0
                   ? -errno
                   : 0;
    }
    void pin(void* memory, size_t len) const
    {
        if (const int ret = try_pin(memory, len)) {
            errno = -ret;
            domain::fail("IORING_REGISTER_BUFFERS");
        }
    }
    void unpin() const
    {
        if (syscall(SYS_io_uring_register, fd_.get(), IORING_UNREGISTER_BUFFERS, nullptr, 0) < 0)
            domain::fail("IORING_UNREGISTER_BUFFERS");
    }

private:
    static uint32_t* word(const domain::Mapping& mapping, size_t offset)
    {
        return reinterpret_cast<uint32_t*>(mapping.writable() + offset);
    }
    int complete() const
    {
        auto* head = word(cq_, params_.cq_off.head);
        const uint32_t mask = *word(cq_, params_.cq_off.ring_mask);

        while (__atomic_load_n(word(cq_, params_.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
            syscall(SYS_io_uring_enter, fd_.get(), 0, 1, IORING_ENTER_GETEVENTS, nullptr,
                    size_t(0));
        const auto* cqes = reinterpret_cast<const io_uring_cqe*>(cq_.data() + params_.cq_off.cqes);
        const int result = cqes[*head & mask].res;
        __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
        return result;
    }

    Fd fd_;
    domain::Mapping sq_;
    domain::Mapping cq_;
    domain::Mapping sqes_;
    io_uring_params params_{};
};

/** Room to swap to, on another memory disk, for as long as it lives. */
class Swap
{
public:
    Swap()
    {
        /* See mkswap(8): the header of version 1, and its magic at the page's end */
        constexpr std::string_view magic = "SWAPSPACE2";
        constexpr uint32_t pages = 4096;
        std::array<uint32_t, page_size / sizeof(uint32_t)> header{};
        const Fd fd(open(path, O_RDWR | O_CLOEXEC));

        header[256] = 1;
        header[257] = pages - 1;
        std::memcpy(reinterpret_cast<char*>(header.data()) + page_size - magic.size(), magic.data(),
                    magic.size());
        if (!fd || write(fd.get(), header.data(), page_size) != page_size || fsync(fd.get()) < 0 ||
            swapon(path, 0) < 0)
            throw tap::Skip("cannot swap to " + std::string(path) + ": " + std::strerror(errno));
    }
    /** None, where there is no such disk. */
    static std::unique_ptr<Swap> try_make()
    {
        try {
            return std::make_unique<Swap>();
        } catch (const tap::Skip&) {
            return nullptr;
        }
    }
    ~Swap()
    {
        swapoff(path);
    }
    Swap(const Swap&) = delete;
    Swap& operator=(const Swap&) = delete;

private:
    static constexpr const char* path = "/dev/ram1";
};

/** What /proc/self/pagemap says of the page at @p address. */
inline uint64_t pagemap(const void* address)
{
    const Fd fd(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    uint64_t entry = 0;

    if (!fd ||
        pread(fd.get(), &entry, sizeof(entry),
              static_cast<off_t>(address_of(address) / page_size * sizeof(entry))) != sizeof(entry))
        domain::fail("/proc/self/pagemap");
    return entry;
}

inline bool swapped_out(const void* address)
{
    return pagemap(address) >> 62 & 1;
}

inline bool present(const void* address)
{
    return pagemap(address) >> 63 & 1;
}

} // namespace track

#endif
