// SPDX-License-Identifier: GPL-2.0
// Scenarios that print the same whether functions are reused or not.
#pragma once

#include <bit>
#include <cinttypes>
#include <cstdint>
#include <cstdio>

/// Rounds of each scenario: enough to learn, and then to be reused.
inline constexpr int rounds = 40;

inline void print_bits(double value)
{
    std::printf(" %016" PRIx64, std::bit_cast<std::uint64_t>(value));
}

inline void print_bits(float value)
{
    std::printf(" %08" PRIx32, std::bit_cast<std::uint32_t>(value));
}

// program_values.cpp
void integers();
void floating();
void structures();
void memory();
void outputs();
void stack_arguments();
void effects();
void rounding();
void control();

// program_paths.cpp
void throwing();
void jumping();
void recursion();
void signals();
void threads();
void forking();
void plugin(const char* path);
void symbols();
void impure();
void large();
void watching();
void descriptors();
void sandbox();
void stack();
