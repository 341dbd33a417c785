// SPDX-License-Identifier: GPL-2.0
/// @file
/// What the tests of libkcr share: the emulated system, a clock that stands still, and owners.
#pragma once

#include "kcr.h"

#include "emul.h"
#include "system.h"

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <linux/kcr.h>
#include <memory>
#include <string>
#include <vector>

namespace kcr::tests
{

/// The clock that calls are timed with: it moves only if somebody moves it.
void advance_clock(std::uint64_t ticks);
/// Ticks that a system call takes by that clock.
void set_system_call_cost(std::uint64_t ticks);
/// Has mmap() of that offset fail with errno, until it is 0.
void fail_mmap(std::uint64_t offset, int error);

struct DomainDelete {
    void operator()(kcr_domain* domain) const
    {
        kcr_domain_destroy(domain);
    }
};
struct FunctionDelete {
    void operator()(kcr_function* function) const
    {
        kcr_function_destroy(function);
    }
};
using Domain = std::unique_ptr<kcr_domain, DomainDelete>;
using Function = std::unique_ptr<kcr_function, FunctionDelete>;
using Bytes = std::vector<std::uint8_t>;

Domain make_domain(std::uint64_t region_size = 1U << 20);

/// Options of a function of 16 bytes that is reused at once and never bypassed or audited.
kcr_function_options pure_options(const char* name = "test");

inline Function make_function(const Domain& domain, const kcr_function_options& options)
{
    return Function(kcr_function_create(domain.get(), &options));
}

kcr_function_stats stats_of(const Function& function);
kcr_domain_stats stats_of(const Domain& domain);

/// Calls @p function as a program does; true if the result was reused.
bool call(const Function& function, const Bytes& key, Bytes& result,
          const std::function<Bytes(const Bytes&)>& compute, std::uint64_t cost = 0);

/// A key of @p size bytes that says @p n.
Bytes key_of(std::uint64_t n, std::size_t size = 8);

/// A result of @p size bytes that depends on all of the key.
Bytes digest(const Bytes& key, std::size_t size = 8);

/// The emulated system for each test.
class LibTest : public testing::Test
{
protected:
    LibTest();
    ~LibTest() override;
    LibTest(const LibTest&) = delete;
    LibTest& operator=(const LibTest&) = delete;

    /// Calls @p function with that key, computing digest(); true if it was reused.
    /// Fails the test if the result is wrong.
    static bool ask(const Function& function, const Bytes& key, std::size_t result_size = 8,
                    std::uint64_t cost = 0);
};

} // namespace kcr::tests
