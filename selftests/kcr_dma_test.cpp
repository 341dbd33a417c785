// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that results depend on and devices write to, behind an IOMMU: kernel
 * memory through the DMA API (the kernel does that, CONFIG_KCR_DMA_TEST), and a
 * process's memory through VFIO.
 */
#include <sys/mount.h>

#include <sstream>

#include "watched.hpp"

namespace
{

using tap::Check;
using watched::Memory;
using watched::memory_size;
using watched::Watched;

constexpr const char* kernel_driver = "kcr_edu";
constexpr const char* counters_path = "/sys/kernel/debug/kcr/dma";
/* The device has 28 bits of address */
constexpr uint64_t iova = 0x100000;
constexpr uint64_t plain_iova = 0x200000;
constexpr uint32_t for_reading = VFIO_DMA_MAP_FLAG_READ;
constexpr uint32_t for_writing = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

/* All answers are right, and all but the first few are remembered. */
void expect_reused(Check& check, Watched& set, const std::string& when)
{
    constexpr int asks = 50;
    int hits = 0;

    for (int i = 0; i < asks; i++) {
        const auto [value, remembered] = set.ask();
        check.that(value == set.memory().digest(), when + ": an old result");
        check.that(i > 0 || !remembered, when + ": the first answer is from before");
        hits += remembered;
    }
    check.that(hits > 0, when + ": nothing is remembered");
}

void arm_and_reuse(Check& check, Watched& set, uint64_t old, const std::string& when)
{
    const auto armed =
        set.arm({KCR_REFUSED_REFERENCE, KCR_REFUSED_NOT_PRESENT, KCR_REFUSED_SHARED_PAGE});

    check.that(armed.reason == KCR_REFUSED_NOT && set.stamp() != 0,
               when + ": not armed, reason " + std::to_string(armed.reason));
    check.that(set.stamp() != old, when + ": the stamp is the old one");
    expect_reused(check, set, when);
}

/* While the device has it: no stamp, none to be had, and nothing but the truth. */
void expect_held(Check& check, Watched& set, const std::string& when)
{
    check.that(set.stamp() == 0, when + ": it has a stamp");
    const auto [value, remembered] = set.ask();
    check.that(value == set.memory().digest() && !remembered, when + ": an old result");
    const auto arm = set.arm();
    check.that(arm.stamp == 0 && arm.reason == KCR_REFUSED_REFERENCE,
               when + ": arming is not refused for a reference, but " + std::to_string(arm.reason));
    check.that(set.stamp() == 0, when + ": it has got a stamp");
}

int64_t late()
{
    std::ifstream file(counters_path);
    std::string name;
    int64_t value = 0;

    while (file >> name >> value) {
        if (name == "late_iommu")
            return value;
    }
    throw tap::Skip(std::string("no late_iommu in ") + counters_path);
}

/** Tells if anything got to a device past the protection while it lives. */
class Late
{
public:
    explicit Late(Check& check) : check_(check), before_(late()) {}
    ~Late()
    {
        check_.that(late() == before_, "a protected page got to the device unseen");
    }
    Late(const Late&) = delete;
    Late& operator=(const Late&) = delete;

private:
    Check& check_;
    int64_t before_;
};

/* Puts what @p plain begins with into the device's buffer. */
void load(edu::Device& device, const Memory& plain)
{
    device.map(plain_iova, plain.data(), memory_size, for_reading);
    device.read_memory(plain_iova);
    device.unmap(plain_iova, memory_size);
}

void test_vfio_write(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    const Memory plain(100);
    Watched set(1);

    load(device, plain);
    arm_and_reuse(check, set, 0, "before it is mapped");
    const uint64_t old = set.stamp();
    const uint64_t before = set.memory().digest();

    device.map(iova, set.memory().data(), memory_size, for_writing);
    expect_held(check, set, "mapped");
    device.write_memory(iova);
    check.that(set.memory().begins_like(plain) && set.memory().digest() != before,
               "the device has not written");
    expect_held(check, set, "written");
    device.unmap(iova, memory_size);
    check.that(set.stamp() == 0, "unmapping gives a stamp");
    arm_and_reuse(check, set, old, "after it was unmapped");
}

/* The device writes again and again; each time all is as it was the first time. */
void test_vfio_again(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    Watched set(2);
    uint64_t old = 0;

    for (uint8_t round = 0; round < 5; round++) {
        const Memory plain(static_cast<uint8_t>(110 + round));
        const std::string when = "round " + std::to_string(round);
        load(device, plain);
        arm_and_reuse(check, set, old, when);
        old = set.stamp();
        device.map(iova, set.memory().data(), memory_size, for_writing);
        device.write_memory(iova);
        check.that(set.memory().begins_like(plain), when + ": the device has not written");
        check.that(set.stamp() == 0, when + ": it has a stamp");
        device.unmap(iova, memory_size);
    }
    arm_and_reuse(check, set, old, "in the end");
}

/* Whoever pins it for reading gets it by a fault, too, and is a reference. */
void test_vfio_read(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    Watched set(3);

    arm_and_reuse(check, set, 0, "before it is mapped");
    const uint64_t old = set.stamp();
    const uint64_t before = set.memory().digest();
    device.map(iova, set.memory().data(), memory_size, for_reading);
    expect_held(check, set, "mapped");
    device.read_memory(iova);
    check.that(set.memory().digest() == before, "reading has changed it");
    device.unmap(iova, memory_size);
    arm_and_reuse(check, set, old, "after it was unmapped");
}

void test_vfio_before(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    const Memory plain(120);
    Watched set(4);

    load(device, plain);
    device.map(iova, set.memory().data(), memory_size, for_writing);
    expect_held(check, set, "mapped before it was armed");
    device.write_memory(iova);
    check.that(set.memory().begins_like(plain), "the device has not written");
    device.unmap(iova, memory_size);
    arm_and_reuse(check, set, 0, "after it was unmapped");
}

/* A device that goes on where it has nothing any more does not get there. */
void test_vfio_after(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    const Memory plain(130);
    const Memory other(140);
    Watched set(5);

    load(device, plain);
    device.map(iova, set.memory().data(), memory_size, for_writing);
    device.write_memory(iova);
    check.that(set.memory().begins_like(plain), "the device has not written");
    load(device, other);
    device.unmap(iova, memory_size);
    arm_and_reuse(check, set, 0, "after it was unmapped");
    const uint64_t stamp = set.stamp();
    device.write_memory(iova);
    check.that(set.memory().begins_like(plain), "the device has written all the same");
    check.that(set.stamp() == stamp, "the stamp has gone");
}

/* What the kernel's own test says: "ok" or "not ok" a line, and "done" at the end. */
void run_kernel_test(Check& check, const std::string& name)
{
    std::ifstream file("/sys/kernel/debug/kcr/dma_test/" + name);
    unsigned passed = 0;
    std::string line;
    std::string last;
    std::string part;

    if (!file)
        throw tap::Skip("the kernel was built without CONFIG_KCR_DMA_TEST");
    while (std::getline(file, line)) {
        if (line.starts_with("# "))
            part = line.substr(2) + ": ";
        check.that(!line.starts_with("not ok"), part + line);
        passed += line.starts_with("ok ");
        last = line;
    }
    check.that(last == "done", "it has not come to its end, but to: " + last);
    check.that(passed > 40, "it made " + std::to_string(passed) + " checks only");
}

void need_kernel_driver(const std::string& name)
{
    if (!edu::give(name, kernel_driver))
        throw tap::Skip("the kernel was built without CONFIG_KCR_DMA_TEST");
}

void test_dma_api(Check& check)
{
    const std::string name = edu::find();

    need_kernel_driver(name);
    const Late unseen(check);
    run_kernel_test(check, name);
    run_kernel_test(check, name);
}

/* The IOTLB is flushed some time after unmapping: not so for tracked memory. */
void test_dma_api_lazy(Check& check)
{
    const std::string name = edu::find();
    const std::string type = "/sys/kernel/iommu_groups/" + edu::group_of(name) + "/type";

    need_kernel_driver(name);
    const Late unseen(check);
    edu::unbind(name);
    const std::string before = edu::read_line(type);
    if (!edu::try_write(type, "DMA-FQ"))
        throw tap::Skip("the IOMMU flushes strictly only");
    check.that(edu::read_line(type) == "DMA-FQ", "it is " + edu::read_line(type));
    check.that(edu::give(name, kernel_driver), "the driver does not come back");
    run_kernel_test(check, name);
    edu::unbind(name);
    check.that(edu::try_write(type, before), "the IOMMU does not become strict again");
}

/* A driver gets at a protected page without the fault that would tell: it is seen there. */
void test_late(Check& check)
{
    const std::string name = edu::find();

    need_kernel_driver(name);
    Watched set(6);
    arm_and_reuse(check, set, 0, "before it is mapped");
    const uint64_t old = set.stamp();
    const int64_t before = late();
    const auto events = set.events(KCR_EVENT_DMA);
    std::ostringstream address;
    address << set.memory().data();
    check.that(edu::try_write("/sys/kernel/debug/kcr/dma_test/" + name, address.str()),
               "the kernel does not map it");
    check.that(set.stamp() == 0, "it has a stamp");
    check.that(late() > before, "nobody counts it");
    check.that(set.events(KCR_EVENT_DMA) > events, "the set does not know why");
    arm_and_reuse(check, set, old, "after it was unmapped");

    /* One that was not armed, and so is exclusively the process's, is nothing unusual */
    const Memory ordinary(7);
    const int64_t then = late();
    address.str("");
    address << ordinary.data();
    check.that(edu::try_write("/sys/kernel/debug/kcr/dma_test/" + name, address.str()),
               "the kernel does not map other memory");
    check.that(late() == then, "other memory is counted");
}

/* Nothing is tracked, so nothing is watched, a while after all of the above. */
void test_off(Check& check)
{
    std::string text;

    for (int i = 0; i < 500; i++) {
        text = edu::read_line(counters_path);
        if (text == "watching 0")
            break;
        usleep(20000);
    }
    check.that(text == "watching 0", text);
    std::ostringstream counters;
    counters << std::ifstream(counters_path).rdbuf();
    check.that(counters.str().find("tracked_bytes 0\nwritable_mappings 0\nlost_records 0\n") !=
                   std::string::npos,
               counters.str());
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"DMA API", test_dma_api},
        {"DMA API, IOTLB flushed lazily", test_dma_api_lazy},
        {"VFIO, for writing", test_vfio_write},
        {"VFIO, again and again", test_vfio_again},
        {"VFIO, for reading", test_vfio_read},
        {"VFIO, before arming", test_vfio_before},
        {"VFIO, after unmapping", test_vfio_after},
        {"DMA API, past the protection", test_late},
        {"nothing left", test_off},
    };

    const int status = tap::run_cases(cases, [] {
        domain::need_device();
        const std::string name = edu::find();
        if (name.empty())
            throw tap::Skip("no edu device");
        if (edu::group_of(name).empty())
            throw tap::Skip("no IOMMU");
        if (access(counters_path, F_OK) != 0)
            mount("debugfs", "/sys/kernel/debug", "debugfs", 0, nullptr);
        late();
    });
    if (const std::string name = edu::find(); !name.empty())
        edu::give(name, kernel_driver);
    return status;
}
