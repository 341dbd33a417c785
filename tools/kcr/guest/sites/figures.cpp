// SPDX-License-Identifier: GPL-2.0
#include "figures.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <numeric>

namespace sites
{

void figure(const std::string& name, uint64_t value)
{
    std::printf("guest.%s %" PRIu64 "\n", name.c_str(), value);
    std::fflush(stdout);
}

void remark(const std::string& text)
{
    std::printf("# %s\n", text.c_str());
    std::fflush(stdout);
}

uint64_t median(std::vector<uint64_t> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

uint64_t sum(const std::vector<uint64_t>& values)
{
    return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

std::string times(uint64_t before, uint64_t after)
{
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f times",
                  after == 0 ? 0.0 : static_cast<double>(before) / static_cast<double>(after));
    return text;
}

} // namespace sites
