// SPDX-License-Identifier: GPL-2.0
/// @file
/// Fuzzes operations on small tiers against the model: each four bytes of input are one, the first
/// byte of all says how many fingerprints there are.
#include "../model.hpp"

#include <cstdlib>
#include <cstring>

using namespace kcr::native;

namespace
{

constexpr u32 kL2Slots = 16;
constexpr u32 kL3Slots = 64;
constexpr long kBudget = 16 << 10;

u32 fingerprints;

u64 few_fingerprints(const kcr_query* q)
{
    const u64 hash = (q->head >> KCR_HEAD_BODY_SHIFT ^ q->key[0]) * 0x9e3779b97f4a7c15 >> 32;
    const u64 few = hash % fingerprints;
    return few << 32 | few << 57;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    static const Bodies bodies;
    static System system(2, kL2Slots, kL3Slots, kBudget);

    if (size == 0)
        return 0;
    fingerprints = input[0];
    kcr_shim_fingerprint = fingerprints != 0 ? few_fingerprints : nullptr;
    std::size_t at = 1;
    {
        Model model(system, bodies, 0, true, [&] {
            std::uint32_t number = 0;
            std::memcpy(&number, input + at, sizeof(number));
            at += sizeof(number);
            return u64{number};
        });
        while (at + sizeof(std::uint32_t) <= size)
            model.step();
        if (model.wrong() != 0)
            std::abort();
    }
    kcr_sweep(KCR_ANY_STAMP);
    kcr_shim_quiesce();
    return 0;
}
