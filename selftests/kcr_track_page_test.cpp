// SPDX-License-Identifier: GPL-2.0
/*
 * The pages behind tracked memory change, and what is in it does not: merged by
 * KSM, collapsed to huge pages and split, migrated by request and by themselves.
 */
#include "others.hpp"
#include "pages.hpp"
#include "trackio.hpp"

using namespace track;
using domain::Setting;

namespace
{

void advise(const Area& area, int advice)
{
    if (madvise(area.data(), area.size(), advice) < 0)
        domain::fail("madvise " + std::to_string(advice));
}

/* Pages 0 and 1 become one; bounded, as all waiting here */
bool merged(const Area& area)
{
    advise(area, MADV_MERGEABLE);
    for (int i = 0; i < 2000; i++) {
        if (present(area.page(0)) && frame(area.page(0)) == frame(area.page(1)))
            return true;
        usleep(10000);
    }
    return false;
}

void test_ksm(Check& check)
{
    const Setting sleep("/sys/kernel/mm/ksm/sleep_millisecs", "1");
    const Setting scan("/sys/kernel/mm/ksm/pages_to_scan", "1000");
    const Setting run("/sys/kernel/mm/ksm/run", "1");
    const Area area;
    const Subject subject(area.span());
    uint8_t value = 0;
    const auto alike = [&] {
        area.fill();
        std::memset(area.data(), ++value, 2 * page_size);
    };
    const auto merge = [&] { check.that(merged(area), "KSM has merged nothing"); };
    const auto split = [&] { advise(area, MADV_UNMERGEABLE); };

    for (int i = 0; i < 2; i++) {
        subject.run(check, {"merged", merge, Effect::keeps, alike, split});
        for (const size_t page : {size_t(0), size_t(1), size_t(3)}) {
            subject.run(check, {"merged, then a store to page " + std::to_string(page),
                                [&] {
                                    merge();
                                    area.word(page)++;
                                },
                                Effect::changes, alike, split});
        }
        subject.run(check, {"merged and split",
                            [&] {
                                merge();
                                split();
                            },
                            Effect::keeps, alike});
        subject.run(check, {"merged and split, then a store",
                            [&] {
                                merge();
                                split();
                                area.word(1)++;
                            },
                            Effect::changes, alike});
    }
}

/* Arming what is merged already is refused, or it watches that, too */
void test_ksm_before(Check& check)
{
    const Setting sleep("/sys/kernel/mm/ksm/sleep_millisecs", "1");
    const Setting scan("/sys/kernel/mm/ksm/pages_to_scan", "1000");
    const Setting run("/sys/kernel/mm/ksm/run", "1");
    const Area area;
    const Subject subject(area.span());

    area.fill();
    std::memset(area.data(), 7, 2 * page_size);
    check.that(merged(area), "KSM has merged nothing");
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.note("merged pages: " + answer.text());
    check.that(answer.armed() == !!subject.stamp() && (answer.armed() || answer.ret == -EAGAIN),
               "merged pages: " + answer.text());
    area.word(0)++;
    check.that(!subject.stamp(), "a store to a merged page");
    subject.run(check, {.name = "a store when it is split",
                        .write = [&] { area.word(0)++; },
                        .before = [&] { advise(area, MADV_UNMERGEABLE); }});
}

/* Memory of one huge page, if there is one */
class HugeArea
{
public:
    HugeArea()
        : enabled_("/sys/kernel/mm/transparent_hugepage/enabled", "madvise"), area_(512, size)
    {
        advise(area_, MADV_HUGEPAGE);
        area_.fill();
        if (!huge(area_.data()))
            throw tap::Skip("no huge page is left");
    }

    const Area& area() const
    {
        return area_;
    }
    /** Makes it a huge page again: 0 or an errno. */
    int collapse() const
    {
        for (int i = 0; i < 10; i++) {
            if (!madvise(area_.data(), size, MADV_COLLAPSE))
                return 0;
            if (errno != EAGAIN && errno != EBUSY)
                break;
        }
        return errno;
    }

private:
    static constexpr size_t size = 2 << 20;
    Choice enabled_;
    Area area_;
};

void test_huge(Check& check)
{
    const HugeArea memory;
    const Area& area = memory.area();
    const Subject subject({area.page(8), 8 * page_size});
    uint64_t value = 0;

    if (!subject.arm(check, "a huge page"))
        return;
    check.that(!huge(area.page(8)), "armed as a huge page");
    subject.run(check, {"a store to what was a huge page", [&] { area.word(9) = ++value; }});
    int error = 0;
    const auto collapse = [&] { error = memory.collapse(); };
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"MADV_COLLAPSE", collapse, Effect::keeps});
        subject.run(check, {"MADV_COLLAPSE, then a store", [&] {
                                collapse();
                                area.word(8) = ++value;
                            }});
        subject.run(check, {"MADV_COLLAPSE, and split by mprotect, then a store",
                            [&] {
                                collapse();
                                mprotect(area.page(10), page_size, PROT_READ);
                                mprotect(area.page(10), page_size, PROT_READ | PROT_WRITE);
                                area.word(10) = ++value;
                            },
                            Effect::changes, collapse});
        subject.run(check, {"MADV_COLLAPSE, and split by MADV_DONTNEED",
                            [&] {
                                collapse();
                                madvise(area.page(11), page_size, MADV_DONTNEED);
                            },
                            Effect::changes,
                            {},
                            [&] { area.fill(++value + 1000); }});
    }
    if (error)
        check.note(std::string("MADV_COLLAPSE: ") + std::strerror(error));
}

