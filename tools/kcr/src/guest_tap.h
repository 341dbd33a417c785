// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "boot.h"
#include "report.h"
#include "suites.h"
#include "tap.h"

#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// A program that runs in the guest and prints TAP.
struct GuestProgram {
    std::string name;    ///< in reports
    std::string command; ///< for the guest's shell
};

/// A shell script that runs each program and says how it ended.
std::string guest_script(const std::vector<GuestProgram>& programs, double timeout_s);

/// Follows the output of guest_script() and passes the cases on to a report.
class GuestTapFeed
{
public:
    explicit GuestTapFeed(Report& report) : report_(report) {}

    /// More output, not necessarily whole lines.
    void chunk(std::string_view text);

    /// The end of the output: fails the programs that did not come to theirs.
    void finish(const std::vector<GuestProgram>& programs);

private:
    void line(std::string_view text);
    void end_program(const std::string& status);
    void flush();

    Report& report_;
    TapParser parser_;
    std::size_t reported_ = 0;
    std::string program_;
    std::string partial_;
    std::vector<std::string> ended_;
};

/// Boots @p request, which runs guest_script(@p programs), reports its cases and the console, and
/// keeps the output beside the console's log.
void run_guest_tap(SuiteContext& context, BootRequest request,
                   const std::vector<GuestProgram>& programs);

} // namespace kcr::tool
