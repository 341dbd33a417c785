// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "progress.h"
#include "result.h"
#include "tap.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

/// One test case in the report.
struct TestCase {
    std::string suite;
    std::string name;
    Verdict verdict = Verdict::passed;
    std::string detail;
    double seconds = 0;
};

/// Collects what all suites found, shows it while it happens, and writes it as JUnit XML.
class Report
{
public:
    /// The suite that the following cases belong to.
    void begin_suite(const std::string& name);
    void end_suite();

    void add(const std::string& name, Verdict verdict, const std::string& detail = {});
    void pass(const std::string& name);
    void fail(const std::string& name, const std::string& detail);
    void skip(const std::string& name, const std::string& why);
    /// Passes or fails @p name, depending on @p status.
    void check(const std::string& name, const Status& status);
    /// Says what is being done now.
    void note(std::string_view text);

    [[nodiscard]] int count(Verdict verdict) const;
    /// "N passed, N failed, N skipped"
    [[nodiscard]] std::string closing_line() const;
    [[nodiscard]] std::string junit_xml() const;

private:
    std::vector<TestCase> cases_;
    std::map<std::string, double> suite_seconds_;
    std::string suite_;
    std::unique_ptr<Progress> progress_;
    double last_ = 0;
    std::size_t suite_first_ = 0;
};

/// @p text with XML's special characters escaped and forbidden ones replaced.
std::string xml_escape(std::string_view text);

} // namespace kcr::tool
