// SPDX-License-Identifier: GPL-2.0
// Gates: what is behind them when there is no result, on an emulation that never has one. What a
// call stores is compared by storing it twice: the second one is equal.
#include "support.hpp"

#include "kcr_gate.h"

#include <array>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <execinfo.h>
#include <linux/kcr_track.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace kcr::tests
{

namespace
{

extern "C" {
std::uint64_t gate_six(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                       std::uint64_t e, std::uint64_t f)
{
    errno = 77;
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

struct Two {
    std::uint64_t a;
    std::uint64_t b;
};
Two gate_two(std::uint64_t a)
{
    return {a, ~a};
}

std::uint64_t gate_sum(const std::uint8_t* bytes, std::uint64_t length)
{
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum;
}

/// Reads it after it has changed it: the key is of what was there before.
std::uint64_t gate_scribbles(std::uint8_t* bytes)
{
    return bytes[0]++;
}

std::uint64_t gate_text(const char* text)
{
    return text != nullptr ? std::strlen(text) : 0;
}

void gate_fill(std::uint8_t* bytes, std::uint64_t length, std::uint8_t value)
{
    std::memset(bytes, value, length);
}

std::uint64_t gate_copy(std::uint8_t* to, const std::uint8_t* from)
{
    std::memmove(to, from, 16);
    return 1;
}

/// Leaves what is above the result's bits as it happens to be.
std::uint64_t gate_dirty(std::uint64_t a)
{
    static std::uint64_t dirt;
    return (++dirt << 32) + static_cast<std::uint32_t>(a);
}
}

template <typename F> kcr_code code_of(F* function)
{
    return reinterpret_cast<kcr_code>(function);
}

class GateTest : public LibTest
{
protected:
    /// A gate to @p function, of its type.
    template <typename F> F* gate(F* function, const char* signature, const char* name = "gate")
    {
        auto options = pure_options(name);
        int status = -1;
        const char* why = nullptr;
        const auto found =
            kcr_gate_function(gates_, code_of(function), signature, &options, &status, &why);
        EXPECT_EQ(status, 0) << why;
        EXPECT_NE(found, code_of(function));
        return reinterpret_cast<F*>(found);
    }

    std::string refusal(const char* signature, int expected)
    {
        auto options = pure_options();
        int status = 0;
        const char* why = nullptr;
        const auto found =
            kcr_gate_function(gates_, code_of(gate_six), signature, &options, &status, &why);
        EXPECT_EQ(status, expected) << signature;
        EXPECT_EQ(found, code_of(gate_six));
        return why;
    }

    Domain domain_ = make_domain();
    kcr_gates* gates_ = kcr_gates_open(domain_.get());
};

TEST_F(GateTest, RegistersArriveAndReturn)
{
    ASSERT_EQ(kcr_gates_status(gates_, nullptr), 0);
    auto* six = gate(gate_six, "(u64,u64,u64,u64,u64,u64)->u64");
    errno = 5;
    EXPECT_EQ(six(1, 2, 3, 4, 5, 6), 91U);
    EXPECT_EQ(errno, 77); // as the function left it
    EXPECT_EQ(stats_of(domain_).stored, 1U);
    EXPECT_EQ(six(1, 2, 3, 4, 5, 6), 91U);
    EXPECT_EQ(stats_of(domain_).equal, 1U);
    EXPECT_EQ(six(1, 2, 3, 4, 5, 7), 97U);
    EXPECT_EQ(stats_of(domain_).stored, 2U);
    auto* two = gate(gate_two, "(u64)->struct{u64,u64}");
    EXPECT_EQ(two(7).b, ~std::uint64_t{7});
    EXPECT_EQ(two(7).a, 7U);
    EXPECT_EQ(stats_of(domain_).equal, 2U);
}

TEST_F(GateTest, OnlyBitsOfTheResultCount)
{
    auto* dirty = gate(gate_dirty, "(u64)->u32");
    EXPECT_EQ(static_cast<std::uint32_t>(dirty(3)), 3U);
    EXPECT_EQ(static_cast<std::uint32_t>(dirty(3)), 3U);
    EXPECT_EQ(stats_of(domain_).equal, 1U);
    EXPECT_EQ(stats_of(domain_).rejected, 0U);
}

TEST_F(GateTest, MemoryIsReadBeforeTheCall)
{
    auto* sum = gate(gate_sum, "(ptr[len=arg1],u64)->u64", "sum");
    std::array<std::uint8_t, 300> bytes = {1, 2, 3};
    EXPECT_EQ(sum(bytes.data(), bytes.size()), 6U);
    EXPECT_EQ(stats_of(domain_).stored, 1U);
    const auto copy = bytes;
    EXPECT_EQ(sum(copy.data(), copy.size()), 6U); // wherever it is
    EXPECT_EQ(stats_of(domain_).equal, 1U);
    bytes[200] = 1;
    EXPECT_EQ(sum(bytes.data(), bytes.size()), 7U);
    EXPECT_EQ(stats_of(domain_).stored, 2U);
    auto* scribbles = gate(gate_scribbles, "(ptr[1])->u64", "scribbles");
    EXPECT_EQ(scribbles(bytes.data()), 1U);
    EXPECT_EQ(scribbles(bytes.data()), 2U);
    bytes[0] = 1;
    EXPECT_EQ(scribbles(bytes.data()), 1U);
    EXPECT_EQ(stats_of(domain_).equal, 2U);
    EXPECT_EQ(stats_of(domain_).rejected, 0U);
}

TEST_F(GateTest, StringsEndWhereTheyEnd)
{
    auto* text = gate(gate_text, "(cstr[16])->u64");
    std::array<char, 32> one = {'a', 'b', '\0', 'x'};
    std::array<char, 32> other = {'a', 'b', '\0', 'y'};
    EXPECT_EQ(text(one.data()), 2U);
    EXPECT_EQ(text(other.data()), 2U);
    EXPECT_EQ(stats_of(domain_).stored, 1U);
    EXPECT_EQ(stats_of(domain_).equal, 1U);
    one.fill('z');
    one[15] = '\0';
    EXPECT_EQ(text(one.data()), 15U);
    EXPECT_EQ(stats_of(domain_).stored, 2U);
    one[15] = 'z';
    one[16] = '\0';
    EXPECT_EQ(text(one.data()), 16U); // longer than said
    EXPECT_EQ(stats_of(domain_).stored, 2U);
    EXPECT_EQ(text(nullptr), 0U);
    EXPECT_EQ(stats_of(domain_).stored, 2U);
}

TEST_F(GateTest, WhatIsWrittenIsStored)
{
    auto* fill = gate(gate_fill, "(out[len=arg1],u64,u8)->void");
    std::array<std::uint8_t, 300> bytes{};
    fill(bytes.data(), 16, 3);
    fill(bytes.data(), 16, 3);
    EXPECT_EQ(bytes[15], 3);
    EXPECT_EQ(bytes[16], 0);
    EXPECT_EQ(stats_of(domain_).stored, 1U);
    EXPECT_EQ(stats_of(domain_).equal, 1U);
    fill(bytes.data(), 300, 4); // more than a gate takes
    EXPECT_EQ(bytes[299], 4);
    EXPECT_EQ(stats_of(domain_).stored, 1U);
}

TEST_F(GateTest, WhatOverlapsIsNotStored)
{
    auto* copy = gate(gate_copy, "(out[16],ptr[16])->u64");
    std::array<std::uint8_t, 64> bytes{};
    EXPECT_EQ(copy(bytes.data(), bytes.data() + 15), 1U);
    EXPECT_EQ(copy(bytes.data() + 15, bytes.data()), 1U);
    EXPECT_EQ(stats_of(domain_).stored, 0U);
    EXPECT_EQ(copy(bytes.data(), bytes.data() + 16), 1U);
    EXPECT_EQ(stats_of(domain_).stored, 1U);
}

/// What is behind a wrong pointer is the function's affair.
TEST_F(GateTest, AWrongPointerIsTheFunctions)
{
    auto* sum = gate(gate_sum, "(ptr[len=arg1],u64)->u64");
    EXPECT_EXIT(sum(reinterpret_cast<const std::uint8_t*>(16), 8), testing::KilledBySignal(SIGSEGV),
                "");
    EXPECT_EQ(sum(reinterpret_cast<const std::uint8_t*>(16), 0), 0U);
}

std::uint64_t throws(std::uint64_t a)
{
    if (a == 1)
        throw std::runtime_error("one");
    return a;
}

TEST_F(GateTest, ExceptionsPass)
{
    auto* gated = gate(throws, "(u64)->u64");
    for (int i = 0; i < 3; i++) {
        EXPECT_THROW(gated(1), std::runtime_error);
        EXPECT_EQ(gated(2), 2U);
    }
    EXPECT_EQ(stats_of(domain_).stored, 1U);
}

std::jmp_buf jump;
std::uint64_t jumps(std::uint64_t a)
{
    if (a == 1)
        std::longjmp(jump, 1); // NOLINT(cert-err52-cpp)
    return a;
}

bool jumped_out_of(std::uint64_t (*function)(std::uint64_t))
{
    if (setjmp(jump) != 0) // NOLINT(cert-err52-cpp)
        return true;
    function(1);
    return false;
}

TEST_F(GateTest, LongjmpPasses)
{
    auto* gated = gate(jumps, "(u64)->u64");
    for (int i = 0; i < 3; i++) {
        EXPECT_TRUE(jumped_out_of(gated));
        EXPECT_EQ(gated(2), 2U);
    }
    EXPECT_EQ(stats_of(domain_).stored, 1U);
}

void* outermost;
std::uint64_t traces(std::uint64_t a)
{
    std::array<void*, 64> frames{};
    const int depth = backtrace(frames.data(), frames.size());
    for (int i = 0; i < depth; i++) {
        const auto at = reinterpret_cast<std::uintptr_t>(frames.at(i));
        const auto main = reinterpret_cast<std::uintptr_t>(outermost);
        if (at > main && at < main + 4096)
            return a;
    }
    return 0;
}

__attribute__((noinline)) std::uint64_t traced_call(std::uint64_t (*function)(std::uint64_t))
{
    return function(9) + 1;
}

TEST_F(GateTest, BacktracesGoOnToTheCaller)
{
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "backtrace() does not get that far in instrumented code";
#endif
#endif
    outermost = reinterpret_cast<void*>(traced_call);
    EXPECT_EQ(traced_call(traces), 10U);
    EXPECT_EQ(traced_call(gate(traces, "(u64)->u64")), 10U);
}

std::uint64_t (*fibonacci_gate)(std::uint64_t);
std::uint64_t fibonacci(std::uint64_t n)
{
    return n < 2 ? n : fibonacci_gate(n - 1) + fibonacci_gate(n - 2);
}

TEST_F(GateTest, Recursion)
{
    fibonacci_gate = gate(fibonacci, "(u64)->u64");
    EXPECT_EQ(fibonacci_gate(12), 144U);
    EXPECT_EQ(stats_of(domain_).rejected, 0U);
}

TEST_F(GateTest, Threads)
{
    auto* six = gate(gate_six, "(u64,u64,u64,u64,u64,u64)->u64");
    std::vector<std::thread> threads;
    std::array<std::uint64_t, 4> wrong{};
    for (std::size_t t = 0; t < wrong.size(); t++) {
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; i < 500; i++)
                wrong.at(t) += six(t, i, 0, 0, 0, 1) == t + 2 * i + 6 ? 0 : 1;
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, (std::array<std::uint64_t, 4>{}));
}

pid_t forked;
std::uint64_t forks(std::uint64_t a)
{
    forked = fork();
    return a + 1;
}

TEST_F(GateTest, AForkInTheFunction)
{
    auto* gated = gate(forks, "(u64)->u64");
    const auto result = gated(1);
    if (forked == 0)
        _exit(result == 2 ? 0 : 1);
    EXPECT_EQ(result, 2U);
    int status = -1;
    ASSERT_EQ(waitpid(forked, &status, 0), forked);
    EXPECT_EQ(status, 0);
}

TEST_F(GateTest, InASandboxItIsCalled)
{
    auto* six = gate(gate_six, "(u64,u64,u64,u64,u64,u64)->u64");
    kcr_stop_storing(domain_.get());
    const auto calls = kcr_emul_calls();
    EXPECT_EQ(six(1, 2, 3, 4, 5, 6), 91U);
    EXPECT_EQ(kcr_emul_calls(), calls);
    kcr_gates_stats stats = {.size = sizeof(stats)};
    EXPECT_EQ(kcr_gates_get_stats(gates_, &stats), -EPERM);
}

TEST_F(GateTest, WithoutGatesItIsTheFunction)
{
    for (const int error : {ENOTTY, EOPNOTSUPP, EACCES, ENOMEM}) {
        kcr_emul_fail(KCR_IOC_GATE, error);
        auto* gates = kcr_gates_open(domain_.get());
        const char* why = nullptr;
        EXPECT_EQ(kcr_gates_status(gates, &why), -error);
        EXPECT_STRNE(why, "");
        int status = 0;
        auto options = pure_options();
        EXPECT_EQ(kcr_gate_function(gates, code_of(gate_two), "(u64)->struct{u64,u64}", &options,
                                    &status, &why),
                  code_of(gate_two));
        EXPECT_EQ(status, -error);
        EXPECT_STRNE(why, "");
    }
    EXPECT_EQ(kcr_gates_status(nullptr, nullptr), -EBADF);
    EXPECT_EQ(
        kcr_gate_function(nullptr, code_of(gate_two), "(u64)->u64", nullptr, nullptr, nullptr),
        code_of(gate_two));
}

TEST_F(GateTest, AsManyAsThereAre)
{
    for (int i = 0; i < KCR_GATE_SLOTS; i++)
        gate(gate_six, "(u64,u64,u64,u64,u64,u64)->u64");
    EXPECT_EQ(refusal("(u64)->u64", -ENOSPC), "there are as many gates as there can be");
}

TEST_F(GateTest, WhatNoGateCanHave)
{
    EXPECT_EQ(refusal("(f64)->u64", -EOPNOTSUPP), "a gate takes and returns no floating point");
    EXPECT_EQ(refusal("(u64)->double", -EOPNOTSUPP), "a gate takes and returns no floating point");
    EXPECT_EQ(refusal("(long double)->u64", -EOPNOTSUPP), "a gate takes no floating point");
    EXPECT_EQ(refusal("(u64,u64,u64,u64,u64,u64,u64)->u64", -EOPNOTSUPP),
              "a gate takes no arguments on the stack: at most six");
    EXPECT_EQ(refusal("(cstr,...)->u64", -EOPNOTSUPP), "a gate takes no variable arguments");
    EXPECT_EQ(refusal("(u64)->cstr", -EOPNOTSUPP),
              "a pointer that is returned says nothing later on");
    EXPECT_EQ(refusal("(u64)->struct{u64,u64,u8}", -EOPNOTSUPP), "a gate returns at most 16 bytes");
    EXPECT_EQ(refusal("(both[8])->u64", -EOPNOTSUPP),
              "memory behind a gate is read or written, not both");
    EXPECT_EQ(refusal("(ptr[8],ptr[8],ptr[8],ptr[8],ptr[8])->u64", -EOPNOTSUPP),
              "a gate has at most four arguments that are memory");
    EXPECT_EQ(refusal("(ptr[500],u64)->u64", -E2BIG),
              "what is read or written is more than a gate takes");
    EXPECT_NE(refusal("(ptr[513])->u64", -E2BIG), "");
    EXPECT_NE(refusal("(out[248])->u64", -E2BIG), "");
}

TEST_F(GateTest, NonsenseIsRefused)
{
    for (const auto* signature :
         {"", "u64", "(u64", "(u64)", "(u64)->", "(u64)->u64 x", "(u65)->u64", "(ptr)->u64",
          "(ptr[])->u64", "(ptr[len=arg1])->u64", "(ptr[len=arg0])->u64",
          "(ptr[len=arg6],u64)->u64", "(ptr[len=arg1*],u64)->u64", "(cstr[len=arg1],u64)->u64",
          "(u64)->void", "(u64,)->u64", "(u64)->struct{u64", "(u64)->struct u64", "(ptr[8)->u64"})
        EXPECT_NE(refusal(signature, -EINVAL), "") << signature;
    EXPECT_NE(refusal(nullptr, -EINVAL), "");
    gate(gate_six,
         " ( u64 , ptr [ 8 ] ,\n cstr[ 9 ],id, ptr[len = arg0 * 2], bool ) -> struct { u8 ,"
         " u32 } ");
}

} // namespace

} // namespace kcr::tests
