// SPDX-License-Identifier: GPL-2.0
/* Functions called through libkcr's gates, on a kernel that has them. */
#include <kcr.h>
#include <kcr_gate.h>

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

constexpr int inputs = 50;
constexpr int rounds = 4;

struct Delete {
    void operator()(kcr_domain* domain) const
    {
        kcr_domain_destroy(domain);
    }
};

uint64_t digest_computed;

/* Dear enough to be worth it */
__attribute__((noinline)) uint64_t digest(const uint8_t* bytes, size_t len)
{
    uint64_t sum = 14695981039346656037ULL;

    digest_computed++;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < len; i++)
            sum = (sum ^ bytes[i]) * 1099511628211ULL;
    }
    return sum;
}

uint64_t (*fibonacci_gate)(uint64_t);

__attribute__((noinline)) uint64_t fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci_gate(n - 1) + fibonacci_gate(n - 2);
}

__attribute__((noinline)) uint64_t picky(uint64_t n)
{
    if (n % 3 == 0)
        throw std::out_of_range("a multiple of three");
    return n * n;
}

template <typename F>
F* gate(kcr_gates* gates, F* function, const char* name, const char* signature)
{
    kcr_function_options options{};
    const char* why = nullptr;
    int status = 0;

    options.size = sizeof(options);
    options.name = name;
    options.flags = KCR_PURE;
    const kcr_code code = kcr_gate_function(gates, reinterpret_cast<kcr_code>(function), signature,
                                            &options, &status, &why);
    if (status != 0)
        throw std::runtime_error(std::string(name) + ": " + why);
    return reinterpret_cast<F*>(code);
}

void call_digests(kcr_gates* gates, tap::Check& check)
{
    auto* const gated = gate(gates, digest, "digest", "(ptr[len=arg1],u64)->u64");
    std::vector<uint64_t> hits;
    std::vector<uint64_t> computed;
    bool right = true;

    for (int i = 0; i < inputs * rounds; i++) {
        std::array<uint8_t, 64> bytes{};
        bytes[0] = static_cast<uint8_t>(i % inputs);
        const uint64_t before = digest_computed;
        const uint64_t start = __builtin_ia32_rdtsc();
        const uint64_t result = gated(bytes.data(), bytes.size());
        const uint64_t cost = __builtin_ia32_rdtsc() - start;
        (digest_computed == before ? hits : computed).push_back(cost);
        right = right && result == digest(bytes.data(), bytes.size());
    }
    check.that(right, "what digests are");
    check.that(hits.size() > inputs, "digests were reused");
    if (hits.empty() || computed.empty())
        return;
    figure("gate_memory_hit_insns", median(hits));
    figure("gate_memory_compute_insns", median(computed));
}

/* Calls within calls: each of them goes through the gate */
void call_fibonacci(kcr_gates* gates, tap::Check& check)
{
    fibonacci_gate = gate(gates, fibonacci, "fibonacci", "(u64)->u64");
    check.that(fibonacci_gate(60) == 1548008755920ULL, "the 60th Fibonacci number");
}

void call_picky(kcr_gates* gates, tap::Check& check)
{
    auto* const gated = gate(gates, picky, "picky", "(u64)->u64");
    int thrown = 0;
    bool right = true;

    for (uint64_t i = 0; i < 3ULL * inputs; i++) {
        const uint64_t n = i % 30;
        try {
            right = right && gated(n) == n * n;
        } catch (const std::out_of_range&) {
            thrown++;
        }
    }
    check.that(right, "squares");
    check.that(thrown == inputs, "exceptions pass the gate each time");
}

} // namespace

void library_gates(tap::Check& check)
{
    const std::unique_ptr<kcr_domain, Delete> domain(kcr_domain_create(nullptr));
    kcr_gates* const gates = kcr_gates_open(domain.get());
    const char* why = nullptr;

    if (kcr_gates_status(gates, &why) != 0)
        throw tap::Skip(why);
    call_digests(gates, check);
    call_fibonacci(gates, check);
    call_picky(gates, check);
    kcr_gates_stats stats{};
    stats.size = sizeof(stats);
    check.that(kcr_gates_get_stats(gates, &stats) == 0 && stats.hits > inputs && stats.misses > 0,
               "statistics");
    remark("calls through gates: " + std::to_string(stats.hits) + " remembered, " +
           std::to_string(stats.misses) + " computed");
}

} // namespace sites
