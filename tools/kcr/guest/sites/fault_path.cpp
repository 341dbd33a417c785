// SPDX-License-Identifier: GPL-2.0
/*
 * What page faults cost, and what becomes of it: arming memory, writing to what is
 * armed, and calling functions through gates.
 */
#include <linux/kcr_track.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include "domain.hpp"
#include "figures.hpp"
#include "sites.hpp"

namespace sites
{

namespace
{

constexpr size_t page = 4096;
constexpr size_t pages = 256;
constexpr int rounds = 200;
/* For the branch in the fault handler to be taken out after the last set is gone */
constexpr unsigned settle_us = 2500000;

uint64_t ticks()
{
    return __builtin_ia32_rdtsc();
}

/* Private anonymous memory, nothing of it touched, no huge pages */
class Memory
{
public:
    explicit Memory(size_t count)
        : size_(count * page),
          base_(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    {
        if (base_ == MAP_FAILED)
            domain::fail("mmap");
        madvise(base_, size_, MADV_NOHUGEPAGE);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory()
    {
        munmap(base_, size_);
    }
    volatile uint64_t& at(size_t number)
    {
        return *reinterpret_cast<volatile uint64_t*>(static_cast<char*>(base_) + number * page);
    }
    void touch()
    {
        for (size_t i = 0; i < size_ / page; i++)
            at(i) = i;
    }
    kcr_range range() const
    {
        return {reinterpret_cast<uintptr_t>(base_), size_};
    }
    size_t count() const
    {
        return size_ / page;
    }

private:
    size_t size_;
    void* base_;
};

/* The median of what @p access costs, over all pages */
uint64_t each_page(Memory& memory, const std::function<void(volatile uint64_t&)>& access)
{
    std::vector<uint64_t> empty;
    std::vector<uint64_t> costs;

    for (size_t i = 0; i < memory.count(); i++) {
        volatile uint64_t& word = memory.at(i);
        uint64_t start = ticks();
        access(word);
        costs.push_back(ticks() - start);
        start = ticks();
        access(word);
        empty.push_back(ticks() - start);
    }
    return median(costs) - median(empty);
}

void store(volatile uint64_t& word)
{
    word = 1;
}

void load(volatile uint64_t& word)
{
    const uint64_t value = word;

    (void)value;
}

/* A write to pages that were shared with a child which is gone */
uint64_t write_protected()
{
    Memory memory(pages);

    memory.touch();
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, nullptr, 0);
    return each_page(memory, store);
}

class Tracker
{
public:
    Tracker() : domain_(domain::create()), fd_(make(domain_.get())) {}

    uint32_t add(const Memory& memory) const
    {
        auto add = domain::sized<kcr_set_add>();
        const kcr_range range = memory.range();

        add.set = KCR_SET_NEW;
        add.nr = 1;
        add.ranges = reinterpret_cast<uintptr_t>(&range);
        if (domain::request(fd_.get(), KCR_IOC_SET_ADD, add) < 0)
            throw std::runtime_error("KCR_IOC_SET_ADD");
        return add.set;
    }
    /* What it costs, or 0 if it was refused */
    uint64_t arm(uint32_t set) const
    {
        auto arm = domain::sized<kcr_set_arm>();

        arm.set = set;
        const uint64_t start = ticks();
        const int ret = domain::request(fd_.get(), KCR_IOC_SET_ARM, arm);
        const uint64_t cost = ticks() - start;
        return ret < 0 ? 0 : cost;
    }

private:
    static domain::Fd make(int fd)
    {
        auto tracker = domain::sized<kcr_tracker>();
        const int ret = domain::request(fd, KCR_IOC_TRACKER, tracker);

        if (ret < 0)
            throw tap::Skip("this kernel tracks no memory");
        return domain::Fd(ret);
    }

