/* SPDX-License-Identifier: GPL-2.0 */
/* The scenarios: each runs something real with a site switched off and on. */
#ifndef KCR_SITES_SITES_HPP
#define KCR_SITES_SITES_HPP

#include <string>

#include "tap.hpp"

namespace sites
{

/** What the scenarios need to know. */
struct Settings {
    std::string container_profile = "/usr/share/containers/seccomp.json";
    std::string module; /**< a signed module to load; empty if there is none */
    unsigned processes = 200;
    unsigned loads = 200;
};

/** Starts processes under a container runtime's default profile. */
void containers(const Settings& settings, tap::Check& check);

/** Makes calls whose arguments a sandbox looks at. */
void sandbox_calls(tap::Check& check);

/** Makes calls under a filter that is too short to pay. */
void short_filter(tap::Check& check);

/** Runs a program with threads, files and memory maps under a sandbox. */
void sandbox_job(tap::Check& check);

/** Loads and unloads a signed module. */
void modules(const Settings& settings, tap::Check& check);

/** Reads a user function's result, copied and where it lies, and with read(2). */
void zero_copy(tap::Check& check);

/** Makes a million hits where every system call is deadly. */
void silent_hits(tap::Check& check);

/** Takes page faults while nothing is tracked; works without KCR. */
void page_faults(tap::Check& check);

/** Maps memory for a device while nothing is tracked; works without KCR. */
void device_maps(tap::Check& check);

/** Arms memory, and writes to it. */
void tracked_memory(tap::Check& check);

/** Reuses a function that reads much memory. */
void tracked_hits(tap::Check& check);

/** Calls a function through a gate. */
void gate_calls(tap::Check& check);

/** Calls functions through the library's gates. */
void library_gates(tap::Check& check);

} // namespace sites

#endif
