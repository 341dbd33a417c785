// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace kcr::tool
{

/// The machine to emulate.
struct Machine {
    int smp = 4;
    int numa = 1;
    int bare_nodes = 0; ///< more NUMA nodes, with memory and without CPUs
    int memory_mb = 2048;
    bool iommu = false;
    bool icount = false; ///< count instructions: one CPU, TSC ticks are instructions
    bool kvm = false;
    std::vector<std::string> append; ///< more kernel parameters
};

/// Descriptors of the host ends; QEMU inherits them.
struct VmChannels {
    int console = -1;
    int out = -1;
    int err = -1;
    int status = -1;
    int terminal = -1; ///< -1: no interactive terminal
};

/// A machine as it will really be: what --icount implies is applied, impossible combinations are
/// errors.
Result<Machine> settle_machine(Machine machine);

/// The kernel command line.
std::string kernel_command_line(const Machine& machine);

/// The -cpu model: fixed features, and no fast REP strings, whose cost would be hidden from
/// instruction counts.
std::string cpu_model(const Machine& machine);

/// The whole QEMU command.
std::vector<std::string> qemu_arguments(const Machine& machine, const VmChannels& channels,
                                        const std::filesystem::path& kernel,
                                        const std::filesystem::path& initramfs);

} // namespace kcr::tool
