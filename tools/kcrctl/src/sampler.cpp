// SPDX-License-Identifier: GPL-2.0
#include "sampler.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

namespace kcr::ctl
{

namespace
{

constexpr std::uint64_t samples_per_second = 3989;
constexpr std::size_t ring_pages = 64;

std::size_t page_size()
{
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

int open_event(int cpu)
{
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    attributes.freq = 1;
    attributes.sample_freq = samples_per_second;
    attributes.sample_type = PERF_SAMPLE_CALLCHAIN;
    attributes.exclude_user = 1;
    attributes.exclude_idle = 1;
    attributes.exclude_callchain_user = 1;
    attributes.disabled = 1;
    return static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

/// Copies out of a ring at position @p at, which may wrap around.
void copy_out(const char* ring, std::size_t ring_size, std::uint64_t at, char* to, std::size_t size)
{
    const std::size_t begin = at % ring_size;
    const std::size_t first = std::min(size, ring_size - begin);
    std::memcpy(to, ring + begin, first);
    std::memcpy(to + first, ring, size - first);
}

} // namespace

Result<Sampler> Sampler::start()
{
    Sampler sampler;
    const std::size_t size = (1 + ring_pages) * page_size();
    const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < cpus; ++cpu) {
        Ring ring{tool::Fd(open_event(cpu)), nullptr};
        if (!ring.fd.valid() && errno == ENODEV)
            continue; // offline
        if (!ring.fd.valid())
            return Error{fmt::format("cannot sample CPU {}: {}", cpu, std::strerror(errno)),
                         "the kernel needs CONFIG_PERF_EVENTS=y"};
        void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd.get(), 0);
        if (memory == MAP_FAILED)
            return Error{fmt::format("cannot map samples: {}", std::strerror(errno)), {}};
        ring.memory = {memory, [size](void* mapped) { ::munmap(mapped, size); }};
        sampler.rings_.push_back(std::move(ring));
    }
    for (const auto& ring : sampler.rings_)
        ::ioctl(ring.fd.get(), PERF_EVENT_IOC_ENABLE, 0);
    return sampler;
}

void Sampler::stop()
{
    for (const auto& ring : rings_)
        ::ioctl(ring.fd.get(), PERF_EVENT_IOC_DISABLE, 0);
}

void Sampler::record(const char* data, std::size_t size, const Symbols& symbols)
{
    std::uint64_t depth = 0;
    std::set<std::string_view> seen;
    std::memcpy(&depth, data, sizeof(depth));
    depth = std::min<std::uint64_t>(depth, size / sizeof(depth) - 1);
    for (std::uint64_t i = 1; i <= depth; ++i) {
        std::uint64_t address = 0;
        std::memcpy(&address, data + i * sizeof(address), sizeof(address));
        if (address >= PERF_CONTEXT_MAX)
            continue; // says whose addresses follow
        // All but the first are return addresses, which may lie behind the function's end
        const auto name = symbols.at(seen.empty() ? address : address - 1);
        if (!name.empty())
            seen.insert(name);
    }
    ++counts_.samples;
    for (const auto name : seen)
        ++counts_.functions[std::string(name)];
}

void Sampler::drain(const Ring& ring, const Symbols& symbols)
{
    auto* page = static_cast<perf_event_mmap_page*>(ring.memory.get());
    const auto* data = static_cast<const char*>(ring.memory.get()) + page_size();
    const std::size_t size = ring_pages * page_size();
    const std::uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    std::uint64_t tail = page->data_tail;
    std::vector<char> record_data;
    while (tail < head) {
        perf_event_header header{};
        copy_out(data, size, tail, reinterpret_cast<char*>(&header), sizeof(header));
        const std::size_t length = header.size - sizeof(header);
        record_data.resize(length);
        copy_out(data, size, tail + sizeof(header), record_data.data(), length);
        if (header.type == PERF_RECORD_SAMPLE && length >= sizeof(std::uint64_t)) {
            record(record_data.data(), length, symbols);
        } else if (header.type == PERF_RECORD_LOST && length >= 2 * sizeof(std::uint64_t)) {
            std::uint64_t lost = 0;
            std::memcpy(&lost, record_data.data() + sizeof(lost), sizeof(lost));
            counts_.lost += lost;
        }
        tail += header.size;
    }
    __atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
}

void Sampler::drain(const Symbols& symbols)
{
    for (const auto& ring : rings_)
        drain(ring, symbols);
}

} // namespace kcr::ctl
