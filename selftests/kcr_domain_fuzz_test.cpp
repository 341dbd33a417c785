// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls on /dev/kcr and on domains: valid ones, nearly valid ones and
 * nonsense, from several processes. What is remembered meanwhile is right, and the
 * kernel lives. KCR_FUZZ_CALLS sets how many calls, KCR_FUZZ_SEED what they are.
 */
#include <sys/wait.h>

#include <cstdlib>
#include <iterator>

#include "data.hpp"
#include "region.hpp"

using domain::Bytes;
using domain::Fd;
using domain::Mapping;
using domain::Region;
using tap::Check;

namespace
{

constexpr uint64_t default_calls = 40000;
constexpr unsigned processes = 4;
/* Of calls whose success is counted; the last is a store of what was remembered */
constexpr size_t kinds = 9;

uint64_t setting(const char* name, uint64_t otherwise)
{
    const char* value = std::getenv(name);

    return value ? std::strtoull(value, nullptr, 0) : otherwise;
}

/* A descriptor with what was mapped of it */
struct Open {
    Fd fd;
    std::optional<Region> region; /**< left alone, to know stamps from */
    std::vector<Mapping> mappings;
};

class Fuzzer
{
public:
    explicit Fuzzer(uint64_t seed) : random_(seed), device_(domain::open_device()), page_(nullptr)
    {
        page_ = static_cast<uint8_t*>(
            mmap(nullptr, 2 * arena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(page_ + arena, arena, PROT_NONE);
    }
    ~Fuzzer()
    {
        munmap(page_, 2 * arena);
    }
    Fuzzer(const Fuzzer&) = delete;
    Fuzzer& operator=(const Fuzzer&) = delete;

    void call()
    {
        switch (random_.below(12)) {
        case 0:
            create();
            break;
        case 1:
            share();
            break;
        case 2:
            register_function();
            break;
        case 3:
        case 4:
        case 5:
            store();
            break;
        case 6:
            flush();
            break;
        case 7:
            ask();
            break;
        case 8:
            map();
            break;
        case 9:
            change_mapping();
            break;
        case 10:
            nonsense();
            break;
        default:
            forget();
            break;
        }
    }

    /** How many calls succeeded, by kind: none may be none in all. */
    const std::array<uint64_t, kinds>& succeeded() const
    {
        return succeeded_;
    }

private:
    static constexpr size_t arena = 128 << 10;

    /* Mostly small, sometimes at a boundary, sometimes anything */
    uint64_t number()
    {
        constexpr std::array<uint64_t, 10> special = {0,  1,   15,  16,    80,
                                                      81, 255, 256, 32768, 0xffffffff};

        switch (random_.below(4)) {
        case 0:
            return special[random_.below(special.size())];
        case 1:
            return random_.next();
        default:
            return random_.below(8);
        }
    }
    /* Mostly one of few, so that keys fit and repeat */
    uint32_t length()
    {
        constexpr std::array<uint32_t, 4> few = {8, 16, 40, 200};

        return random_.chance(3, 4) ? few[random_.below(few.size())] : number32();
    }
    uint32_t number32()
    {
        return static_cast<uint32_t>(number());
    }
    /* Somewhere in the arena, over its end, or anywhere */
    uint64_t address()
    {
        if (random_.chance(1, 30))
            return random_.next();
        const size_t at = random_.chance(1, 10) ? arena - random_.below(64) : random_.below(arena);
        return reinterpret_cast<uintptr_t>(page_) + at;
    }
    Open* any()
    {
        return open_.empty() ? nullptr : &open_[random_.below(open_.size())];
    }
    int any_fd()
    {
        Open* const open = any();

        return open && !random_.chance(1, 50) ? open->fd.get() : device_.get();
    }
    template <typename T> T argument()
    {
        T value{};

        value.size = sizeof(value);
        return value;
    }
    /* A byte or the size is wrong once in a while */
    template <typename T> int send(int fd, unsigned long what, T& value, size_t kind)
    {
        if (random_.chance(1, 20))
            value.size = number32();
        if (random_.chance(1, 20))
            reinterpret_cast<uint8_t*>(&value)[random_.below(sizeof(value))] ^=
                static_cast<uint8_t>(1 << random_.below(8));
        const int ret = ioctl(fd, what, &value);
        succeeded_[kind] += ret >= 0;
        return ret;
    }
    void keep(int fd)
    {
        if (fd < 0)
            return;
        Open open{.fd = Fd(fd), .region = {}, .mappings = {}};
        open.region.emplace(fd);
        if (open_.size() < 6)
            open_.push_back(std::move(open));
        else
            open_[random_.below(open_.size())] = std::move(open);
    }

    void create()
    {
        auto create = argument<kcr_create>();

        create.region_size =
            random_.chance(1, 8) ? number() : uint64_t(1) << (16 + random_.below(4));
        create.learn_target = number32();
        create.expiry_ms = number32();
        keep(send(device_.get(), KCR_IOC_CREATE, create, 0));
    }
    void share()
    {
        auto share = argument<kcr_share_fd>();

        share.flags = static_cast<uint32_t>(random_.below(3));
        keep(send(any_fd(), KCR_IOC_SHARE, share, 1));
    }
    void register_function()
    {
        auto reg = argument<kcr_register>();

        reg.flags = static_cast<uint32_t>(random_.below(2));
        reg.identity[0] = static_cast<uint8_t>(random_.below(8));
        reg.name[0] = static_cast<char>('a' + random_.below(26));
        reg.key_max = length();
        reg.result_max = length();
        reg.max_entries = number32();
        reg.expiry_ms = random_.chance(1, 4) ? number32() : 0;
        reg.learn_target = number32();
        send(any_fd(), KCR_IOC_REGISTER, reg, 2);
    }
    void store()
    {
        auto store = argument<kcr_store>();
        std::array<kcr_entry, 8> entries{};
        Open* const open = any();

        for (kcr_entry& entry : entries) {
            entry.key = address();
            entry.result = address();
            entry.function = number32();
            entry.key_len = length();
            entry.result_len = number32();
            /* Mostly a function: its result is its key */
            if (!random_.chance(1, 8)) {
                entry.result = entry.key;
                entry.result_len = entry.key_len;
            }
            entry.stamp = open && entry.function < KCR_FUNCTIONS_MAX && !random_.chance(1, 8)
                              ? open->region->stamp(entry.function)
                              : number();
        }
        store.entries =
            random_.chance(1, 20) ? address() : reinterpret_cast<uintptr_t>(entries.data());
        store.nr = static_cast<uint32_t>(random_.chance(1, 20) ? number()
                                                               : 1 + random_.below(entries.size()));
        send(open ? open->fd.get() : device_.get(), KCR_IOC_STORE, store, 3);
        for (const kcr_entry& entry : entries)
            succeeded_[8] += entry.status == KCR_STORED_EQUAL;
    }
    void flush()
    {
        auto flush = argument<kcr_flush>();

        flush.function = random_.chance(1, 4) ? KCR_ALL_FUNCTIONS : number32();
        flush.state = static_cast<uint32_t>(random_.below(5));
        send(any_fd(), KCR_IOC_FLUSH, flush, 4);
    }
    void ask()
    {
        auto info = argument<kcr_info>();
        auto function = argument<kcr_function_info>();

        function.function = number32();
        send(any_fd(), KCR_IOC_INFO, info, 5);
        send(any_fd(), KCR_IOC_FUNCTION, function, 6);
        if (const Open* const open = any(); open && random_.chance(1, 10)) {
            std::ifstream fdinfo("/proc/self/fdinfo/" + std::to_string(open->fd.get()));
            const std::string all((std::istreambuf_iterator<char>(fdinfo)),
                                  std::istreambuf_iterator<char>());
        }
    }
    void map()
    {
        Open* const open = any();
        auto info = domain::sized<kcr_info>();

        if (!open || open->mappings.size() > 8 || ioctl(open->fd.get(), KCR_IOC_INFO, &info) < 0)
            return;
        const bool counts = random_.chance(1, 3);
        const size_t size = counts ? info.counts_size : info.region_size;
        try {
            open->mappings.emplace_back(open->fd.get(), random_.chance(1, 10) ? size + 4096 : size,
                                        counts || random_.chance(1, 10) ? PROT_READ | PROT_WRITE
                                                                        : PROT_READ,
                                        static_cast<off_t>(counts ? KCR_COUNTS_OFFSET
                                                           : random_.chance(1, 10) ? number() << 12
                                                                                   : 0));
            succeeded_[7]++;
        } catch (const std::system_error&) {
            /* refused, as it may be */
        }
    }
    void change_mapping()
    {
        Open* const open = any();

        if (!open || open->mappings.empty())
            return;
        const Mapping& mapping = open->mappings[random_.below(open->mappings.size())];
        uint8_t* const at = mapping.writable() + (random_.below(mapping.size()) & ~4095ULL);
        constexpr std::array<int, 6> advice = {MADV_DONTNEED, MADV_WILLNEED, MADV_REMOVE,
                                               MADV_FREE,     MADV_PAGEOUT,  MADV_POPULATE_READ};
        switch (random_.below(4)) {
        case 0:
            mprotect(at, 4096, static_cast<int>(random_.below(8)));
            break;
        case 1:
            madvise(at, 4096, advice[random_.below(advice.size())]);
            break;
        case 2:
            munmap(at, 4096);
            break;
        default:
            mlock(at, 4096);
            munlock(at, 4096);
            break;
        }
    }
    void nonsense()
    {
        const unsigned long what =
            _IOC(random_.below(4), KCR_IOC_TYPE, random_.below(12), random_.below(256));

        ioctl(any_fd(), what, address());
        ioctl(any_fd(), static_cast<unsigned long>(random_.next()), address());
    }
    void forget()
    {
        if (!open_.empty() && random_.chance(1, 8))
            open_.erase(open_.begin() + static_cast<ssize_t>(random_.below(open_.size())));
        /* What keys and results are made of, few values, so that some are equal */
        std::memset(page_ + random_.below(arena - 4096), static_cast<int>(random_.below(3)), 4096);
    }

    kcr::Random random_;
    Fd device_;
    uint8_t* page_;
    std::vector<Open> open_;
    std::array<uint64_t, kinds> succeeded_{};
};

void test_random(Check& check)
{
    const uint64_t calls = setting("KCR_FUZZ_CALLS", default_calls) / processes;
    const uint64_t seed = setting("KCR_FUZZ_SEED", 1);
    std::vector<pid_t> children;
    auto* const totals =
        static_cast<uint64_t*>(mmap(nullptr, kinds * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0));

    if (totals == MAP_FAILED)
        domain::fail("mmap");
    for (unsigned i = 0; i < processes; i++) {
        const pid_t pid = fork();
        if (!pid) {
            Fuzzer fuzzer(seed * processes + i);
            for (uint64_t n = 0; n < calls; n++)
                fuzzer.call();
            for (size_t i = 0; i < kinds; i++)
                __atomic_fetch_add(&totals[i], fuzzer.succeeded()[i], __ATOMIC_RELAXED);
            _exit(0);
        }
        children.push_back(pid);
    }
    for (const pid_t pid : children) {
        int status = 0;
        waitpid(pid, &status, 0);
        check.that(WIFEXITED(status) && !WEXITSTATUS(status), "a fuzzer died");
    }
    for (size_t i = 0; i < kinds; i++)
        check.that(totals[i] > 0, "calls of kind " + std::to_string(i) + " never worked");
    munmap(totals, kinds * sizeof(*totals));
    check.note(std::to_string(calls * processes) + " calls, seed " + std::to_string(seed));
}

/* The kernel's bookkeeping is as good as before */
void test_after(Check& check)
{
    const Fd fd = domain::create();
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {});

    check.that(domain::store(fd.get(), f, region.stamp(f), Bytes(8, 1), Bytes(8, 2)) ==
                   KCR_STORED_NEW,
               "store");
    check.that(region.find(f, 16, Bytes(8, 1)) == Bytes(8, 2), "found");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"random calls", test_random},
        {"after them", test_after},
    };
    return tap::run_cases(cases, domain::need_device);
}
