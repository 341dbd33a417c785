/* SPDX-License-Identifier: GPL-2.0 */
/* Runs an unmodified program, plainly and with kcrctl run. */
#ifndef KCR_PROGRAMS_RUN_HPP
#define KCR_PROGRAMS_RUN_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace programs
{

/** What a run was like. */
struct Outcome {
    int status = 0;       /**< exit status, 128 + N if signal N killed it */
    uint64_t time_ns = 0; /**< of processors, its children too: instructions under -icount */
    std::string output;   /**< its standard output */
    std::string errors;   /**< its standard error */
};

/** Runs @p argv with nothing to read. */
Outcome run(const std::vector<std::string>& argv);

/** What kcrctl run --stats says of one function. */
struct Reuse {
    uint64_t calls = 0;
    uint64_t hits = 0;
    uint64_t computed = 0;
    uint64_t bypassed = 0;
    std::string state;
};

/** Sums over the functions of the table in @p errors; the state is the last one's. */
Reuse parse_stats(const std::string& errors);

} // namespace programs

#endif
