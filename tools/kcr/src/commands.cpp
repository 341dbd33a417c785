// SPDX-License-Identifier: GPL-2.0
#include "commands.h"

#include "boot.h"
#include "process.h"

#include <fmt/format.h>

namespace kcr::tool
{

int report_error(const Error& error)
{
    if (interrupted() != 0) {
        fmt::print(stderr, "kcr: interrupted\n");
        return 128 + interrupted();
    }
    fmt::print(stderr, "kcr: error: {}\n", error.message);
    if (!error.hint.empty())
        fmt::print(stderr, "{}\n", error.hint);
    return exit_tool_error;
}

} // namespace kcr::tool
