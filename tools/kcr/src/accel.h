// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "project.h"

#include <string>
#include <vector>

namespace kcr::tool
{

/// Whether KVM is used, and how that was found out.
struct Accelerator {
    bool kvm = false;
    std::string why;
    bool cached = false;
};

/// A boot sector that leaves QEMU through its debug exit device.
std::string probe_boot_sector();

/// The QEMU command that runs @p image under KVM.
std::vector<std::string> probe_arguments(const std::string& image);

/// KVM only if a probe booted with it in time; the answer is cached until the machine changes.
Accelerator find_accelerator(const Project& project);

} // namespace kcr::tool
