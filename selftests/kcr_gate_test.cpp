// SPDX-License-Identifier: GPL-2.0
/*
 * Gates: what a call returns and writes is what the function would have, and it
 * is not computed where a result is remembered.
 */
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "data.hpp"
#include "gate.hpp"

using gate::Gate;
using tap::Check;

namespace
{

/* Calls of a function that computes; a key's slot may be another's at first */
constexpr int attempts = 8;

uint64_t computed;

uint64_t mix(uint64_t value)
{
    computed++;
    for (int i = 0; i < 20; i++) {
        value ^= value >> 29;
        value *= 0xbf58476d1ce4e5b9U;
    }
    return value;
}

/** Whether one of several equal calls was not computed. */
bool hits(const std::function<void()>& call)
{
    for (int i = 0; i < attempts; i++) {
        const auto before = computed;
        call();
        if (computed == before)
            return true;
    }
    return false;
}

/** Two pages, of which the second one is not there. */
class Edge
{
public:
    Edge()
        : at_(static_cast<uint8_t*>(
              mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
    {
        if (at_ == MAP_FAILED)
            domain::fail("mmap");
        /* Not a hole, which something else would be mapped into */
        mprotect(at_ + 4096, 4096, PROT_NONE);
    }
    ~Edge()
    {
        munmap(at_, 8192);
    }
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    uint8_t* end() const
    {
        return at_ + 4096;
    }

private:
    uint8_t* at_;
};

uint64_t none()
{
    return mix(1);
}
uint64_t one(uint64_t a)
{
    return mix(a);
}
uint64_t six(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    return mix(a + 3 * b + 5 * c + 7 * d + 11 * e + 13 * f);
}
struct Two {
    uint64_t a;
    uint64_t b;
};
Two two(uint64_t a, uint64_t b)
{
    return {mix(a), mix(b)};
}
__attribute__((noinline)) uint64_t sum(const uint8_t* bytes, uint64_t length)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < length; i++)
        total = mix(total + bytes[i]);
    return length ? total : mix(0);
}
uint64_t text_hash(const char* text)
{
    uint64_t total = mix(0);
    for (; *text; text++)
        total = total * 31 + static_cast<uint8_t>(*text);
    return total;
}
uint64_t fill(uint8_t* to, uint64_t length, uint64_t seed)
{
    mix(seed);
    for (uint64_t i = 0; i < length; i++)
        to[i] = static_cast<uint8_t>(seed + i);
    return length;
}
uint64_t swap_words(const uint8_t* from, uint64_t words, uint8_t* to)
{
    mix(words);
    for (uint64_t i = 0; i < words; i++)
        std::memcpy(to + 8 * i, from + 8 * (words - 1 - i), 8);
    return words;
}

void test_registers(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gate_none = gate.add(none, 0);
    auto* gate_one = gate.add(one, 1);
    auto* gate_six = gate.add(six, 6);
    auto* gate_two = gate.add(two, 2);
    uint64_t random = 1;

    check.that(gate_none() == none(), "none");
    check.that(hits([&] { gate_none(); }), "none: no hit");
    for (int i = 0; i < 300; i++) {
        uint64_t a[6];
        for (uint64_t& value : a)
            value = random = random * 6364136223846793005U + (i % 7 ? 1442695040888963407U : 0);
        const uint64_t want = six(a[0], a[1], a[2], a[3], a[4], a[5]);
        const Two pair = two(a[0], a[1]);
        for (int again = 0; again < 3; again++) {
            check.that(gate_one(a[0]) == one(a[0]), "one");
            check.that(gate_six(a[0], a[1], a[2], a[3], a[4], a[5]) == want, "six");
            const Two got = gate_two(a[0], a[1]);
            check.that(got.a == pair.a && got.b == pair.b, "two");
        }
    }
    check.that(hits([&] { gate_six(1, 2, 3, 4, 5, 6); }), "six: no hit");
    check.that(hits([&] { gate_two(1, 2); }), "two: no hit");
    check.that(gate_six(1, 2, 3, 4, 6, 5) == six(1, 2, 3, 4, 6, 5), "an argument's place counts");
    const auto info = gate.info();
    check.that(info.hits > 0 && info.misses > 0, "hits and misses are counted");
}

void test_errno(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(one, 1);

    check.that(hits([&] {
                   errno = 33;
                   gated(5);
                   check.that(errno == 33, "errno changed");
               }),
               "no hit");
}

void test_input(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(sum, 2, {gate::in_times(0, 1)});
    const Edge edge;

    for (const uint64_t length : {0, 1, 7, 8, 9, 64, 300, 496}) {
        std::vector<uint8_t> bytes(length + 1, 7);
        check.that(hits([&] { gated(bytes.data(), length); }), "no hit");
        std::vector<uint8_t> copy = bytes;
        check.that(hits([&] { gated(copy.data(), length); }), "no hit at another address");
        if (!length)
            continue;
        for (const uint64_t at : {uint64_t{0}, length / 2, length - 1}) {
            copy[at] ^= 1;
            check.that(gated(copy.data(), length) == sum(copy.data(), length),
                       "a byte does not count: " + std::to_string(at));
            copy[at] ^= 1;
        }
        copy[length] ^= 1;
        check.that(gated(copy.data(), length) == sum(copy.data(), length), "beyond the end");
        /* As far as there is memory */
        std::memcpy(edge.end() - length, bytes.data(), length);
        check.that(gated(edge.end() - length, length) == sum(bytes.data(), length), "at the edge");
    }
    std::vector<uint8_t> large(5000, 3);
    check.that(!hits([&] { gated(large.data(), large.size()); }), "a hit of too long a key");
    check.that(gated(large.data(), large.size()) == sum(large.data(), large.size()), "too long");
}

void test_input_not_present(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(sum, 2, {gate::in_times(0, 1)});
    auto* fresh = static_cast<uint8_t*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const std::vector<uint8_t> zeroes(64);

    check.that(hits([&] { gated(zeroes.data(), 64); }), "no hit");
    /* The kernel looks at memory that no page is in yet */
    for (int i = 0; i < 10; i++) {
        check.that(gated(fresh, 64) == sum(zeroes.data(), 64), "not present");
        madvise(fresh, 4096, MADV_DONTNEED);
    }
    munmap(fresh, 4096);
}

void test_text(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(text_hash, 1, {gate::text(0, 32)});
    const Edge edge;

    for (const size_t length : {0, 1, 7, 8, 30, 31}) {
        const std::string text(length, 'x');
        check.that(hits([&] { gated(text.c_str()); }), "no hit: " + std::to_string(length));
        auto* at = reinterpret_cast<char*>(edge.end() - length - 1);
        std::memcpy(at, text.c_str(), length + 1);
        check.that(gated(at) == text_hash(at), "at the edge");
        check.that(hits([&] { gated(at); }), "no hit at the edge");
    }
    for (const size_t length : {32, 33, 100}) {
        const std::string text(length, 'x');
        check.that(gated(text.c_str()) == text_hash(text.c_str()), "too long");
    }
    char other[] = "ab\0c";
    check.that(gated(other) == text_hash(other), "ends where it ends");
    other[3] = 'd';
    check.that(hits([&] { gated(other); }), "what is behind the end counts");
}

void test_output(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(fill, 3, {gate::out_times(0, 1)});
    auto* swapped = gate.add(swap_words, 3, {gate::in_times(0, 1, 8), gate::out_times(2, 1, 8)});
    const Edge edge;
    std::vector<uint8_t> want(300);

    for (const uint64_t length : {0, 1, 7, 8, 100, 240}) {
        fill(want.data(), length, length);
        for (int i = 0; i < 6; i++) {
            std::vector<uint8_t> got(300, 0xee);
            check.that(gated(got.data(), length, length) == length, "result");
            check.that(
                std::equal(got.begin(), got.begin() + static_cast<long>(length), want.begin()),
                "output of " + std::to_string(length));
            check.that(got[length] == 0xee, "beyond the end");
            gated(edge.end() - length, length, length);
            check.that(!std::memcmp(edge.end() - length, want.data(), length), "at the edge");
        }
        check.that(hits([&] { gated(want.data(), length, length); }), "no hit");
    }
    check.that(gated(want.data(), 300, 1) == 300 && want[299] == static_cast<uint8_t>(300),
               "more than a gate takes");
    uint64_t from[4] = {1, 2, 3, 4};
    uint64_t to[4] = {};
    check.that(hits([&] {
                   std::memset(to, 0, sizeof(to));
                   swapped(reinterpret_cast<uint8_t*>(from), 4, reinterpret_cast<uint8_t*>(to));
                   check.that(to[0] == 4 && to[3] == 1, "input and output");
               }),
               "no hit with input and output");
}

/* What the function does with wrong addresses, it does through a gate */
void test_wrong_addresses(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated_sum = gate.add(sum, 2, {gate::in_times(0, 1)});
    auto* gated_text = gate.add(text_hash, 1, {gate::text(0, 64)});
    auto* gated_fill = gate.add(fill, 3, {gate::out_times(0, 1)});
    const Edge edge;
    auto* good = edge.end() - 16;
    auto* read_only =
        static_cast<uint8_t*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

    std::memset(good, 'x', 16);
    check.that(hits([&] { gated_fill(good, 16, 9); }), "no hit");
    /* By pointers that the compiler does not know, so that it leaves out no call */
    auto* volatile plain_sum = &sum;
    auto* volatile plain_text = &text_hash;
    auto* volatile plain_fill = &fill;
    const auto dies = [&](const char* what, const std::function<void()>& plain,
                          const std::function<void()>& gated) {
        const int want = gate::child_status(plain);
        const int got = gate::child_status(gated);
        check.that(WIFSIGNALED(want) && WTERMSIG(want) == SIGSEGV && got == want, what);
    };
    dies(
        "input at 16", [&] { plain_sum(reinterpret_cast<uint8_t*>(16), 8); },
        [&] { gated_sum(reinterpret_cast<uint8_t*>(16), 8); });
    dies(
        "input in the kernel's half",
        [&] { plain_sum(reinterpret_cast<uint8_t*>(0xffff888000000000), 8); },
        [&] { gated_sum(reinterpret_cast<uint8_t*>(0xffff888000000000), 8); });
    dies(
        "input beyond the edge", [&] { plain_sum(good, 17); }, [&] { gated_sum(good, 17); });
    dies(
        "a string without end", [&] { plain_text(reinterpret_cast<char*>(good)); },
        [&] { gated_text(reinterpret_cast<char*>(good)); });
    dies(
        "output beyond the edge", [&] { plain_fill(good + 1, 16, 9); },
        [&] { gated_fill(good + 1, 16, 9); });
    dies(
        "output that cannot be written", [&] { plain_fill(read_only, 16, 9); },
        [&] { gated_fill(read_only, 16, 9); });
    check.that(gated_sum(nullptr, 0) == sum(nullptr, 0), "no bytes at NULL");
    munmap(read_only, 4096);
}

void test_flush(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(one, 1);

    for (const uint32_t function : {gate.last().function, KCR_ALL_FUNCTIONS}) {
        check.that(hits([&] { gated(9); }), "no hit");
        check.that(domain::flush(fd.get(), function) == 0, "flush");
        const auto before = computed;
        gated(9);
        check.that(computed == before + 1, "a hit after the flush");
        check.that(hits([&] { gated(9); }), "no hit any more");
    }
}

/* Rejected is not reused; the function itself goes on */
void test_rejected(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(one, 1);

    check.that(hits([&] { gated(9); }), "no hit");
    check.that(domain::flush(fd.get(), gate.last().function, KCR_STATE_REJECTED) == 0, "reject");
    check.that(!hits([&] { gated(9); }), "a hit of a rejected function");
    check.that(gated(9) == one(9), "result");
}

void test_switched_off(Check& check)
{
    const auto fd = domain::create();
    Gate gate(fd.get());
    auto* gated = gate.add(one, 1);

    check.that(hits([&] { gated(9); }), "no hit");
    {
        const domain::Setting off("/sys/module/kernel/parameters/kcr_enable", "N");
        const auto misses = gate.last().misses.load();
        const auto before = computed;
        for (int i = 0; i < attempts; i++)
            gated(9);
        check.that(computed == before + attempts, "reused while switched off");
        check.that(gate.last().misses == misses, "not called plainly");
        check.that(gate.info().plain >= attempts, "plain calls are counted");
    }
    check.that(hits([&] { gated(9); }), "no hit when switched on again");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"registers in and out", test_registers},
        {"errno stays", test_errno},
        {"memory that is read", test_input},
        {"memory that is not present yet", test_input_not_present},
        {"strings", test_text},
        {"memory that is written", test_output},
        {"wrong addresses", test_wrong_addresses},
        {"flushes", test_flush},
        {"a rejected function", test_rejected},
        {"KCR switched off", test_switched_off},
    };
    return tap::run_cases(cases, domain::need_device);
}
