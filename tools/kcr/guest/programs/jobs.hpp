/* SPDX-License-Identifier: GPL-2.0 */
/* Which programs are run, and whether reuse pays in them. */
#ifndef KCR_PROGRAMS_JOBS_HPP
#define KCR_PROGRAMS_JOBS_HPP

#include <string>
#include <vector>

namespace programs
{

/** A program of the distribution; NAME.toml says what is reused in it. */
struct Job {
    std::string name;
    std::string title;                /**< for people */
    std::vector<std::string> command; /**< the program, as it is */
    bool pays;                        /**< or whether it is expected to step aside */
    std::vector<std::string> idle;    /**< the same without the calls, if that can be */
};

/** The jobs, with what they read in @p directory (tools/kcrctl/guest/programs). */
std::vector<Job> jobs(const std::string& directory);

} // namespace programs

#endif
