// SPDX-License-Identifier: GPL-2.0
/*
 * What /dev/kcr promises: domains, functions, stores, flushes and the region as
 * the uapi header describes it.
 */
#include <algorithm>
#include <array>
#include <chrono>
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

Bytes text(const std::string& s)
{
    return Bytes(s.begin(), s.end());
}

void test_create(Check& check)
{
    const Fd device(domain::open_device());
    auto create = domain::sized<kcr_create>();

    for (const uint64_t size : {1ULL, 4096ULL, 65535ULL, 65537ULL, 3ULL << 20, 2ULL << 30, ~0ULL})
        check.that(domain::try_create(size) == -EINVAL, "size " + std::to_string(size));
    for (const uint64_t size : {uint64_t(64) << 10, uint64_t(1) << 20, uint64_t(64) << 20})
        check.that(bool(Fd(domain::try_create(size))), "size " + std::to_string(size));
    create.flags = 1;
    check.that(domain::request(device.get(), KCR_IOC_CREATE, create) == -EINVAL, "unknown flag");
    create.flags = 0;
    create.size = sizeof(create) - 1;
    check.that(domain::request(device.get(), KCR_IOC_CREATE, create) == -EINVAL, "too short");
    create.size = 0;
    check.that(domain::request(device.get(), KCR_IOC_CREATE, create) == -EINVAL, "no size");
    check.that(ioctl(device.get(), KCR_IOC_CREATE, nullptr) < 0 && errno == EFAULT, "no struct");
    check.that(ioctl(device.get(), KCR_IOC_STORE, &create) < 0 && errno == ENOTTY,
               "a domain's request to the device");
    const Fd fd = domain::create();
    check.that(fcntl(fd.get(), F_GETFD) == FD_CLOEXEC, "close-on-exec");
    check.that(ioctl(fd.get(), KCR_IOC_CREATE, &create) < 0 && errno == ENOTTY,
               "the device's request to a domain");
    check.that(domain::info(fd.get()).region_size == 16 << 20, "default size");
}

/* Structures of programs from the future */
void test_longer_struct(Check& check)
{
    const Fd device(domain::open_device());
    struct {
        kcr_create known;
        uint64_t unknown;
    } create{};

    create.known.size = sizeof(create);
    create.known.region_size = small_region;
    const Fd fd(domain::request(device.get(), KCR_IOC_CREATE, create));
    check.that(bool(fd), "unknown fields that are zero");
    create.unknown = 1;
    check.that(domain::request(device.get(), KCR_IOC_CREATE, create) == -E2BIG,
               "unknown fields that are not");
}

void test_register(Check& check)
{
    const Fd fd = domain::create(small_region);
    const uint32_t f = domain::add(fd.get(), {.name = "f"});
    const Fd lookup(domain::share(fd.get(), 0));

    check.that(domain::add(fd.get(), {.name = "f"}) == f, "found again");
    check.that(domain::add(fd.get(), {.name = "g"}) != f, "another identity");
    check.that(domain::add(fd.get(), {.name = "f", .version = 1}) != f, "another version");
    check.that(domain::add(fd.get(), {.name = "f", .key_max = 17}) != f, "another key_max");
    check.that(domain::try_register(lookup.get(), {.name = "f"}) == static_cast<int>(f),
               "found by a lookup descriptor");
    check.that(domain::try_register(lookup.get(), {.name = "h"}) == -ENOENT,
               "added by a lookup descriptor");
    check.that(domain::try_register(fd.get(), {.name = ""}) == -EINVAL, "no name");
    check.that(domain::try_register(fd.get(), {.name = "a b"}) == -EINVAL, "a space in the name");
    check.that(domain::try_register(fd.get(), {.name = "a\n"}) == -EINVAL, "a newline in the name");
    check.that(domain::try_register(fd.get(), {.name = std::string(64, 'x')}) == -EINVAL,
               "a name without end");
    check.that(domain::try_register(fd.get(), {.name = "k", .key_max = 32769}) == -EINVAL,
               "key too long");
    check.that(domain::try_register(fd.get(), {.name = "r", .result_max = 32769}) == -EINVAL,
               "result too long");
    check.that(domain::try_register(fd.get(), {.name = "u", .flags = 2}) == -EINVAL,
               "unknown flag");
    for (int i = 4; i < KCR_FUNCTIONS_MAX; i++)
        domain::add(fd.get(), {.name = "n" + std::to_string(i)});
    check.that(domain::try_register(fd.get(), {.name = "more"}) == -ENOSPC, "one too many");
    const auto info = domain::function_info(fd.get(), f);
    check.that(std::string(info.name) == "f" && info.state == KCR_STATE_REUSE, "its statistics");
    auto none = domain::sized<kcr_function_info>();
    none.function = 256;
    check.that(domain::request(fd.get(), KCR_IOC_FUNCTION, none) == -ENOENT, "no such function");
}

