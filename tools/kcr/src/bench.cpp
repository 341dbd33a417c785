// SPDX-License-Identifier: GPL-2.0
#include "bench.h"

#include "text.h"

#include <cstdlib>

namespace kcr::tool
{

Figures parse_guest_bench(std::string_view text)
{
    Figures figures;
    for (const auto& line : split(text, '\n')) {
        const auto parts = words(line);
        if (line.starts_with("#")) {
            figures.comments.emplace_back(trim(std::string_view(line).substr(1)));
        } else if (parts.size() == 2) {
            char* end = nullptr;
            const long long value = std::strtoll(parts[1].c_str(), &end, 10);
            if (end != nullptr && *end == '\0')
                figures.values[parts[0]] = value;
        }
    }
    return figures;
}

} // namespace kcr::tool
