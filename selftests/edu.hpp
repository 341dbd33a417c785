/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's edu device, which copies between a buffer of its own and memory: bound to
 * the driver that a test wants, and driven from user space through VFIO.
 */
#ifndef KCR_SELFTEST_EDU_HPP
#define KCR_SELFTEST_EDU_HPP

#include <linux/vfio.h>

#include <filesystem>

#include "domain.hpp"

namespace edu
{

using domain::Fd;

/* Not all of the device's buffer: QEMU up to version 7.2 ends if that is copied */
inline constexpr size_t copy_size = 2048;

inline std::string read_line(const std::string& path)
{
    std::string line;

    std::getline(std::ifstream(path) >> std::ws, line);
    return line;
}

/** Writes to a file of sysfs; returns whether that was accepted. */
inline bool try_write(const std::string& path, const std::string& value)
{
    const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));

    return fd && write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

/** The last part of what a link points to; empty if there is none. */
inline std::string link_name(const std::string& path)
{
    std::error_code error;

    return std::filesystem::read_symlink(path, error).filename().string();
}

inline std::string sysfs(const std::string& name, const std::string& file)
{
    return "/sys/bus/pci/devices/" + name + "/" + file;
}

/** The first such device as sysfs calls it, or nothing. */
inline std::string find()
{
    std::error_code error;

    for (const auto& entry : std::filesystem::directory_iterator("/sys/bus/pci/devices", error)) {
        const std::string name = entry.path().filename().string();
        if (read_line(sysfs(name, "vendor")) == "0x1234" &&
            read_line(sysfs(name, "device")) == "0x11e8")
            return name;
    }
    return "";
}

/** Number of the device's IOMMU group; empty if no IOMMU is in its way. */
inline std::string group_of(const std::string& name)
{
    return link_name(sysfs(name, "iommu_group"));
}

inline void unbind(const std::string& name)
{
    if (!link_name(sysfs(name, "driver")).empty())
        try_write(sysfs(name, "driver/unbind"), name);
}

/** Gives the device to @p driver; returns whether that took it. */
inline bool give(const std::string& name, const std::string& driver)
{
    if (link_name(sysfs(name, "driver")) != driver) {
        unbind(name);
        try_write(sysfs(name, "driver_override"), driver);
        try_write("/sys/bus/pci/drivers_probe", name);
    }
    return link_name(sysfs(name, "driver")) == driver;
}

/** The device in the hands of user space: it reads and writes what was mapped for it. */
class Device
{
public:
    explicit Device(const std::string& name)
    {
        if (!give(name, "vfio-pci"))
            throw tap::Skip("vfio-pci does not take the device");
        container_ = Fd(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
        group_ = Fd(open(("/dev/vfio/" + group_of(name)).c_str(), O_RDWR | O_CLOEXEC));
        if (!container_ || !group_)
            throw tap::Skip(std::string("no VFIO: ") + std::strerror(errno));
        vfio_group_status status{.argsz = sizeof(status), .flags = 0};
        request(group_, VFIO_GROUP_GET_STATUS, &status, "VFIO_GROUP_GET_STATUS");
        if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
            throw tap::Skip("other devices are in the device's IOMMU group");
        int container = container_.get();
        request(group_, VFIO_GROUP_SET_CONTAINER, &container, "VFIO_GROUP_SET_CONTAINER");
        if (ioctl(container_.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
            domain::fail("VFIO_SET_IOMMU");
        device_ = Fd(ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, name.c_str()));
        if (!device_)
            domain::fail("VFIO_GROUP_GET_DEVICE_FD");
        enable();
        const auto info = region(VFIO_PCI_BAR0_REGION_INDEX);
        registers_ = domain::Mapping(device_.get(), page_size, PROT_READ | PROT_WRITE,
                                     static_cast<off_t>(info.offset));
    }

    /** Lets the device have memory; @p flags are VFIO_DMA_MAP_FLAG_*. */
    void map(uint64_t iova, const void* memory, size_t size, uint32_t flags)
    {
        vfio_iommu_type1_dma_map map{};

        map.argsz = sizeof(map);
        map.flags = flags;
        map.vaddr = reinterpret_cast<uintptr_t>(memory);
        map.iova = iova;
        map.size = size;
        request(container_, VFIO_IOMMU_MAP_DMA, &map, "VFIO_IOMMU_MAP_DMA");
    }

    void unmap(uint64_t iova, size_t size)
    {
        vfio_iommu_type1_dma_unmap unmap{};

        unmap.argsz = sizeof(unmap);
        unmap.iova = iova;
        unmap.size = size;
        request(container_, VFIO_IOMMU_UNMAP_DMA, &unmap, "VFIO_IOMMU_UNMAP_DMA");
    }

    /** Has the device copy copy_size bytes from memory into its buffer. */
    void read_memory(uint64_t iova)
    {
        copy(iova, buffer, run);
    }

    /** Has it copy its buffer to memory. */
    void write_memory(uint64_t iova)
    {
        copy(buffer, iova, run | to_memory);
    }

private:
    static constexpr size_t page_size = 4096;
    static constexpr uint64_t buffer = 0x40000;
    static constexpr uint64_t run = 1;
    static constexpr uint64_t to_memory = 2;
    enum Register { source = 0x80, target = 0x88, count = 0x90, command = 0x98 };

    static void request(const Fd& fd, unsigned long what, void* argument, const char* name)
    {
        if (ioctl(fd.get(), what, argument) < 0)
            domain::fail(name);
    }

    vfio_region_info region(uint32_t index) const
    {
        vfio_region_info info{};

        info.argsz = sizeof(info);
        info.index = index;
        request(device_, VFIO_DEVICE_GET_REGION_INFO, &info, "VFIO_DEVICE_GET_REGION_INFO");
        return info;
    }

    /* Lets it answer, and become active on the bus */
    void enable()
    {
        constexpr off_t pci_command = 4;
        constexpr uint16_t memory_and_master = 2 | 4;
        const auto at =
            static_cast<off_t>(region(VFIO_PCI_CONFIG_REGION_INDEX).offset) + pci_command;
        uint16_t value = 0;

        if (pread(device_.get(), &value, sizeof(value), at) != sizeof(value))
            domain::fail("reading the device's configuration");
        value |= memory_and_master;
        if (pwrite(device_.get(), &value, sizeof(value), at) != sizeof(value))
            domain::fail("writing the device's configuration");
    }

    volatile uint64_t& at(Register reg) const
    {
        return *reinterpret_cast<volatile uint64_t*>(registers_.writable() + reg);
    }

    void copy(uint64_t from, uint64_t to, uint64_t what)
    {
        constexpr int polls = 20000;

        at(source) = from;
        at(target) = to;
        at(count) = copy_size;
        at(command) = what;
        for (int i = 0; i < polls; i++) {
            if (!(at(command) & run))
                return;
            usleep(1000);
        }
        throw std::runtime_error("the device does not finish");
    }

    Fd container_;
    Fd group_;
    Fd device_;
    domain::Mapping registers_;
};

} // namespace edu

#endif
