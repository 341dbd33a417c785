// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <string>
#include <vector>

namespace kcr::ctl
{

/// Becomes this program. Returns only if that fails.
Error exec_program(const std::vector<std::string>& command);

/// Runs a program as a child, passes signals on to it, and waits. Returns what waitpid() says.
Result<int> supervise(const std::vector<std::string>& command);

/// The exit status of a child, or its death: dies of the same signal.
int end_as(int wait_status);

} // namespace kcr::ctl
