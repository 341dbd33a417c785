/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kcr for the selftests: descriptors, mappings and requests as they are, and
 * a reader of regions written from the description in the uapi header.
 */
#ifndef KCR_SELFTEST_DOMAIN_HPP
#define KCR_SELFTEST_DOMAIN_HPP

#include <fcntl.h>
#include <linux/kcr.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tap.hpp"

namespace domain
{

using Bytes = std::vector<uint8_t>;

/** Throws what errno says. */
[[noreturn]] inline void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

/** A descriptor that is closed with its owner. */
class Fd
{
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept
    {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~Fd()
    {
        reset();
    }

    void reset()
    {
        if (fd_ >= 0)
            close(fd_);
        fd_ = -1;
    }
    int get() const
    {
        return fd_;
    }
    explicit operator bool() const
    {
        return fd_ >= 0;
    }

private:
    int fd_ = -1;
};

/** A mapping that is unmapped with its owner. */
class Mapping
{
public:
    Mapping() = default;
    Mapping(int fd, size_t size, int prot, off_t offset)
        : address_(mmap(nullptr, size, prot, MAP_SHARED, fd, offset)), size_(size)
    {
        if (address_ == MAP_FAILED)
            fail("mmap of a domain");
    }
    Mapping(Mapping&& other) noexcept
        : address_(std::exchange(other.address_, MAP_FAILED)), size_(other.size_)
    {
    }
    Mapping& operator=(Mapping&& other) noexcept
    {
        std::swap(address_, other.address_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Mapping()
    {
        if (address_ != MAP_FAILED)
            munmap(address_, size_);
    }

    const uint8_t* data() const
    {
        return static_cast<const uint8_t*>(address_);
    }
    uint8_t* writable() const
    {
        return static_cast<uint8_t*>(address_);
    }
    size_t size() const
    {
        return size_;
    }

private:
    void* address_ = MAP_FAILED;
    size_t size_ = 0;
};

/** ioctl() that answers 0 or more, or a negative errno. */
template <typename Argument> int request(int fd, unsigned long what, Argument& argument)
{
    const int ret = ioctl(fd, what, &argument);

    return ret < 0 ? -errno : ret;
}

/** A structure of the uapi with its size filled in. */
template <typename Argument> Argument sized()
{
    Argument argument;

    std::memset(&argument, 0, sizeof(argument));
    argument.size = sizeof(argument);
    return argument;
}

inline int open_device()
{
    return open("/dev/kcr", O_RDWR | O_CLOEXEC);
}

/** Makes a domain: a descriptor, or a negative errno. */
inline int try_create(uint64_t region_size = 0, uint32_t learn_target = 0, uint32_t expiry_ms = 0)
{
    const Fd device(open_device());
    auto create = sized<kcr_create>();

    if (!device)
        return -errno;
    create.region_size = region_size;
    create.learn_target = learn_target;
    create.expiry_ms = expiry_ms;
    return request(device.get(), KCR_IOC_CREATE, create);
}

inline Fd create(uint64_t region_size = 0, uint32_t learn_target = 0, uint32_t expiry_ms = 0)
{
    const int fd = try_create(region_size, learn_target, expiry_ms);

    if (fd < 0) {
        errno = -fd;
        fail("KCR_IOC_CREATE");
    }
    return Fd(fd);
}

/** What a function is registered with. */
struct Function {
    std::string name = "f";
    uint32_t key_max = 16;
    uint32_t result_max = 16;
    uint32_t flags = KCR_REGISTER_PURE;
    uint64_t version = 0;
    uint32_t max_entries = 0;
    uint32_t learn_target = 0;
    uint32_t expiry_ms = 0;
    uint32_t sets = 0;
};

/** Finds or adds a function: its number, or a negative errno. */
inline int try_register(int fd, const Function& function)
{
    auto reg = sized<kcr_register>();

    reg.flags = function.flags;
    std::memcpy(reg.name, function.name.data(), std::min(function.name.size(), sizeof(reg.name)));
    std::memcpy(reg.identity, reg.name, sizeof(reg.identity));
    reg.version = function.version;
    reg.key_max = function.key_max;
    reg.result_max = function.result_max;
    reg.max_entries = function.max_entries;
    reg.learn_target = function.learn_target;
    reg.expiry_ms = function.expiry_ms;
    reg.sets = function.sets;
    const int ret = request(fd, KCR_IOC_REGISTER, reg);
    return ret < 0 ? ret : static_cast<int>(reg.function);
}

inline uint32_t add(int fd, const Function& function)
{
    const int number = try_register(fd, function);

    if (number < 0) {
        errno = -number;
        fail("KCR_IOC_REGISTER");
    }
    return static_cast<uint32_t>(number);
}

inline kcr_info info(int fd)
{
    auto info = sized<kcr_info>();

    if (request(fd, KCR_IOC_INFO, info) < 0)
        fail("KCR_IOC_INFO");
    return info;
}

inline kcr_function_info function_info(int fd, uint32_t function)
{
    auto info = sized<kcr_function_info>();

    info.function = function;
    if (request(fd, KCR_IOC_FUNCTION, info) < 0)
        fail("KCR_IOC_FUNCTION");
    return info;
}

/** Stores one result: its status, or what the ioctl said. */
inline int store(int fd, uint32_t function, uint64_t stamp, std::span<const uint8_t> key,
                 std::span<const uint8_t> result)
{
    kcr_entry entry{};
    auto store = sized<kcr_store>();

    entry.stamp = stamp;
    entry.function = function;
    entry.key = reinterpret_cast<uintptr_t>(key.data());
    entry.key_len = static_cast<uint32_t>(key.size());
    entry.result = reinterpret_cast<uintptr_t>(result.data());
    entry.result_len = static_cast<uint32_t>(result.size());
    store.entries = reinterpret_cast<uintptr_t>(&entry);
    store.nr = 1;
    const int ret = request(fd, KCR_IOC_STORE, store);
    return ret < 0 ? ret : entry.status;
}

inline int flush(int fd, uint32_t function, uint32_t state = KCR_STATE_NONE)
{
    auto flush = sized<kcr_flush>();

    flush.function = function;
    flush.state = state;
    return request(fd, KCR_IOC_FLUSH, flush);
}

inline int share(int fd, uint32_t flags)
{
    auto share = sized<kcr_share_fd>();

    share.flags = flags;
    return request(fd, KCR_IOC_SHARE, share);
}

/** Sets a file of sysfs for as long as it lives. */
class Setting
{
public:
    Setting(std::string path, const std::string& value) : path_(std::move(path))
    {
        std::ifstream(path_) >> before_;
        if (before_.empty() || !(std::ofstream(path_) << value << std::flush))
            throw tap::Skip("cannot set " + path_);
    }
    ~Setting()
    {
        std::ofstream(path_) << before_ << std::flush;
    }
    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;

private:
    std::string path_;
    std::string before_;
};

/** For run_cases(): skips where there is no /dev/kcr. */
inline void need_device()
{
    const Fd device(open_device());

    if (!device)
        throw tap::Skip("no /dev/kcr: " + std::string(std::strerror(errno)));
}

} // namespace domain

#endif