/* A huge page that comes by a store, and one that a child has, too */
void test_huge_again(Check& check)
{
    const HugeArea memory;
    const Area& area = memory.area();
    const Subject subject(area.span());
    uint64_t value = 0;

    for (int i = 0; i < 2; i++) {
        subject.run(check, {"a fresh huge page", [&] {
                                madvise(area.data(), area.size(), MADV_DONTNEED);
                                area.fill(++value + 1);
                            }});
        subject.run(check, {"a fresh huge page, a child, and a store", [&] {
                                madvise(area.data(), area.size(), MADV_DONTNEED);
                                area.fill(++value + 1);
                                in_child([&] {
                                    area.word(5) = 1;
                                    return 0;
                                });
                                area.word(6) = ++value;
                            }});
    }
}

std::vector<unsigned> two_nodes()
{
    auto nodes = node_list("has_memory");

    if (nodes.size() < 2)
        throw tap::Skip("needs two nodes with memory");
    return nodes;
}

void test_move_pages(Check& check)
{
    const auto nodes = two_nodes();
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 0;
    unsigned turn = 0;
    const auto move = [&] {
        const int node = static_cast<int>(nodes[++turn % 2]);
        for (size_t page = 0; page < area.pages(); page++)
            check.that(move_to(area.page(page), node), "page " + std::to_string(page) +
                                                           " did not move to node " +
                                                           std::to_string(node));
    };

    area.fill();
    move();
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"move_pages", move, Effect::keeps});
        subject.run(check, {"move_pages, then a store", [&] {
                                move();
                                area.word(1) = ++value;
                            }});
        subject.run(check, {"move_pages there and back, then a write by force", [&] {
                                move();
                                move();
                                value++;
                                check.that(!write_mem(getpid(), area.page(2), &value, 8), "mem");
                            }});
        subject.run(check, {"move_pages of read-only memory, then a write by force",
                            [&] {
                                move();
                                value++;
                                check.that(!write_mem(getpid(), area.page(2), &value, 8), "mem");
                            },
                            Effect::changes, [&] { area.protect(PROT_READ); },
                            [&] { area.protect(PROT_READ | PROT_WRITE); }});
    }
}

void test_mbind(Check& check)
{
    const auto nodes = two_nodes();
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 0;
    unsigned turn = 0;
    const auto bind = [&] {
        const unsigned long mask = 1UL << nodes[++turn % 2];
        if (syscall(SYS_mbind, area.data(), area.size(), MPOL_BIND, &mask, 64, MPOL_MF_MOVE) < 0)
            domain::fail("mbind");
    };

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"mbind", bind, Effect::keeps});
        subject.run(check, {"mbind, then a store", [&] {
                                bind();
                                area.word(1) = ++value;
                            }});
        subject.run(check,
                    {"compaction",
                     [] { std::ofstream("/proc/sys/vm/compact_memory") << "1" << std::flush; },
                     Effect::keeps});
        subject.run(check, {"compaction, then a store", [&] {
                                std::ofstream("/proc/sys/vm/compact_memory") << "1" << std::flush;
                                area.word(1) = ++value;
                            }});
        subject.run(check, {"clear_refs, then a store", [&] {
                                std::ofstream("/proc/self/clear_refs") << "1" << std::flush;
                                std::ofstream("/proc/self/clear_refs") << "4" << std::flush;
                                area.word(1) = ++value;
                            }});
    }
}

/*
 * NUMA balancing makes pages inaccessible for a while, and migrates what another
 * node uses. When it does is its own business: what it did is a remark.
 */
void test_numa_balancing(Check& check)
{
    const auto nodes = two_nodes();
    const auto cpus = node_cpus(node_list("has_cpu").back());
    const std::string debug = "/sys/kernel/debug/sched/numa_balancing/";
    const Setting on("/proc/sys/kernel/numa_balancing", "1");
    const Setting delay(debug + "scan_delay_ms", "1");
    const Setting period(debug + "scan_period_min_ms", "10");
    const Area area(64);
    const Subject subject(area.span());
    uint64_t sum = 0;
    uint64_t value = 0;
    const uint64_t faults_before = vmstat("numa_hint_faults");

    if (cpus.empty())
        throw tap::Skip("no processor on the other node");
    area.fill();
    Servant servant;
    servant.run([&] { run_on(cpus.front()); });
    const auto touch = [&] {
        servant.run([&] {
            const uint64_t before = vmstat("numa_hint_faults");
            for (int i = 0; i < 500 && vmstat("numa_hint_faults") < before + 32; i++) {
                for (size_t page = 0; page < area.pages(); page++)
                    sum += __atomic_load_n(&area.word(page), __ATOMIC_RELAXED);
            }
        });
    };
    const auto apart = [&] {
        for (size_t page = 0; page < area.pages(); page++)
            move_to(area.page(page), static_cast<int>(nodes.front()));
    };
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"used by another node", touch, Effect::keeps, apart});
        subject.run(check, {"used by another node, then a store",
                            [&] {
                                touch();
                                for (size_t page = 0; page < area.pages(); page += 9)
                                    area.word(page) = ++value;
                            },
                            Effect::changes, apart});
    }
    check.note(std::to_string(vmstat("numa_hint_faults") - faults_before) + " hinting faults");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"merged by KSM", test_ksm},
        {"merged before it is armed", test_ksm_before},
        {"huge pages", test_huge},
        {"huge pages, again and again", test_huge_again},
        {"move_pages", test_move_pages},
        {"mbind, compaction, clear_refs", test_mbind},
        {"NUMA balancing", test_numa_balancing},
    };
    return tap::run_cases(cases, need_tracking);
}
