/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test data: a small seeded generator, byte patterns, and page-aligned shared
 * memory that can be spliced into a socket without being copied.
 */
#ifndef KCR_SELFTEST_DATA_HPP
#define KCR_SELFTEST_DATA_HPP

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>

#include "afalg.hpp"

namespace kcr
{

inline constexpr size_t page_size = 4096;

/** xoshiro256** seeded with splitmix64. Deterministic on every machine. */
class Random
{
public:
    explicit Random(uint64_t seed)
    {
        for (uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15ULL;
            uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            word = z ^ (z >> 31);
        }
    }

    uint64_t next()
    {
        const uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const uint64_t t = state_[1] << 17;

        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    /** Uniform in [0, limit). */
    uint64_t below(uint64_t limit)
    {
        return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * limit) >> 64);
    }

    /** True with probability numerator/denominator. */
    bool chance(uint64_t numerator, uint64_t denominator)
    {
        return below(denominator) < numerator;
    }

    void fill(afalg::MutableView out)
    {
        size_t at = 0;
        while (at < out.size()) {
            const uint64_t word = next();
            const size_t count = std::min(sizeof(word), out.size() - at);
            std::memcpy(out.data() + at, &word, count);
            at += count;
        }
    }

    afalg::Bytes bytes(size_t count)
    {
        afalg::Bytes out(count);
        fill(out);
        return out;
    }

private:
    static uint64_t rotate(uint64_t value, int bits)
    {
        return (value << bits) | (value >> (64 - bits));
    }

    uint64_t state_[4];
};

/** Anonymous shared memory, page aligned, filled with zeros. */
class Pages
{
public:
    explicit Pages(size_t size) : size_(size)
    {
        void* address =
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED)
            afalg::fail("mmap");
        data_ = static_cast<uint8_t*>(address);
    }
    ~Pages()
    {
        munmap(data_, size_);
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    uint8_t* data() const
    {
        return data_;
    }
    afalg::MutableView view(size_t offset, size_t count) const
    {
        return afalg::MutableView(data_ + offset, count);
    }

private:
    uint8_t* data_;
    size_t size_;
};

/** Moves user pages into a socket through a pipe: the kernel sees our pages. */
class Splicer
{
public:
    Splicer()
    {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
            afalg::fail("pipe2");
        read_end_ = afalg::Fd(ends[0]);
        write_end_ = afalg::Fd(ends[1]);
    }

    /** Splices @p data into @p socket as the last part of its message. */
    void send(int socket, afalg::View data)
    {
        const iovec part = afalg::Operation::as_iovec(data);
        size_t left = data.size();

        if (vmsplice(write_end_.get(), &part, 1, SPLICE_F_GIFT) !=
            static_cast<ssize_t>(data.size()))
            afalg::fail("vmsplice");
        while (left) {
            const ssize_t moved = splice(read_end_.get(), nullptr, socket, nullptr, left, 0);
            if (moved <= 0)
                afalg::fail("splice to AF_ALG");
            left -= static_cast<size_t>(moved);
        }
    }

private:
    afalg::Fd read_end_;
    afalg::Fd write_end_;
};

/** How many CPUs this process may use; at least @p minimum. */
inline unsigned cpus(unsigned minimum = 2)
{
    return std::max(minimum, std::thread::hardware_concurrency());
}

/** Binds the calling thread to CPU @p index (modulo the CPUs there are). */
inline void pin_to_cpu(unsigned index)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(index % std::max(1U, std::thread::hardware_concurrency()), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

} // namespace kcr

#endif
