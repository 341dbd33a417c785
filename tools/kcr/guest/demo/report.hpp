/* SPDX-License-Identifier: GPL-2.0 */
/** @file report.hpp
 * What the demo says: a JSON document for the host, a few lines for people.
 */
#ifndef KCR_DEMO_REPORT_HPP
#define KCR_DEMO_REPORT_HPP

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "corpus.hpp"
#include "passes.hpp"

namespace demo
{

/** The whole result as one JSON document. */
nlohmann::ordered_json to_json(const std::string& tree, const Corpus& corpus, unsigned passes,
                               const std::vector<SiteResult>& sites);

/** Prints one site's result on stderr. */
void print_site(const SiteResult& site, bool instructions);

} // namespace demo

#endif
