// SPDX-License-Identifier: GPL-2.0
/*
 * Tracked memory and userfaultfd: pages that are put there, protected and moved by
 * whoever has the descriptor.
 */
#include "others.hpp"
#include "uffd.hpp"

using namespace track;

namespace
{

void forget(const void* page)
{
    if (madvise(const_cast<void*>(page), page_size, MADV_DONTNEED) < 0)
        domain::fail("MADV_DONTNEED");
}

void done(Check& check, int ret, const std::string& what)
{
    check.that(!ret, what + ": " + std::strerror(-ret));
}

/* Nothing is armed where a userfaultfd is registered, whenever that was */
void test_registered(Check& check)
{
    const Area area;
    const Subject subject(area.span());

    area.fill();
    for (const uint64_t mode : {UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP}) {
        std::optional<Uffd> uffd;
        uffd.emplace(area.span(), mode);
        const Answer answer = subject.tracker().arm_once(subject.set());
        check.that(answer.ret == -EOPNOTSUPP && answer.reason == KCR_REFUSED_USERFAULTFD,
                   "registered: " + answer.text());
        check.that(!subject.stamp(), "a stamp");
        uffd.reset();
        subject.run(check, {"registered while it is armed",
                            [&] { uffd.emplace(area.span(), mode); },
                            Effect::keeps,
                            {},
                            [&] { uffd.reset(); }});
        /* Over a page of it only */
        uffd.emplace(std::span(area.page(2), page_size), mode);
        check.that(subject.tracker().info(subject.set()).refused[KCR_REFUSED_USERFAULTFD] > 0,
                   "it is not counted");
        subject.tracker().renew(subject.set());
        check.that(subject.tracker().arm_once(subject.set()).reason == KCR_REFUSED_USERFAULTFD,
                   "registered over a page");
    }
}

void test_fill(Check& check)
{
    const Area area;
    const Area source(1);
    const Subject subject(area.span());
    std::optional<Uffd> uffd;
    uint64_t seed = 1;

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"UFFDIO_COPY",
                            [&] {
                                source.fill(++seed);
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_MISSING);
                                forget(area.page(1));
                                done(check, uffd->copy(area.page(1), source.data()), "UFFDIO_COPY");
                            },
                            Effect::changes,
                            {},
                            [&] { uffd.reset(); }});
        subject.run(check, {"UFFDIO_ZEROPAGE",
                            [&] {
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_MISSING);
                                forget(area.page(2));
                                done(check, uffd->zero(area.page(2)), "UFFDIO_ZEROPAGE");
                            },
                            Effect::changes,
                            {},
                            [&] {
                                uffd.reset();
                                area.fill(++seed);
                            }});
    }
    /* There is no hole where it is armed: what is there cannot be replaced */
    subject.run(check, {"UFFDIO_COPY over a page",
                        [&] {
                            uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_MISSING);
                            check.that(uffd->copy(area.page(1), source.data()) == -EEXIST,
                                       "UFFDIO_COPY over a page");
                        },
                        Effect::keeps,
                        {},
                        [&] { uffd.reset(); }});
}

void test_protect(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::optional<Uffd> uffd;
    uint64_t value = 0;
    const auto protect = [&](const void* page, bool on) {
        done(check, uffd->protect(page, on), "UFFDIO_WRITEPROTECT");
    };
    const auto unregister = [&] { uffd.reset(); };

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"UFFDIO_WRITEPROTECT",
                            [&] {
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_WP);
                                protect(area.page(1), true);
                            },
                            Effect::keeps,
                            {},
                            unregister});
        subject.run(check, {"UFFDIO_WRITEPROTECT and back, then a store",
                            [&] {
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_WP);
                                protect(area.page(1), true);
                                protect(area.page(1), false);
                                area.word(1) = ++value;
                            },
                            Effect::changes,
                            {},
                            unregister});
        subject.run(check, {"registered for write protection, then a store",
                            [&] {
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_WP);
                                area.word(1) = ++value;
                            },
                            Effect::changes,
                            {},
                            unregister});
        subject.run(check, {"UFFDIO_WRITEPROTECT, unregistered, then a store", [&] {
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_WP);
                                protect(area.page(1), true);
                                unregister();
                                area.word(1) = ++value;
                            }});
    }
}

void test_move(Check& check)
{
    const Area area;
    const Area elsewhere;
    const Subject subject(area.span());
    std::optional<Uffd> uffd;
    uint64_t seed = 1;
    int ret = 0;

    area.fill();
    elsewhere.fill();
    {
        const Area probe(2);
        const Uffd over_probe(probe.span(), UFFDIO_REGISTER_MODE_MISSING);
        if (over_probe.move(probe.page(0), elsewhere.page(0)) == -EINVAL)
            throw tap::Skip("no UFFDIO_MOVE");
    }
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"UFFDIO_MOVE to it",
                            [&] {
                                elsewhere.map_anew();
                                elsewhere.fill(++seed);
                                uffd.emplace(area.span(), UFFDIO_REGISTER_MODE_MISSING);
                                forget(area.page(1));
                                done(check, uffd->move(area.page(1), elsewhere.page(1)),
                                     "UFFDIO_MOVE to it");
                            },
                            Effect::changes,
                            {},
                            [&] { uffd.reset(); }});
        /* Only a page that is this process's alone can be moved: after a store */
        for (const bool store : {false, true}) {
            subject.run(check, {store ? "a store, then UFFDIO_MOVE from it" : "UFFDIO_MOVE from it",
                                [&] {
                                    elsewhere.map_anew();
                                    uffd.emplace(elsewhere.span(), UFFDIO_REGISTER_MODE_MISSING);
                                    if (store)
                                        area.word(1) = ++seed;
                                    ret = uffd->move(elsewhere.page(1), area.page(1));
                                },
                                store ? Effect::changes : Effect::may,
                                {},
                                [&] {
                                    uffd.reset();
                                    area.fill(++seed);
                                }});
            check.that(!ret || (ret == -EBUSY && !store),
                       std::string("UFFDIO_MOVE from it: ") + std::strerror(-ret));
        }
    }
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"registered", test_registered},
        {"UFFDIO_COPY and UFFDIO_ZEROPAGE", test_fill},
        {"UFFDIO_WRITEPROTECT", test_protect},
        {"UFFDIO_MOVE", test_move},
    };
    return tap::run_cases(cases, need_tracking);
}
