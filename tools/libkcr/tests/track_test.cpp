// SPDX-License-Identifier: GPL-2.0
// Functions that depend on tracked memory: nothing is found that was computed before a change, and
// watching is asked for as often as it is worth it.
#include "track_support.hpp"

namespace kcr::tests
{

namespace
{

TEST_F(TrackTest, AHitUntilSomethingIsWritten)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    ASSERT_EQ(kcr_tracked_status(tracked.get(), nullptr), 0);
    const auto function = make_function(domain, options(1));
    ASSERT_EQ(kcr_function_status(function.get(), nullptr), 0);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 3));
    for (int i = 0; i < 20; i++)
        EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 3));
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 4));
    write(page, 3, 7);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 3));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 3));
    const auto stats = stats_of_tracked(tracked);
    EXPECT_EQ(stats.pages, 1U);
    EXPECT_EQ(stats.armed, 2U);
    EXPECT_EQ(stats.changed, 1U);
    EXPECT_EQ(stats.watched, 1U);
}

TEST_F(TrackTest, EachOfSeveralCounts)
{
    const auto domain = make_domain();
    std::array<Page, 3> pages;
    std::array<Tracked, 3> tracked;
    std::vector<kcr_tracked*> pointers;
    for (std::size_t i = 0; i < pages.size(); i++) {
        tracked.at(i) = track(domain, pages.at(i));
        pointers.push_back(tracked.at(i).get());
    }
    const auto function = make_function(domain, options(3));
    const std::vector<const Page*> all = {&pages[0], &pages[1], &pages[2]};
    for (auto& page : pages) {
        EXPECT_FALSE(ask_sum(function, pointers, all, 0));
        for (int i = 0; i < 10; i++)
            EXPECT_TRUE(ask_sum(function, pointers, all, 0));
        write(page, 0, 1);
    }
    EXPECT_FALSE(ask_sum(function, pointers, all, 0));
}

TEST_F(TrackTest, AChangeWhileComputingIsNotStored)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    std::array<std::uint64_t, 3> key = {};
    std::uint64_t result = 0;
    size_t len = 0;
    kcr_ticket ticket;
    kcr_tracked* pointer = tracked.get();
    ASSERT_EQ(kcr_begin_tracked(function.get(), &pointer, key.data(), sizeof(key), &result,
                                sizeof(result), &len, &ticket),
              KCR_COMPUTE);
    write(page, 0, 9);
    kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
    EXPECT_EQ(stats_of(domain).stored, 0U);
    EXPECT_EQ(stats_of(function).failed, 0U);
    for (int i = 0; i < 20; i++)
        ask_sum(function, {tracked.get()}, {&page}, 0);
    EXPECT_EQ(stats_of(domain).stored, 1U);
}

TEST_F(TrackTest, AnAuditOfWhatChangedIsNone)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    auto audited = options(1);
    audited.audit_interval = 1;
    const auto function = make_function(domain, audited);
    std::array<std::uint64_t, 3> key = {};
    std::uint64_t result = 0;
    size_t len = 0;
    kcr_ticket ticket;
    kcr_tracked* pointer = tracked.get();
    const auto begin = [&] {
        return kcr_begin_tracked(function.get(), &pointer, key.data(), sizeof(key), &result,
                                 sizeof(result), &len, &ticket);
    };
    ASSERT_EQ(begin(), KCR_COMPUTE);
    kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
    ASSERT_EQ(begin(), KCR_COMPUTE);
    write(page, 0, 9);
    result = 9;
    kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
    EXPECT_EQ(kcr_function_status(function.get(), nullptr), 0);
    EXPECT_EQ(stats_of(function).audits, 0U);
}

TEST_F(TrackTest, AnAuditOfWhatDidNotChangeRejects)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    auto audited = options(1);
    audited.audit_interval = 1;
    const auto function = make_function(domain, audited);
    std::array<std::uint64_t, 3> key = {};
    kcr_tracked* pointer = tracked.get();
    for (std::uint64_t result = 0; result < 2; result++) {
        std::uint64_t found = 0;
        size_t len = 0;
        kcr_ticket ticket;
        ASSERT_EQ(kcr_begin_tracked(function.get(), &pointer, key.data(), sizeof(key), &found,
                                    sizeof(found), &len, &ticket),
                  KCR_COMPUTE);
        kcr_end(function.get(), &ticket, key.data(), sizeof(key), &result, sizeof(result));
    }
    EXPECT_EQ(kcr_function_status(function.get(), nullptr), -EBADMSG);
    const auto before = kcr_emul_armings();
    kcr_emul_touch(&page);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_emul_armings(), before);
}

