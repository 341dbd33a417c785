// SPDX-License-Identifier: GPL-2.0
#include "candidates.h"
#include "commands.h"
#include "load.h"
#include "probes.h"
#include "programs.h"
#include "render.h"
#include "sampler.h"
#include "sites.h"

#include <fmt/format.h>

#include <chrono>

namespace kcr::ctl
{

namespace
{

constexpr double automatic_overhead = 10; ///< percent of a CPU, for each function
constexpr double grace_s = 0.2;           ///< before the overhead is limited
constexpr double ns_per_s = 1e9;

double now_s()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

Result<Kernel> open_kernel(const ProfileOptions& options)
{
    if (auto allowed = check_privileges(); !allowed)
        return allowed.error();
    auto types = Types::of_kernel();
    if (!types)
        return types.error();
    auto symbols = Symbols::of_kernel();
    if (!symbols)
        return symbols.error();
    Kernel kernel{std::move(*types), std::move(*symbols), Catalogue::builtin()};
    if (options.types_only)
        kernel.catalogue.forget_inputs();
    if (!options.catalogue.empty()) {
        const auto text = tool::read_file(options.catalogue);
        if (!text)
            return text.error();
        if (auto added = kernel.catalogue.add(*text); !added)
            return added.error();
    }
    return kernel;
}

Result<RunFacts> settle_facts(const ProfileOptions& options)
{
    RunFacts facts;
    if (options.lookup_cost.empty()) {
        facts.cost = measure_cost();
    } else {
        auto cost = parse_cost(options.lookup_cost);
        if (!cost)
            return cost.error();
        facts.cost = *cost;
    }
    facts.unit = clock_counts_instructions() ? "instructions" : "ns";
    return facts;
}

LoadOptions load_options(const ProfileOptions& options, double part)
{
    return {options.command, options.seconds * part, options.seconds_given};
}

void say_how_it_ended(const LoadOutcome& outcome)
{
    if (outcome.interrupted)
        fmt::print(stderr, "kcrctl: interrupted; what was counted so far:\n");
    else if (outcome.cut_short)
        fmt::print(stderr, "kcrctl: the command was ended after {:.0f} s\n", outcome.seconds);
    else if (outcome.status != 0)
        fmt::print(stderr, "kcrctl: the command ended with status {}\n", outcome.status);
}

/// Attaches to the functions, runs the load, detaches; what was seen.
Result<std::vector<Measurement>> measure(const Kernel& kernel, const ProfileOptions& options,
                                         const std::vector<Planned>& functions,
                                         const LoadOptions& load, double overhead, RunFacts& facts)
{
    auto probes = Probes::load(kernel.types, functions,
                               {.inputs = options.inputs, .kprobes = options.kprobes});
    if (!probes)
        return probes.error();
    auto& active = **probes;
    if (active.attach() == 0) {
        const auto measured = active.read();
        return Error{fmt::format("cannot attach to {}", functions.front().target.function),
                     measured ? measured->front().obstacle : measured.error().message};
    }
    const double begin = now_s();
    const auto limit = [&] {
        if (overhead > 0)
            active.set_budget(static_cast<std::uint64_t>((now_s() - begin + grace_s) * ns_per_s *
                                                         overhead / 100));
    };
    limit();
    active.arm(true);
    const auto outcome = run_load(load, limit);
    active.arm(false);
    active.detach();
    if (!outcome)
        return outcome.error();
    say_how_it_ended(*outcome);
    facts.seconds = outcome->seconds;
    facts.load_status = outcome->status;
    return active.read();
}

void print_findings(const std::vector<Finding>& findings, const RunFacts& facts, bool json,
                    bool table)
{
    if (json) {
        fmt::print("{}\n", to_json(findings, facts).dump(2));
    } else if (table) {
        fmt::print("{}", render_ranking(findings, facts));
    } else {
        for (const auto& finding : findings)
            fmt::print("{}\n", render_finding(finding, facts));
    }
}

std::uint32_t byte_limit(const ProfileOptions& options)
{
    return options.max_bytes != 0 ? options.max_bytes : default_max_bytes;
}

/// Which candidates the load keeps the kernel busy with.
Result<std::vector<Target>> sample(const Kernel& kernel, const ProfileOptions& options)
{
    const auto candidates = find_candidates(kernel);
    auto sampler = Sampler::start();
    if (!sampler)
        return sampler.error();
    fmt::print(stderr, "kcrctl: sampling which of {} candidates are busy\n", candidates.size());
    const auto outcome =
        run_load(load_options(options, 0.3), [&] { sampler->drain(kernel.symbols); });
    sampler->stop();
    sampler->drain(kernel.symbols);
    if (!outcome)
        return outcome.error();
    if (outcome->interrupted)
        return Error{"interrupted while sampling", {}};
    const auto& counts = sampler->counts();
    fmt::print(stderr, "kcrctl: {} samples of the kernel in {:.1f} s{}\n", counts.samples,
               outcome->seconds, counts.lost != 0 ? fmt::format(" ({} lost)", counts.lost) : "");
    if (counts.samples == 0)
        return Error{"the kernel was not seen running",
                     "was the system under load? A command to run may follow after --"};
    return hottest(candidates, counts, options.candidates);
}

} // namespace

Status profile_functions(const ProfileOptions& options)
{
    auto kernel = open_kernel(options);
    if (!kernel)
        return kernel.error();
    std::vector<Planned> functions;
    for (const auto& name : options.functions) {
        auto planned = plan_named(*kernel, name, options.args, byte_limit(options));
        if (!planned)
            return planned.error();
        functions.push_back(std::move(*planned));
    }
    auto facts = settle_facts(options);
    if (!facts)
        return facts.error();
    const auto measured =
        measure(*kernel, options, functions, load_options(options, 1), options.overhead, *facts);
    if (!measured)
        return measured.error();
    std::vector<Finding> findings;
    for (const auto& one : *measured)
        findings.push_back(judge(one, facts->cost));
    print_findings(findings, *facts, options.json, false);
    return {};
}

Status profile_automatically(const ProfileOptions& options)
{
    auto kernel = open_kernel(options);
    if (!kernel)
        return kernel.error();
    auto facts = settle_facts(options);
    if (!facts)
        return facts.error();
    const auto chosen = sample(*kernel, options);
    if (!chosen)
        return chosen.error();
    std::vector<Planned> functions;
    for (const auto& target : *chosen) {
        const auto plan = make_plan(&kernel->types, target, byte_limit(options));
        if (plan)
            functions.push_back({target, *plan});
        else
            fmt::print(stderr, "kcrctl: {} is left out: {}\n", target.function,
                       plan.error().message);
    }
    if (functions.empty())
        return Error{"nothing to attach to", {}};
    fmt::print(stderr, "kcrctl: attaching to {} functions\n", functions.size());
    const double overhead = options.overhead > 0 ? options.overhead : automatic_overhead;
    const auto measured =
        measure(*kernel, options, functions, load_options(options, 0.7), overhead, *facts);
    if (!measured)
        return measured.error();
    print_findings(rank(*measured, facts->cost), *facts, options.json, true);
    return {};
}

Status profile_sites(const ProfileOptions& options)
{
    const SiteFiles files;
    ObserveAll observe(files);
    if (!options.keep_modes) {
        if (auto begun = observe.begin(); !begun)
            return begun;
    }
    const auto before = files.counters();
    if (!before)
        return before.error();
    const auto outcome = run_load(load_options(options, 1), [] {});
    const auto modes = files.modes();
    const auto after = files.counters();
    if (auto ended = observe.end(); !ended)
        return ended;
    if (!outcome)
        return outcome.error();
    if (!modes)
        return modes.error();
    if (!after)
        return after.error();
    say_how_it_ended(*outcome);
    const auto reports = report_sites(difference(*after, *before), *modes);
    const std::string unit = clock_counts_instructions() ? "instructions" : "ticks";
    if (options.json)
        fmt::print("{}\n", to_json(reports, unit).dump(2));
    else
        fmt::print("{}", render_sites(reports, unit));
    return {};
}

Status list_candidates(const ProfileOptions& options)
{
    auto kernel = open_kernel(options);
    if (!kernel)
        return kernel.error();
    for (const auto& target : find_candidates(*kernel)) {
        bool wanted = options.functions.empty();
        for (const auto& glob : options.functions)
            wanted = wanted || tool::glob_match(glob, target.function);
        if (wanted)
            fmt::print("{:<32} {}{}\n", target.function, target.declared ? "" : "? ", target.args);
    }
    return {};
}

} // namespace kcr::ctl
