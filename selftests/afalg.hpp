/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AF_ALG sockets: a Transform is a bound socket (it owns the kernel's tfm and
 * the key), an Operation is a socket accepted from it.
 */
#ifndef KCR_SELFTEST_AFALG_HPP
#define KCR_SELFTEST_AFALG_HPP

#include <linux/if_alg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#ifndef SOL_ALG
#define SOL_ALG 279
#endif
#ifndef ALG_SET_REUSE
#define ALG_SET_REUSE 8
#endif

namespace afalg
{

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;
using MutableView = std::span<uint8_t>;

[[noreturn]] inline void fail(const std::string& what, int error = errno)
{
    throw std::system_error(error, std::generic_category(), what);
}

/**
 * With KCR_REHEARSE=1 in the environment the programs run on a kernel without
 * KCR: every answer is compared all the same, and every case that demands a
 * hit fails. This shows that they would notice if reuse were silently off.
 */
inline bool rehearsal()
{
    static const bool wanted = std::getenv("KCR_REHEARSE") != nullptr;
    return wanted;
}

/** A file descriptor that closes itself. */
class Fd
{
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd()
    {
        reset();
    }

    int get() const
    {
        return fd_;
    }
    void reset()
    {
        if (fd_ >= 0)
            close(fd_);
        fd_ = -1;
    }

private:
    int fd_ = -1;
};

enum class Direction : uint32_t { decrypt = ALG_OP_DECRYPT, encrypt = ALG_OP_ENCRYPT };

/** One operation socket. Not to be shared between threads without a lock. */
class Operation
{
public:
    explicit Operation(Fd fd) : fd_(std::move(fd)) {}

    int fd() const
    {
        return fd_.get();
    }

    /** sendmsg() of @p parts with the direction and, if not empty, the IV. */
    void send(Direction direction, View iv, std::span<const iovec> parts, int flags = 0)
    {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(4) + CMSG_SPACE(4 + 32)> control{};
        msghdr msg{};

        msg.msg_iov = const_cast<iovec*>(parts.data());
        msg.msg_iovlen = parts.size();
        msg.msg_control = control.data();
        msg.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&msg);
        const auto op = static_cast<uint32_t>(direction);
        put(header, ALG_SET_OP, &op, sizeof(op));
        size_t used = CMSG_SPACE(sizeof(op));
        if (!iv.empty()) {
            std::array<uint8_t, 4 + 32> value{};
            const auto length = static_cast<uint32_t>(iv.size());
            std::memcpy(value.data(), &length, sizeof(length));
            std::memcpy(value.data() + sizeof(length), iv.data(), iv.size());
            put(CMSG_NXTHDR(&msg, header), ALG_SET_IV, value.data(), 4 + iv.size());
            used += CMSG_SPACE(4 + iv.size());
        }
        msg.msg_controllen = used;
        send_all(msg, parts, flags);
    }

    /** send() of @p parts without control data: more of a message, or hash input. */
    void send(std::span<const iovec> parts, int flags = 0)
    {
        msghdr msg{};

        msg.msg_iov = const_cast<iovec*>(parts.data());
        msg.msg_iovlen = parts.size();
        send_all(msg, parts, flags);
    }

    void send(View data, int flags = 0)
    {
        const iovec part = as_iovec(data);
        send(std::span(&part, 1), flags);
    }

    /** Receives into @p parts; throws unless exactly as much arrives as they hold. */
    void receive(std::span<const iovec> parts)
    {
        const ssize_t got = readv(fd_.get(), parts.data(), static_cast<int>(parts.size()));
        if (got < 0)
            fail("readv on AF_ALG");
        if (static_cast<size_t>(got) != total(parts))
            throw std::runtime_error("short read from AF_ALG: " + std::to_string(got) + " of " +
                                     std::to_string(total(parts)));
    }

    void receive(MutableView out)
    {
        const iovec part{out.data(), out.size()};
        receive(std::span(&part, 1));
    }

