// SPDX-License-Identifier: GPL-2.0
/// @file
/// Sequences of requests: synthetic ones, and those that record.sh recorded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace kcr::policy
{

struct Request {
    std::uint32_t key;
    std::uint16_t owner;
    bool blob;
    bool forget; ///< no request: the owner goes away
};

struct Trace {
    std::string name;
    std::size_t warm_up; ///< requests that do not count
    std::vector<Request> requests;
};

/// Draws 0 to @p keys - 1, each with a probability of rank to the power of -@p exponent.
class Zipf
{
public:
    Zipf(std::uint32_t keys, double exponent);
    std::uint32_t operator()(std::mt19937_64& random) const;

private:
    std::vector<double> sums_;
};

/// All synthetic traces for a tier of @p capacity slots.
std::vector<Trace> synthetic_traces(std::uint32_t capacity, std::uint64_t seed);

/// A trace as record.sh writes it; throws std::runtime_error.
Trace read_trace(const std::filesystem::path& file);

} // namespace kcr::policy
