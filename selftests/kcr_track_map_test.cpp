// SPDX-License-Identifier: GPL-2.0
/*
 * What is mapped changes: tracked memory is unmapped, moved, protected, forgotten,
 * swapped out and in, and forked.
 */
#include "others.hpp"
#include "trackio.hpp"

using namespace track;

namespace
{

constexpr int read_write = PROT_READ | PROT_WRITE;

void test_protect(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 0;

    area.fill();
    for (const int prot : {PROT_READ, PROT_NONE}) {
        const std::string name = prot == PROT_READ ? "mprotect to read-only" : "mprotect to none";
        const auto there_and_back = [&] {
            area.protect(prot);
            area.protect(read_write);
        };
        subject.run(check, {name + " and back", there_and_back, Effect::keeps});
        for (int i = 0; i < 2; i++) {
            subject.run(check, {name + " and back, then a store", [&] {
                                    there_and_back();
                                    area.word(1) = ++value;
                                }});
            subject.run(check, {name + ", written by force, and back", [&] {
                                    area.protect(prot);
                                    value++;
                                    check.that(!write_mem(getpid(), area.page(2), &value, 8),
                                               "/proc/self/mem");
                                    area.protect(read_write);
                                }});
        }
    }
    /* Armed while it is read-only */
    subject.run(check, {"writable, then a store",
                        [&] {
                            area.protect(read_write);
                            area.word(1) = ++value;
                        },
                        Effect::changes, [&] { area.protect(PROT_READ); }});
    subject.run(check, {"a page writable, then a store",
                        [&] {
                            if (mprotect(area.page(1), page_size, read_write) < 0)
                                domain::fail("mprotect");
                            area.word(1) = ++value;
                        },
                        Effect::changes, [&] { area.protect(PROT_READ); }});
}

void test_unmap(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    uint64_t seed = 1;

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"munmap, and mmap at the same address", [&] {
                                munmap(area.data(), area.size());
                                area.map_anew();
                                area.fill(++seed);
                            }});
        subject.run(check, {"mmap MAP_FIXED over it", [&] {
                                area.map_anew();
                                area.fill(++seed);
                            }});
        subject.run(check, {"mmap MAP_FIXED over it, nothing written",
                            [&] { area.map_anew(); },
                            Effect::changes,
                            {},
                            [&] { area.populate(); }});
        subject.run(check, {"a page of it unmapped and mapped", [&] {
                                munmap(area.page(1), page_size);
                                if (mmap(area.page(1), page_size, read_write,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                                         0) != area.page(1))
                                    domain::fail("mmap");
                                area.word(1) = ++seed;
                            }});
    }
}

void test_remap(Check& check)
{
    const Area area;
    const Area elsewhere;
    const Subject subject(area.span());
    uint64_t seed = 1;
    const auto move = [](const Area& from, const Area& to, int flags = 0) {
        if (mremap(from.data(), from.size(), to.size(), MREMAP_MAYMOVE | MREMAP_FIXED | flags,
                   to.data()) != to.data())
            domain::fail("mremap");
    };

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"other memory moved over it", [&] {
                                elsewhere.map_anew();
                                elsewhere.fill(++seed);
                                move(elsewhere, area);
                            }});
        subject.run(check, {"moved away, and other memory mapped", [&] {
                                move(area, elsewhere);
                                area.map_anew();
                                area.fill(++seed);
                            }});
        subject.run(check, {"moved away, written and moved back", [&] {
                                move(area, elsewhere);
                                elsewhere.word(2) = ++seed;
                                move(elsewhere, area);
                            }});
        subject.run(check, {"moved away and back",
                            [&] {
                                move(area, elsewhere);
                                move(elsewhere, area);
                            },
                            Effect::keeps});
        subject.run(check, {"moved away, but not unmapped",
                            [&] { move(area, elsewhere, MREMAP_DONTUNMAP); },
                            Effect::changes,
                            {},
                            [&] { area.fill(++seed); }});
        elsewhere.map_anew();
    }
}

void advise(const void* memory, size_t size, int advice)
{
    if (madvise(const_cast<void*>(memory), size, advice) < 0)
        domain::fail("madvise " + std::to_string(advice));
}

void test_advise(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    uint64_t seed = 1;
    const auto fill = [&] { area.fill(++seed); };

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"MADV_DONTNEED",
                            [&] { advise(area.page(1), page_size, MADV_DONTNEED); },
                            Effect::changes,
                            {},
                            fill});
        subject.run(check, {"MADV_DONTNEED, then a store", [&] {
                                advise(area.page(1), page_size, MADV_DONTNEED);
                                area.word(1) = ++seed;
                            }});
        subject.run(check, {"MADV_DONTNEED, then what was there before",
                            [&] {
                                const uint64_t word = area.word(1);
                                advise(area.page(1), page_size, MADV_DONTNEED);
                                area.word(1) = word;
                            },
                            Effect::may});
        subject.run(check, {"MADV_FREE",
                            [&] { advise(area.data(), area.size(), MADV_FREE); },
                            Effect::may,
                            {},
                            fill});
        subject.run(check, {"MADV_FREE, then a store",
                            [&] {
                                advise(area.data(), area.size(), MADV_FREE);
                                area.word(3) = ++seed;
                            },
                            Effect::changes,
                            {},
                            fill});
        subject.run(check, {"MADV_COLD", [&] { advise(area.data(), area.size(), MADV_COLD); },
                            Effect::keeps});
        subject.run(check, {"MADV_COLD, then a store", [&] {
                                advise(area.data(), area.size(), MADV_COLD);
                                area.word(1) = ++seed;
                            }});
        subject.run(check, {"MADV_POPULATE_WRITE",
                            [&] { advise(area.data(), area.size(), MADV_POPULATE_WRITE); },
                            Effect::keeps});
        subject.run(check, {"MADV_POPULATE_WRITE, then a store", [&] {
                                advise(area.data(), area.size(), MADV_POPULATE_WRITE);
                                area.word(1) = ++seed;
                            }});
        subject.run(check, {"mlock, then a store",
                            [&] {
                                if (mlock(area.data(), area.size()) < 0)
                                    domain::fail("mlock");
                                area.word(1) = ++seed;
                            },
                            Effect::changes,
                            {},
                            [&] { munlock(area.data(), area.size()); }});
    }
}

