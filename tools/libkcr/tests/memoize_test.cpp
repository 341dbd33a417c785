// SPDX-License-Identifier: GPL-2.0
// The C++ interface: what is a key, what is a result, and what passes through.
#include "support.hpp"

#include "kcr.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace kcr::tests
{

namespace
{

int computed = 0;

long square(int n)
{
    computed++;
    return static_cast<long>(n) * n;
}

long cube(int n) noexcept
{
    computed++;
    return static_cast<long>(n) * n * n;
}

struct Point {
    int x;
    int y;
};

struct Polar {
    double radius;
    double angle;
};

struct Name {
    std::string first;
    int* cache; ///< not part of what it is
};

enum class Colour : std::uint8_t { red, blue };

} // namespace

} // namespace kcr::tests

template <> inline constexpr bool kcr::no_padding<kcr::tests::Polar> = true;

template <> struct kcr::key_traits<kcr::tests::Name> {
    static const std::string& key(const tests::Name& name)
    {
        return name.first;
    }
};

namespace kcr::tests
{

namespace
{

class MemoizeTest : public LibTest
{
protected:
    MemoizeTest()
    {
        computed = 0;
        options_.in = &domain_;
        options_.pure = true;
        options_.always = true;
        options_.audit_interval = KCR_NO_AUDIT;
    }

    /// Calls @p again some times; how often it was computed, at most.
    template <typename Call> static int computes(Call again)
    {
        computed = 0;
        for (int i = 0; i < 20; i++)
            again();
        return computed;
    }

