// SPDX-License-Identifier: GPL-2.0
#include "qemu.h"

#include "text.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;
using ::testing::Not;

namespace
{

std::string arguments(const Machine& machine, int terminal = -1)
{
    return join(qemu_arguments(machine, {3, 4, 5, 6, terminal}, "/k/bzImage", "/k/initramfs"), " ");
}

} // namespace

TEST(Qemu, NeverRebootsAndSharesTheRootReadOnly)
{
    const auto text = arguments({});
    EXPECT_THAT(text, HasSubstr("-no-reboot"));
    EXPECT_THAT(text, HasSubstr("path=/,security_model=none,readonly=on,multidevs=remap"));
    EXPECT_THAT(text, HasSubstr("-kernel /k/bzImage -initrd /k/initramfs"));
}

TEST(Qemu, PassesEveryChannel)
{
    const auto text = arguments({}, 7);
    EXPECT_THAT(text, HasSubstr("socket,id=console,fd=3"));
    EXPECT_THAT(text, HasSubstr("socket,id=out,fd=4"));
    EXPECT_THAT(text, HasSubstr("socket,id=err,fd=5"));
    EXPECT_THAT(text, HasSubstr("socket,id=status,fd=6"));
    EXPECT_THAT(text, HasSubstr("socket,id=terminal,fd=7"));
    EXPECT_THAT(arguments({}), Not(HasSubstr("terminal")));
}

TEST(Qemu, CpuModelHidesNoWorkInRepStrings)
{
    EXPECT_EQ(cpu_model({}), "max,-erms,-fsrm");
    Machine kvm;
    kvm.kvm = true;
    EXPECT_THAT(cpu_model(kvm), HasSubstr("-erms,-fsrm"));
}

TEST(Qemu, IcountIsOneCpuWithoutKvm)
{
    Machine machine;
    machine.icount = true;
    machine.kvm = true;
    machine.smp = 8;
    machine.numa = 2;
    const auto settled = settle_machine(machine);
    ASSERT_TRUE(settled);
    EXPECT_EQ(settled->smp, 1);
    EXPECT_EQ(settled->numa, 1);
    EXPECT_FALSE(settled->kvm);
    EXPECT_THAT(arguments(*settled), HasSubstr("-icount shift=0,sleep=off"));
}

TEST(Qemu, NumaNodesAreSocketsAndShareTheCpus)
{
    Machine machine;
    machine.smp = 4;
    machine.numa = 2;
    const auto text = arguments(machine);
    EXPECT_THAT(text, HasSubstr("-smp 4,sockets=2"));
    EXPECT_THAT(text, HasSubstr("node,nodeid=0,cpus=0-1,memdev=mem0"));
    EXPECT_THAT(text, HasSubstr("node,nodeid=1,cpus=2-3,memdev=mem1"));
    EXPECT_THAT(text, HasSubstr("memory-backend-ram,id=mem1,size=1024M"));
}

TEST(Qemu, BareNodesHaveMemoryOnly)
{
    Machine machine;
    machine.smp = 2;
    machine.bare_nodes = 1;
    machine.memory_mb = 2048;
    const auto text = arguments(machine);
    EXPECT_THAT(text, HasSubstr("node,nodeid=0,cpus=0-1,memdev=mem0"));
    EXPECT_THAT(text, HasSubstr("node,nodeid=1,memdev=mem1"));
    EXPECT_THAT(text, HasSubstr("memory-backend-ram,id=mem1,size=1024M"));
}

TEST(Qemu, IommuSplitsTheIrqchipOnlyUnderKvm)
{
    Machine machine;
    machine.iommu = true;
    EXPECT_THAT(arguments(machine), HasSubstr("intel-iommu,intremap=on,caching-mode=on"));
    EXPECT_THAT(arguments(machine), HasSubstr("-device edu"));
    EXPECT_THAT(arguments(machine), Not(HasSubstr("split")));
    machine.kvm = true;
    EXPECT_THAT(arguments(machine), HasSubstr("q35,kernel-irqchip=split"));
}

TEST(Qemu, ImpossibleMachinesAreErrors)
{
    Machine machine;
    machine.smp = 1;
    machine.numa = 2;
    EXPECT_FALSE(settle_machine(machine));
    machine.numa = 1;
    machine.smp = 0;
    EXPECT_FALSE(settle_machine(machine));
    machine.smp = 1;
    machine.memory_mb = 16;
    EXPECT_FALSE(settle_machine(machine));
}

TEST(Qemu, CommandLineEndsWithWhatWasAppended)
{
    Machine machine;
    machine.append = {"kcr_enable=0"};
    EXPECT_TRUE(kernel_command_line(machine).ends_with(" kcr_enable=0"));
    EXPECT_THAT(kernel_command_line(machine), HasSubstr("panic=-1"));
}

} // namespace kcr::tool