/* Every length around every boundary of the classes, stored and found */
void test_sizes(Check& check)
{
    const Fd fd = domain::create();
    const Region region(fd.get());
    kcr::Random random(1);
    const std::array<uint32_t, 14> lengths = {0,  1,  8,  15, 16,   17,    31,
                                              32, 33, 80, 81, 4096, 32767, 32768};

    for (const uint32_t result_max : lengths) {
        const uint32_t f = domain::add(
            fd.get(),
            {.name = "r" + std::to_string(result_max), .key_max = 32768, .result_max = result_max});
        for (const uint32_t key_len : lengths) {
            const std::string what = std::to_string(key_len) + " to " + std::to_string(result_max);
            const Bytes key = random.bytes(key_len);
            const Bytes result = random.bytes(result_max - random.below(result_max / 2 + 1));
            Bytes other = key;

            check.that(!region.find(f, result_max, key), what + ": before");
            check.that(domain::store(fd.get(), f, region.stamp(f), key, result) == KCR_STORED_NEW,
                       what + ": new");
            const auto found = region.find(f, result_max, key);
            if (check.that(found.has_value(), what + ": found"))
                check.same(*found, result, what);
            check.that(domain::store(fd.get(), f, region.stamp(f), key, result) == KCR_STORED_EQUAL,
                       what + ": equal");
            if (key_len) {
                other[random.below(key_len)] ^= 1;
                check.that(!region.find(f, result_max, other), what + ": another key");
            }
        }
    }
}

void test_too_long(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 16, .result_max = 8});
    const uint32_t g = domain::add(fd.get(), {.name = "g", .key_max = 32768});
    const uint64_t stamp = region.stamp(f);

    check.that(domain::store(fd.get(), f, stamp, Bytes(17), Bytes(8)) == -E2BIG, "key");
    check.that(domain::store(fd.get(), f, stamp, Bytes(16), Bytes(9)) == -E2BIG, "result");
    check.that(domain::store(fd.get(), f, stamp, Bytes(32769), Bytes(8)) == -EINVAL, "any key");
    check.that(domain::store(fd.get(), g, region.stamp(g), Bytes(32768), Bytes(8)) == -E2BIG,
               "more than a quarter of the ring");
    check.that(domain::store(fd.get(), 9, stamp, Bytes(16), Bytes(8)) == -ENOENT, "no function");
    check.that(domain::store(fd.get(), f, stamp + 1, Bytes(16), Bytes(8)) == -ESTALE, "stamp");
    check.that(domain::store(fd.get(), f, 0, Bytes(16), Bytes(8)) == -ESTALE, "no stamp");
    check.that(domain::info(fd.get()).entries == 0, "something was stored");
}

void test_batch(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {});
    auto store = domain::sized<kcr_store>();
    std::array<uint64_t, 10> keys;
    std::array<kcr_entry, 10> entries{};

    for (size_t i = 0; i < entries.size(); i++) {
        keys[i] = i;
        entries[i] = {.stamp = region.stamp(f),
                      .key = reinterpret_cast<uintptr_t>(&keys[i]),
                      .result = reinterpret_cast<uintptr_t>(&keys[i]),
                      .function = f,
                      .key_len = 8,
                      .result_len = 8,
                      .status = 99};
    }
    store.entries = reinterpret_cast<uintptr_t>(entries.data());
    for (const uint32_t nr : {0U, 1025U}) {
        store.nr = nr;
        check.that(domain::request(fd.get(), KCR_IOC_STORE, store) == -EINVAL, "number");
    }
    store.nr = entries.size();
    entries[3].stamp = 0;
    entries[7].key = 8;
    check.that(domain::request(fd.get(), KCR_IOC_STORE, store) == -EFAULT, "a bad pointer");
    check.that(store.done == 7, "done up to it");
    check.that(entries[3].status == -ESTALE && entries[6].status == KCR_STORED_NEW &&
                   entries[8].status == 99,
               "statuses");
    entries[7].key = entries[7].result;
    entries[3].stamp = entries[0].stamp;
    check.that(domain::request(fd.get(), KCR_IOC_STORE, store) == 0 && store.done == 10, "again");
    check.that(entries[0].status == KCR_STORED_EQUAL && entries[7].status == KCR_STORED_NEW,
               "statuses again");
    store.entries = 8;
    check.that(domain::request(fd.get(), KCR_IOC_STORE, store) == -EFAULT && !store.done,
               "no entries");
    store.flags = 1;
    check.that(domain::request(fd.get(), KCR_IOC_STORE, store) == -EINVAL, "unknown flag");
}

