// SPDX-License-Identifier: GPL-2.0
#include "qemu.h"

#include "text.h"

#include <fmt/format.h>

namespace kcr::tool
{

namespace
{

void add(std::vector<std::string>& argv, std::initializer_list<std::string> more)
{
    argv.insert(argv.end(), more);
}

/// "0-1" of CPUs that belong to @p node.
std::string node_cpus(const Machine& machine, int node)
{
    const int first = machine.smp * node / machine.numa;
    const int last = machine.smp * (node + 1) / machine.numa - 1;
    return first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
}

/// Nodes are sockets, so that the kernel finds the topology sane.
std::string cpu_topology(const Machine& machine)
{
    const bool even = machine.smp % machine.numa == 0;
    return fmt::format("{},sockets={}", machine.smp, even ? machine.numa : machine.smp);
}

void add_memory(std::vector<std::string>& argv, const Machine& machine)
{
    add(argv, {"-m", fmt::format("{}M", machine.memory_mb)});
    const int nodes = machine.numa + machine.bare_nodes;
    if (nodes < 2)
        return;
    for (int node = 0; node < nodes; ++node) {
        const auto cpus =
            node < machine.numa ? fmt::format(",cpus={}", node_cpus(machine, node)) : "";
        add(argv, {"-object", fmt::format("memory-backend-ram,id=mem{},size={}M", node,
                                          machine.memory_mb / nodes)});
        add(argv, {"-numa", fmt::format("node,nodeid={0}{1},memdev=mem{0}", node, cpus)});
    }
}

void add_port(std::vector<std::string>& argv, const std::string& name, int number, int fd)
{
    add(argv, {"-chardev", fmt::format("socket,id={},fd={}", name, fd)});
    add(argv, {"-device", fmt::format("virtserialport,bus=ports.0,nr={},chardev={},name=kcr.{}",
                                      number, name, name)});
}

} // namespace

Result<Machine> settle_machine(Machine machine)
{
    if (machine.icount) {
        machine.smp = 1;
        machine.numa = 1;
        machine.bare_nodes = 0;
        machine.kvm = false;
    }
    if (machine.smp < 1 || machine.smp > 64)
        return Error{fmt::format("--smp {} is out of range", machine.smp), "1 to 64 CPUs"};
    if (machine.numa < 1 || machine.numa > machine.smp)
        return Error{
            fmt::format("--numa {} needs at least as many CPUs, not {}", machine.numa, machine.smp),
            "add --smp"};
    if (machine.memory_mb < 256 * (machine.numa + machine.bare_nodes))
        return Error{fmt::format("--memory {} is too little", machine.memory_mb),
                     "256 MB a node at least"};
    return machine;
}

std::string kernel_command_line(const Machine& machine)
{
    std::vector<std::string> parameters = {"console=ttyS0", "earlyprintk=serial,ttyS0,115200",
                                           "panic=-1", "rdinit=/init", "loglevel=7",
                                           "random.trust_cpu=on", "nokaslr",
                                           // They take minutes under emulation: upstream suite
                                           "cryptomgr.noextratests"};
    if (machine.iommu) {
        parameters.emplace_back("intel_iommu=on");
        parameters.emplace_back("iommu.strict=1");
    }
    parameters.insert(parameters.end(), machine.append.begin(), machine.append.end());
    return join(parameters, " ");
}

std::string cpu_model(const Machine& machine)
{
    return machine.kvm ? "host,-erms,-fsrm" : "max,-erms,-fsrm";
}

std::vector<std::string> qemu_arguments(const Machine& machine, const VmChannels& channels,
                                        const std::filesystem::path& kernel,
                                        const std::filesystem::path& initramfs)
{
    std::vector<std::string> argv = {"qemu-system-x86_64", "-nodefaults", "-no-user-config",
                                     "-no-reboot",         "-display",    "none"};
    const std::string split_irq = machine.kvm && machine.iommu ? ",kernel-irqchip=split" : "";
    add(argv, {"-machine", "q35" + split_irq});
    // In threads of their own, emulated CPUs now and then execute a breakpoint that another one
    // has already replaced while patching code (QEMU 7.2), and the guest dies of int3.
    add(argv, {"-accel", machine.kvm ? "kvm" : machine.icount ? "tcg" : "tcg,thread=single"});
    add(argv, {"-cpu", cpu_model(machine)});
    add(argv, {"-smp", cpu_topology(machine)});
    if (machine.icount)
        add(argv, {"-icount", "shift=0,sleep=off"});
    add_memory(argv, machine);
    if (machine.iommu) {
        add(argv, {"-device", "intel-iommu,intremap=on,caching-mode=on"});
        add(argv, {"-device", "edu"});
    }
    add(argv, {"-kernel", kernel.string(), "-initrd", initramfs.string()});
    add(argv, {"-append", kernel_command_line(machine)});
    add(argv, {"-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"});
    add(argv, {"-device", "virtio-9p-pci,fsdev=root,mount_tag=kcr-root"});
    add(argv, {"-device", "virtio-rng-pci"});
    add(argv, {"-chardev", fmt::format("socket,id=console,fd={}", channels.console)});
    add(argv, {"-serial", "chardev:console"});
    add(argv, {"-device", "virtio-serial-pci,id=ports"});
    add_port(argv, "out", 1, channels.out);
    add_port(argv, "err", 2, channels.err);
    add_port(argv, "status", 3, channels.status);
    if (channels.terminal >= 0) {
        add(argv, {"-chardev", fmt::format("socket,id=terminal,fd={}", channels.terminal)});
        add(argv, {"-device", "virtconsole,bus=ports.0,nr=4,chardev=terminal,name=kcr.terminal"});
    }
    return argv;
}

} // namespace kcr::tool
