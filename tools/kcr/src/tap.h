// SPDX-License-Identifier: GPL-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kcr::tool
{

enum class Verdict { passed, failed, skipped };

/// One test case of a TAP or KTAP stream.
struct TapCase {
    std::string name; ///< with the names of the groups around it: "kcr_tier.promotes"
    Verdict verdict = Verdict::passed;
    std::string detail; ///< reason of a skip, diagnostics of a failure
};

/// Reads TAP 13, kselftest's TAP and nested KTAP, line by line, among other output. Only the
/// innermost results count; a group counts itself only if it failed without a failed member.
class TapParser
{
public:
    /// Looks at one line. True if it completed a test case, which is then results().back().
    bool add_line(std::string_view line);

    /// What is known after the last line: announced cases that never reported are failures.
    void finish();

    [[nodiscard]] const std::vector<TapCase>& results() const
    {
        return results_;
    }

private:
    struct Level {
        std::size_t indent = 0;
        std::string name;
        int planned = -1;
        int seen = 0;
        std::size_t first_result = 0;
    };

    void open_level(std::size_t indent);
    bool add_result(std::size_t indent, std::string_view text);
    void close_deeper(std::size_t indent);
    void check_plan(const Level& level);
    [[nodiscard]] std::string qualified(std::string_view name) const;

    std::vector<Level> levels_;
    std::vector<TapCase> results_;
    std::string subtest_name_;
    std::string diagnostics_;
};

} // namespace kcr::tool
