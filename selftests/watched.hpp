/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of a process's that a device writes to while results depend on it.
 */
#ifndef KCR_SELFTEST_WATCHED_HPP
#define KCR_SELFTEST_WATCHED_HPP

#include <linux/kcr_track.h>

#include "edu.hpp"
#include "region.hpp"

namespace watched
{

using domain::Fd;

inline constexpr size_t memory_size = 4 * 4096;

/** Private anonymous memory. */
class Memory
{
public:
    explicit Memory(uint8_t seed)
        : data_(mmap(nullptr, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0))
    {
        if (data_ == MAP_FAILED)
            domain::fail("mmap");
        madvise(data_, memory_size, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < memory_size; i++)
            bytes()[i] = static_cast<uint8_t>(seed + i * 7 + i / 256);
    }
    ~Memory()
    {
        munmap(data_, memory_size);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    volatile uint8_t* bytes() const
    {
        return static_cast<uint8_t*>(data_);
    }
    void* data() const
    {
        return data_;
    }
    /** What results are computed of it. */
    uint64_t digest() const
    {
        uint64_t hash = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < memory_size; i++)
            hash = (hash ^ bytes()[i]) * 0x100000001b3ULL;
        return hash;
    }
    /** Whether it begins with what @p other begins with, as far as the device copies. */
    bool begins_like(const Memory& other) const
    {
        return std::memcmp(data_, other.data_, edu::copy_size) == 0;
    }

private:
    void* data_;
};

/** Memory that is a tracked set, and a function of it whose results are remembered. */
class Watched
{
public:
    explicit Watched(uint8_t seed)
        : memory_(seed), domain_(domain::create(64 << 10)), region_(domain_.get())
    {
        auto reg = domain::sized<kcr_register>();
        auto tracker = domain::sized<kcr_tracker>();
        auto add = domain::sized<kcr_set_add>();
        kcr_range range{reinterpret_cast<uintptr_t>(memory_.data()), memory_size};

        reg.flags = KCR_REGISTER_PURE;
        std::strcpy(reg.name, "digest");
        reg.key_max = sizeof(Key);
        reg.result_max = sizeof(uint64_t);
        reg.sets = 1;
        ok(domain::request(domain_.get(), KCR_IOC_REGISTER, reg), "KCR_IOC_REGISTER");
        function_ = reg.function;
        tracker_ =
            Fd(ok(domain::request(domain_.get(), KCR_IOC_TRACKER, tracker), "KCR_IOC_TRACKER"));
        stamps_ = domain::Mapping(tracker_.get(), KCR_SETS_MAX * sizeof(uint64_t), PROT_READ, 0);
        add.set = KCR_SET_NEW;
        add.nr = 1;
        add.ranges = reinterpret_cast<uintptr_t>(&range);
        ok(domain::request(tracker_.get(), KCR_IOC_SET_ADD, add), "KCR_IOC_SET_ADD");
        set_ = add.set;
    }

    const Memory& memory() const
    {
        return memory_;
    }

    uint64_t stamp() const
    {
        const auto* stamps = reinterpret_cast<const uint64_t*>(stamps_.data());
        return __atomic_load_n(&stamps[set_], __ATOMIC_ACQUIRE);
    }

    /** How often an event of one kind has come. */
    uint64_t events(kcr_event event) const
    {
        auto info = domain::sized<kcr_set_info>();

        info.set = set_;
        ok(domain::request(tracker_.get(), KCR_IOC_SET_INFO, info), "KCR_IOC_SET_INFO");
        return info.events[event];
    }

    /** Tries to arm, for as long as it was refused for what goes away or for @p passing. */
    kcr_set_arm arm(std::initializer_list<uint32_t> passing = {})
    {
        kcr_set_arm arm{};

        for (int i = 0; i < tries; i++) {
            arm = domain::sized<kcr_set_arm>();
            arm.set = set_;
            const int ret = domain::request(tracker_.get(), KCR_IOC_SET_ARM, arm);
            if (ret == 0)
                return arm;
            const bool passes =
                arm.reason == KCR_REFUSED_TOO_OFTEN || arm.reason == KCR_REFUSED_CHANGED ||
                std::find(passing.begin(), passing.end(), arm.reason) != passing.end();
            if (ret != -EAGAIN || !passes)
                return arm;
            usleep(10000);
        }
        return arm;
    }

    /** The memory's digest, remembered or computed and stored. */
    std::pair<uint64_t, bool> ask()
    {
        const Key key = {{set_, 0, stamp()}, memory_size};
        const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&key), sizeof(key));
        uint64_t value = 0;

        if (!key.set.stamp)
            return {memory_.digest(), false};
        if (const auto found = region_.find(function_, sizeof(value), bytes);
            found && found->size() == sizeof(value)) {
            std::memcpy(&value, found->data(), sizeof(value));
            return {value, true};
        }
        value = memory_.digest();
        domain::store(tracker_.get(), function_, region_.stamp(function_), bytes,
                      {reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
        return {value, false};
    }

private:
    struct Key {
        kcr_set_key set;
        uint64_t length;
    };
    static constexpr int tries = 500;

    static int ok(int ret, const char* what)
    {
        if (ret < 0) {
            errno = -ret;
            domain::fail(what);
        }
        return ret;
    }

    Memory memory_;
    Fd domain_;
    domain::Region region_;
    Fd tracker_;
    domain::Mapping stamps_;
    uint32_t function_ = 0;
    uint32_t set_ = 0;
};

} // namespace watched

#endif
