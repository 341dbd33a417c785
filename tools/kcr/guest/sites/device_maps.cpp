// SPDX-License-Identifier: GPL-2.0
/*
 * What mapping memory for a device costs while nothing is tracked. udmabuf maps
 * memfds with dma_map_sgtable() for a device of its own that does nothing.
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "domain.hpp"
#include "figures.hpp"
#include "sites.hpp"

namespace sites
{

namespace
{

constexpr size_t page = 4096;
constexpr int rounds = 200;

uint64_t ticks()
{
    return __builtin_ia32_rdtsc();
}

/* A page that udmabuf accepts */
domain::Fd shared_page()
{
    domain::Fd fd(memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING));

    if (!fd || ftruncate(fd.get(), page) < 0 || fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        domain::fail("memfd");
    return fd;
}

domain::Fd make_buffer(const domain::Fd& device, const domain::Fd& memory)
{
    udmabuf_create create{};

    create.memfd = static_cast<uint32_t>(memory.get());
    create.flags = UDMABUF_FLAGS_CLOEXEC;
    create.size = page;
    domain::Fd fd(ioctl(device.get(), UDMABUF_CREATE, &create));
    if (!fd)
        domain::fail("UDMABUF_CREATE");
    return fd;
}

/* Begins an access by the CPU: the first one maps the buffer for the device */
uint64_t begin_access(const domain::Fd& buffer)
{
    dma_buf_sync sync{};

    sync.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW;
    const uint64_t start = ticks();
    const int ret = ioctl(buffer.get(), DMA_BUF_IOCTL_SYNC, &sync);
    const uint64_t cost = ticks() - start;
    if (ret < 0)
        domain::fail("DMA_BUF_IOCTL_SYNC");
    return cost;
}

} // namespace

void device_maps(tap::Check& check)
{
    const domain::Fd device(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
    std::vector<uint64_t> map;
    std::vector<uint64_t> again;
    std::vector<uint64_t> unmap;

    if (!device)
        throw tap::Skip("no /dev/udmabuf");
    const domain::Fd memory = shared_page();
    for (int i = 0; i < rounds; i++) {
        domain::Fd buffer = make_buffer(device, memory);
        map.push_back(begin_access(buffer));
        again.push_back(begin_access(buffer));
        const uint64_t start = ticks();
        buffer.reset();
        unmap.push_back(ticks() - start);
    }
    check.that(median(map) > median(again), "the first access maps the buffer");
    figure("dma_map_insns", median(map) - median(again));
    figure("dma_unmap_insns", median(unmap));
    remark("mapping a page for a device: " + std::to_string(median(map) - median(again)) +
           " instructions, with the memory for its list");
}

} // namespace sites
