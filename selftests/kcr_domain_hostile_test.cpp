// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that mean no good, or die: they hurt themselves at most. Stores,
 * flushes and lookups race on all CPUs, and no lookup returns what was never
 * stored for its key.
 */
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "data.hpp"
#include "region.hpp"

using domain::Bytes;
using domain::Fd;
using domain::Region;
using tap::Check;

namespace
{

constexpr uint64_t small_region = 64 << 10;

/* A result that tells which key it belongs to, and is wrong if it is torn */
Bytes result_for(uint64_t key, uint32_t len, uint64_t variant = 0)
{
    Bytes result(len);

    for (uint64_t i = 0; i < len; i++)
        result[i] = static_cast<uint8_t>(key * 37 + i * 11 + variant * 101);
    return result;
}

Bytes key_bytes(uint64_t key)
{
    const auto* bytes = reinterpret_cast<const uint8_t*>(&key);

    return Bytes(bytes, bytes + sizeof(key));
}

struct Sizes {
    const char* name;
    uint32_t result_max;
};
constexpr std::array<Sizes, 4> sizes = {{{"s16", 16}, {"s32", 32}, {"s80", 80}, {"blob", 900}}};

/* Threads that store, flush, and look up: what is found is what was stored */
void test_race(Check& check)
{
    constexpr uint64_t keys = 600;
    constexpr int operations = 12000;
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    std::array<uint32_t, sizes.size()> functions{};
    std::atomic<uint64_t> found{0};
    std::vector<std::thread> threads;

    for (size_t i = 0; i < sizes.size(); i++)
        functions[i] = domain::add(
            fd.get(), {.name = sizes[i].name, .key_max = 8, .result_max = sizes[i].result_max});
    for (uint64_t thread = 0; thread < 8; thread++) {
        threads.emplace_back([&, thread] {
            kcr::Random random(thread);
            for (int i = 0; i < operations; i++) {
                const size_t which = random.below(sizes.size());
                const uint32_t f = functions[which];
                const uint64_t key = random.below(keys);
                const uint32_t len = sizes[which].result_max;
                if (thread < 3) {
                    domain::store(fd.get(), f, region.stamp(f), key_bytes(key),
                                  result_for(key, len));
                } else if (thread == 3 && !random.below(500)) {
                    domain::flush(fd.get(), random.chance(1, 4) ? KCR_ALL_FUNCTIONS : f);
                } else {
                    const auto result = region.find(f, len, key_bytes(key));
                    found += result.has_value();
                    if (result)
                        check.same(*result, result_for(key, len), "a result");
                }
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    check.that(found > 1000, "found " + std::to_string(found));
    check.that(domain::info(fd.get()).rejected == 0, "rejected");
}

/*
 * The result depends on a generation that changes while nothing may be stored.
 * Whoever looks finds that of a generation since he began.
 */
void test_stale(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 8, .result_max = 64});
    std::atomic<uint32_t> generation{1};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    std::atomic<uint64_t> found{0};

    for (int thread = 0; thread < 3; thread++) {
        threads.emplace_back([&, thread] {
            kcr::Random random(100 + static_cast<uint64_t>(thread));
            while (!stop) {
                const uint64_t key = random.below(50);
                const uint64_t stamp = region.stamp(f);
                const uint32_t seen = generation;
                domain::store(fd.get(), f, stamp, key_bytes(key), result_for(key, 64, seen));
            }
        });
        threads.emplace_back([&, thread] {
            kcr::Random random(200 + static_cast<uint64_t>(thread));
            while (!stop) {
                const uint64_t key = random.below(50);
                const uint32_t before = generation;
                const auto result = region.find(f, 64, key_bytes(key));
                const uint32_t after = generation;
                if (!result)
                    continue;
                found++;
                bool good = false;
                for (uint32_t g = before; g <= after; g++)
                    good |= *result == result_for(key, 64, g);
                check.that(good, "a result from before");
            }
        });
    }
    for (int i = 0; i < 300; i++) {
        domain::flush(fd.get(), f, KCR_STATE_REJECTED);
        generation++;
        domain::flush(fd.get(), f, KCR_STATE_REUSE);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    check.that(found > 100, "found " + std::to_string(found));
    check.that(domain::info(fd.get()).rejected == 0, "rejected");
}

/* Kills children in the middle of whatever they do */
void test_killed(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 8, .result_max = 900});
    kcr::Random random(7);

    for (int i = 0; i < 60; i++) {
        const pid_t pid = fork();
        if (!pid) {
            for (uint64_t key = 0;; key++) {
                domain::store(fd.get(), f, region.stamp(f), key_bytes(key % 100),
                              result_for(key % 100, 900));
                if (key % 50 == 0)
                    domain::flush(fd.get(), f);
                const Fd own(domain::try_create(small_region));
            }
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        for (uint64_t key = 0; key < 100; key++) {
            if (const auto result = region.find(f, 900, key_bytes(key)))
                check.same(*result, result_for(key, 900), "a result");
        }
    }
    check.that(domain::store(fd.get(), f, region.stamp(f), key_bytes(500), result_for(500, 900)) ==
                   KCR_STORED_NEW,
               "the domain is as good as before");
}

/* Keys and results that another thread changes while they are copied */
void test_changing_input(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 8, .result_max = 512});
    std::atomic<bool> stop{false};
    alignas(64) static std::array<uint8_t, 512> shared_result;
    static uint64_t shared_key;
    std::thread writer([&] {
        uint8_t value = 0;
        while (!stop) {
            __atomic_store_n(&shared_key, value % 5, __ATOMIC_RELAXED);
            std::memset(shared_result.data(), value++, shared_result.size());
        }
    });

    for (int i = 0; i < 3000; i++) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&shared_key);
        const int status =
            domain::store(fd.get(), f, region.stamp(f), std::span(bytes, 8), shared_result);
        if (status == -EBADMSG || status == -EPERM)
            domain::flush(fd.get(), f, KCR_STATE_REUSE);
    }
    stop = true;
    writer.join();
    /* A function may be rejected for it; others are not */
    const uint32_t g = domain::add(fd.get(), {.name = "g", .key_max = 8, .result_max = 512});
    domain::store(fd.get(), g, region.stamp(g), key_bytes(1), result_for(1, 512));
    check.that(region.find(g, 512, key_bytes(1)) == result_for(1, 512), "another function");
}