/* Whether it went: reclaim may pass over a page */
bool page_out(const void* page)
{
    for (int i = 0; i < 100; i++) {
        advise(page, page_size, MADV_PAGEOUT);
        if (swapped_out(page))
            return true;
        usleep(1000);
    }
    return false;
}

void test_swap(Check& check)
{
    const Swap swap;
    const Area area;
    const Subject subject(area.span());
    uint64_t seed = 1;
    uint64_t read = 0;
    const auto out = [&] { check.that(page_out(area.page(1)), "page 1 is not swapped out"); };
    const auto in = [&] {
        read += __atomic_load_n(&area.word(1), __ATOMIC_RELAXED);
        check.that(present(area.page(1)), "page 1 is not there");
    };

    area.fill();
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"swapped out", out, Effect::keeps, {}, in});
        subject.run(check, {"swapped out and in",
                            [&] {
                                out();
                                in();
                            },
                            Effect::keeps});
        subject.run(check, {"swapped out and in, then a store", [&] {
                                out();
                                in();
                                area.word(1) = ++seed;
                            }});
        subject.run(check, {"swapped out, then a store", [&] {
                                out();
                                area.word(1) = ++seed;
                            }});
        subject.run(check, {"MADV_FREE and reclaimed",
                            [&] {
                                advise(area.page(1), page_size, MADV_FREE);
                                advise(area.page(1), page_size, MADV_PAGEOUT);
                            },
                            Effect::may,
                            {},
                            [&] { area.fill(++seed); }});
    }
    subject.run(check,
                {"MADV_FREE, armed, and reclaimed",
                 [&] { advise(area.page(1), page_size, MADV_PAGEOUT); }, Effect::may,
                 [&] { advise(area.page(1), page_size, MADV_FREE); }, [&] { area.fill(++seed); }});
    subject.tracker().renew(subject.set());
    out();
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.that(answer.armed() ? present(area.page(1))
                              : answer.ret == -EAGAIN && answer.reason == KCR_REFUSED_NOT_PRESENT,
               "armed while it is swapped out: " + answer.text());
}

/* A child that waits until it is told what to do, if it is, and dies */
class Child
{
public:
    explicit Child(std::function<void()> at_once = {})
    {
        pid_ = fork();
        if (pid_ < 0)
            domain::fail("fork");
        if (pid_)
            return;
        if (at_once)
            at_once();
        ready_.put(bytes_of(uint8_t(1)));
        go_on_.in.reset();
        go_on_.take();
        _exit(0);
    }
    ~Child()
    {
        go_on_.in.reset();
        waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void wait_ready() const
    {
        ready_.take();
    }

private:
    Pipe ready_;
    Pipe go_on_;
    pid_t pid_ = 0;
};

void test_fork(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::optional<Child> child;
    uint64_t value = 0;
    const auto end = [&] { child.reset(); };
    const auto store_there = [&] {
        for (size_t page = 0; page < area.pages(); page++)
            area.word(page) = 4711;
    };

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"a child", [&] { in_child([] { return 0; }); }, Effect::keeps});
        subject.run(check, {"a child that writes",
                            [&] {
                                child.emplace(store_there);
                                child->wait_ready();
                            },
                            Effect::keeps,
                            {},
                            end});
        subject.run(check, {"a child, and a store of the parent",
                            [&] {
                                child.emplace();
                                child->wait_ready();
                                area.word(1) = ++value;
                            },
                            Effect::changes,
                            {},
                            end});
        subject.run(check, {"stores of both",
                            [&] {
                                child.emplace(store_there);
                                child->wait_ready();
                                area.word(1) = ++value;
                            },
                            Effect::changes,
                            {},
                            end});
        /* The child has pages of its own: what is left is the parent's alone */
        subject.run(check, {"a child that has written all pages",
                            [&] {
                                child.emplace(store_there);
                                child->wait_ready();
                            },
                            Effect::keeps});
        subject.run(check, {"it ends", end, Effect::keeps});
        subject.run(check, {"a store after its end", [&] { area.word(1) = ++value; }});
    }
}

/* Pages that a child has, too, are not tracked: either could write to them */
void test_shared_with_child(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::optional<Child> child;

    area.fill();
    child.emplace();
    child->wait_ready();
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.that(answer.ret == -EAGAIN && answer.reason == KCR_REFUSED_SHARED_PAGE,
               "shared with a child: " + answer.text());
    check.that(!subject.stamp(), "a stamp");
    child.reset();
    subject.run(check, {"a store when it has ended", [&] { area.word(1)++; }});
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"protected and back", test_protect},
        {"unmapped and mapped", test_unmap},
        {"moved", test_remap},
        {"forgotten", test_advise},
        {"swapped out and in", test_swap},
        {"forked", test_fork},
        {"shared with a child", test_shared_with_child},
    };
    return tap::run_cases(cases, need_tracking);
}
