/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages as the kernel sees them: frames, huge pages, nodes.
 */
#ifndef KCR_SELFTEST_PAGES_HPP
#define KCR_SELFTEST_PAGES_HPP

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

#include <sstream>

#include "trackio.hpp"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace track
{

/** Number of the page frame behind @p address, for root. */
inline uint64_t frame(const void* address)
{
    return pagemap(address) & ((1ULL << 55) - 1);
}

/** Whether the page at @p address is part of a huge one. */
inline bool huge(const void* address)
{
    constexpr unsigned kpf_thp = 22;
    const Fd fd(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
    uint64_t flags = 0;

    if (!fd || pread(fd.get(), &flags, sizeof(flags),
                     static_cast<off_t>(frame(address) * sizeof(flags))) != sizeof(flags))
        domain::fail("/proc/kpageflags");
    return flags >> kpf_thp & 1;
}

/** Sets a file that shows its choices, with the current one in brackets. */
class Choice
{
public:
    Choice(std::string path, const std::string& value) : path_(std::move(path))
    {
        std::string line;
        std::ifstream file(path_);

        std::getline(file, line);
        const auto from = line.find('[');
        const auto to = line.find(']');
        if (from == std::string::npos || to == std::string::npos ||
            !(std::ofstream(path_) << value << std::flush))
            throw tap::Skip("cannot set " + path_);
        before_ = line.substr(from + 1, to - from - 1);
    }
    ~Choice()
    {
        std::ofstream(path_) << before_ << std::flush;
    }
    Choice(const Choice&) = delete;
    Choice& operator=(const Choice&) = delete;

private:
    std::string path_;
    std::string before_;
};

/** The numbers of a list such as 0-2,5. */
inline std::vector<unsigned> numbers(const std::string& path)
{
    std::vector<unsigned> found;
    std::ifstream file(path);
    std::string part;

    while (std::getline(file, part, ',')) {
        std::istringstream text(part);
        unsigned from = 0;
        if (!(text >> from))
            continue;
        unsigned to = from;
        if (text.get() == '-')
            text >> to;
        for (; from <= to; from++)
            found.push_back(from);
    }
    return found;
}

/** The nodes that are listed in @p name: has_memory, has_cpu. */
inline std::vector<unsigned> node_list(const std::string& name)
{
    return numbers("/sys/devices/system/node/" + name);
}

inline std::vector<unsigned> node_cpus(unsigned node)
{
    return numbers("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist");
}

/** Binds the calling thread to a processor. */
inline void run_on(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/** Moves a page to @p node; whether it is there. */
inline bool move_to(const void* page, int node)
{
    int status = -1;

    for (int i = 0; i < 20 && status != node; i++) {
        if (syscall(SYS_move_pages, 0, 1, &page, &node, &status, MPOL_MF_MOVE) < 0)
            domain::fail("move_pages");
    }
    return status == node;
}

/** A counter of /proc/vmstat; 0 if it is none. */
inline uint64_t vmstat(const std::string& name)
{
    std::ifstream file("/proc/vmstat");
    std::string word;
    uint64_t value = 0;

    while (file >> word >> value) {
        if (word == name)
            return value;
    }
    return 0;
}

} // namespace track

#endif