    /** One whole cipher request. @p out must be as long as @p in. */
    void crypt(Direction direction, View iv, View in, MutableView out)
    {
        const iovec part = as_iovec(in);
        send(direction, iv, std::span(&part, 1));
        receive(out);
    }

    Bytes crypt(Direction direction, View iv, View in)
    {
        Bytes out(in.size());
        crypt(direction, iv, in, out);
        return out;
    }

    /** One whole-message digest. */
    void digest(View in, MutableView out)
    {
        if (!in.empty())
            send(in);
        receive(out);
    }

    /** accept() on the operation itself: exports a hash in the middle of a message. */
    Operation duplicate()
    {
        Fd copy(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (copy.get() < 0)
            fail("accept on operation socket");
        return Operation(std::move(copy));
    }

    static iovec as_iovec(View data)
    {
        return iovec{const_cast<uint8_t*>(data.data()), data.size()};
    }

private:
    static size_t total(std::span<const iovec> parts)
    {
        size_t sum = 0;
        for (const iovec& part : parts)
            sum += part.iov_len;
        return sum;
    }

    static void put(cmsghdr* header, int type, const void* data, size_t length)
    {
        header->cmsg_level = SOL_ALG;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(length);
        std::memcpy(CMSG_DATA(header), data, length);
    }

    void send_all(const msghdr& msg, std::span<const iovec> parts, int flags)
    {
        const ssize_t sent = sendmsg(fd_.get(), &msg, flags);
        if (sent < 0)
            fail("sendmsg on AF_ALG");
        if (static_cast<size_t>(sent) != total(parts))
            throw std::runtime_error("short send to AF_ALG");
    }

    Fd fd_;
};

/** A bound AF_ALG socket. */
class Transform
{
public:
    /** Binds @p type ("skcipher", "hash") and @p name; throws std::system_error. */
    Transform(const char* type, const std::string& name)
        : fd_(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))
    {
        sockaddr_alg address{};

        if (fd_.get() < 0)
            fail("socket(AF_ALG)");
        address.salg_family = AF_ALG;
        std::strncpy(reinterpret_cast<char*>(address.salg_type), type,
                     sizeof(address.salg_type) - 1);
        std::strncpy(reinterpret_cast<char*>(address.salg_name), name.c_str(),
                     sizeof(address.salg_name) - 1);
        if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0)
            fail("bind to " + name);
    }

    int fd() const
    {
        return fd_.get();
    }

    /** Returns 0 or the errno. */
    int try_set_key(View key)
    {
        const int err = setsockopt(fd_.get(), SOL_ALG, ALG_SET_KEY, key.data(),
                                   static_cast<socklen_t>(key.size()));
        return err ? errno : 0;
    }

    void set_key(View key)
    {
        if (const int err = try_set_key(key))
            fail("ALG_SET_KEY", err);
    }

    /** ALG_SET_REUSE; returns 0 or the errno. */
    int try_set_reuse(int value, socklen_t length = sizeof(int))
    {
        return setsockopt(fd_.get(), SOL_ALG, ALG_SET_REUSE, &value, length) ? errno : 0;
    }

    /** Opts in; throws if the kernel refuses. */
    void set_reuse()
    {
        const int err = try_set_reuse(1);
        if (err && !rehearsal())
            fail("ALG_SET_REUSE", err);
    }

    Operation accept()
    {
        Fd child(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (child.get() < 0)
            fail("accept on AF_ALG");
        return Operation(std::move(child));
    }

private:
    Fd fd_;
};

/** Binds, or returns nothing if the kernel does not have the algorithm. */
inline std::optional<Transform> try_bind(const char* type, const std::string& name)
{
    try {
        return Transform(type, name);
    } catch (const std::system_error& error) {
        if (error.code().value() == ENOENT)
            return std::nullopt;
        throw;
    }
}

} // namespace afalg

#endif