/* Mappings made and undone while the domain dies */
void test_unmap_race(Check& check)
{
    for (int i = 0; i < 200; i++) {
        auto fd = std::make_unique<Fd>(domain::create(small_region));
        const int number = fd->get();
        std::thread mapper([number] {
            for (int j = 0; j < 20; j++) {
                void* address =
                    mmap(nullptr, small_region, PROT_READ, MAP_SHARED | MAP_POPULATE, number, 0);
                if (address != MAP_FAILED)
                    munmap(address, small_region);
            }
        });
        std::thread forker([] {
            for (int j = 0; j < 2; j++) {
                const pid_t pid = fork();
                if (!pid)
                    _exit(0);
                waitpid(pid, nullptr, 0);
            }
        });
        fd.reset();
        mapper.join();
        forker.join();
    }
    const Fd fd = domain::create(small_region);
    check.that(domain::info(fd.get()).entries == 0, "alive");
}

/* One who takes all that he may, and another who still gets his own */
void test_exhausted(Check& check)
{
    const domain::Setting limit("/sys/module/kcr/parameters/max_memory", "1048576");
    const Fd fd = domain::create(small_region);
    std::vector<Fd> taken;
    int error = 0;

    while (taken.size() < 1000) {
        const int created = domain::try_create(small_region);
        if (created < 0) {
            error = created;
            break;
        }
        taken.emplace_back(created);
    }
    check.that(error == -EDQUOT && taken.size() == 15, std::to_string(taken.size()));
    check.that(mmap(nullptr, small_region, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(),
                    KCR_COUNTS_OFFSET) == MAP_FAILED &&
                   errno == EDQUOT,
               "counts are memory, too");
    if (getuid())
        throw tap::Skip("needs root for another user");
    const pid_t pid = fork();
    if (!pid) {
        taken.clear();
        _exit(setuid(65534) || !Fd(domain::try_create(small_region)));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    check.that(WIFEXITED(status) && !WEXITSTATUS(status), "another user gets a domain");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"stores, flushes and lookups", test_race},
        {"nothing from before a flush", test_stale},
        {"killed at any point", test_killed},
        {"input that changes while it is copied", test_changing_input},
        {"mappings of a domain that dies", test_unmap_race},
        {"a user who takes everything", test_exhausted},
    };
    return tap::run_cases(cases, domain::need_device);
}
