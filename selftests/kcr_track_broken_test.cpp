// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of tracked memory are worth: kernels that are broken on purpose
 * give stale results, and that is seen. With the kernel as it is, the same
 * provocations find none.
 */
#include "ways.hpp"

using namespace track;

namespace
{

/* A result was remembered that is not what is in memory */
bool stale(const Subject& subject, uint64_t argument)
{
    const auto found = subject.find(argument);

    return found && *found != subject.digest();
}

/* A page that somebody holds to write to it, before it is armed */
bool provoke_reference(uint64_t)
{
    const Disk disk;
    const Ring ring;
    const Area area;
    const Subject subject(area.span());
    Check check;

    area.fill();
    disk.put(0, 1234567);
    ring.pin(area.page(1), page_size);
    bool seen = false;
    if (subject.tracker().arm_once(subject.set()).armed()) {
        const auto argument = subject.remember(check, "remembered");
        if (ring.read_to(disk.fd(), 0, area.page(1), sector_size, true) != sector_size)
            throw std::runtime_error("nothing was read to the registered buffer");
        seen = argument && stale(subject, *argument);
    }
    ring.unpin();
    return seen;
}

/* A pin for reading, after which a write by force needs no fault */
bool provoke_unshare(uint64_t)
{
    const Area area;
    const Subject subject(area.span());
    const uint64_t value = 7654321;
    Check check;

    area.fill();
    area.protect(PROT_READ);
    if (!subject.arm(check, "armed"))
        throw std::runtime_error("cannot be armed");
    const auto argument = subject.remember(check, "remembered");
    pin_for_reading(area.page(1));
    if (write_mem(getpid(), area.page(1), &value, sizeof(value)))
        throw std::runtime_error("cannot be written by force");
    return argument && stale(subject, *argument);
}

/* A thread whose processor knows the page as writable, and is not told otherwise */
class Runner
{
public:
    explicit Runner(uint64_t& word) : word_(word), thread_([this] { run(); }) {}
    ~Runner()
    {
        done_ = true;
        thread_.join();
    }
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    void store(uint64_t value)
    {
        wanted_ = value;
        while (stored_ != value)
            __builtin_ia32_pause();
    }

private:
    void run()
    {
        run_on(1);
        while (!done_) {
            const uint64_t value = wanted_;
            if (value != stored_) {
                __atomic_store_n(&word_, value, __ATOMIC_SEQ_CST);
                stored_ = value;
            }
            __builtin_ia32_pause();
        }
    }

    uint64_t& word_;
    std::atomic<uint64_t> wanted_ = 0;
    std::atomic<uint64_t> stored_ = 0;
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

/* How often a provocation is tried that needs luck: until it has it, or not at all */
constexpr uint64_t tries_broken = 1000;
constexpr uint64_t tries_as_it_is = 100;

bool provoke_flush(uint64_t tries)
{
    const Area area;
    const Subject subject(area.span());
    Check check;
    bool seen = false;

    if (std::thread::hardware_concurrency() < 2)
        throw tap::Skip("needs two processors");
    area.fill();
    cpu_set_t before;
    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof(before), &before);
    run_on(0);
    {
        Runner runner(area.word(1));
        for (uint64_t value = 1; value < 2 * tries && !seen; value += 2) {
            runner.store(value);
            if (!subject.try_arm().armed())
                continue;
            const auto argument = subject.remember(check, "remembered");
            runner.store(value + 1);
            seen = argument && stale(subject, *argument);
        }
    }
    sched_setaffinity(0, sizeof(before), &before);
    return seen;
}

/* As soon as its page is armed, an owner writes: the fault meets another arming */
void store_when_armed(Owner& owner)
{
    for (int i = 0; i < 50; i++) {
        for (int wait = 0; wait < 1000 && !owner.hunt().armed(owner.number()); wait++)
            __builtin_ia32_pause();
        owner.version([&](uint64_t value) { owner.store(value); });
    }
}

bool provoke_lock(uint64_t tries)
{
    Check check;
    Hunt hunt;

    go(check, hunt,
       {.ops = race_ops(tries),
        .watchers = 4,
        .until_wrong = true,
        .rests = false,
        .ways = [](const Owner&) {
            return std::vector<Way>{{"stores when armed", 1, store_when_armed}};
        }});
    if (check.failures() || !hunt.tally().armed)
        throw std::runtime_error("nothing was armed");
    return hunt.tally().wrong() > 0;
}

struct Provocation {
    const char* name;
    const char* what;
    std::function<bool(uint64_t tries)> provoke;
};

const std::vector<Provocation>& provocations()
{
    static const std::vector<Provocation> all = {
        {"noref", "pages with unexplained references are armed", provoke_reference},
        {"nounshare", "unsharing is no event", provoke_unshare},
        {"noflush", "arming does not flush the TLB", provoke_flush},
        {"readlock", "arming does not wait for faults", provoke_lock},
    };
    return all;
}

std::vector<tap::Case> cases()
{
    std::vector<tap::Case> list;

    for (const auto& it : provocations()) {
        list.push_back({std::string("as it is: ") + it.name, [&it](Check& check) {
                            const Broken broken("none");
                            check.that(!it.provoke(tries_as_it_is), "A STALE RESULT");
                        }});
        list.push_back({std::string(it.name) + ": " + it.what, [&it](Check& check) {
                            const Broken broken(it.name);
                            check.that(it.provoke(tries_broken), "no stale result was seen");
                        }});
    }
    return list;
}

} // namespace

int main()
{
    return tap::run_cases(cases(), need_tracking);
}
