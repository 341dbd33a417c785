// SPDX-License-Identifier: GPL-2.0
#include "support.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

namespace kcr::tests
{

namespace
{

std::atomic<std::uint64_t> ticks{1};
std::atomic<std::uint64_t> system_call_cost{0};
std::atomic<int> mmap_error{0};
std::atomic<std::uint64_t> mmap_failing{0};

std::uint64_t now()
{
    return ticks.load(std::memory_order_relaxed);
}

int timed_ioctl(int fd, unsigned long request, void* arg)
{
    advance_clock(system_call_cost);
    return kcr_emul_ioctl(fd, request, arg);
}

void* failing_mmap(void* addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (mmap_error != 0 && static_cast<std::uint64_t>(offset) == mmap_failing) {
        errno = mmap_error;
        return MAP_FAILED;
    }
    return kcr_emul_mmap(addr, length, prot, flags, fd, offset);
}

ssize_t read_self(void* to, const void* from, size_t len)
{
    const iovec local = {to, len};
    const iovec remote = {const_cast<void*>(from), len};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

constexpr struct kcr_system emulated = {
    .open = kcr_emul_open,
    .ioctl = timed_ioctl,
    .mmap = failing_mmap,
    .munmap = kcr_emul_munmap,
    .close = kcr_emul_close,
    .read_self = read_self,
    .clock = now,
};

} // namespace

void advance_clock(std::uint64_t more)
{
    ticks.fetch_add(more, std::memory_order_relaxed);
}

void set_system_call_cost(std::uint64_t cost)
{
    system_call_cost = cost;
}

void fail_mmap(std::uint64_t offset, int error)
{
    mmap_failing = offset;
    mmap_error = error;
}

Domain make_domain(std::uint64_t region_size)
{
    const kcr_domain_options options = {.size = sizeof(options), .region_size = region_size};
    return Domain(kcr_domain_create(&options));
}

kcr_function_options pure_options(const char* name)
{
    return {.size = sizeof(kcr_function_options),
            .name = name,
            .key_max = 16,
            .result_max = 16,
            .flags = KCR_PURE | KCR_ALWAYS,
            .audit_interval = KCR_NO_AUDIT};
}

kcr_function_stats stats_of(const Function& function)
{
    kcr_function_stats stats = {.size = sizeof(stats)};
    EXPECT_EQ(kcr_function_get_stats(function.get(), &stats), 0);
    return stats;
}

kcr_domain_stats stats_of(const Domain& domain)
{
    kcr_domain_stats stats = {.size = sizeof(stats)};
    EXPECT_EQ(kcr_domain_get_stats(domain.get(), &stats), 0);
    return stats;
}

bool call(const Function& function, const Bytes& key, Bytes& result,
          const std::function<Bytes(const Bytes&)>& compute, std::uint64_t cost)
{
    kcr_ticket ticket;
    size_t len = 0;
    if (kcr_begin(function.get(), key.data(), key.size(), result.data(), result.size(), &len,
                  &ticket) == KCR_HIT) {
        result.resize(len);
        return true;
    }
    result = compute(key);
    advance_clock(cost);
    kcr_end(function.get(), &ticket, key.data(), key.size(), result.data(), result.size());
    return false;
}

Bytes key_of(std::uint64_t n, std::size_t size)
{
    Bytes key(size);
    if (size > 0)
        std::memcpy(key.data(), &n, std::min(size, sizeof(n)));
    for (std::size_t i = sizeof(n); i < size; i++)
        key[i] = static_cast<std::uint8_t>(n + i);
    return key;
}

Bytes digest(const Bytes& key, std::size_t size)
{
    std::uint64_t state = 0xcbf29ce484222325 ^ key.size();
    for (const auto byte : key)
        state = (state ^ byte) * 0x100000001b3;
    Bytes result(size);
    for (auto& byte : result) {
        state = state * 6364136223846793005 + 1442695040888963407;
        byte = static_cast<std::uint8_t>(state >> 56);
    }
    return result;
}

LibTest::LibTest()
{
    kcr_system = &emulated;
    set_system_call_cost(0);
    fail_mmap(0, 0);
    kcr_emul_fail(0, 0);
    kcr_emul_set_enabled(true);
    kcr_emul_set_clock(1000);
}

LibTest::~LibTest()
{
    kcr_emul_set_clock(0);
}

bool LibTest::ask(const Function& function, const Bytes& key, std::size_t result_size,
                  std::uint64_t cost)
{
    Bytes result(result_size);
    const bool hit = call(
        function, key, result, [&](const Bytes& k) { return digest(k, result_size); }, cost);
    EXPECT_EQ(result, digest(key, result_size));
    return hit;
}

} // namespace kcr::tests
