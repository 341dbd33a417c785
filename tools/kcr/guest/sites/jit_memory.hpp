/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory compiled BPF programs take, followed by two kprobes. */
#ifndef KCR_SITES_JIT_MEMORY_HPP
#define KCR_SITES_JIT_MEMORY_HPP

#include <cstdint>

namespace sites
{

/** Follows what the BPF compiler allocates and frees, from construction on. */
class JitMemory
{
public:
    JitMemory();
    ~JitMemory();
    JitMemory(const JitMemory&) = delete;
    JitMemory& operator=(const JitMemory&) = delete;

    /** Bytes of images allocated since construction and not freed. */
    static int64_t bytes();
};

} // namespace sites

#endif
