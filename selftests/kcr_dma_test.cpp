// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that results depend on and devices write to, behind an IOMMU: kernel
 * memory through the DMA API (the kernel does that, CONFIG_KCR_DMA_TEST), and a
 * process's memory through VFIO.
 */
#include <linux/kcr_track.h>
#include <sys/mount.h>

#include <sstream>

#include "edu.hpp"
#include "region.hpp"

namespace
{

using domain::Bytes;
using domain::Fd;
using tap::Check;

constexpr const char* kernel_driver = "kcr_edu";
constexpr const char* counters_path = "/sys/kernel/debug/kcr/dma";
constexpr size_t page_size = 4096;
constexpr size_t memory_size = 4 * page_size;
/* The device has 28 bits of address */
constexpr uint64_t iova = 0x100000;
constexpr uint64_t plain_iova = 0x200000;
constexpr uint32_t for_reading = VFIO_DMA_MAP_FLAG_READ;
constexpr uint32_t for_writing = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

/** Private anonymous memory. */
class Memory
{
public:
    explicit Memory(uint8_t seed)
        : data_(mmap(nullptr, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0))
    {
        if (data_ == MAP_FAILED)
            domain::fail("mmap");
        madvise(data_, memory_size, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < memory_size; i++)
            bytes()[i] = static_cast<uint8_t>(seed + i * 7 + i / 256);
    }
    ~Memory()
    {
        munmap(data_, memory_size);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    volatile uint8_t* bytes() const
    {
        return static_cast<uint8_t*>(data_);
    }
    void* data() const
    {
        return data_;
    }
    /** What results are computed of it. */
    uint64_t digest() const
    {
        uint64_t hash = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < memory_size; i++)
            hash = (hash ^ bytes()[i]) * 0x100000001b3ULL;
        return hash;
    }
    /** Whether it begins with what @p other begins with, as far as the device copies. */
    bool begins_like(const Memory& other) const
    {
        return std::memcmp(data_, other.data_, edu::copy_size) == 0;
    }

private:
    void* data_;
};

/** Memory that is a tracked set, and a function of it whose results are remembered. */
class Watched
{
public:
    explicit Watched(uint8_t seed)
        : memory_(seed), domain_(domain::create(64 << 10)), region_(domain_.get())
    {
        auto reg = domain::sized<kcr_register>();
        auto tracker = domain::sized<kcr_tracker>();
        auto add = domain::sized<kcr_set_add>();
        kcr_range range{reinterpret_cast<uintptr_t>(memory_.data()), memory_size};

        reg.flags = KCR_REGISTER_PURE;
        std::strcpy(reg.name, "digest");
        reg.key_max = sizeof(Key);
        reg.result_max = sizeof(uint64_t);
        reg.sets = 1;
        ok(domain::request(domain_.get(), KCR_IOC_REGISTER, reg), "KCR_IOC_REGISTER");
        function_ = reg.function;
        tracker_ =
            Fd(ok(domain::request(domain_.get(), KCR_IOC_TRACKER, tracker), "KCR_IOC_TRACKER"));
        stamps_ = domain::Mapping(tracker_.get(), KCR_SETS_MAX * sizeof(uint64_t), PROT_READ, 0);
        add.set = KCR_SET_NEW;
        add.nr = 1;
        add.ranges = reinterpret_cast<uintptr_t>(&range);
        ok(domain::request(tracker_.get(), KCR_IOC_SET_ADD, add), "KCR_IOC_SET_ADD");
        set_ = add.set;
    }

    const Memory& memory() const
    {
        return memory_;
    }

    uint64_t stamp() const
    {
        const auto* stamps = reinterpret_cast<const uint64_t*>(stamps_.data());
        return __atomic_load_n(&stamps[set_], __ATOMIC_ACQUIRE);
    }

    /** Tries to arm, for as long as it was refused for what goes away or for @p passing. */
    kcr_set_arm arm(std::initializer_list<uint32_t> passing = {})
    {
        kcr_set_arm arm{};

        for (int i = 0; i < tries; i++) {
            arm = domain::sized<kcr_set_arm>();
            arm.set = set_;
            const int ret = domain::request(tracker_.get(), KCR_IOC_SET_ARM, arm);
            if (ret == 0)
                return arm;
            const bool passes =
                arm.reason == KCR_REFUSED_TOO_OFTEN || arm.reason == KCR_REFUSED_CHANGED ||
                std::find(passing.begin(), passing.end(), arm.reason) != passing.end();
            if (ret != -EAGAIN || !passes)
                return arm;
            usleep(10000);
        }
        return arm;
    }

    /** The memory's digest, remembered or computed and stored. */
    std::pair<uint64_t, bool> ask()
    {
        const Key key = {{set_, 0, stamp()}, memory_size};
        const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&key), sizeof(key));
        uint64_t value = 0;

