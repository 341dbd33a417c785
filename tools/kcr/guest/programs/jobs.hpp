/* SPDX-License-Identifier: GPL-2.0 */
/* Which programs are run, and what is reused in them. */
#ifndef KCR_PROGRAMS_JOBS_HPP
#define KCR_PROGRAMS_JOBS_HPP

#include <string>
#include <vector>

namespace programs
{

/** A program and the functions that it repeats. */
struct Job {
    const char* name;                 /**< in figures */
    std::string title;                /**< for people */
    std::vector<std::string> command; /**< the program, as it is */
    std::vector<std::string> memo;    /**< signatures */
    std::vector<std::string> options; /**< more for kcrctl run */
    bool pays;                        /**< or whether it is expected to step aside */
};

const std::vector<Job>& jobs();

} // namespace programs

#endif
