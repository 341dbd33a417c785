// SPDX-License-Identifier: GPL-2.0
#include "console.h"

#include <gmock/gmock.h>

namespace kcr::tool
{

using ::testing::HasSubstr;

struct SplatCase {
    const char* line;
    const char* kind; ///< nullptr: not a splat
};

class SplatLines : public ::testing::TestWithParam<SplatCase>
{
};

TEST_P(SplatLines, AreRecognized)
{
    const auto kind = splat_kind(GetParam().line);
    if (GetParam().kind == nullptr)
        EXPECT_FALSE(kind) << *kind;
    else
        EXPECT_EQ(kind, GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(
    Console, SplatLines,
    ::testing::Values(
        SplatCase{"[    1.5] WARNING: CPU: 0 PID: 1 at kernel/a.c:3 f+0x1/0x2", "warning"},
        SplatCase{"[    1.5] BUG: KASAN: use-after-free in f", "kasan"},
        SplatCase{"[    1.5] BUG: KCSAN: data-race in f / g", "kcsan"},
        SplatCase{"[    1.5] UBSAN: shift-out-of-bounds in a.c:3", "ubsan"},
        SplatCase{"[    1.5] BUG: kernel NULL pointer dereference, address: 0", "bug"},
        SplatCase{"[    1.5] Oops: Oops: 0000 [#1] SMP", "oops"},
        SplatCase{"[    1.5] Oops: general protection fault, probably for", "oops"},
        SplatCase{"[    1.5] kernel BUG at mm/slub.c:1!", "bug"},
        SplatCase{"[    1.5] WARNING: possible circular locking dependency detected", "lockdep"},
        SplatCase{"[    1.5] WARNING: suspicious RCU usage", "lockdep"},
        SplatCase{"[    1.5] BUG: sleeping function called from invalid context",
                  "sleep in atomic"},
        SplatCase{"[   31.5] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "rcu stall"},
        SplatCase{"[   31.5] rcu: INFO: rcu_sched self-detected stall on CPU", "rcu stall"},
        SplatCase{"[  131.5] INFO: task a:1 blocked for more than 120 seconds.", "hung task"},
        SplatCase{"[   31.5] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", "soft lockup"},
        SplatCase{"[    9.5] kmemleak: 3 new suspected memory leaks (see", "kmemleak"},
        SplatCase{"[    9.5] kmemleak: Kernel memory leak detector initialized", nullptr},
        SplatCase{"[    1.5] Kernel panic - not syncing: Attempted to kill init!", "panic"},
        SplatCase{"[    1.5][    T1] WARNING: CPU: 0 PID: 1 at a.c:1", "warning"},
        SplatCase{"[    1.5] x86/cpu: User mode: no warning here", nullptr},
        SplatCase{"[    0.0] DEBUG: something", nullptr}));

TEST(Console, CollectsTheLinesAfterASplat)
{
    SplatScanner scanner;
    scanner.add_line("[ 1.0] all is well");
    scanner.add_line("[ 1.1] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2");
    scanner.add_line("[ 1.1] Call Trace:");
    ASSERT_EQ(scanner.splats().size(), 1U);
    EXPECT_EQ(scanner.splats()[0].lines.size(), 2U);
    EXPECT_THAT(scanner.describe(), HasSubstr("the first is a warning"));
}

/// A report as KCSAN prints it, with @p frame in the first stack trace.
SplatScanner scan_race(const std::string& frame)
{
    SplatScanner scanner;
    for (const std::string& line : {
             std::string("[ 1.0] =================================================="),
             std::string("[ 1.0] BUG: KCSAN: data-race in a / b"),
             std::string("[ 1.0] write to 0xffff888003c18a40 of 8 bytes by task 46 on cpu 1:"),
             "[ 1.0]  " + frame + "+0x12/0x40",
             std::string("[ 1.0] Reported by Kernel Concurrency Sanitizer on:"),
             std::string("[ 1.0] CPU: 1 UID: 0 PID: 46 Comm: kcr_torture/1 Not tainted 6.12.0-kcr"),
             std::string("[ 1.0] =================================================="),
         })
        scanner.add_line(line);
    return scanner;
}

TEST(Console, RacesCountIfKcrTookPart)
{
    EXPECT_EQ(scan_race("kcr_tier_store").splats().size(), 1U);
    EXPECT_EQ(scan_race("__kcr_query_begin").splats().size(), 1U);
    const auto other = scan_race("tick_do_update_jiffies64");
    EXPECT_TRUE(other.splats().empty());
    EXPECT_EQ(other.other_races(), 1);
    EXPECT_EQ(other.describe(), "");
}

TEST(Console, RacesOfAnInterruptAreNotThoseOfWhomItInterrupted)
{
    SplatScanner scanner;
    for (const auto* line :
         {"[ 1.0] BUG: KCSAN: data-race in __hrtimer_run_queues / hrtimer_active", "[ 1.0] ",
          "[ 1.0] read to 0xffff88805e41f398 of 8 bytes by interrupt on cpu 2:",
          "[ 1.0]  hrtimer_active+0x6a/0xd0", "[ 1.0]  asm_sysvec_apic_timer_interrupt+0x16/0x20",
          "[ 1.0]  kcr_tier_store+0x166/0x440", "[ 1.0] ",
          "[ 1.0] read to 0xffff88805e41f398 of 8 bytes by task 291 on cpu 0:",
          "[ 1.0]  schedule_hrtimeout_range+0x2f/0x40", "[ 1.0]  usleep_range_state+0x6c/0x80",
          "[ 1.0]  kcr_torture_renewer+0x98/0x140", "[ 1.0] =============================="})
        scanner.add_line(line);
    EXPECT_TRUE(scanner.splats().empty());
    scanner.add_line("[ 1.1] BUG: KCSAN: data-race in a / b");
    scanner.add_line("[ 1.1]  asm_sysvec_apic_timer_interrupt+0x16/0x20");
    scanner.add_line("[ 1.1] ");
    scanner.add_line("[ 1.1]  xxh64+0x16/0x440");
    scanner.add_line("[ 1.1]  kcr_compute_fingerprint+0x16/0x40");
    scanner.add_line("[ 1.1] ==============================");
    EXPECT_EQ(scanner.splats().size(), 1U);
}

TEST(Console, AfterAnotherRaceSplatsAreStillFound)
{
    auto scanner = scan_race("tick_do_update_jiffies64");
    scanner.add_line("[ 1.1] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2");
    EXPECT_EQ(scanner.splats().size(), 1U);
}

TEST(Console, NothingFoundIsNothingSaid)
{
    EXPECT_EQ(SplatScanner().describe(), "");
}

TEST(Console, TimestampIsStrippedAndIndentationKept)
{
    EXPECT_EQ(strip_timestamp("[    1.234567]     ok 1 a"), "    ok 1 a");
    EXPECT_EQ(strip_timestamp("[not a time] x"), "[not a time] x");
    EXPECT_EQ(strip_timestamp("plain"), "plain");
}

} // namespace kcr::tool