    domain domain_;
    options<> options_;
};

TEST_F(MemoizeTest, Functions)
{
    const auto f = memoize(square, options_);
    const auto g = memoize(&cube, options_);
    EXPECT_LE(computes([&] { EXPECT_EQ(f(7), 49); }), 2);
    EXPECT_LE(computes([&] { EXPECT_EQ(g(7), 343); }), 2);
    EXPECT_EQ(f.status(), 0);
    EXPECT_GT(f.stats().hits, 15U);
    EXPECT_EQ(f.flush(), 0);
    EXPECT_GE(computes([&] { EXPECT_EQ(f(7), 49); }), 1);
}

TEST_F(MemoizeTest, Lambdas)
{
    const auto f = memoize(
        [](Point p, Colour c) {
            computed++;
            return Point{p.y, c == Colour::red ? p.x : -p.x};
        },
        options_);
    EXPECT_LE(computes([&] { EXPECT_EQ(f({1, 2}, Colour::blue).y, -1); }), 2);
    EXPECT_EQ(f({1, 2}, Colour::red).y, 1);
    EXPECT_EQ(f({2, 1}, Colour::red).y, 2);
}

TEST_F(MemoizeTest, TwoLambdasOfOneTypeEach)
{
    const auto twice = memoize([](int n) { return n * 2; }, options_);
    const auto thrice = memoize([](int n) { return n * 3; }, options_);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(twice(5), 10);
        EXPECT_EQ(thrice(5), 15);
    }
}

TEST_F(MemoizeTest, Strings)
{
    const auto f = memoize(
        [](std::string_view a, const std::string& b) {
            computed++;
            return std::string(a) + "|" + b;
        },
        options_);
    EXPECT_LE(computes([&] { EXPECT_EQ(f("ab", "c"), "ab|c"); }), 2);
    // Where one ends and the other begins is part of the key
    EXPECT_EQ(f("a", "bc"), "a|bc");
    EXPECT_EQ(f("", "abc"), "|abc");
    EXPECT_EQ(f("ab", ""), "ab|");
    EXPECT_LE(computes([&] { EXPECT_EQ(f("", ""), "|"); }), 2);
}

TEST_F(MemoizeTest, Sequences)
{
    const auto sum = memoize(
        [](std::span<const int> numbers) {
            computed++;
            return std::accumulate(numbers.begin(), numbers.end(), 0L);
        },
        options_);
    const std::vector<int> numbers = {1, 2, 3};
    EXPECT_LE(computes([&] { EXPECT_EQ(sum(numbers), 6); }), 2);
    EXPECT_LE(computes([&] { EXPECT_EQ(sum({}), 0); }), 2);
    const auto sorted = memoize(
        [](std::vector<int> values) {
            computed++;
            std::sort(values.begin(), values.end());
            return values;
        },
        options_);
    EXPECT_LE(computes([&] { EXPECT_EQ(sorted({3, 1, 2}), numbers); }), 2);
    EXPECT_LE(computes([&] { EXPECT_TRUE(sorted({}).empty()); }), 2);
    // Longer than what is kept on the stack, and than what may be remembered
    const std::vector<int> many(200, 5);
    EXPECT_LE(computes([&] { EXPECT_EQ(sorted(many), many); }), 2);
    const std::vector<int> too_many(10000, 5);
    EXPECT_EQ(computes([&] { EXPECT_EQ(sorted(too_many), too_many); }), 20);
}

TEST_F(MemoizeTest, NoArguments)
{
    const auto f = memoize(
        [] {
            computed++;
            return 42;
        },
        options_);
    EXPECT_LE(computes([&] { EXPECT_EQ(f(), 42); }), 2);
}

TEST_F(MemoizeTest, FloatsAreTheirBytes)
{
    const auto sign = memoize(
        [](double x) {
            computed++;
            return std::signbit(x);
        },
        options_);
    for (int i = 0; i < 5; i++) {
        EXPECT_FALSE(sign(0.0));
        EXPECT_TRUE(sign(-0.0));
    }
    const auto norm = memoize([](Polar p) { return Polar{p.radius / 2, p.angle}; }, options_);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(norm({2.0, 1.0}).radius, 1.0);
}

TEST_F(MemoizeTest, RoundingIsPartOfTheKey)
{
    const auto third = memoize(
        [](double x) {
            volatile double y = x;
            return y / 3;
        },
        options_);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(third(1), 1.0 / 3);
    std::fesetround(FE_UPWARD);
    const double up = third(1);
    std::fesetround(FE_TONEAREST);
    EXPECT_GT(up, third(1));
}

TEST_F(MemoizeTest, KeysOfTheCallersOwn)
{
    const auto greet = memoize(
        [](const Name& name) {
            computed++;
            return "hello " + name.first;
        },
        options_);
    int one = 0;
    int two = 0;
    EXPECT_LE(computes([&] {
                  EXPECT_EQ(greet({"Ada", &one}), "hello Ada");
                  EXPECT_EQ(greet({"Ada", &two}), "hello Ada");
              }),
              2);
    EXPECT_EQ(greet({"Bob", &one}), "hello Bob");
}

TEST_F(MemoizeTest, KeyFunctions)
{
    const std::vector<int> table = {10, 20, 30};
    const auto f = memoize(
        [&table](const int* at) {
            computed++;
            return table[static_cast<std::size_t>(*at)];
        },
        with_key([&table](const int* at) { return std::tuple(*at, table); }, options_));
    int where = 1;
    EXPECT_LE(computes([&] { EXPECT_EQ(f(&where), 20); }), 2);
    where = 2;
    EXPECT_EQ(f(&where), 30);
    // A key that is gone when computing begins
    const auto g = memoize(
        [](const int* at) {
            computed++;
            return *at * 2;
        },
        with_key([](const int* at) { return std::string(200, static_cast<char>(*at)); }, options_));
    EXPECT_LE(computes([&] { EXPECT_EQ(g(&where), 4); }), 2);
}

TEST_F(MemoizeTest, OneOfSeveralSignatures)
{
    struct Overloaded {
        int operator()(int n) const
        {
            return n + 1;
        }
        std::string operator()(const std::string& s) const
        {
            return s + "1";
        }
    };
    const auto f = memoize<std::string(std::string)>(Overloaded(), options_);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(f("a"), "a1");
}

TEST_F(MemoizeTest, ExceptionsPassThroughAndNothingIsStored)
{
    const auto f = memoize(
        [](int n) {
            computed++;
            if (n < 0)
                throw std::invalid_argument("negative");
            return n;
        },
        options_);
    for (int i = 0; i < 5; i++)
        EXPECT_THROW(f(-1), std::invalid_argument);
    EXPECT_EQ(computed, 5);
    kcr_domain_stats stats = {.size = sizeof(stats)};
    kcr_domain_get_stats(domain_.get(), &stats);
    EXPECT_EQ(stats.entries, 0U);
    EXPECT_LE(computes([&] { EXPECT_EQ(f(1), 1); }), 2);
}

TEST_F(MemoizeTest, NamesAreForAllWhoShare)
{
    auto named = options_;
    named.name = "double";
    const auto one = memoize([](int n) { return n * 2; }, named);
    for (int i = 0; i < 3; i++)
        one(21);
    const domain other = domain::from_fd(domain_.share());
    ASSERT_EQ(other.status(), 0) << other.why();
    named.in = &other;
    const auto two = memoize([](int n) { return n + n; }, named);
    ASSERT_EQ(two.status(), 0) << two.why();
    two(21);
    EXPECT_EQ(two.stats().hits, 1U);
    // Another version, another type: others have not added those
    named.version = 2;
    EXPECT_EQ(memoize([](int n) { return n + n; }, named).status(), -ENOENT);
    named.version = 0;
    EXPECT_EQ(memoize([](unsigned n) { return n + n; }, named).status(), -ENOENT);
}

TEST_F(MemoizeTest, LearningIsTheDefault)
{
    options_.pure = false;
    options_.learn_target = 5;
    const auto f = memoize(square, options_);
    EXPECT_GE(computes([&] { EXPECT_EQ(f(3), 9); }), 6);
    EXPECT_EQ(f.stats().state, static_cast<std::uint32_t>(KCR_FUNCTION_REUSED));
    const auto impure = memoize([](int /*n*/) { return computed++; }, options_);
    computes([&] { impure(1); });
    EXPECT_EQ(impure.status(), -EBADMSG);
    EXPECT_STRNE(impure.why(), "");
}

TEST_F(MemoizeTest, Threads)
{
    const auto f =
        memoize([](int n, std::string_view text) { return std::string(text) + std::to_string(n); },
                options_);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&, g = f] {
            for (int n = 0; n < 3000; n++)
                wrong += g(n % 50, "number ") != "number " + std::to_string(n % 50);
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(f.stats().hits, 10000U);
}

TEST_F(MemoizeTest, TheProcessHasADomain)
{
    const auto f = memoize(square);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(f(4), 16);
    EXPECT_EQ(domain::process().status(), 0) << domain::process().why();
}

} // namespace

} // namespace kcr::tests
