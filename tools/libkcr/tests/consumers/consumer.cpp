// SPDX-License-Identifier: GPL-2.0
// A program that uses the library as it is installed. Without KCR it computes.
#include <cstdio>
#include <kcr.hpp>

int main()
{
    const auto length = kcr::memoize([](std::string_view text) { return text.size(); });
    const auto answer = length("seven letters");
    std::printf("C++: %zu letters (%s)\n", answer, length.why());
    return answer == 13 ? 0 : 1;
}
