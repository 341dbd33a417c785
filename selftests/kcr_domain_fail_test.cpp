// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation, and every copy from and to user space, that a request on
 * /dev/kcr makes fails once: the request then fails cleanly and can be made again.
 *
 * Needs CONFIG_FAULT_INJECTION with FAILSLAB, FAIL_PAGE_ALLOC and
 * FAULT_INJECTION_USERCOPY; without, there is nothing to do.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>

#include <functional>
#include <sstream>

#include "region.hpp"

using domain::Bytes;
using domain::Fd;
using domain::Region;
using tap::Check;

namespace
{

constexpr uint64_t small_region = 64 << 10;

bool write_text(const std::string& path, const std::string& text)
{
    return bool(std::ofstream(path) << text << std::flush);
}

std::string read_text(const std::string& path)
{
    std::stringstream text;

    text << std::ifstream(path).rdbuf();
    return text.str();
}

int count_fds()
{
    int count = 0;
    DIR* const dir = opendir("/proc/self/fd");

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Has GFP_KERNEL allocations fail as well, of any size, quietly */
bool prepare_injection()
{
    const std::string debugfs = "/sys/kernel/debug/";
    bool ready = true;

    for (const char* attribute : {"failslab", "fail_page_alloc", "fail_usercopy"}) {
        const std::string dir = debugfs + attribute + "/";
        ready &= write_text(dir + "verbose", "0");
        if (std::string(attribute) != "fail_usercopy")
            ready &= write_text(dir + "ignore-gfp-wait", "N");
    }
    write_text(debugfs + "fail_page_alloc/min-order", "0");
    return ready && write_text("/proc/self/fail-nth", "0");
}

/* Arms the @p nth point of failure from now on */
class Injection
{
public:
    explicit Injection(unsigned nth)
    {
        const std::string text = std::to_string(nth);
        if (pwrite(control(), text.data(), text.size(), 0) < 0)
            domain::fail("fail-nth");
    }
    /** Disarms; whether something failed. Asking copies to user space, and may fail, too. */
    bool happened()
    {
        std::array<char, 16> left{};
        const bool read = pread(control(), left.data(), left.size() - 1, 0) > 0;
        const bool happened = read && std::strtoul(left.data(), nullptr, 10) == 0;
        if (pwrite(control(), "0", 1, 0) < 0 && errno != EFAULT)
            domain::fail("fail-nth");
        return happened;
    }

    /** Opens what is needed, so that it counts as open from the beginning. */
    static int control()
    {
        static const Fd fd(open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC));
        return fd.get();
    }
};

/*
 * Has @p request fail at each point, one after the other, until it meets none any
 * more. @p request returns 0 or a negative errno, and undoes what it did.
 */
void sweep(Check& check, const std::string& what, const std::function<int()>& request,
           const std::function<std::string()>& state)
{
    Injection::control();
    const int fds = count_fds();
    const std::string before = state();
    unsigned failures = 0;

    for (unsigned nth = 1; nth < 20000; nth++) {
        Injection injection(nth);
        const int ret = request();
        const bool happened = injection.happened();
        const std::string where = what + ", failure " + std::to_string(nth);

        failures += happened && ret < 0;
        check.that(ret == 0 || ret == -ENOMEM || ret == -EFAULT || ret == -ENFILE || ret == -EMFILE,
                   where + ": " + std::to_string(ret));
        check.that(count_fds() == fds, where + ": a descriptor is left");
        check.that(state() == before, where + ": " + state() + " instead of " + before);
        if (!happened) {
            check.that(ret == 0, where + ": fails without a failure: " + std::to_string(ret));
            check.note(what + ": failed " + std::to_string(failures) + " times in " +
                       std::to_string(nth - 1));
            check.that(failures > 0, what + ": nothing ever failed");
            return;
        }
    }
    check.that(false, what + ": no end");
}

/* What a domain knows, and what its maker may still take */
std::string state_of(int fd)
{
    const auto info = domain::info(fd);
    std::ostringstream text;

    text << info.functions << " functions, " << info.entries << " entries, " << info.rejected
         << " rejected";
    return text.str();
}

void test_create(Check& check)
{
    const Fd fd = domain::create(small_region);

    sweep(
        check, "create",
        [] {
            const int created = domain::try_create(small_region);
            if (created >= 0)
                close(created);
            return created < 0 ? created : 0;
        },
        [&] { return state_of(fd.get()); });
    /* If anything were still counted against the user, this would fail */
    const domain::Setting limit("/sys/module/kcr/parameters/max_domains", "2");
    check.that(bool(Fd(domain::try_create(small_region))), "a domain is still counted");
    const domain::Setting memory("/sys/module/kcr/parameters/max_memory",
                                 std::to_string(2 * small_region));
    check.that(bool(Fd(domain::try_create(small_region))), "memory is still counted");
}

void test_share(Check& check)
{
    const Fd fd = domain::create(small_region);

    sweep(
        check, "share",
        [&] {
            const int shared = domain::share(fd.get(), KCR_SHARE_STORE);
            if (shared >= 0)
                close(shared);
            return shared < 0 ? shared : 0;
        },
        [&] { return state_of(fd.get()); });
}

void test_map(Check& check)
{
    const Fd fd = domain::create(small_region);
    const auto map = [&](size_t size, int prot, off_t offset) {
        void* address = mmap(nullptr, size, prot, MAP_SHARED | MAP_POPULATE, fd.get(), offset);
        if (address == MAP_FAILED)
            return -errno;
        munmap(address, size);
        return 0;
    };
    const size_t counts = domain::info(fd.get()).counts_size;

    sweep(
        check, "map", [&] { return map(small_region, PROT_READ, 0); },
        [&] { return state_of(fd.get()); });
    sweep(
        check, "map counts", [&] { return map(counts, PROT_READ | PROT_WRITE, KCR_COUNTS_OFFSET); },
        [&] { return state_of(fd.get()); });
}

void test_requests(Check& check)
{
    const Fd fd = domain::create(1 << 20, 1000000);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 4096, .result_max = 4096, .flags = 0});
    const uint32_t g = domain::add(fd.get(), {.name = "g", .flags = 0});
    const Bytes large(4000, 1);
    const Bytes small(8, 2);
    const auto state = [&] { return state_of(fd.get()); };

    domain::store(fd.get(), f, region.stamp(f), large, large);
    domain::store(fd.get(), g, region.stamp(g), small, small);
    sweep(
        check, "register",
        [&] { return std::min(domain::try_register(fd.get(), {.name = "g", .flags = 0}), 0); },
        state);
    sweep(
        check, "store",
        [&] { return std::min(domain::store(fd.get(), g, region.stamp(g), small, small), 0); },
        state);
    sweep(
        check, "store, large",
        [&] { return std::min(domain::store(fd.get(), f, region.stamp(f), large, large), 0); },
        state);
    sweep(
        check, "flush",
        [&] {
            const int ret = domain::flush(fd.get(), KCR_ALL_FUNCTIONS);
            return ret;
        },
        [] { return std::string(); });
    sweep(
        check, "info",
        [&] {
            auto info = domain::sized<kcr_info>();
            return domain::request(fd.get(), KCR_IOC_INFO, info);
        },
        state);
    sweep(
        check, "function",
        [&] {
            auto info = domain::sized<kcr_function_info>();
            info.function = f;
            return domain::request(fd.get(), KCR_IOC_FUNCTION, info);
        },
        state);
}

