/* SPDX-License-Identifier: GPL-2.0 */
/* What is measured, printed among the TAP lines. */
#ifndef KCR_SITES_FIGURES_HPP
#define KCR_SITES_FIGURES_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace sites
{

/** Prints a figure as `kcr bench` reads it: "guest.NAME VALUE". */
void figure(const std::string& name, uint64_t value);

/** Prints a remark. */
void remark(const std::string& text);

/** The middle one; @p values must not be empty. */
uint64_t median(std::vector<uint64_t> values);

uint64_t sum(const std::vector<uint64_t>& values);

/** "N times" with one digit after the point. */
std::string times(uint64_t before, uint64_t after);

} // namespace sites

#endif
