// SPDX-License-Identifier: GPL-2.0
#include "guest_tap.h"

#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace kcr::tool
{

std::string guest_script(const std::vector<GuestProgram>& programs, double timeout_s)
{
    // The emulated CPUs take turns in one thread, which makes patching code under load safe.
    std::string script = "export KCR_PATCH_UNDER_LOAD=1\n";
    for (const auto& program : programs)
        script += fmt::format("echo '#kcr-begin {0}'; timeout {1} {2} 2>&1; "
                              "echo \"#kcr-end {0} $?\"\n",
                              program.name, static_cast<int>(timeout_s), program.command);
    return script;
}

void GuestTapFeed::chunk(std::string_view text)
{
    partial_ += text;
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
        line(std::string_view(partial_).substr(0, end));
        partial_.erase(0, end + 1);
    }
}

void GuestTapFeed::finish(const std::vector<GuestProgram>& programs)
{
    for (const auto& program : programs) {
        if (std::find(ended_.begin(), ended_.end(), program.name) == ended_.end())
            report_.fail(program.name, "did not run to its end");
    }
}

void GuestTapFeed::line(std::string_view text)
{
    const auto parts = words(text);
    if (parts.size() == 2 && parts[0] == "#kcr-begin") {
        program_ = parts[1];
        parser_ = TapParser();
        reported_ = 0;
    } else if (parts.size() == 3 && parts[0] == "#kcr-end") {
        end_program(parts[2]);
    } else {
        parser_.add_line(text);
        flush();
    }
}

void GuestTapFeed::end_program(const std::string& status)
{
    parser_.finish();
    flush();
    ended_.push_back(program_);
    bool failed = false;
    for (const auto& test : parser_.results())
        failed = failed || test.verdict == Verdict::failed;
    const bool all_skipped = status == "4";
    if (status == "124")
        report_.fail(program_, "timed out");
    else if (status != "0" && !all_skipped && !failed)
        report_.fail(program_, "ended with status " + status + " without a failed case");
    else if (parser_.results().empty() && !all_skipped)
        report_.fail(program_, "reported no case");
    else if (parser_.results().empty())
        report_.skip(program_, "the program skipped itself");
}

void GuestTapFeed::flush()
{
    for (; reported_ < parser_.results().size(); ++reported_) {
        const auto& test = parser_.results()[reported_];
        report_.add(program_ + ": " + test.name, test.verdict, test.detail);
    }
}

void run_guest_tap(SuiteContext& context, BootRequest request,
                   const std::vector<GuestProgram>& programs)
{
    GuestTapFeed feed(context.report);
    request.on_out = [&](std::string_view text) { feed.chunk(text); };
    const auto outcome = boot(request);
    if (!outcome) {
        context.report.fail("boot", outcome.error().message);
        return;
    }
    feed.finish(programs);
    // "sites.console.log" stands beside "sites.log"
    auto log = request.console_log;
    log.replace_extension().replace_extension(".log");
    [[maybe_unused]] const auto kept = write_file_atomic(log, outcome->out + outcome->err);
    context.report.check("console", outcome->success() ? Status() : Error{outcome->describe(), {}});
}

} // namespace kcr::tool
