// SPDX-License-Identifier: GPL-2.0
/// @file
/// Random interleavings of everything that may happen, in threads that share the tiers. How many
/// is up to KCR_MODEL_OPERATIONS; three quarters of them see forced collisions.
#include "model.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

namespace kcr::native
{
namespace
{

constexpr unsigned kThreads = 2;
constexpr u64 kDefaultOperations = 2000000;

u64 operations()
{
    const char* wanted = std::getenv("KCR_MODEL_OPERATIONS");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : kDefaultOperations;
}

/// How many bits of a fingerprint are left, both of those that pick a bucket and of the tag.
unsigned bits_left;

u64 few_bits(const kcr_query* q)
{
    u64 hash = q->head ^ reinterpret_cast<std::uintptr_t>(q->owner);
    const unsigned words =
        q->size_class == KCR_CLASS_BLOB ? KCR_SIDE_MAX / 8 : kcr_class_words(q->size_class);
    for (unsigned i = 0; i < words; i++)
        hash = (hash ^ q->key[i]) * 0x9e3779b97f4a7c15;
    if (q->size_class == KCR_CLASS_BLOB)
        hash ^= xxh64(q->body, kcr_body_len(q), hash);
    hash >>= 64 - bits_left;
    return hash << 32 | hash << 56;
}

/// xorshift64*: good enough, and fast.
class Random
{
public:
    explicit Random(u64 seed) : state_(seed * 0x9e3779b97f4a7c15 | 1) {}
    u64 operator()()
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d >> 8;
    }

private:
    u64 state_;
};

class ModelTest : public testing::TestWithParam<unsigned>
{
protected:
    void SetUp() override
    {
        bits_left = GetParam();
        if (bits_left != 0)
            kcr_shim_fingerprint = few_bits;
    }
    void TearDown() override
    {
        kcr_shim_fingerprint = nullptr;
        kcr_shim_set_cpu(0);
    }
};

TEST_P(ModelTest, NeverGivesAWrongResult)
{
    const u64 steps = operations() / kThreads / 4;
    System system(2 * kThreads);
    const Bodies bodies;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; i++) {
        threads.emplace_back([&, i] {
            Model model(system, bodies, 2 * i, i == 0, Random(GetParam() * kThreads + i + 1));
            for (u64 step = 0; step < steps; step++)
                model.step();
            EXPECT_EQ(model.wrong(), 0U) << model.first();
            EXPECT_GT(model.hits(), steps / 1000); // few with 16 fingerprints for everything
        });
    }
    for (auto& thread : threads)
        thread.join();
}

INSTANTIATE_TEST_SUITE_P(FingerprintBits, ModelTest, testing::Values(0U, 12U, 8U, 4U),
                         testing::PrintToStringParamName());

} // namespace
} // namespace kcr::native