TEST_F(TrackTest, WhatChangesAllTheTimeIsWatchedEverMoreSeldom)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    const auto before = kcr_emul_armings();
    for (int i = 0; i < 4000; i++) {
        write(page, 0, static_cast<std::uint8_t>(i));
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    }
    const auto seldom = kcr_emul_armings() - before;
    EXPECT_GE(seldom, 5U);
    EXPECT_LE(seldom, 12U);
    // Once it stays as it is, it is watched again, and from then on after each change at once
    int calls = 0;
    while (!ask_sum(function, {tracked.get()}, {&page}, 0) && calls < 10000)
        calls++;
    EXPECT_LT(calls, 10000);
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 10; j++)
            EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
        write(page, 0, static_cast<std::uint8_t>(i));
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    }
}

TEST_F(TrackTest, WhatIsRefusedForGoodIsNotAskedForAgain)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    const auto before = kcr_emul_armings();
    kcr_emul_refuse(KCR_REFUSED_NOT_ANONYMOUS);
    for (int i = 0; i < 1000; i++)
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_emul_armings() - before, 1U);
    const char* why = nullptr;
    EXPECT_EQ(kcr_tracked_status(tracked.get(), &why), -EOPNOTSUPP);
    EXPECT_STREQ(why, "a file or a device is mapped there");
    EXPECT_EQ(stats_of_tracked(tracked).refused, 1U);
    kcr_emul_refuse(KCR_REFUSED_NOT);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_tracked_renew(tracked.get()), 0);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
}

TEST_F(TrackTest, WhatIsRefusedForNowIsTriedAgain)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    const auto before = kcr_emul_armings();
    kcr_emul_refuse(KCR_REFUSED_REFERENCE);
    for (int i = 0; i < 1000; i++)
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_GT(kcr_emul_armings() - before, 3U);
    EXPECT_LT(kcr_emul_armings() - before, 12U);
    const char* why = nullptr;
    EXPECT_EQ(kcr_tracked_status(tracked.get(), &why), -EAGAIN);
    EXPECT_STREQ(why, "somebody who may write to it holds a page");
    kcr_emul_refuse(KCR_REFUSED_NOT);
    int calls = 0;
    while (!ask_sum(function, {tracked.get()}, {&page}, 0) && calls < 10000)
        calls++;
    EXPECT_LT(calls, 10000);
    EXPECT_EQ(kcr_tracked_status(tracked.get(), &why), 0);
}

TEST_F(TrackTest, RenewingIsAChange)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
    page.bytes[0] = 5; // unseen
    EXPECT_EQ(kcr_tracked_renew(tracked.get()), 0);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
}

TEST_F(TrackTest, OtherMemoryInItsPlace)
{
    const auto domain = make_domain();
    Page page;
    Page other;
    other.bytes[0] = 9;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
    const kcr_span span = {other.bytes.data(), other.bytes.size()};
    EXPECT_EQ(kcr_tracked_retarget(tracked.get(), &span, 0), -EINVAL);
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&page}, 0));
    EXPECT_EQ(kcr_tracked_retarget(tracked.get(), &span, 1), 0);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&other}, 0));
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&other}, 0));
    write(page, 0, 1);
    EXPECT_TRUE(ask_sum(function, {tracked.get()}, {&other}, 0));
    write(other, 0, 2);
    EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&other}, 0));
    EXPECT_EQ(kcr_tracked_retarget(nullptr, &span, 1), -EBADF);
}

TEST_F(TrackTest, PeekFindsItToo)
{
    const auto domain = make_domain();
    Page page;
    const auto tracked = track(domain, page);
    const auto function = make_function(domain, options(1));
    kcr_tracked* pointer = tracked.get();
    std::array<std::uint64_t, 3> key = {};
    EXPECT_EQ(kcr_tracked_fill(&pointer, 1, key.data()), 0);
    EXPECT_FALSE(ask_sum(function, {pointer}, {&page}, 0));
    ASSERT_EQ(kcr_tracked_fill(&pointer, 1, key.data()), 1);
    kcr_view view;
    EXPECT_EQ(kcr_peek(function.get(), key.data(), sizeof(key), &view), KCR_HIT);
    EXPECT_EQ(kcr_view_valid(&view), 1);
    write(page, 0, 1);
    EXPECT_EQ(kcr_tracked_fill(&pointer, 1, key.data()), 0);
}

TEST_F(TrackTest, AnEndedSetsNumberIsReused)
{
    const auto domain = make_domain();
    Page page;
    const auto function = make_function(domain, options(1));
    for (unsigned i = 0; i < KCR_SETS_MAX + 10; i++) {
        const auto tracked = track(domain, page);
        ASSERT_EQ(kcr_tracked_status(tracked.get(), nullptr), 0);
        EXPECT_FALSE(ask_sum(function, {tracked.get()}, {&page}, 0));
        page.bytes[0]++;
    }
    std::vector<Tracked> all;
    for (unsigned i = 0; i < KCR_SETS_MAX; i++)
        all.push_back(track(domain, page));
    EXPECT_EQ(kcr_tracked_status(all.back().get(), nullptr), 0);
    EXPECT_EQ(kcr_tracked_status(track(domain, page).get(), nullptr), -ENOSPC);
}

} // namespace

} // namespace kcr::tests