void test_learning(Check& check)
{
    const Fd fd = domain::create(small_region, 10);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.flags = 0});
    const Bytes key = text("key");

    check.that(domain::store(fd.get(), f, region.stamp(f), key, text("one")) == KCR_STORED_NEW,
               "first");
    for (int i = 0; i < 9; i++) {
        check.that(domain::store(fd.get(), f, region.stamp(f), key, text("one")) ==
                       KCR_STORED_EQUAL,
                   "equal");
        check.that(region.function(f).state == KCR_STATE_LEARN, "still learning");
        check.that(!region.find(f, 16, key), "found while learning");
    }
    domain::store(fd.get(), f, region.stamp(f), key, text("one"));
    check.that(region.function(f).state == KCR_STATE_REUSE, "learned");
    check.that(region.find(f, 16, key) == text("one"), "found");
    check.that(domain::function_info(fd.get(), f).learned == 10, "count");
}

void test_rejection(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {});
    const uint32_t g = domain::add(fd.get(), {.name = "g"});
    const uint64_t stamp = region.stamp(f);

    for (const uint32_t function : {f, g})
        domain::store(fd.get(), function, region.stamp(function), text("key"), text("one"));
    check.that(domain::store(fd.get(), f, stamp, text("key"), text("two")) == -EBADMSG, "differs");
    check.that(region.stamp(f) == 0 && region.function(f).state == KCR_STATE_REJECTED, "rejected");
    check.that(!region.find(f, 16, text("key")), "still there");
    check.that(domain::store(fd.get(), f, stamp, text("key"), text("one")) == -EPERM, "after");
    check.that(region.find(g, 16, text("key")) == text("one"), "another function's");
    check.that(domain::info(fd.get()).rejected == 1, "count");
    check.that(domain::flush(fd.get(), f, KCR_STATE_LEARN) == 0, "another chance");
    check.that(region.stamp(f) > stamp, "a new stamp");
    check.that(domain::store(fd.get(), f, region.stamp(f), text("key"), text("two")) ==
                   KCR_STORED_NEW,
               "taken");
}

void test_flush(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.key_max = 512, .result_max = 512});
    const uint32_t g = domain::add(fd.get(), {.name = "g"});
    const uint64_t stamp = region.stamp(f);
    const Bytes secret = text("a secret that is to be gone when it is flushed");

    domain::store(fd.get(), f, stamp, secret, Bytes(512, 7));
    domain::store(fd.get(), f, stamp, text("key"), secret);
    domain::store(fd.get(), g, region.stamp(g), text("key"), text("value"));
    check.that(region.contains(secret), "stored");
    check.that(domain::flush(fd.get(), f) == 0, "flush");
    check.that(!region.contains(secret) && !region.contains(Bytes(512, 7)), "gone");
    check.that(!region.find(f, 512, secret), "not found");
    check.that(region.find(g, 16, text("key")) == text("value"), "another function's is there");
    check.that(domain::store(fd.get(), f, stamp, secret, secret) == -ESTALE,
               "computed before, stored after");
    check.that(domain::flush(fd.get(), KCR_ALL_FUNCTIONS) == 0, "flush all");
    check.that(!region.find(g, 16, text("key")), "another function's is gone");
    check.that(domain::flush(fd.get(), 2) == -ENOENT, "no such function");
    check.that(domain::flush(fd.get(), f, 4) == -EINVAL, "no such state");
    check.that(domain::info(fd.get()).entries == 0, "entries");
}