/* A batch of which a copy fails: what was done is said, and the rest can follow */
void test_batch(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 8, .result_max = 2000});
    const Bytes result(2000, 3);

    for (unsigned nth = 1; nth < 1000; nth++) {
        std::array<uint64_t, 4> keys{};
        std::array<kcr_entry, 4> entries{};
        auto store = domain::sized<kcr_store>();

        domain::flush(fd.get(), f);
        for (size_t i = 0; i < entries.size(); i++) {
            keys[i] = i;
            entries[i] = {.stamp = region.stamp(f),
                          .key = reinterpret_cast<uintptr_t>(&keys[i]),
                          .result = reinterpret_cast<uintptr_t>(result.data()),
                          .function = f,
                          .key_len = 8,
                          .result_len = 2000,
                          .status = 99};
        }
        store.entries = reinterpret_cast<uintptr_t>(entries.data());
        store.nr = entries.size();
        Injection injection(nth);
        const int ret = domain::request(fd.get(), KCR_IOC_STORE, store);
        const bool happened = injection.happened();

        for (uint32_t i = 0; i < store.done; i++)
            check.that(entries[i].status == KCR_STORED_NEW, "an entry that was done");
        check.that(domain::info(fd.get()).entries >= store.done &&
                       domain::info(fd.get()).entries <= store.done + 1,
                   "entries");
        if (!happened) {
            check.that(ret == 0 && store.done == entries.size(), "without a failure");
            return;
        }
    }
    check.that(false, "no end");
}

/* What kmemleak found is looked for after all of this; it needs two scans */
void test_leaks(Check& check)
{
    const std::string kmemleak = "/sys/kernel/debug/kmemleak";

    if (!write_text(kmemleak, "scan"))
        throw tap::Skip("no kmemleak");
    sleep(6);
    write_text(kmemleak, "scan");
    const std::string found = read_text(kmemleak);
    check.that(found.find("kcr_") == std::string::npos, found);
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"create", test_create},     {"share", test_share},   {"map", test_map},
        {"requests", test_requests}, {"a batch", test_batch}, {"leaks", test_leaks},
    };
    return tap::run_cases(cases, [] {
        domain::need_device();
        if (!prepare_injection())
            throw tap::Skip("no fault injection in this kernel");
    });
}
