// SPDX-License-Identifier: GPL-2.0
#include "boot.h"
#include "commands.h"
#include "suites.h"
#include "text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>

namespace kcr::tool
{

namespace
{

constexpr double demo_timeout_s = 400;
constexpr double hit_points = 5;     ///< how far predicted hits may be off, in percent of requests
constexpr double saved_percent = 20; ///< how far predicted savings may be off, in percent of them
constexpr double negligible_percent = 2; ///< of all that was computed: too little to be predicted

using nlohmann::json;

double ratio(double part, double whole)
{
    return whole == 0 ? 0 : 100 * part / whole;
}

void judge_site(Report& report, const std::string& name, const json& site)
{
    const auto requests = site.at("requests").get<double>();
    const auto hits =
        site.at("hits").at("l2").get<double>() + site.at("hits").at("l3").get<double>();
    const auto& predicted = site.at("predicted");
    const double points = std::abs(ratio(predicted.at("hits").get<double>() - hits, requests));
    report.check(name + ": hits",
                 points <= hit_points
                     ? Status()
                     : Error{fmt::format("{} predicted, {} came, of {}",
                                         predicted.at("hits").get<long>(), hits, requests),
                             {}});

    const auto saved = site.at("saved").get<double>();
    const double off = std::abs(predicted.at("saved").get<double>() - saved);
    const auto plain = site.at("plain_total").get<double>();
    const bool close =
        ratio(off, std::abs(saved)) <= saved_percent || ratio(off, plain) <= negligible_percent;
    report.check(name + ": saved", close ? Status()
                                         : Error{fmt::format("{} predicted, {} saved, of {}",
                                                             predicted.at("saved").get<long>(),
                                                             site.at("saved").get<long>(), plain),
                                                 {}});
    report.check(name + ": answers", site.at("mismatches") == 0 && predicted.at("differing") == 0
                                         ? Status()
                                         : Error{"some answers differ", {}});
}

} // namespace

void judge_prediction(Report& report, const std::string& order, const json& document)
{
    if (document.at("unit") != "instructions") {
        report.fail(order, "the guest does not count instructions");
        return;
    }
    for (const auto& site : document.at("sites"))
        judge_site(report, order + ": " + site.at("algorithm").get<std::string>(), site);
}

void run_suite_profit(SuiteContext& context)
{
    const auto& project = context.project;
    if (auto built = prepare_and_build(project, "base"); !built) {
        context.report.check("build", built);
        return;
    }
    for (const std::string order : {"passes", "zipf", "loop", "mixed"}) {
        auto request = boot_request(project, "base", "profit-" + order);
        request.machine.icount = true;
        request.machine = *settle_machine(request.machine);
        request.machine.append = {"cryptomgr.notests"};
        request.job.argv = {(project.tool_build() / "guest/demo/kcr-demo").string(), "--order",
                            order};
        request.timeout_s = demo_timeout_s;
        const auto outcome = boot(request);
        if (!outcome) {
            context.report.fail(order, outcome.error().message);
            continue;
        }
        const auto document = json::parse(outcome->out, nullptr, false);
        if (!outcome->success() || !document.is_object())
            context.report.fail(order, outcome->describe() + outcome->err);
        else
            judge_prediction(context.report, order, document);
    }
}

} // namespace kcr::tool
