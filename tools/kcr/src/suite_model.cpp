// SPDX-License-Identifier: GPL-2.0
#include "process.h"
#include "suites.h"
#include "tap.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

constexpr double model_timeout_s = 900;

} // namespace

void run_suite_model(SuiteContext& context)
{
    const auto script = context.project.root() / "tools/testing/kcr/spin/check.sh";
    TapParser parser;
    std::size_t reported = 0;
    const auto flush = [&] {
        for (; reported < parser.results().size(); ++reported) {
            const auto& test = parser.results()[reported];
            context.report.add(test.name, test.verdict, test.detail);
        }
    };
    const auto exit = run({.argv = {"/bin/sh", script.string()},
                           .on_line =
                               [&](std::string_view line) {
                                   parser.add_line(line);
                                   flush();
                               },
                           .timeout_s = model_timeout_s});
    if (!exit) {
        context.report.fail("check.sh", exit.error().message);
        return;
    }
    parser.finish();
    flush();
    if (parser.results().empty() || exit->timed_out || exit->signal != 0)
        context.report.fail("check.sh", exit->describe() + "\n" + exit->output);
}

} // namespace kcr::tool
