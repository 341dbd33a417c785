/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP output for the KCR selftests, with kselftest's exit codes.
 *
 * A test program lists its cases and calls run_cases(). A case reports each
 * mismatch through its Check; an exception fails it, Skip skips it.
 */
#ifndef KCR_SELFTEST_TAP_HPP
#define KCR_SELFTEST_TAP_HPP

#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tap
{

inline constexpr int exit_pass = 0;
inline constexpr int exit_fail = 1;
inline constexpr int exit_skip = 4;

/** Thrown by a case, or before the first one, when the kernel lacks something. */
struct Skip : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/** Collects what goes wrong in one case; usable from several threads. */
class Check
{
public:
    /** Records a failure unless @p ok; returns @p ok. */
    bool that(bool ok, std::string_view what)
    {
        if (ok)
            return true;
        const std::lock_guard lock(mutex_);
        failures_++;
        if (failures_ <= max_reported)
            print("# " + std::string(what));
        return false;
    }

    /** Compares two byte strings and says where they differ first. */
    bool same(std::span<const uint8_t> got, std::span<const uint8_t> want, std::string_view what)
    {
        if (got.size() == want.size() && std::equal(got.begin(), got.end(), want.begin()))
            return true;
        size_t at = 0;
        while (at < got.size() && at < want.size() && got[at] == want[at])
            at++;
        return that(false, std::string(what) + ": " + std::to_string(got.size()) + " bytes, " +
                               std::to_string(want.size()) + " expected, first difference at " +
                               std::to_string(at));
    }

    /** A remark in the output that does not change the verdict. */
    void note(std::string_view what)
    {
        const std::lock_guard lock(mutex_);
        print("# " + std::string(what));
    }

    /** How many failures were recorded. */
    unsigned failures() const
    {
        return failures_;
    }

private:
    static void print(const std::string& line)
    {
        std::puts(line.c_str());
        std::fflush(stdout);
    }

    static constexpr unsigned max_reported = 20;
    std::mutex mutex_;
    unsigned failures_ = 0;
};

/** One test case. */
struct Case {
    std::string name;
    std::function<void(Check&)> run;
};

/** What run_cases() did with one case. */
enum class Outcome { pass, fail, skip };

/** Runs one case and turns what it throws into an outcome. */
inline Outcome run_case(const Case& test, std::string& reason)
{
    Check check;

    try {
        test.run(check);
    } catch (const Skip& skip) {
        reason = skip.what();
        return check.failures() ? Outcome::fail : Outcome::skip;
    } catch (const std::exception& error) {
        check.that(false, std::string("exception: ") + error.what());
    }
    if (check.failures())
        std::printf("# %u failures\n", check.failures());
    return check.failures() ? Outcome::fail : Outcome::pass;
}

/**
 * Runs all cases and returns the program's exit status.
 *
 * @p prepare runs first; if it throws Skip, the whole program is skipped.
 */
inline int run_cases(std::span<const Case> cases, const std::function<void()>& prepare)
{
    unsigned passed = 0;
    unsigned failed = 0;
    unsigned skipped = 0;
    unsigned number = 0;

    std::puts("TAP version 13");
    try {
        prepare();
    } catch (const Skip& skip) {
        std::printf("1..0 # SKIP %s\n", skip.what());
        return exit_skip;
    } catch (const std::exception& error) {
        std::printf("Bail out! %s\n", error.what());
        return exit_fail;
    }

    std::printf("1..%zu\n", cases.size());
    std::fflush(stdout);
    for (const Case& test : cases) {
        std::string reason;

        number++;
        switch (run_case(test, reason)) {
        case Outcome::pass:
            passed++;
            std::printf("ok %u %s\n", number, test.name.c_str());
            break;
        case Outcome::skip:
            skipped++;
            std::printf("ok %u %s # SKIP %s\n", number, test.name.c_str(), reason.c_str());
            break;
        case Outcome::fail:
            failed++;
            std::printf("not ok %u %s\n", number, test.name.c_str());
            break;
        }
        std::fflush(stdout);
    }
    std::printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n", passed, failed,
                skipped);
    if (failed)
        return exit_fail;
    return passed ? exit_pass : exit_skip;
}

} // namespace tap

#endif