/* Far more than fits, in all classes: what is found is right, and much is found */
void test_overflow(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    uint64_t found = 0;

    for (const uint32_t len : {8U, 32U, 80U, 500U, 3000U}) {
        const uint32_t f = domain::add(
            fd.get(), {.name = "n" + std::to_string(len), .key_max = 8, .result_max = len});
        for (uint64_t i = 0; i < 2000; i++) {
            const Bytes key(reinterpret_cast<const uint8_t*>(&i),
                            reinterpret_cast<const uint8_t*>(&i + 1));
            domain::store(fd.get(), f, region.stamp(f), key, Bytes(len, uint8_t(i * 31)));
        }
        for (uint64_t i = 0; i < 2000; i++) {
            const Bytes key(reinterpret_cast<const uint8_t*>(&i),
                            reinterpret_cast<const uint8_t*>(&i + 1));
            const auto result = region.find(f, len, key);
            found += result.has_value();
            if (result)
                check.same(*result, Bytes(len, uint8_t(i * 31)), "result");
        }
    }
    const auto info = domain::info(fd.get());
    check.that(found > 100, "found " + std::to_string(found));
    check.that(info.entries <= region.header().nr_slots, "entries");
    check.that(info.blob_bytes <= region.header().blobs_size, "bytes");
    check.that(info.evicted > 1000, "evicted");
    domain::flush(fd.get(), KCR_ALL_FUNCTIONS);
    check.that(domain::info(fd.get()).blob_bytes == 0, "bytes after the flush");
    check.that(!region.contains(Bytes(400, 31)), "zeroed");
}

void test_limit(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {.max_entries = 3});
    const uint32_t g = domain::add(fd.get(), {.name = "g"});

    for (uint8_t i = 0; i < 3; i++)
        domain::store(fd.get(), f, region.stamp(f), Bytes(8, i), Bytes(8, i));
    check.that(domain::store(fd.get(), f, region.stamp(f), Bytes(8, 9), Bytes(8)) == -EDQUOT,
               "one more");
    check.that(domain::store(fd.get(), g, region.stamp(g), Bytes(8, 9), Bytes(8)) == KCR_STORED_NEW,
               "another function's");
    check.that(domain::function_info(fd.get(), f).entries == 3, "entries");
}

void test_expiry(Check& check)
{
    const Fd fd = domain::create(small_region, 0, 200);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {});
    const uint32_t g = domain::add(fd.get(), {.name = "g", .expiry_ms = 3600000});

    for (const uint32_t function : {f, g})
        domain::store(fd.get(), function, region.stamp(function), text("key"), text("value"));
    check.that(region.find(f, 16, text("key")).has_value(), "young");
    for (int i = 0; i < 1000 && region.find(f, 16, text("key")); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    check.that(!region.find(f, 16, text("key")), "old");
    check.that(region.find(g, 16, text("key")).has_value(), "a function that says otherwise");
    check.that(domain::store(fd.get(), f, region.stamp(f), text("key"), text("other")) ==
                   KCR_STORED_NEW,
               "another result when the old one is expired");
}

void test_switch(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Region region(fd.get());
    const uint32_t f = domain::add(fd.get(), {});
    {
        const domain::Setting off("/sys/module/kernel/parameters/kcr_enable", "N");
        check.that(domain::store(fd.get(), f, region.stamp(f), Bytes(8), Bytes(8)) == -EOPNOTSUPP,
                   "store");
        check.that(domain::try_create() == -EOPNOTSUPP, "create");
    }
    check.that(domain::store(fd.get(), f, region.stamp(f), Bytes(8), Bytes(8)) == KCR_STORED_NEW,
               "on again");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"domains and their sizes", test_create},
        {"structures of the future", test_longer_struct},
        {"functions", test_register},
        {"keys and results of all sizes", test_sizes},
        {"too long, too old, not there", test_too_long},
        {"many at once", test_batch},
        {"learning", test_learning},
        {"rejection", test_rejection},
        {"flush", test_flush},
        {"more than fits", test_overflow},
        {"a function's limit", test_limit},
        {"expiry", test_expiry},
        {"the switch", test_switch},
    };
    return tap::run_cases(cases, domain::need_device);
}
