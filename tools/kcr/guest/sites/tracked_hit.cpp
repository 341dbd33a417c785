// SPDX-License-Identifier: GPL-2.0
/* What a hit costs of a function that reads much memory, by how much it reads. */
#include <kcr.h>
#include <kcr_track.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "figures.hpp"
#include "sites.hpp"

namespace sites
{

namespace
{

constexpr int rounds = 200;
constexpr size_t small_bytes = 64 << 10;
constexpr size_t large_bytes = 1 << 20;

struct Delete {
    void operator()(kcr_domain* domain) const
    {
        kcr_domain_destroy(domain);
    }
    void operator()(kcr_function* function) const
    {
        kcr_function_destroy(function);
    }
    void operator()(kcr_tracked* tracked) const
    {
        kcr_tracked_destroy(tracked);
    }
};

struct Key {
    kcr_tracked_key memory;
    uint64_t factor;
};

/* The function: a sum over all words, times a factor */
class Sum
{
public:
    explicit Sum(size_t bytes) : bytes_(bytes), domain_(kcr_domain_create(nullptr))
    {
        const char* why = nullptr;
        if (kcr_domain_status(domain_.get(), &why) != 0)
            throw tap::Skip(why);
        void* const base =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            throw std::runtime_error("no memory");
        words_ = static_cast<uint64_t*>(base);
        for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
            words_[i] = i;
        const kcr_span span = {base, bytes};
        tracked_.reset(kcr_tracked_create(domain_.get(), &span, 1));
        if (kcr_tracked_status(tracked_.get(), &why) != 0)
            throw tap::Skip(why);
        kcr_function_options options{};
        options.size = sizeof(options);
        options.name = "sum";
        options.key_max = sizeof(Key);
        options.result_max = sizeof(uint64_t);
        options.flags = KCR_PURE | KCR_ALWAYS;
        options.audit_interval = KCR_NO_AUDIT;
        options.sets = 1;
        function_.reset(kcr_function_create(domain_.get(), &options));
    }
    Sum(const Sum&) = delete;
    Sum& operator=(const Sum&) = delete;
    ~Sum()
    {
        munmap(words_, bytes_);
    }

    uint64_t operator()(uint64_t factor)
    {
        Key key = {{}, factor};
        kcr_tracked* const memory = tracked_.get();
        kcr_ticket ticket;
        uint64_t sum = 0;
        size_t len = 0;

        if (kcr_begin_tracked(function_.get(), &memory, &key, sizeof(key), &sum, sizeof(sum), &len,
                              &ticket) == KCR_HIT)
            return sum;
        computed_++;
        sum = compute(factor);
        kcr_end(function_.get(), &ticket, &key, sizeof(key), &sum, sizeof(sum));
        return sum;
    }
    uint64_t compute(uint64_t factor) const
    {
        uint64_t sum = 0;
        for (size_t i = 0; i < bytes_ / sizeof(uint64_t); i++)
            sum += words_[i] * factor;
        return sum;
    }
    void change()
    {
        words_[0]++;
    }
    int computed() const
    {
        return computed_;
    }

private:
    size_t bytes_;
    uint64_t* words_ = nullptr;
    int computed_ = 0;
    std::unique_ptr<kcr_domain, Delete> domain_;
    std::unique_ptr<kcr_function, Delete> function_;
    std::unique_ptr<kcr_tracked, Delete> tracked_;
};

/* The median of a call's instructions when it is a hit; 0 if it never was */
uint64_t cost_of_hit(Sum& sum, tap::Check& check)
{
    std::vector<uint64_t> costs;
    bool right = true;

    for (int i = 0; i < 3; i++)
        right = right && sum(7) == sum.compute(7);
    for (int i = 0; i < rounds; i++) {
        const int before = sum.computed();
        const uint64_t start = __builtin_ia32_rdtsc();
        const uint64_t result = sum(7);
        const uint64_t cost = __builtin_ia32_rdtsc() - start;
        if (sum.computed() == before)
            costs.push_back(cost);
        right = right && result == sum.compute(7);
    }
    sum.change();
    right = right && sum(7) == sum.compute(7);
    check.that(right, "what the function returned");
    check.that(costs.size() > rounds / 2, "calls were reused");
    return costs.empty() ? 0 : median(costs);
}

} // namespace

void tracked_hits(tap::Check& check)
{
    Sum small(small_bytes);
    Sum large(large_bytes);
    const uint64_t small_insns = cost_of_hit(small, check);
    const uint64_t large_insns = cost_of_hit(large, check);
    const uint64_t start = __builtin_ia32_rdtsc();
    const uint64_t sum = large.compute(9);
    const uint64_t compute = __builtin_ia32_rdtsc() - start;

    check.that(sum == large.compute(9), "computing");
    figure("tracked_hit_64k_insns", small_insns);
    figure("tracked_hit_insns", large_insns);
    figure("tracked_compute_insns", compute);
    remark("a function over 1 MiB: " + std::to_string(compute) + " instructions, a hit " +
           std::to_string(large_insns) + " (" + times(compute, large_insns) + "), over 64 KiB " +
           std::to_string(small_insns));
}

} // namespace sites
