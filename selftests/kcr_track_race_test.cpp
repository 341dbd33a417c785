// SPDX-License-Identifier: GPL-2.0
/*
 * Everybody at once: pages are written by all ways at random, while they are armed,
 * computed over, and results are stored and looked up. No result may be stale.
 *
 * KCR_RACE_OPS: how many writes each of four owners makes. With --broken NAME the
 * kernel is broken on purpose, and the hunt has to find a stale result.
 */
#include <array>

#include "ways.hpp"

using namespace track;

namespace
{

constexpr uint64_t default_ops = 1500;
constexpr unsigned watchers = 3;

/* A hunt that shows something: there was something to find */
void judge(Check& check, Hunt& hunt)
{
    const Tally& tally = hunt.tally();

    check.that(!tally.stale, "STALE RESULTS: " + std::to_string(tally.stale));
    check.that(!tally.contradictions, "CONTRADICTIONS: " + std::to_string(tally.contradictions));
    check.that(tally.hits > 0, "nothing was found");
    check.that(tally.armed > 0, "nothing was armed");
    check.that(tally.writes > 0, "nothing was written");
}

void hunt_all_ways(Check& check, uint64_t ops, bool until_wrong, Hunt& hunt,
                   const std::array<Puppeteer, hunt_pages>& others)
{
    go(check, hunt,
       {.ops = ops,
        .watchers = watchers,
        .until_wrong = until_wrong,
        .rests = true,
        .ways = [&](const Owner& owner) { return all_ways(others[owner.number()]); }});
}

void test_all_ways(Check& check)
{
    const auto swap = Swap::try_make();
    const std::array<Puppeteer, hunt_pages> others;
    Hunt hunt;

    hunt_all_ways(check, race_ops(default_ops), false, hunt, others);
    judge(check, hunt);
}

void test_stores(Check& check)
{
    Hunt hunt;

    go(check, hunt,
       {.ops = race_ops(default_ops),
        .watchers = watchers,
        .until_wrong = false,
        .rests = true,
        .ways = [](const Owner&) { return stores(); }});
    judge(check, hunt);
}

/* As before, but the hunt ends with the first stale result, and there has to be one */
void test_broken(Check& check, const std::string& name)
{
    const auto swap = Swap::try_make();
    const std::array<Puppeteer, hunt_pages> others;
    const Broken broken(name);
    Hunt hunt;

    hunt_all_ways(check, race_ops(100 * default_ops), true, hunt, others);
    check.that(hunt.tally().wrong() > 0, name + ": no stale result was found");
}

} // namespace

int main(int argc, char** argv)
{
    std::vector<tap::Case> cases = {
        {"all ways at random", test_all_ways},
        {"stores", test_stores},
    };
    if (argc == 3 && argv[1] == std::string("--broken")) {
        const std::string name = argv[2];
        cases = {{"broken: " + name, [name](Check& check) { test_broken(check, name); }}};
    } else if (argc > 1) {
        std::fprintf(stderr, "usage: %s [--broken NAME]\n", argv[0]);
        return tap::exit_fail;
    }
    return tap::run_cases(cases, need_tracking);
}