    domain::Fd domain_;
    domain::Fd fd_;
};

/* Arming when all pages were written to since, and what the second one costs */
struct Arming {
    uint64_t first = 0;
    uint64_t again = 0;
};

Arming arming(const Tracker& tracker, size_t count, tap::Check& check)
{
    Memory memory(count);
    Arming cost;

    memory.touch();
    const uint32_t set = tracker.add(memory);
    cost.first = tracker.arm(set);
    memory.touch();
    cost.again = tracker.arm(set);
    check.that(cost.first != 0 && cost.again != 0, "arming");
    return cost;
}

/* add rdi, rsi as a function, what a gate calls, and the other ways to go on */
extern "C" uint64_t kcr_bench_add(uint64_t a, uint64_t b);
extern "C" void kcr_bench_miss();
extern "C" void kcr_bench_ret();
__asm__(".text\n"
        ".globl kcr_bench_add, kcr_bench_miss, kcr_bench_ret\n"
        "kcr_bench_add: lea (%rdi,%rsi), %rax\n"
        "    xor %edx, %edx\n"
        "kcr_bench_ret: ret\n"
        "kcr_bench_miss: jmp *%r11\n");

using Add = uint64_t (*)(uint64_t, uint64_t);

/* A gate with a function in its first slot */
class Gate
{
public:
    Gate() : domain_(domain::create())
    {
        domain::Function function;
        function.name = "add";
        function_ = domain::add(domain_.get(), function);
        auto gate = domain::sized<kcr_gate>();
        const int fd = domain::request(domain_.get(), KCR_IOC_GATE, gate);
        if (fd < 0)
            throw tap::Skip("this kernel has no gates");
        fd_ = domain::Fd(fd);
        base_ = mmap(nullptr, KCR_GATE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        if (base_ == MAP_FAILED)
            domain::fail("mmap of a gate");
        auto slot = domain::sized<kcr_gate_slot>();
        slot.function = function_;
        slot.miss = reinterpret_cast<uintptr_t>(&kcr_bench_miss);
        slot.ret = reinterpret_cast<uintptr_t>(&kcr_bench_ret);
        slot.plain = reinterpret_cast<uintptr_t>(&kcr_bench_add);
        slot.cookie = slot.plain;
        slot.nr_args = 2;
        if (domain::request(fd, KCR_IOC_GATE_SLOT, slot) < 0)
            throw std::runtime_error("KCR_IOC_GATE_SLOT");
    }
    void remember(uint64_t a, uint64_t b, uint64_t sum) const
    {
        const domain::Mapping region(domain_.get(), domain::info(domain_.get()).region_size,
                                     PROT_READ, 0);
        kcr_region_header header;
        std::memcpy(&header, region.data(), sizeof(header));
        kcr_region_function state;
        std::memcpy(&state, region.data() + header.functions_offset + function_ * sizeof(state),
                    sizeof(state));
        const std::array<uint64_t, 2> key = {a, b};
        const std::array<uint64_t, 2> result = {sum, 0};
        const auto bytes = [](const std::array<uint64_t, 2>& words) {
            return std::span(reinterpret_cast<const uint8_t*>(words.data()), 16);
        };
        if (domain::store(domain_.get(), function_, state.stamp, bytes(key), bytes(result)) !=
            KCR_STORED_NEW)
            throw std::runtime_error("a result was not stored");
    }
    uint64_t call(uint64_t a, uint64_t b) const
    {
        return reinterpret_cast<Add>(base_)(a, b);
    }

private:
    domain::Fd domain_;
    domain::Fd fd_;
    uint32_t function_ = 0;
    void* base_ = nullptr;
};

uint64_t cost_of_calls(const Gate& gate, uint64_t a, uint64_t b, uint64_t expected,
                       tap::Check& check)
{
    std::vector<uint64_t> costs;
    bool right = true;

    for (int i = 0; i < rounds; i++) {
        const uint64_t start = ticks();
        const uint64_t sum = gate.call(a, b);
        costs.push_back(ticks() - start);
        right = right && sum == expected;
    }
    check.that(right, "what a call returned");
    return median(costs);
}

} // namespace

void page_faults(tap::Check& check)
{
    Memory written(pages);
    Memory read(pages);

    usleep(settle_us);
    const uint64_t anon = each_page(written, store);
    const uint64_t zero = each_page(read, load);
    const uint64_t protect = write_protected();
    check.that(anon != 0 && zero != 0 && protect != 0, "page faults");
    figure("fault_anon_insns", anon);
    figure("fault_zero_insns", zero);
    figure("fault_protected_insns", protect);
}

void tracked_memory(tap::Check& check)
{
    const Tracker tracker;
    const Arming one = arming(tracker, 1, check);
    const Arming many = arming(tracker, pages, check);
    const uint64_t per_page = (many.first - one.first) / (pages - 1);
    const uint64_t per_page_again = (many.again - one.again) / (pages - 1);

    Memory memory(pages);
    memory.touch();
    check.that(tracker.arm(tracker.add(memory)) != 0, "arming");
    const uint64_t written = each_page(memory, store);
    const uint64_t protect = write_protected();

    figure("arm_page_insns", per_page);
    figure("arm_page_again_insns", per_page_again);
    figure("arm_call_insns", one.again);
    figure("arm_first_call_insns", one.first);
    figure("invalidate_insns", written - protect);
    remark("arming: " + std::to_string(per_page) + " instructions a page, " +
           std::to_string(per_page_again) + " again; a write fault on what is armed: " +
           std::to_string(written) + " against " + std::to_string(protect));
}

void gate_calls(tap::Check& check)
{
    const Gate gate;

    gate.remember(20, 22, 4200);
    const uint64_t hit = cost_of_calls(gate, 20, 22, 4200, check);
    const uint64_t miss = cost_of_calls(gate, 1, 2, 3, check);
    Memory read(pages);
    const uint64_t zero = each_page(read, load);

    figure("gate_hit_insns", hit);
    figure("gate_miss_insns", miss);
    remark("a call through a gate: " + std::to_string(hit) + " instructions, without a result " +
           std::to_string(miss) + "; a read fault takes " + std::to_string(zero));
}

} // namespace sites
