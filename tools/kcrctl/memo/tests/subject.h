// SPDX-License-Identifier: GPL-2.0
// A library of functions to reuse: each kind of argument, result and effect.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>

struct TwoDoubles {
    double a, b;
};
struct Mixed {
    std::int64_t a;
    double b;
};
struct Floats {
    float a, b, c;
};
struct Padded {
    std::uint8_t a;
    std::uint32_t b;
};
struct Words {
    std::uint64_t a, b;
};

extern "C" {
std::uint8_t subject_u8(std::uint8_t a, std::uint8_t b);
std::int16_t subject_i16(std::int16_t a, std::int16_t b);
std::int32_t subject_i32(std::int32_t a, std::int32_t b);
std::int64_t subject_six(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d,
                         std::int64_t e, std::int64_t f);
float subject_f32(float a, float b);
double subject_eight(double a, double b, double c, double d, double e, double f, double g,
                     double h);
double subject_mixed(std::int32_t a, double b, std::uint64_t c, float d);
double subject_third(double a);
double subject_same(double a);
double subject_effects(double a);

TwoDoubles subject_two_doubles(double a);
Mixed subject_struct(std::int64_t a);
Floats subject_floats(float a);
Padded subject_padded(std::uint32_t a);
Words subject_words(std::uint64_t a);
double subject_takes_two(TwoDoubles value);
std::uint64_t subject_takes_padded(Padded value);

std::uint64_t subject_sum(const unsigned char* data, std::size_t length);
std::uint64_t subject_sum_words(const std::uint64_t* data, std::uint32_t count);
std::uint64_t subject_text(const char* text);
std::int32_t subject_fill(unsigned char* to, std::uint32_t length, std::uint32_t seed);
void subject_reverse(unsigned char* data);
char* subject_name(std::uint32_t number, char* to);
const char* subject_static(std::uint32_t number, const char* text);
std::int32_t subject_double_bytes(const unsigned char* from, std::size_t length, unsigned char* to,
                                  std::uint64_t* room);
std::uint32_t subject_some(std::uint32_t length, unsigned char* to);

std::uint64_t subject_ten(std::uint64_t a, std::uint32_t b, const unsigned char* data,
                          std::uint64_t length, double c, std::uint64_t e, std::uint64_t f,
                          const char* text, const unsigned char* more, std::uint8_t extent,
                          unsigned char* to);
std::uint64_t subject_seven(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                            std::uint64_t e, std::uint64_t f, std::uint8_t g);
std::uint64_t subject_object(const std::uint64_t* object, std::uint32_t b);
std::int32_t subject_throws(std::int32_t a);
extern std::jmp_buf subject_jump;
std::int32_t subject_jumps(std::int32_t a);
std::uint64_t subject_recursive(std::uint32_t n);
std::uint32_t subject_impure(std::uint32_t a);
std::uint64_t subject_watched(const unsigned char* data, std::size_t length, std::uint32_t first);
std::uint32_t subject_large(const unsigned char* data, std::size_t length, unsigned char* to);

/// How often anything here was really computed.
extern std::uint64_t subject_computed;
}
