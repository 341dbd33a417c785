// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include "process.h"
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kcr::tool
{

namespace
{

std::string counts_text(int passed, int failed, int skipped)
{
    return fmt::format("{} passed, {} failed, {} skipped", passed, failed, skipped);
}

} // namespace

std::string xml_escape(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return out;
}

void Report::begin_suite(const std::string& name)
{
    suite_ = name;
    suite_first_ = cases_.size();
    progress_ = std::make_unique<Progress>(name);
    last_ = now_s();
}

void Report::end_suite()
{
    std::array<int, 3> counts{};
    for (std::size_t i = suite_first_; i < cases_.size(); ++i)
        ++counts[static_cast<std::size_t>(cases_[i].verdict)];
    const double seconds = progress_->elapsed_s();
    progress_.reset();
    suite_seconds_[suite_] = seconds;
    fmt::print("{:<12} {} ({})\n", suite_, counts_text(counts[0], counts[1], counts[2]),
               human_seconds(seconds));
    std::fflush(stdout);
}

void Report::add(const std::string& name, Verdict verdict, const std::string& detail)
{
    const double now = now_s();
    cases_.push_back({suite_, name, verdict, detail, now - last_});
    last_ = now;
    if (progress_ && verdict != Verdict::passed)
        progress_->clear();
    if (verdict == Verdict::failed)
        fmt::print("FAILED  {}: {}\n{}{}", suite_, name, detail,
                   detail.empty() || detail.ends_with("\n") ? "" : "\n");
    else if (verdict == Verdict::skipped)
        fmt::print("skipped {}: {}: {}\n", suite_, name, detail);
    std::fflush(stdout);
    if (progress_)
        progress_->update(static_cast<int>(cases_.size() - suite_first_), 0, "cases: " + name);
}

void Report::pass(const std::string& name)
{
    add(name, Verdict::passed);
}

void Report::fail(const std::string& name, const std::string& detail)
{
    add(name, Verdict::failed, detail);
}

void Report::skip(const std::string& name, const std::string& why)
{
    add(name, Verdict::skipped, why);
}

void Report::check(const std::string& name, const Status& status)
{
    if (status)
        pass(name);
    else
        fail(name, status.error().message + "\n" + status.error().hint);
}

void Report::note(std::string_view text)
{
    if (progress_)
        progress_->note(text);
}

int Report::count(Verdict verdict) const
{
    return static_cast<int>(std::count_if(cases_.begin(), cases_.end(), [&](const TestCase& test) {
        return test.verdict == verdict;
    }));
}

std::string Report::closing_line() const
{
    return counts_text(count(Verdict::passed), count(Verdict::failed), count(Verdict::skipped));
}

std::string Report::junit_xml() const
{
    std::string xml = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                  "<testsuites tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
                                  cases_.size(), count(Verdict::failed), count(Verdict::skipped));
    for (const auto& [suite, seconds] : suite_seconds_) {
        xml += fmt::format("<testsuite name=\"{}\" time=\"{:.3f}\">\n", xml_escape(suite), seconds);
        for (const auto& test : cases_) {
            if (test.suite != suite)
                continue;
            xml += fmt::format("<testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\">",
                               xml_escape(suite), xml_escape(test.name), test.seconds);
            if (test.verdict == Verdict::failed)
                xml += fmt::format("<failure>{}</failure>", xml_escape(test.detail));
            else if (test.verdict == Verdict::skipped)
                xml += fmt::format("<skipped message=\"{}\"/>", xml_escape(test.detail));
            xml += "</testcase>\n";
        }
        xml += "</testsuite>\n";
    }
    return xml + "</testsuites>\n";
}

} // namespace kcr::tool
