// SPDX-License-Identifier: GPL-2.0
#include "judge.h"

#include <algorithm>
#include <array>

namespace kcr::ctl
{

namespace
{

struct VerdictWords {
    std::string_view name;
    std::string_view text;
};

constexpr std::array<VerdictWords, 8> verdict_words = {{
    {"pays", "equal inputs gave equal results, and reuse would save"},
    {"loses", "equal inputs gave equal results, but a lookup would cost more than the call"},
    {"constant", "the same result whatever the input: probably called for what it does"},
    {"no-repeats", "no input came twice"},
    {"differs", "NOT a function of what was declared: equal inputs gave different results"},
    {"not-seen", "no call could be judged"},
    {"not-called", "not called"},
    {"not-attached", "could not be attached to"},
}};

double mean(std::uint64_t sum, std::uint64_t count)
{
    return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
}

Verdict verdict_of(const Finding& finding)
{
    const auto& counts = finding.measured.counts;
    if (finding.measured.attached.empty())
        return Verdict::not_attached;
    if (counts.returned == 0)
        return Verdict::not_called;
    if (counts.differ != 0)
        return Verdict::differs;
    if (finding.judged == 0)
        return Verdict::not_seen;
    if (counts.equal == 0)
        return Verdict::no_repeats;
    // What somebody declared to be a computation needs no other evidence
    const auto& target = finding.measured.target;
    const bool one_of_many = counts.first > 1 || !target.reads_memory;
    if (!target.declared && finding.measured.results == 1 && one_of_many)
        return Verdict::constant;
    return finding.saving_ns > 0 ? Verdict::pays : Verdict::loses;
}

} // namespace

std::string_view verdict_name(Verdict verdict)
{
    return verdict_words.at(static_cast<std::size_t>(verdict)).name;
}

std::string_view verdict_text(Verdict verdict)
{
    return verdict_words.at(static_cast<std::size_t>(verdict)).text;
}

std::uint64_t not_judged(const kcr_counts& counts)
{
    return counts.too_large + counts.unreadable + counts.full + counts.throttled;
}

Finding judge(const Measurement& measured, const CostModel& cost)
{
    Finding finding{.measured = measured};
    const auto& counts = measured.counts;
    finding.judged = counts.first + counts.equal + counts.differ;
    finding.waits = counts.returned != 0 && counts.ns_calls == 0;
    finding.mean_ns =
        finding.waits ? mean(counts.ns_all, counts.returned) : mean(counts.ns, counts.ns_calls);
    // A repeat may be cheaper than the average: warm caches, shorter inputs
    finding.mean_repeat_ns =
        counts.equal_ns_calls != 0 ? mean(counts.equal_ns, counts.equal_ns_calls) : finding.mean_ns;
    finding.repeats_ns = finding.mean_repeat_ns * static_cast<double>(counts.equal);
    // Every judged call is looked up; those that find nothing pay as well
    finding.lookups_ns = cost.fixed_ns * static_cast<double>(counts.first + counts.equal) +
                         cost.per_byte_ns * static_cast<double>(counts.bytes);
    if (counts.differ == 0 && counts.equal != 0)
        finding.saving_ns = finding.repeats_ns - finding.lookups_ns;
    finding.verdict = verdict_of(finding);
    return finding;
}

std::vector<Finding> rank(const std::vector<Measurement>& measured, const CostModel& cost)
{
    std::vector<Finding> findings;
    findings.reserve(measured.size());
    for (const auto& one : measured)
        findings.push_back(judge(one, cost));
    std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
        if (a.verdict != b.verdict)
            return a.verdict < b.verdict;
        return a.saving_ns > b.saving_ns;
    });
    return findings;
}

} // namespace kcr::ctl
