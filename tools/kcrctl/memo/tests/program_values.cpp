// SPDX-License-Identifier: GPL-2.0
#include "program.h"
#include "subject.h"

#include <xmmintrin.h>

#include <cerrno>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace
{

/// What a call left behind.
void print_effects()
{
    std::printf(" errno %d flags %x\n", errno, std::fetestexcept(FE_ALL_EXCEPT));
}

} // namespace

void integers()
{
    for (int round = 0; round < rounds; ++round) {
        std::printf("%u %u", subject_u8(3, 250), subject_u8(250, 3));
        std::printf(" %d %d", subject_i16(-3, 7), subject_i16(3, -7));
        std::printf(" %d %d", subject_i32(-1, 1), subject_i32(1, -1));
        std::printf(" %" PRId64 " %" PRId64 "\n", subject_six(1, 2, 3, 4, 5, 6),
                    subject_six(6, 5, 4, 3, 2, 1));
    }
}

void floating()
{
    const double nan1 = std::bit_cast<double>(std::uint64_t{0x7ff8000000001234});
    const double nan2 = std::bit_cast<double>(std::uint64_t{0xfff8000000004321});
    for (int round = 0; round < rounds; ++round) {
        for (const float a : {1.0F, -0.0F, 0.0F, 3.5F})
            print_bits(subject_f32(a, 3));
        print_bits(subject_eight(1, 2, 3, 4, 5, 6, 7, 8));
        print_bits(subject_eight(8, 7, 6, 5, 4, 3, 2, 1));
        print_bits(subject_mixed(2, 3.5, 4, 5.5F));
        print_bits(subject_mixed(-2, 3.5, 4, 5.5F));
        for (const double a :
             {0.0, -0.0, nan1, nan2, 5e-324, std::numeric_limits<double>::infinity()})
            print_bits(subject_same(a));
        std::printf("\n");
    }
}

void structures()
{
    for (int round = 0; round < rounds; ++round) {
        for (const int a : {1, 2, -3}) {
            const auto doubles = subject_two_doubles(a);
            print_bits(doubles.a);
            print_bits(doubles.b);
            const auto mixed = subject_struct(a);
            std::printf(" %" PRId64, mixed.a);
            print_bits(mixed.b);
            const auto floats = subject_floats(static_cast<float>(a));
            print_bits(floats.a);
            print_bits(floats.b);
            print_bits(floats.c);
            const auto padded = subject_padded(static_cast<std::uint32_t>(a));
            std::printf(" %u %u", padded.a, padded.b);
            const auto words = subject_words(static_cast<std::uint64_t>(a));
            std::printf(" %" PRIx64 " %" PRIx64, words.a, words.b);
            print_bits(subject_takes_two({1.0 * a, 2}));
            // What is in the padding must not count
            Padded dirty;
            std::memset(&dirty, round, sizeof(dirty));
            dirty.a = static_cast<std::uint8_t>(a);
            dirty.b = 9;
            std::printf(" %" PRIx64 "\n", subject_takes_padded(dirty));
        }
    }
}

void memory()
{
    std::vector<unsigned char> bytes(1000);
    for (int round = 0; round < rounds; ++round) {
        for (const std::size_t length : {0, 1, 16, 17, 100, 1000}) {
            for (std::size_t i = 0; i < length; ++i)
                bytes[i] = static_cast<unsigned char>(i + length);
            std::printf(" %" PRIx64, subject_sum(bytes.data(), length));
            // The same bytes at another place, and others at the same
            const std::vector<unsigned char> copy(bytes.begin(),
                                                  bytes.begin() + static_cast<long>(length));
            std::printf(" %" PRIx64, subject_sum(copy.data(), length));
            bytes[length / 2] ^= 1;
            std::printf(" %" PRIx64, subject_sum(bytes.data(), length));
        }
        std::printf(" %" PRIx64, subject_sum(nullptr, 5));
        const std::uint64_t words[] = {1, 2, 3};
        std::printf(" %" PRIx64 " %" PRIx64, subject_sum_words(words, 3),
                    subject_sum_words(words, 2));
        for (const char* text :
             {"", "a", "ab", "a\0b", "something longer than a slot has room for"})
            std::printf(" %" PRIx64, subject_text(text));
        std::printf(" %" PRIx64 "\n", subject_text(nullptr));
    }
}

