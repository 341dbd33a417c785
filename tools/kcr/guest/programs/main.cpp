// SPDX-License-Identifier: GPL-2.0
/*
 * kcr-programs: unmodified programs of the distribution, plainly and with functions
 * of their libraries reused by kcrctl run. Prints TAP about whether their output is
 * the same, and figures about calls and instructions.
 */
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

#include "figures.hpp"
#include "jobs.hpp"
#include "run.hpp"
#include "tap.hpp"

namespace
{

/* Where things are */
struct Places {
    std::string kcrctl = "kcrctl";
    std::string programs = "tools/kcrctl/guest/programs";
};

/* A command with the job's functions reused */
std::vector<std::string> with_reuse(const programs::Job& job, const Places& places,
                                    const std::vector<std::string>& command)
{
    std::vector<std::string> reused = {
        places.kcrctl, "run", "--stats", "--memo-file", places.programs + "/" + job.name + ".toml",
        "--"};

    reused.insert(reused.end(), command.begin(), command.end());
    return reused;
}

/* What the calls alone cost: all, less the same without them */
void figures_of_calls(const programs::Job& job, const Places& places,
                      const programs::Outcome& before, const programs::Outcome& after,
                      tap::Check& check)
{
    const auto less = [](uint64_t all, uint64_t idle) { return all > idle ? all - idle : 0; };
    const auto idle = programs::run(job.idle);
    const auto idle_reused = programs::run(with_reuse(job, places, job.idle));

    check.that(idle.status == 0 && idle_reused.status == 0 && idle.output == idle_reused.output,
               "without calls: " + idle_reused.errors);
    const auto plain = less(before.time_ns, idle.time_ns);
    const auto reused = less(after.time_ns, idle_reused.time_ns);
    sites::figure("program_" + job.name + "_calls_plain_insns", plain);
    sites::figure("program_" + job.name + "_calls_reuse_insns", reused);
    sites::remark(job.name + ", the calls alone: " + std::to_string(plain) + " -> " +
                  std::to_string(reused) + " instructions (" + sites::times(plain, reused) + ")");
}

void compare(const programs::Job& job, const Places& places, tap::Check& check)
{
    const auto reused = with_reuse(job, places, job.command);

    /* Once for nothing, so that files are in memory */
    programs::run(job.command);
    const auto before = programs::run(job.command);
    const auto after = programs::run(reused);
    const auto reuse = programs::parse_stats(after.errors);

    check.that(before.status == 0 && !before.output.empty(), "plainly: " + before.errors);
    check.that(after.status == before.status, "with reuse: " + after.errors);
    check.that(after.output == before.output, "the output differs");
    check.that(reuse.calls > 0, "no call was seen: " + after.errors);
    if (job.pays)
        check.that(reuse.hits * 2 > reuse.calls, "most calls were to be hits: " + after.errors);
    else
        check.that(reuse.bypassed * 2 > reuse.calls,
                   "most calls were to be bypassed: " + after.errors);
    const std::string name = "program_" + job.name;
    sites::figure(name + "_plain_insns", before.time_ns);
    sites::figure(name + "_reuse_insns", after.time_ns);
    sites::figure(name + "_calls", reuse.calls);
    sites::figure(name + "_hits", reuse.hits);
    sites::remark(job.name + ": " + std::to_string(before.time_ns) + " -> " +
                  std::to_string(after.time_ns) + " instructions (" +
                  sites::times(before.time_ns, after.time_ns) + "), " +
                  std::to_string(reuse.calls) + " calls, " + std::to_string(reuse.hits) +
                  " hits, " + std::to_string(reuse.bypassed) + " bypassed");
    if (!job.idle.empty())
        figures_of_calls(job, places, before, after, check);
}

int run(int argc, char** argv)
{
    CLI::App app("Programs of the distribution, with and without reuse");
    Places places;
    std::string only;

    app.add_option("--kcrctl", places.kcrctl, "where kcrctl is");
    app.add_option("--programs", places.programs, "where the programs' input is");
    app.add_option("--only", only, "run what has this in its name");
    CLI11_PARSE(app, argc, argv);

    std::vector<tap::Case> cases;
    for (const programs::Job& job : programs::jobs(places.programs)) {
        if (job.title.find(only) != std::string::npos)
            cases.push_back(
                {job.title, [job, &places](tap::Check& check) { compare(job, places, check); }});
    }
    return tap::run_cases(cases, [] {
        if (access("/dev/kcr", R_OK | W_OK) != 0)
            throw tap::Skip("no /dev/kcr");
    });
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kcr-programs: %s\n", error.what());
        return 1;
    }
}
