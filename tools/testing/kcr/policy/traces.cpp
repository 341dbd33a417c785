// SPDX-License-Identifier: GPL-2.0
#include "traces.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kcr::policy
{

namespace
{

constexpr std::uint32_t kRounds = 48; ///< requests of a trace, in multiples of the capacity
constexpr std::uint32_t kOneTime = 1U << 24;

class Generator
{
public:
    Generator(std::uint32_t capacity, std::uint64_t seed)
        : capacity_(capacity), length_(std::max<std::size_t>(capacity, 1) * kRounds), random_(seed)
    {
    }

    std::vector<Trace> all()
    {
        for (const auto& [text, factor] : {std::pair{"half", 0.5}, {"equal", 1.0}, {"double", 2.0}})
            uniform(text, keys(factor));
        for (const char* exponent : {"0.6", "0.8", "1.0", "1.2"})
            zipf(exponent);
        for (const unsigned percent : {10, 30, 50, 70, 90})
            scan(percent);
        for (const char* factor : {"0.5", "0.9", "1.1", "2.0"})
            loop(factor);
        phases();
        two_passes();
        return std::move(traces_);
    }

private:
    std::uint32_t keys(double factor) const
    {
        return static_cast<std::uint32_t>(capacity_ * factor);
    }

    template <class Next> void add(const std::string& name, std::size_t warm_up, Next next)
    {
        Trace trace{name, warm_up, {}};
        trace.requests.reserve(length_);
        for (std::size_t i = 0; i < length_; i++)
            trace.requests.push_back({next(i), 0, false, false});
        traces_.push_back(std::move(trace));
    }

    void uniform(const std::string& text, std::uint32_t keys)
    {
        add("uniform-" + text, length_ / 4,
            [&](std::size_t) { return static_cast<std::uint32_t>(random_() % keys); });
    }

    void zipf(const std::string& exponent)
    {
        const Zipf draw(8 * capacity_, std::stod(exponent));
        add("zipf-" + exponent, length_ / 4, [&](std::size_t) { return draw(random_); });
    }

    /// A working set that would fit, and keys that never come back.
    void scan(unsigned percent)
    {
        const Zipf draw(capacity_, 0.8);
        add("scan-" + std::to_string(percent), length_ / 4, [&](std::size_t i) {
            return random_() % 100 < percent ? kOneTime + static_cast<std::uint32_t>(i)
                                             : draw(random_);
        });
    }

    void loop(const std::string& factor)
    {
        const std::uint32_t n = keys(std::stod(factor));
        add("loop-" + factor, length_ / 4,
            [&](std::size_t i) { return static_cast<std::uint32_t>(i % n); });
    }

    /// Another working set every 8 times the capacity.
    void phases()
    {
        const Zipf draw(capacity_, 0.8);
        add("phases", length_ / 4, [&](std::size_t i) {
            const auto phase = static_cast<std::uint32_t>(i * kRounds / length_ / 8);
            return phase * capacity_ + draw(random_);
        });
    }

    /// Half as many keys as there are slots, each twice; then others.
    void two_passes()
    {
        const std::uint32_t n = capacity_ / 2;
        add("two-pass", 0,
            [&](std::size_t i) { return static_cast<std::uint32_t>(i / n / 2 * n + i % n); });
        // What comes after the first two has to displace what nobody asks for any more
        traces_.back().requests.resize(std::size_t{n} * 2);
    }

    std::uint32_t capacity_;
    std::size_t length_;
    std::mt19937_64 random_;
    std::vector<Trace> traces_;
};

std::uint32_t number(std::string_view text)
{
    std::uint32_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
        throw std::runtime_error("not a number: " + std::string(text));
    return value;
}

} // namespace

Zipf::Zipf(std::uint32_t keys, double exponent)
{
    double sum = 0;
    sums_.reserve(keys);
    for (std::uint32_t i = 1; i <= keys; i++)
        sums_.push_back(sum += std::pow(i, -exponent));
}

std::uint32_t Zipf::operator()(std::mt19937_64& random) const
{
    const double at = std::uniform_real_distribution<>(0, sums_.back())(random);
    const auto found = std::upper_bound(sums_.begin(), sums_.end(), at);
    return static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(
        found - sums_.begin(), static_cast<std::ptrdiff_t>(sums_.size()) - 1));
}

std::vector<Trace> synthetic_traces(std::uint32_t capacity, std::uint64_t seed)
{
    return Generator(capacity, seed).all();
}

Trace read_trace(const std::filesystem::path& file)
{
    Trace trace{file.stem().string(), 0, {}};
    std::ifstream in(file);
    if (!in)
        throw std::runtime_error("cannot read " + file.string());
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "forget") {
            trace.requests.push_back({0, 0, false, true});
            continue;
        }
        words >> word;
        const bool blob = word == "blob:";
        while (words >> word) {
            const auto dash = word.find('-');
            const std::uint32_t first = number(word);
            const std::uint32_t last =
                dash == std::string::npos ? first : number(word.substr(dash + 1));
            for (std::uint32_t key = first; key <= last; key++)
                trace.requests.push_back({key, 0, blob, false});
        }
    }
    return trace;
}

} // namespace kcr::policy
