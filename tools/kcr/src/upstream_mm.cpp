// SPDX-License-Identifier: GPL-2.0
#include "upstream_mm.h"

#include "text.h"

#include <fmt/format.h>

#include <regex>

namespace kcr::tool
{

namespace
{

constexpr std::string_view begin_mark = "#kcr-begin ";
constexpr std::string_view end_mark = "#kcr-end ";

/// Results of one program: its cases in order, as their names repeat.
void add_program(TestResults& results, const std::string& program,
                 const std::vector<std::string>& lines)
{
    // uffd-unit-tests prints no TAP
    static const std::regex testing("Testing (.*)\\.\\.\\. *(done|skipped|failed).*");
    TapParser parser;
    std::vector<std::pair<std::string, std::string>> cases;
    for (const auto& line : lines) {
        std::smatch match;
        parser.add_line(line);
        if (std::regex_match(line, match, testing))
            cases.emplace_back(match[1], match[2]);
    }
    parser.finish();
    for (const auto& test : parser.results())
        cases.emplace_back(test.name, verdict_name(test.verdict));
    for (std::size_t i = 0; i < cases.size(); i++)
        results[fmt::format("mm {} {:03} {}", program, i + 1, cases[i].first)] = cases[i].second;
}

} // namespace

std::string verdict_name(Verdict verdict)
{
    switch (verdict) {
    case Verdict::passed:
        return "passes";
    case Verdict::failed:
        return "fails";
    case Verdict::skipped:
        break;
    }
    return "skips";
}

const std::vector<std::string>& mm_programs()
{
    static const std::vector<std::string> programs = {
        "cow",           "ksm_functional_tests", "uffd-unit-tests", "mremap_test",
        "madv_populate", "mremap_dontunmap",     "soft-dirty",      "pagemap_ioctl",
        "mkdirty",       "split_huge_page_test", "mseal_test"};
    return programs;
}

std::string mm_script(const std::string& dir, double timeout_s)
{
    std::string script = "echo 32 > /proc/sys/vm/nr_hugepages; cd /tmp; ";
    for (const auto& program : mm_programs())
        script += fmt::format("echo '{}{}'; timeout {} {}/{} 2>&1; echo \"{}$?\"; ", begin_mark,
                              program, timeout_s, dir, program, end_mark);
    return script + "true";
}

TestResults parse_mm_results(std::string_view output)
{
    TestResults results;
    std::string program;
    std::vector<std::string> lines;
    for (const auto& line : split(std::string(output), '\n')) {
        if (line.starts_with(begin_mark)) {
            program = line.substr(begin_mark.size());
            lines.clear();
        } else if (line.starts_with(end_mark)) {
            add_program(results, program, lines);
            results["mm " + program + " ends with"] = line.substr(end_mark.size());
            program.clear();
        } else {
            lines.push_back(line);
        }
    }
    if (!program.empty())
        results["mm " + program + " ends with"] = "nothing";
    return results;
}

} // namespace kcr::tool
