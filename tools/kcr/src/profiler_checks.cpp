// SPDX-License-Identifier: GPL-2.0
#include "profiler_checks.h"

#include "text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace kcr::tool
{

namespace
{

using nlohmann::json;

constexpr std::string_view begin_mark = "#kcr-begin ";
constexpr std::string_view end_mark = "#kcr-end ";
constexpr int digests_distinct = 8;
constexpr int digests_times = 100;
constexpr int digests_all = digests_distinct * digests_times;
constexpr int modules = 12;
constexpr int processes = 40;

/// Runs "$@" as a step; what it says besides its result is for the console.
constexpr const char* functions = R"(
step() { echo "#kcr-begin $1"; shift; "$@"; echo "#kcr-end $?"; }
refused() { "$@" 2>&1; }
loud() { "$@" 2>&1 >/dev/null; }
traces() { cat /sys/kernel/tracing/enabled_functions /sys/kernel/debug/kprobes/list; }
modes() { cat /sys/kernel/kcr/sites/*/mode; }
)";

class Judge
{
public:
    Judge(Report& report, const GuestSteps& steps) : report_(report), steps_(steps) {}

    void all();

private:
    /// The step's output, if it ended with @p status; otherwise an empty text and a failure.
    std::string output(const std::string& step, int status = 0)
    {
        const auto found = steps_.find(step);
        if (found == steps_.end()) {
            report_.fail(step, "the guest did not come so far");
            return {};
        }
        if (found->second.status != status) {
            report_.fail(step, fmt::format("status {} and not {}\n{}", found->second.status, status,
                                           found->second.out));
            return {};
        }
        return found->second.out;
    }

    json document(const std::string& step)
    {
        const auto text = output(step);
        auto parsed = json::parse(text, nullptr, false);
        if (!text.empty() && !parsed.is_object())
            report_.fail(step, "not a JSON object: " + text);
        return parsed.is_object() ? parsed : json::object();
    }

    /// The first function of a step's document.
    json function(const std::string& step)
    {
        const auto whole = document(step);
        if (!whole.contains("functions") || whole.at("functions").empty())
            return json::object();
        return whole.at("functions").at(0);
    }

    void expect(const std::string& name, bool good, const std::string& otherwise)
    {
        report_.check(name, good ? Status() : Error{otherwise, {}});
    }

    void expect_counts(const std::string& step, const json& wanted)
    {
        const auto found = function(step);
        if (found.empty())
            return;
        for (const auto& [name, value] : wanted.items())
            expect(step + ": " + name, found.at(name) == value,
                   fmt::format("{} and not {}", found.at(name).dump(), value.dump()));
        for (const auto& [name, value] : found.at("not_judged").items())
            expect(step + ": not judged: " + name, value == 0, value.dump());
    }

    void expect_text(const std::string& step, int status, const std::string& part)
    {
        const auto text = output(step, status);
        if (!text.empty())
            expect(step, text.find(part) != std::string::npos, text);
    }

    void same(const std::string& name, const std::string& before, const std::string& after)
    {
        expect(name, before == after, fmt::format("before:\n{}after:\n{}", before, after));
    }

    void judge_counts();
    void judge_impure();
    void judge_automatic();
    void judge_types_only();
    void judge_sites();

    Report& report_;
    const GuestSteps& steps_;
};

void Judge::judge_counts()
{
    const json exact = {{"calls", digests_all},
                        {"distinct", digests_distinct},
                        {"repeats", digests_all - digests_distinct},
                        {"equal", digests_all - digests_distinct},
                        {"differ", 0},
                        {"distinct_results", digests_distinct},
                        {"hottest", digests_times},
                        {"verdict", "pays"}};
    auto wanted = exact;
    wanted["attached"] = "fentry";
    expect_counts("digests", wanted);
    wanted["attached"] = "kprobe";
    expect_counts("digests-kprobes", wanted);
    // Four at once, each with the same messages
    expect_counts("digests-parallel", {{"calls", 4 * digests_all},
                                       {"distinct", digests_distinct},
                                       {"equal", 4 * digests_all - digests_distinct},
                                       {"differ", 0}});
    // Too few places for the inputs: what is not remembered is not guessed
    const auto full = function("digests-full");
    if (!full.empty())
        expect("digests-full",
               full.at("distinct") == 2 &&
                   full.at("not_judged").at("full") == digests_all - 2 * digests_times &&
                   full.at("equal") == 2 * digests_times - 2,
               full.dump());
    const auto large = function("digests-large");
    if (!large.empty())
        expect("digests-large",
               large.at("not_judged").at("too_large") == digests_all && large.at("equal") == 0 &&
                   large.at("verdict") == "not-seen",
               large.dump());
}

void Judge::judge_impure()
{
    // The message is declared not to count: everything but the first one differs
    expect_counts("digests-undeclared", {{"calls", digests_all},
                                         {"distinct", 1},
                                         {"equal", digests_times - 1},
                                         {"differ", digests_all - digests_times},
                                         {"saving", 0.0},
                                         {"verdict", "differs"}});
    const auto random = function("random");
    if (!random.empty())
        expect("random",
               random.at("calls") >= 20 && random.at("differ") >= 19 &&
                   random.at("verdict") == "differs",
               random.dump());
}

void Judge::judge_automatic()
{
    const auto found = document("auto");
    if (!found.contains("functions"))
        return;
    std::string paying;
    int count = 0;
    double last = 0;
    bool sorted = true;
    for (const auto& one : found.at("functions")) {
        const auto name = one.at("function").get<std::string>();
        if (name == "public_key_verify_signature")
            expect("auto: signatures", one.at("calls") == modules && one.at("equal") == modules - 1,
                   one.dump());
        if (name == "bpf_prog_create_from_user")
            expect("auto: filters",
                   one.at("calls") == processes && one.at("equal") == processes - 1, one.dump());
        if (one.at("verdict") != "pays")
            continue;
        const auto saving = one.at("saving").get<double>();
        sorted = sorted && (count == 0 || saving <= last);
        last = saving;
        ++count;
        paying += name + "\n";
    }
    expect("auto: three functions pay", count >= 3, paying);
    expect("auto: ranked", sorted, found.dump());
    for (const std::string name :
         {"public_key_verify_signature", "crypto_shash_digest", "bpf_prog_create_from_user"})
        expect("auto: finds " + name, paying.find(name + "\n") != std::string::npos, paying);
}

void Judge::judge_types_only()
{
    const auto found = document("auto-types");
    json signature = json::object();
    for (const auto& one : found.value("functions", json::array())) {
        if (one.at("function") == "public_key_verify_signature")
            signature = one;
    }
    expect("auto-types: finds signatures",
           signature.value("equal", 0) == modules - 1 && signature.value("verdict", "") == "pays" &&
               !signature.value("declared", true),
           found.dump());
}

void Judge::judge_sites()
{
    const auto found = document("sites");
    for (const auto& site : found.value("sites", json::array())) {
        if (site.at("site") != "hash")
            continue;
        // A store may be dropped, so a repeat may be missed; a wrong one may not be seen
        expect("sites: hash",
               site.at("mode") == "observe" && site.at("requests") == digests_all &&
                   site.at("repeats") >= digests_all / 2 && site.at("differ") == 0,
               site.dump());
    }
    same("sites: modes", output("modes-before"), output("modes-after"));
}

void Judge::all()
{
    judge_counts();
    judge_impure();
    judge_automatic();
    judge_types_only();
    judge_sites();
    same("answers", output("answer-alone"), output("answer-profiled"));
    expect_text("traces-during", 0, "crypto_shash_digest");
    same("detached", output("traces-before"), output("traces-after"));
    same("detached after an interruption", output("traces-before"), output("traces-interrupted"));
    expect_text("unknown-function", 1, "did you mean 'crypto_shash_digest'");
    expect_text("bad-args", 1, "at character 9");
    expect_text("denied", 1, "the probes run through it");
    expect_text("not-inferred", 1, "does not follow from its types");
}

} // namespace

std::string profiler_script(const std::filesystem::path& tool, const std::filesystem::path& module)
{
    const auto load = (tool / "kcrctl-load").string();
    const auto profile = (tool / "kcrctl").string() + " profile";
    const auto work = fmt::format("{} digest {} {} 200", load, digests_distinct, digests_times);
    const auto step = [](const std::string& name, const std::string& command) {
        return fmt::format("step {} {}\n", name, command);
    };
    const std::string digest = " --json crypto_shash_digest -- ";
    const auto set_modes = [](const std::string& mode) {
        return "for site in sigverify seccomp_install seccomp_run; do "
               "echo " +
               mode + " > /sys/kernel/kcr/sites/$site/mode; done\n";
    };
    std::string script = functions;
    script += step("traces-before", "traces") + step("modes-before", "modes");
    script += step("answer-alone", work);
    script += step("answer-profiled", "loud " + profile + digest + work);
    script += step("traces-during", "loud " + profile +
                                        " crypto_shash_digest -- cat "
                                        "/sys/kernel/tracing/enabled_functions");
    script += step("digests", profile + digest + work);
    script += step("digests-kprobes", profile + " --kprobes" + digest + work);
    script += step("digests-parallel",
                   profile + digest + fmt::format("sh -c '{0} & {0} & {0} & {0}; wait'", work));
    script += step("digests-full", profile + " --inputs 2" + digest + work);
    script += step("digests-large", profile + " --max-bytes 100" + digest + work);
    script += step("digests-undeclared",
                   profile + " --args 'id desc->tfm, -, val, out[32]'" + digest + work);
    script += step("random", profile + " --json --args 'out[len=arg1], val' get_random_bytes -- "
                                       "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 "
                                       "18 19 20; do /bin/true; done'");
    // What is reused already is not called
    script += set_modes("off");
    script += step("auto", profile + " --json --auto -- " +
                               fmt::format("{} module {} {} digest 20 100 1000 seccomp {}", load,
                                           module.string(), modules, processes));
    script +=
        step("auto-types", profile + " --json --auto --types-only -- " +
                               fmt::format("{} module {} {}", load, module.string(), modules));
    script += set_modes("reuse");
    script +=
        step("sites", profile + " --json --sites -- " + load +
                          fmt::format(" reuse-digest {} {} 1000", digests_distinct, digests_times));
    script += step("modes-after", "modes");
    script += step("unknown-function", "refused " + profile + " crypto_shash_digset");
    script += step("bad-args", "refused " + profile + " --args 'u64, ptr(4)' csum_partial");
    script += step("denied", "refused " + profile + " bpf_map_lookup_elem");
    script += step("not-inferred", "refused " + profile + " vfs_read");
    script += step("traces-after", "traces");
    script += fmt::format("{} crypto_shash_digest -- sleep 60 >/dev/null 2>&1 & sleep 8; "
                          "kill -INT $!; wait $!\n",
                          profile);
    script += step("traces-interrupted", "traces");
    return script;
}

GuestSteps parse_steps(std::string_view out)
{
    GuestSteps steps;
    std::string current;
    for (const auto& line : split(out, '\n')) {
        if (line.starts_with(begin_mark)) {
            current = line.substr(begin_mark.size());
            steps[current] = {};
        } else if (line.starts_with(end_mark) && !current.empty()) {
            const auto number = std::string_view(line).substr(end_mark.size());
            std::from_chars(number.data(), number.data() + number.size(), steps[current].status);
            current.clear();
        } else if (!current.empty()) {
            steps[current].out += line + "\n";
        }
    }
    return steps;
}

void judge_profiler(Report& report, const GuestSteps& steps)
{
    Judge(report, steps).all();
}

} // namespace kcr::tool
