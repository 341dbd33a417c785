// SPDX-License-Identifier: GPL-2.0
#include "jit_memory.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include "stats.hpp"

namespace sites
{

namespace
{

const std::string tracing = "/sys/kernel/tracing/";
const std::string events = tracing + "events/kcr_sites/";

/* Removes the kprobes and what was traced: the files are emptied by opening them */
void clear()
{
    kcr::try_write_file(events + "enable", "0");
    for (const char* name : {"kprobe_events", "trace"})
        const afalg::Fd emptied(open((tracing + name).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
}

} // namespace

JitMemory::JitMemory()
{
    if (access((tracing + "trace").c_str(), F_OK) != 0)
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
    clear();
    kcr::write_file(tracing + "buffer_size_kb", "1024");
    kcr::write_file(tracing + "kprobe_events",
                    "p:kcr_sites/alloc bpf_prog_pack_alloc bytes=%di:s32\n"
                    "p:kcr_sites/free bpf_prog_pack_free bytes=%si:s32\n");
    kcr::write_file(events + "enable", "1");
}

JitMemory::~JitMemory()
{
    clear();
}

int64_t JitMemory::bytes()
{
    std::istringstream trace(kcr::read_file(tracing + "trace"));
    std::string line;
    int64_t total = 0;

    while (std::getline(trace, line)) {
        const auto at = line.find(" bytes=");
        if (line.starts_with("#") || at == std::string::npos)
            continue;
        const int64_t bytes = std::stoll(line.substr(at + 7));
        total += line.find(" free:") != std::string::npos ? -bytes : bytes;
    }
    return total;
}

} // namespace sites
