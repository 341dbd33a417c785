// SPDX-License-Identifier: GPL-2.0
// Threads, and signal handlers that interrupt whatever there is.
#include "support.hpp"

#include <atomic>
#include <csignal>
#include <cstring>
#include <sys/time.h>
#include <thread>

namespace kcr::tests
{

namespace
{

class ThreadsTest : public LibTest
{
protected:
    /// Runs @p body in @p count threads.
    template <typename Body> static void in_threads(unsigned count, Body body)
    {
        std::vector<std::thread> threads;
        threads.reserve(count);
        for (unsigned i = 0; i < count; i++)
            threads.emplace_back([&, i] { body(i); });
        for (auto& thread : threads)
            thread.join();
    }

    Domain domain_ = make_domain(256U << 10);
};

/// Every result says which key it is of: a torn or foreign one is noticed.
TEST_F(ThreadsTest, NoResultIsAnothers)
{
    for (const std::size_t size : {16, 32, 80, 500}) {
        auto options = pure_options();
        options.key_max = static_cast<std::uint32_t>(size);
        options.result_max = static_cast<std::uint32_t>(size);
        options.audit_interval = 50;
        const auto function = make_function(domain_, options);
        std::atomic<int> wrong{0};
        in_threads(4, [&](unsigned thread) {
            Bytes result;
            for (std::uint64_t n = 0; n < 5000; n++) {
                const auto key = key_of((n * 7 + thread) % 2000, size);
                result.assign(size, 0);
                call(function, key, result, [&](const Bytes& k) { return digest(k, size); });
                wrong += result != digest(key, size);
            }
        });
        EXPECT_EQ(wrong, 0) << size;
        EXPECT_EQ(kcr_function_status(function.get(), nullptr), 0);
    }
}

TEST_F(ThreadsTest, FlushesMeanwhile)
{
    const auto function = make_function(domain_, pure_options());
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> version{1};
    std::atomic<int> wrong{0};
    std::thread flusher([&] {
        while (!stop) {
            version++;
            kcr_function_flush(function.get(), 0);
        }
    });
    in_threads(2, [&](unsigned) {
        for (int n = 0; n < 20000; n++) {
            const auto key = key_of(n % 10);
            Bytes result(8);
            const std::uint64_t least = version - 1;
            call(function, key, result, [&](const Bytes& /*key*/) { return key_of(version); });
            std::uint64_t answer = 0;
            std::memcpy(&answer, result.data(), 8);
            // Between the owner's change and its flush, the old one may still be used
            wrong += answer < least;
        }
    });
    stop = true;
    flusher.join();
    EXPECT_EQ(wrong, 0);
}

TEST_F(ThreadsTest, ManyMoreThreadsThanLines)
{
    const auto function = make_function(domain_, pure_options());
    std::atomic<int> wrong{0};
    in_threads(40, [&](unsigned thread) {
        Bytes result;
        for (int n = 0; n < 300; n++) {
            const auto key = key_of(thread + n % 20);
            result.assign(8, 0);
            call(function, key, result, [](const Bytes& k) { return digest(k); });
            wrong += result != digest(key);
        }
    });
    EXPECT_EQ(wrong, 0);
}

TEST_F(ThreadsTest, FunctionsComeAndGo)
{
    in_threads(4, [&](unsigned thread) {
        for (int i = 0; i < 50; i++) {
            const auto options = pure_options();
            const Function function(kcr_function_create(domain_.get(), &options));
            Bytes result(8);
            call(function, key_of(thread), result, [](const Bytes& k) { return digest(k); });
        }
    });
    EXPECT_EQ(stats_of(domain_).functions, 1U);
}

kcr_function* handler_function = nullptr;
std::atomic<int> handler_wrong{0};
std::atomic<int> handler_calls{0};

/// Looks up and stores, whatever was interrupted.
void on_signal(int /*signal*/)
{
    static std::uint64_t n = 0;
    const std::uint64_t key = n++ % 100;
    std::uint64_t result = 0;
    std::size_t len = 0;
    kcr_ticket ticket;
    if (kcr_begin(handler_function, &key, sizeof(key), &result, sizeof(result), &len, &ticket) ==
        KCR_HIT)
        handler_wrong += result != key * 3;
    handler_calls++;
}

TEST_F(ThreadsTest, SignalHandlersMayCall)
{
    auto options = pure_options();
    options.flags = KCR_PURE;
    options.audit_interval = 3;
    const auto function = make_function(domain_, options);
    const auto triple = [](const Bytes& key) {
        std::uint64_t n = 0;
        std::memcpy(&n, key.data(), 8);
        return key_of(n * 3);
    };
    handler_function = function.get();
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ASSERT_EQ(sigaction(SIGALRM, &action, nullptr), 0);
    const itimerval often = {.it_interval = {0, 200}, .it_value = {0, 200}};
    setitimer(ITIMER_REAL, &often, nullptr);
    int wrong = 0;
    Bytes result(8);
    for (std::uint64_t n = 0; handler_calls < 200 || n < 20000; n++) {
        const auto key = key_of(n % 100);
        result.resize(8);
        call(function, key, result, triple);
        wrong += result != triple(key);
    }
    const itimerval never = {};
    setitimer(ITIMER_REAL, &never, nullptr);
    signal(SIGALRM, SIG_IGN); // the last one may still be on its way
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(handler_wrong, 0);
    EXPECT_EQ(kcr_function_status(function.get(), nullptr), 0);
}

} // namespace

} // namespace kcr::tests
