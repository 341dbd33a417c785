// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// What the kernel works for while it is watched: a command, or whatever runs anyway.
struct LoadOptions {
    std::vector<std::string> command; ///< empty: just wait
    double seconds = 10;              ///< how long to wait, or how long the command may take
    bool limited = false;             ///< the command may not take longer
};

/// How it ended.
struct LoadOutcome {
    double seconds = 0;
    int status = 0; ///< of the command; 128 + N if signal N ended it
    bool interrupted = false;
    bool cut_short = false;
};

/// Runs the command or waits; calls @p often several times a second. The command writes to
/// standard error only. SIGINT and SIGTERM end it early.
Result<LoadOutcome> run_load(const LoadOptions& options, const std::function<void()>& often);

/// From now on, SIGINT and SIGTERM end what run_load() waits for, and nothing else.
void catch_signals();

} // namespace kcr::ctl
