// SPDX-License-Identifier: GPL-2.0
#include "accel.h"

#include "boot.h"
#include "process.h"
#include "text.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace kcr::tool
{

namespace fs = std::filesystem;

namespace
{

constexpr double sector_timeout_s = 10;
constexpr double kernel_timeout_s = 40;
constexpr int probe_exit_status = 33; ///< (0x10 << 1) | 1, from the debug exit device
constexpr const char* device = "/dev/kvm";

/// Changes when an old answer may no longer hold.
std::string machine_identity(bool kernel_there)
{
    utsname name = {};
    ::uname(&name);
    return fmt::format("{} {} {} kernel={}", name.release, name.version,
                       ::access(device, R_OK | W_OK) == 0 ? "kvm" : "nokvm", kernel_there);
}

Accelerator probe_kernel(const Project& project)
{
    auto request = boot_request(project, "base", "kvm-probe");
    request.machine.kvm = true;
    request.machine.smp = 2;
    request.machine.memory_mb = 512;
    request.timeout_s = kernel_timeout_s;
    const auto outcome = boot(request);
    if (outcome && outcome->success())
        return {true, fmt::format("{} works: the built kernel booted with it in {}", device,
                                  human_seconds(outcome->seconds))};
    return {false, fmt::format("{} exists, but the built kernel did not boot with it", device)};
}

Accelerator probe(const Project& project, bool kernel_there)
{
    if (::access(device, F_OK) != 0)
        return {false, fmt::format("there is no {}", device)};
    if (::access(device, R_OK | W_OK) != 0)
        return {false, fmt::format("{} exists, but this user may not open it", device)};
    if (!have_program("qemu-system-x86_64"))
        return {false, "QEMU is not installed"};
    const auto image = project.cache() / "kvm-probe.img";
    if (!write_file_atomic(image, probe_boot_sector()))
        return {false, "the probe's image could not be written"};
    const auto exit = run({.argv = probe_arguments(image.string()),
                           .timeout_s = sector_timeout_s,
                           .death_signal = SIGKILL});
    if (!exit || exit->code != probe_exit_status)
        return {false, fmt::format("{} exists, but a probe did not boot with it ({})", device,
                                   exit ? exit->describe() : exit.error().message)};
    if (kernel_there)
        return probe_kernel(project);
    return {true,
            fmt::format("a boot sector ran with {}; a built kernel will be probed, too", device)};
}

} // namespace

std::string probe_boot_sector()
{
    // mov dx, 0xf4; mov al, 0x10; out dx, al; hlt; jmp back to the hlt
    std::string sector("\xba\xf4\x00\xb0\x10\xee\xf4\xeb\xfd", 9);
    sector.resize(510, '\0');
    sector += "\x55\xaa";
    return sector;
}

std::vector<std::string> probe_arguments(const std::string& image)
{
    return {"qemu-system-x86_64",
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-machine",
            "q35",
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "64M",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-drive",
            fmt::format("file={},format=raw,if=ide,readonly=on", image)};
}

Accelerator find_accelerator(const Project& project)
{
    const auto cache = project.cache() / "accelerator";
    std::error_code error;
    const bool kernel_there =
        fs::exists(Project::objects(project.src(), "base") / "arch/x86/boot/bzImage", error) &&
        fs::exists(project.tool_build() / "kcr-init", error);
    const auto identity = machine_identity(kernel_there);
    if (const auto text = read_file(cache)) {
        const auto lines = split(*text, '\n');
        if (lines.size() == 3 && lines[0] == identity)
            return {lines[1] == "kvm", lines[2], true};
    }
    auto found = probe(project, kernel_there);
    if (interrupted() == 0) {
        [[maybe_unused]] const auto written = write_file_atomic(
            cache, fmt::format("{}\n{}\n{}\n", identity, found.kvm ? "kvm" : "tcg", found.why));
    }
    return found;
}

} // namespace kcr::tool