        if (!key.set.stamp)
            return {memory_.digest(), false};
        if (const auto found = region_.find(function_, sizeof(value), bytes);
            found && found->size() == sizeof(value)) {
            std::memcpy(&value, found->data(), sizeof(value));
            return {value, true};
        }
        value = memory_.digest();
        domain::store(tracker_.get(), function_, region_.stamp(function_), bytes,
                      {reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
        return {value, false};
    }

private:
    struct Key {
        kcr_set_key set;
        uint64_t length;
    };
    static constexpr int tries = 500;

    static int ok(int ret, const char* what)
    {
        if (ret < 0) {
            errno = -ret;
            domain::fail(what);
        }
        return ret;
    }

    Memory memory_;
    Fd domain_;
    domain::Region region_;
    Fd tracker_;
    domain::Mapping stamps_;
    uint32_t function_ = 0;
    uint32_t set_ = 0;
};

/* All answers are right, and all but the first few are remembered. */
void expect_reused(Check& check, Watched& watched, const std::string& when)
{
    constexpr int asks = 50;
    int hits = 0;

    for (int i = 0; i < asks; i++) {
        const auto [value, remembered] = watched.ask();
        check.that(value == watched.memory().digest(), when + ": an old result");
        check.that(i > 0 || !remembered, when + ": the first answer is from before");
        hits += remembered;
    }
    check.that(hits > 0, when + ": nothing is remembered");
}

void arm_and_reuse(Check& check, Watched& watched, uint64_t old, const std::string& when)
{
    const auto armed =
        watched.arm({KCR_REFUSED_REFERENCE, KCR_REFUSED_NOT_PRESENT, KCR_REFUSED_SHARED_PAGE});

    check.that(armed.reason == KCR_REFUSED_NOT && watched.stamp() != 0,
               when + ": not armed, reason " + std::to_string(armed.reason));
    check.that(watched.stamp() != old, when + ": the stamp is the old one");
    expect_reused(check, watched, when);
}

/* While the device has it: no stamp, none to be had, and nothing but the truth. */
void expect_held(Check& check, Watched& watched, const std::string& when)
{
    check.that(watched.stamp() == 0, when + ": it has a stamp");
    const auto [value, remembered] = watched.ask();
    check.that(value == watched.memory().digest() && !remembered, when + ": an old result");
    const auto arm = watched.arm();
    check.that(arm.stamp == 0 && arm.reason == KCR_REFUSED_REFERENCE,
               when + ": arming is not refused for a reference, but " + std::to_string(arm.reason));
    check.that(watched.stamp() == 0, when + ": it has got a stamp");
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
    Watched watched(1);

    load(device, plain);
    arm_and_reuse(check, watched, 0, "before it is mapped");
    const uint64_t old = watched.stamp();
    const uint64_t before = watched.memory().digest();

    device.map(iova, watched.memory().data(), memory_size, for_writing);
    expect_held(check, watched, "mapped");
    device.write_memory(iova);
    check.that(watched.memory().begins_like(plain) && watched.memory().digest() != before,
               "the device has not written");
    expect_held(check, watched, "written");
    device.unmap(iova, memory_size);
    check.that(watched.stamp() == 0, "unmapping gives a stamp");
    arm_and_reuse(check, watched, old, "after it was unmapped");
}

/* The device writes again and again; each time all is as it was the first time. */
void test_vfio_again(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    Watched watched(2);
    uint64_t old = 0;

    for (uint8_t round = 0; round < 5; round++) {
        const Memory plain(static_cast<uint8_t>(110 + round));
        const std::string when = "round " + std::to_string(round);
        load(device, plain);
        arm_and_reuse(check, watched, old, when);
        old = watched.stamp();
        device.map(iova, watched.memory().data(), memory_size, for_writing);
        device.write_memory(iova);
        check.that(watched.memory().begins_like(plain), when + ": the device has not written");
        check.that(watched.stamp() == 0, when + ": it has a stamp");
        device.unmap(iova, memory_size);
    }
    arm_and_reuse(check, watched, old, "in the end");
}

/* Whoever pins it for reading gets it by a fault, too, and is a reference. */
void test_vfio_read(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    Watched watched(3);

    arm_and_reuse(check, watched, 0, "before it is mapped");
    const uint64_t old = watched.stamp();
    const uint64_t before = watched.memory().digest();
    device.map(iova, watched.memory().data(), memory_size, for_reading);
    expect_held(check, watched, "mapped");
    device.read_memory(iova);
    check.that(watched.memory().digest() == before, "reading has changed it");
    device.unmap(iova, memory_size);
    arm_and_reuse(check, watched, old, "after it was unmapped");
}

void test_vfio_before(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    const Memory plain(120);
    Watched watched(4);

    load(device, plain);
    device.map(iova, watched.memory().data(), memory_size, for_writing);
    expect_held(check, watched, "mapped before it was armed");
    device.write_memory(iova);
    check.that(watched.memory().begins_like(plain), "the device has not written");
    device.unmap(iova, memory_size);
    arm_and_reuse(check, watched, 0, "after it was unmapped");
}

/* A device that goes on where it has nothing any more does not get there. */
void test_vfio_after(Check& check)
{
    edu::Device device(edu::find());
    const Late unseen(check);
    const Memory plain(130);
    const Memory other(140);
    Watched watched(5);

    load(device, plain);
    device.map(iova, watched.memory().data(), memory_size, for_writing);
    device.write_memory(iova);
    check.that(watched.memory().begins_like(plain), "the device has not written");
    load(device, other);
    device.unmap(iova, memory_size);
    arm_and_reuse(check, watched, 0, "after it was unmapped");
    const uint64_t stamp = watched.stamp();
    device.write_memory(iova);
    check.that(watched.memory().begins_like(plain), "the device has written all the same");
    check.that(watched.stamp() == stamp, "the stamp has gone");
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
