// SPDX-License-Identifier: GPL-2.0
#include "subject.h"

#include <cerrno>
#include <cfenv>
#include <cmath>
#include <cstring>

std::uint64_t subject_computed;
std::jmp_buf subject_jump;

namespace
{

/// Something that nobody computes at compile time.
std::uint64_t mix(std::uint64_t value)
{
    __atomic_add_fetch(&subject_computed, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 200; ++i) {
        value ^= value >> 29;
        value *= 0xbf58476d1ce4e5b9U;
        value ^= value >> 32;
    }
    return value;
}

} // namespace

std::uint8_t subject_u8(std::uint8_t a, std::uint8_t b)
{
    return static_cast<std::uint8_t>(mix(a * 256U + b));
}

std::int16_t subject_i16(std::int16_t a, std::int16_t b)
{
    return static_cast<std::int16_t>(mix(static_cast<std::uint64_t>(a - b)));
}

std::int32_t subject_i32(std::int32_t a, std::int32_t b)
{
    return static_cast<std::int32_t>(mix(static_cast<std::uint64_t>(a) * 31 + b));
}

std::int64_t subject_six(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d,
                         std::int64_t e, std::int64_t f)
{
    return static_cast<std::int64_t>(mix(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f));
}

float subject_f32(float a, float b)
{
    mix(0);
    return a / b;
}

double subject_eight(double a, double b, double c, double d, double e, double f, double g, double h)
{
    mix(0);
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}

double subject_mixed(std::int32_t a, double b, std::uint64_t c, float d)
{
    mix(0);
    return a * b + static_cast<double>(c) * d;
}

double subject_third(double a)
{
    mix(0);
    return a / 3;
}

double subject_same(double a)
{
    mix(0);
    return a;
}

double subject_effects(double a)
{
    mix(0);
    if (a < 0) {
        errno = EDOM;
        return std::sqrt(a);
    }
    if (a > 1e300) {
        errno = ERANGE;
        return a * a;
    }
    if (a == 1) {
        const volatile double zero = 0;
        return a / zero;
    }
    return a == 2 ? 2 : a / 7;
}

TwoDoubles subject_two_doubles(double a)
{
    mix(0);
    return {a * 2, a * 3};
}

Mixed subject_struct(std::int64_t a)
{
    return {static_cast<std::int64_t>(mix(a)), static_cast<double>(a) / 2};
}

Floats subject_floats(float a)
{
    mix(0);
    return {a, a * 2, a * 3};
}

Padded subject_padded(std::uint32_t a)
{
    return {static_cast<std::uint8_t>(mix(a)), a + 1};
}

Words subject_words(std::uint64_t a)
{
    return {mix(a), mix(a + 1)};
}

double subject_takes_two(TwoDoubles value)
{
    mix(0);
    return value.a - 2 * value.b;
}

std::uint64_t subject_takes_padded(Padded value)
{
    return mix(value.a * 1000U + value.b);
}

std::uint64_t subject_sum(const unsigned char* data, std::size_t length)
{
    std::uint64_t sum = data == nullptr ? 77 : 0;
    for (std::size_t i = 0; data != nullptr && i < length; ++i)
        sum = mix(sum + data[i]);
    return sum;
}

std::uint64_t subject_sum_words(const std::uint64_t* data, std::uint32_t count)
{
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < count; ++i)
        sum = mix(sum + data[i]);
    return sum;
}

std::uint64_t subject_text(const char* text)
{
    return text == nullptr
               ? mix(1)
               : subject_sum(reinterpret_cast<const unsigned char*>(text), std::strlen(text));
}

std::int32_t subject_fill(unsigned char* to, std::uint32_t length, std::uint32_t seed)
{
    if (to == nullptr)
        return -1;
    for (std::uint32_t i = 0; i < length; ++i)
        to[i] = static_cast<unsigned char>(mix(seed + i));
    return static_cast<std::int32_t>(length);
}

void subject_reverse(unsigned char* data)
{
    mix(0);
    for (int i = 0; i < 8; ++i) {
        const unsigned char byte = data[i];
        data[i] = data[15 - i];
        data[15 - i] = byte;
    }
}

char* subject_name(std::uint32_t number, char* to)
{
    static const char* const names[] = {"zero", "one", "two", "three"};
    mix(number);
    if (number > 3)
        return nullptr;
    std::memcpy(to, names[number], std::strlen(names[number]) + 1);
    return to;
}

const char* subject_static(std::uint32_t number, const char* text)
{
    static const char other[] = "other";
    mix(number);
    return number % 2 == 0 ? text : other;
}

std::int32_t subject_double_bytes(const unsigned char* from, std::size_t length, unsigned char* to,
                                  std::uint64_t* room)
{
    mix(0);
    if (*room < 2 * length)
        return -1;
    for (std::size_t i = 0; i < length; ++i)
        to[2 * i] = to[2 * i + 1] = from[i];
    *room = 2 * length;
    return 0;
}

std::uint32_t subject_some(std::uint32_t length, unsigned char* to)
{
    mix(0);
    for (std::uint32_t i = 0; i < length / 2; ++i)
        to[i] = static_cast<unsigned char>(length + i);
    return length / 2;
}

std::uint64_t subject_ten(std::uint64_t a, std::uint32_t b, const unsigned char* data,
                          std::uint64_t length, double c, std::uint64_t e, std::uint64_t f,
                          const char* text, const unsigned char* more, std::uint8_t extent,
                          unsigned char* to)
{
    std::uint64_t sum = mix(a + 2UL * b + 3 * e + 4 * f + static_cast<std::uint64_t>(c));
    sum += subject_sum(data, length) + subject_text(text) * 3 + subject_sum(more, extent) * 5;
    std::memcpy(to, &sum, sizeof(sum));
    return mix(sum);
}

std::uint64_t subject_seven(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                            std::uint64_t e, std::uint64_t f, std::uint8_t g)
{
    return mix(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7UL * g);
}

std::uint64_t subject_object(const std::uint64_t* object, std::uint32_t b)
{
    return mix(*object + b);
}

std::int32_t subject_throws(std::int32_t a)
{
    mix(0);
    errno = a < 0 ? EINVAL : errno;
    if (a < 0)
        throw a;
    return a * 2;
}

std::int32_t subject_jumps(std::int32_t a)
{
    mix(0);
    if (a < 0)
        std::longjmp(subject_jump, 1);
    return a * 2;
}

std::uint64_t subject_recursive(std::uint32_t n)
{
    __atomic_add_fetch(&subject_computed, 1, __ATOMIC_RELAXED);
    return n < 2 ? n : subject_recursive(n - 1) + subject_recursive(n - 2);
}

std::uint32_t subject_impure(std::uint32_t a)
{
    static std::uint32_t calls;
    return a + ++calls;
}

std::uint32_t subject_large(const unsigned char* data, std::size_t length, unsigned char* to)
{
    mix(0);
    for (std::size_t i = 0; i < length; ++i)
        to[i] = static_cast<unsigned char>(data[length - 1 - i] + 1);
    return static_cast<std::uint32_t>(length);
}

std::uint64_t subject_watched(const unsigned char* data, std::size_t length, std::uint32_t first)
{
    std::uint64_t sum = mix(first);
    for (std::size_t i = first; i < length; ++i)
        sum = sum * 31 + data[i];
    return sum;
}
