// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "fd.h"
#include "result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kcr::tool
{

/// What the guest's init is to do.
struct Job {
    std::vector<std::string> argv; ///< empty: nothing but booting
    std::string cwd = "/";
    std::vector<std::string> env;  ///< NAME=value
    std::vector<std::string> keep; ///< directories that stay visible below a tmpfs
    bool terminal = false;         ///< argv runs on the interactive terminal
};

/// The job in the form that guest/init.cpp reads: lines "KIND LENGTH\n" + bytes + "\n".
std::string render_job(const Job& job);

/// One file of a "newc" cpio archive.
struct CpioFile {
    std::string name;
    unsigned mode;
    std::string content;
};

/// A cpio archive that the kernel accepts as an initramfs.
std::string render_cpio(const std::vector<CpioFile>& files);

/// The initramfs, in memory: the guest's init and the job. Nothing stays behind on the disk,
/// however the tool ends.
Result<Fd> make_initramfs(const std::filesystem::path& init, const Job& job);

} // namespace kcr::tool