void outputs()
{
    for (int round = 0; round < rounds; ++round) {
        unsigned char bytes[64];
        std::memset(bytes, round, sizeof(bytes));
        std::printf(" %d %d %d", subject_fill(bytes, 10, 1), subject_fill(bytes + 20, 20, 2),
                    subject_fill(nullptr, 20, 2));
        subject_reverse(bytes + 20);
        // What is not written stays
        for (int i = 0; i < 40; ++i)
            std::printf(" %x", bytes[i] == round ? 0x100 : bytes[i]);
        char name[16] = "xxxxxxxxxxxxxxx";
        for (const unsigned number : {1U, 3U, 9U}) {
            const char* result = subject_name(number, name);
            std::printf(" %s %c %c",
                        result == name      ? name
                        : result == nullptr ? "none"
                                            : "wrong",
                        name[4], name[8]);
        }
        char text[] = "text";
        for (const unsigned number : {4U, 5U})
            std::printf(" %s", subject_static(number, text));
        std::uint64_t room = round % 2 == 0 ? 64 : 5;
        std::memset(bytes, 0, sizeof(bytes));
        const int done =
            subject_double_bytes(reinterpret_cast<const unsigned char*>("hello"), 5, bytes, &room);
        std::printf(" %d %" PRIu64 " %.10s", done, room, reinterpret_cast<const char*>(bytes));
        // In place it is another computation
        unsigned char apart[16] = "abcd";
        std::uint64_t room_apart = sizeof(bytes);
        subject_double_bytes(apart, 4, bytes, &room_apart);
        std::printf(" %.8s", reinterpret_cast<const char*>(bytes));
        unsigned char twice[64] = "abcd";
        room = sizeof(bytes);
        subject_double_bytes(twice, 4, twice, &room);
        std::printf(" %.8s", reinterpret_cast<const char*>(twice));
        std::memset(bytes, 'x', sizeof(bytes));
        std::printf(" %u %d %d\n", subject_some(10, bytes), bytes[4], bytes[5]);
    }
}

void stack_arguments()
{
    const auto* bytes = reinterpret_cast<const unsigned char*>("0123456789");
    const std::uint64_t objects[] = {5, 6};
    for (int round = 0; round < rounds; ++round) {
        unsigned char to[8] = {};
        for (const unsigned a : {1U, 2U, 3U}) {
            std::printf("%" PRIx64 " ",
                        subject_ten(a, 2, bytes, a, 4.5, 6, 7, "text", bytes + 2, 8, to));
            std::printf("%x ", to[0]);
            std::printf("%" PRIx64 " ",
                        subject_ten(1, 2, bytes, 3, 4.5, 6, a, "text", bytes, 8, to));
            std::printf("%" PRIx64 " ", subject_ten(1, 2, bytes, 3, 4.5, 6, 7, a == 1 ? "a" : "b",
                                                    bytes, static_cast<std::uint8_t>(a), to));
            std::printf("%x ", to[0]);
            std::printf("%" PRIx64 " ",
                        subject_seven(1, 2, 3, 4, 5, 6, static_cast<std::uint8_t>(a)));
            std::printf("%" PRIx64 "\n", subject_object(&objects[a % 2], 3));
        }
    }
}

void effects()
{
    for (int round = 0; round < rounds; ++round) {
        for (const double a : {-1.0, 1e301, 1.0, 2.0, 3.0}) {
            errno = round % 3 == 0 ? 0 : ENOENT;
            std::feclearexcept(FE_ALL_EXCEPT);
            if (round % 4 == 0)
                std::feraiseexcept(FE_UNDERFLOW);
            print_bits(subject_effects(a));
            print_effects();
            // Flags stay until somebody clears them
            print_bits(subject_effects(2));
            print_effects();
        }
    }
}

void rounding()
{
    for (int round = 0; round < rounds; ++round) {
        for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
            std::fesetround(mode);
            print_bits(subject_third(1));
            print_bits(subject_third(-1));
            std::printf(" %d\n", std::fegetround() == mode ? 1 : 0);
        }
    }
    std::fesetround(FE_TONEAREST);
    // Of SSE alone
    for (int round = 0; round < rounds; ++round) {
        for (const unsigned mode : {_MM_ROUND_NEAREST, _MM_ROUND_UP, _MM_ROUND_DOWN}) {
            _MM_SET_ROUNDING_MODE(mode);
            print_bits(subject_third(2));
            std::printf("\n");
        }
    }
    _MM_SET_ROUNDING_MODE(_MM_ROUND_NEAREST);
}

void control()
{
    // The x87's flags are nobody else's affair
    volatile long double big = 1;
    big = big / 3;
    for (int round = 0; round < rounds; ++round) {
        print_bits(subject_third(5));
        std::printf(" %x\n", std::fetestexcept(FE_ALL_EXCEPT));
    }
    // An exception that is a signal
    std::fflush(stdout);
    feenableexcept(FE_DIVBYZERO);
    print_bits(subject_third(7));
    std::printf("\n");
    std::fflush(stdout);
    subject_effects(1);
}
