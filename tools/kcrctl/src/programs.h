// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "common.h"
#include "fd.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kcr::ctl
{

/// A BPF program as libbpf would load it, which can be loaded again for other functions.
///
/// fentry and fexit programs are bound to one function when they are loaded. Loading the whole
/// object for each function would read the kernel's types each time.
class ProgramTemplate
{
public:
    /// Keeps what libbpf is about to load.
    void take(const bpf_program* program, const bpf_prog_load_opts& options);
    [[nodiscard]] bool taken() const
    {
        return !instructions_.empty();
    }
    /// Loads it for the function with this type.
    [[nodiscard]] Result<tool::Fd> load_for(std::uint32_t function, bpf_attach_type kind) const;

private:
    std::vector<bpf_insn> instructions_;
    std::vector<char> functions_;
    std::uint32_t functions_count_ = 0;
    std::uint32_t functions_size_ = 0;
    std::uint32_t types_fd_ = 0;
};

/// The entry and the exit program.
class ProgramTemplates
{
public:
    ProgramTemplates() = default;
    ProgramTemplates(const ProgramTemplates&) = delete;
    ProgramTemplates& operator=(const ProgramTemplates&) = delete;
    ~ProgramTemplates();

    /// Takes the programs of the next object that is opened and loaded; libbpf itself loads them
    /// for @p function.
    Status expect(std::uint32_t function);
    [[nodiscard]] bool complete() const
    {
        return entry_.taken() && exit_.taken();
    }
    [[nodiscard]] const ProgramTemplate& entry() const
    {
        return entry_;
    }
    [[nodiscard]] const ProgramTemplate& exit() const
    {
        return exit_;
    }

private:
    static int on_entry(bpf_program* program, bpf_prog_load_opts* options, long self);
    static int on_exit(bpf_program* program, bpf_prog_load_opts* options, long self);

    std::uint32_t function_ = 0;
    std::vector<int> handlers_;
    ProgramTemplate entry_;
    ProgramTemplate exit_;
};

/// Keeps libbpf from printing; its messages are kept for last_libbpf_messages().
void quiet_libbpf();

/// The last lines that libbpf would have printed.
std::string last_libbpf_messages();

} // namespace kcr::ctl
