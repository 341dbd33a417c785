/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracked memory for the selftests: trackers, memory to be tracked, and a function
 * over it of which results are remembered, so that a writer can be run in between.
 */
#ifndef KCR_SELFTEST_TRACK_HPP
#define KCR_SELFTEST_TRACK_HPP

#include <linux/kcr_track.h>

#include <functional>

#include "region.hpp"

namespace track
{

using domain::Bytes;
using domain::Fd;
using tap::Check;

inline constexpr size_t page_size = 4096;
inline constexpr uint64_t small_region = 64 << 10;
/* How often arming is tried again while it says that it may succeed later */
inline constexpr int arm_tries = 300;

inline const char* reason_name(uint32_t reason)
{
    constexpr std::array<const char*, KCR_NR_REFUSALS> names = {
        "not refused", "unmapped",    "not anonymous", "shared mapping", "special", "userfaultfd",
        "not present", "a reference", "shared page",   "huge",           "changed", "too often"};

    return reason < names.size() ? names[reason] : "unknown reason";
}

inline uint64_t address_of(const void* memory)
{
    return reinterpret_cast<uintptr_t>(memory);
}

/** Private anonymous memory between guard pages; every word of it is different. */
class Area
{
public:
    explicit Area(size_t pages = 4, size_t align = page_size)
        : size_(pages * page_size), whole_size_(size_ + align + 2 * page_size)
    {
        void* whole = mmap(nullptr, whole_size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (whole == MAP_FAILED)
            domain::fail("mmap");
        whole_ = static_cast<uint8_t*>(whole);
        const size_t skip = align - (address_of(whole) + page_size) % align;
        data_ = whole_ + page_size + skip % align;
        protect(PROT_READ | PROT_WRITE);
    }
    ~Area()
    {
        munmap(whole_, whole_size_);
    }
    Area(const Area&) = delete;
    Area& operator=(const Area&) = delete;

    uint8_t* data() const
    {
        return data_;
    }
    uint8_t* page(size_t number) const
    {
        return data_ + number * page_size;
    }
    size_t size() const
    {
        return size_;
    }
    size_t pages() const
    {
        return size_ / page_size;
    }
    /** A word of page @p page; writers that need more say so. */
    uint64_t& word(size_t page, size_t number = 0) const
    {
        return reinterpret_cast<uint64_t*>(this->page(page))[number];
    }
    std::span<uint8_t> span() const
    {
        return {data_, size_};
    }

    void fill(uint64_t seed = 1) const
    {
        for (size_t i = 0; i < size_ / sizeof(uint64_t); i++)
            word(0, i) = (seed << 32) + i;
    }
    /** Has pages of its own, whatever they hold. */
    void populate() const
    {
        for (size_t i = 0; i < size_; i += page_size)
            __atomic_fetch_add(reinterpret_cast<uint64_t*>(data_ + i), 1, __ATOMIC_RELAXED);
    }
    void protect(int prot) const
    {
        if (mprotect(data_, size_, prot) < 0)
            domain::fail("mprotect");
    }
    /** Puts fresh memory there, in place of what is. */
    void map_anew() const
    {
        if (mmap(data_, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != data_)
            domain::fail("mmap MAP_FIXED");
    }

private:
    size_t size_;
    size_t whole_size_;
    uint8_t* whole_ = nullptr;
    uint8_t* data_ = nullptr;
};

/** What KCR_IOC_SET_ARM said. */
struct Answer {
    int ret = 0;
    uint32_t reason = 0;
    uint64_t address = 0;
    uint64_t stamp = 0;

    bool armed() const
    {
        return ret == 0;
    }
    std::string text() const
    {
        return std::to_string(ret) + ", " + reason_name(reason) + ", page " +
               std::to_string(address) + ", stamp " + std::to_string(stamp);
    }
};

/** A tracker and its stamps. */
class Tracker
{
public:
    explicit Tracker(int domain) : fd_(checked(try_make(domain)))
    {
        stamps_ = domain::Mapping(fd_.get(), KCR_SETS_MAX * sizeof(uint64_t), PROT_READ, 0);
    }

    /** A tracker of @p domain: a descriptor, or a negative errno. */
    static int try_make(int domain)
    {
        auto tracker = domain::sized<kcr_tracker>();
        return domain::request(domain, KCR_IOC_TRACKER, tracker);
    }

    int fd() const
    {
        return fd_.get();
    }
    /** Closes the descriptor; the stamps stay mapped. */
    void close()
    {
        fd_.reset();
    }
    const domain::Mapping& stamps() const
    {
        return stamps_;
    }
    uint64_t stamp(uint32_t set) const
    {
        return __atomic_load_n(reinterpret_cast<const uint64_t*>(stamps_.data()) + set,
                               __ATOMIC_ACQUIRE);
    }

    /** Adds ranges to @p set: its number, or a negative errno. */
    int try_add(uint32_t set, std::span<const kcr_range> ranges) const
    {
        auto add = domain::sized<kcr_set_add>();

        add.set = set;
        add.nr = static_cast<uint32_t>(ranges.size());
        add.ranges = address_of(ranges.data());
        const int ret = domain::request(fd_.get(), KCR_IOC_SET_ADD, add);
        return ret < 0 ? ret : static_cast<int>(add.set);
    }
    /** Makes a set of one range. */
    uint32_t make(const void* start, size_t len) const
    {
        const kcr_range range = {address_of(start), len};
        return static_cast<uint32_t>(checked(try_add(KCR_SET_NEW, {&range, 1})));
    }

    Answer arm_once(uint32_t set) const
    {
        auto arm = domain::sized<kcr_set_arm>();

        arm.set = set;
        const int ret = domain::request(fd_.get(), KCR_IOC_SET_ARM, arm);
        return {ret, arm.reason, arm.address, arm.stamp};
    }
    /** Arms @p set, and waits for what goes away by itself. */
    Answer arm(uint32_t set) const
    {
        Answer answer = arm_once(set);

        for (int i = 1; i < arm_tries && answer.ret == -EAGAIN; i++) {
            usleep(static_cast<useconds_t>(std::min(100 * i, 10000)));
            answer = arm_once(set);
        }
        return answer;
    }

    int renew(uint32_t set) const
    {
        return simple(KCR_IOC_SET_RENEW, set);
    }
    int drop(uint32_t set) const
    {
        return simple(KCR_IOC_SET_DROP, set);
    }
    kcr_set_info info(uint32_t set) const
    {
        auto info = domain::sized<kcr_set_info>();

        info.set = set;
        checked(domain::request(fd_.get(), KCR_IOC_SET_INFO, info));
        return info;
    }

private:
    static int checked(int ret)
    {
        if (ret < 0) {
            errno = -ret;
            domain::fail("a tracker's request");
        }
        return ret;
    }
    int simple(unsigned long what, uint32_t number) const
    {
        auto set = domain::sized<kcr_set>();

        set.set = number;
        return domain::request(fd_.get(), what, set);
    }

    Fd fd_;
    domain::Mapping stamps_;
};

/** The key of a function of one set and one argument. */
struct Key {
    kcr_set_key set;
    uint64_t argument;
};

template <typename T> std::span<const uint8_t> bytes_of(const T& object)
{
    return {reinterpret_cast<const uint8_t*>(&object), sizeof(object)};
}

/** What a writer does to what is in memory. */
enum class Effect {
    changes, /* it is another afterwards: or the test has shown nothing */
    keeps,   /* it is the same */
    may,     /* that depends */
};

/** Somebody who writes to tracked memory, or moves it about. */
struct Writer {
    std::string name;
    std::function<void()> write;
    Effect effect = Effect::changes;
    std::function<void()> before = {}; /* what it needs; before arming */
    std::function<void()> repair = {}; /* makes the memory eligible again */
};

/** A function that depends on tracked memory: its digest. */
class Subject
{
public:
    explicit Subject(std::span<const uint8_t> memory)
        : memory_(memory), fd_(domain::create(small_region)), region_(fd_.get()),
          tracker_(fd_.get()), set_(tracker_.make(memory.data(), memory.size())),
          function_(domain::add(fd_.get(), {.name = "digest", .key_max = sizeof(Key), .sets = 1}))
    {
    }

    const Tracker& tracker() const
    {
        return tracker_;
    }
    const domain::Region& region() const
    {
        return region_;
    }
    int domain() const
    {
        return fd_.get();
    }
    uint32_t set() const
    {
        return set_;
    }
    uint32_t function() const
    {
        return function_;
    }
    uint64_t stamp() const
    {
        return tracker_.stamp(set_);
    }
    uint64_t digest() const
    {
        return domain::xxh64(memory_, 0);
    }
    Answer try_arm() const
    {
        return tracker_.arm(set_);
    }
    uint64_t events(kcr_event event) const
    {
        return tracker_.info(set_).events[event];
    }

    /** Stores @p result as what was computed while the set had @p stamp. */
    int store(uint64_t stamp, uint64_t argument, uint64_t result) const
    {
        const Key key = {{set_, 0, stamp}, argument};
        return domain::store(tracker_.fd(), function_, region_.stamp(function_), bytes_of(key),
                             bytes_of(result));
    }
    /** What is remembered; nothing is while the set is not armed. */
    std::optional<uint64_t> find(uint64_t argument) const
    {
        const Key key = {{set_, 0, stamp()}, argument};
        uint64_t result = 0;

        if (!key.set.stamp)
            return std::nullopt;
        const auto found = region_.find(function_, 16, bytes_of(key));
        if (!found || found->size() != sizeof(result))
            return std::nullopt;
        std::memcpy(&result, found->data(), sizeof(result));
        return result;
    }

    bool arm(Check& check, const std::string& what) const
    {
        const Answer answer = try_arm();
        return check.that(answer.armed() && answer.stamp && answer.stamp == stamp(),
                          what + ": " + answer.text());
    }
    /**
     * Computes, stores and finds: the argument with which that went well. An entry
     * may have been displaced by another, then another argument is tried.
     */
    std::optional<uint64_t> remember(Check& check, const std::string& what) const
    {
        const uint64_t stamp = this->stamp();
        const uint64_t result = digest();
        std::string last = "no result was stored";

        for (uint64_t argument = 0; argument < 8; argument++) {
            const int status = store(stamp, argument, result);
            const auto found = find(argument);

            if (found) {
                check.that(*found == result, what + ": found what was not stored");
                return argument;
            }
            last = "status " + std::to_string(status);
        }
        check.that(false, what + ": cannot be remembered: " + last);
        return std::nullopt;
    }

    /** Runs @p writer on armed memory, with a result remembered, and arms again. */
    void run(Check& check, const Writer& writer) const
    {
        const std::string& name = writer.name;

        if (writer.before)
            writer.before();
        if (!arm(check, name + ": armed"))
            return;
        const uint64_t stamp_before = stamp();
        const uint64_t before = digest();
        const auto argument = remember(check, name);
        if (!argument)
            return;
        writer.write();
        judge(check, writer, {stamp_before, before, *argument});
        if (writer.repair)
            writer.repair();
        if (arm(check, name + ": armed again"))
            remember(check, name + ", again");
    }

private:
    struct Before {
        uint64_t stamp;
        uint64_t digest;
        uint64_t argument;
    };

    void judge(Check& check, const Writer& writer, const Before& before) const
    {
        const std::string& name = writer.name;
        /* Before the memory is read: that may be an event, too */
        const uint64_t stamp_now = stamp();
        const auto found = find(before.argument);
        const uint64_t now = digest();

        if (writer.effect == Effect::changes)
            check.that(now != before.digest, name + ": changed nothing");
        if (writer.effect == Effect::keeps)
            check.that(now == before.digest, name + ": changed something");
        if (now != before.digest)
            check.that(stamp_now == 0, name + ": still armed");
        if (found)
            check.that(*found == now, name + ": A STALE RESULT");
        if (stamp_now != before.stamp)
            check.that(store(before.stamp, before.argument, before.digest) == -ESTALE,
                       name + ": stored with the stamp of before");
    }

    std::span<const uint8_t> memory_;
    Fd fd_;
    domain::Region region_;
    Tracker tracker_;
    uint32_t set_;
    uint32_t function_;
};

inline constexpr const char* burst_path = "/sys/module/kcr/parameters/arm_burst";

/** For run_cases(): skips where memory cannot be tracked, and lets it be armed often. */
inline void need_tracking()
{
    static std::optional<domain::Setting> burst;

    domain::need_device();
    const Fd fd = domain::create(small_region);
    const int tracker = Tracker::try_make(fd.get());
    if (tracker == -ENOTTY || tracker == -EOPNOTSUPP)
        throw tap::Skip("this kernel does not track memory");
    if (!Fd(tracker) || access(burst_path, W_OK) < 0)
        throw std::runtime_error("KCR_IOC_TRACKER: " + std::to_string(tracker) + ", or no " +
                                 burst_path);
    burst.emplace(burst_path, "1000000");
}

} // namespace track

#endif
