/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hunt for stale results: tracked pages of which each has an owner, who writes
 * ever higher versions to it, while others arm, compute, store and look up.
 *
 * An owner says which version is in memory for sure (the floor), and which the
 * highest is that may be (the ceiling). A lookup that begins after a floor was
 * read must not give an older version.
 */
#ifndef KCR_SELFTEST_HUNT_HPP
#define KCR_SELFTEST_HUNT_HPP

#include <mutex>
#include <thread>

#include "data.hpp"
#include "others.hpp"

namespace track
{

inline constexpr size_t hunt_pages = 4;
/* A set for each page, and one of all */
inline constexpr size_t hunt_sets = hunt_pages + 1;

using Versions = std::array<uint64_t, hunt_pages>;

/** What its owner says of a page. */
struct alignas(64) PageState {
    std::atomic<uint64_t> floor = 0;
    std::atomic<uint64_t> ceiling = 0;
    /* Odd while the page is replaced, and may hold nothing */
    std::atomic<uint64_t> replaced = 0;
};

/** What happened so far. */
struct Tally {
    std::atomic<uint64_t> writes = 0;
    std::atomic<uint64_t> armed = 0;
    std::array<std::atomic<uint64_t>, KCR_NR_REFUSALS> refused{};
    std::atomic<uint64_t> stored = 0;
    std::atomic<uint64_t> outdated = 0;
    std::atomic<uint64_t> lookups = 0;
    std::atomic<uint64_t> hits = 0;
    std::atomic<uint64_t> stale = 0;
    /* Equal keys gave different results: one of them is stale */
    std::atomic<uint64_t> contradictions = 0;

    uint64_t wrong() const
    {
        return stale + contradictions;
    }
    std::string text() const
    {
        std::string out = std::to_string(writes) + " writes, " + std::to_string(armed) +
                          " armings, " + std::to_string(stored) + " stored, " +
                          std::to_string(outdated) + " outdated, " + std::to_string(lookups) +
                          " lookups, " + std::to_string(hits) + " hits, " + std::to_string(stale) +
                          " stale, " + std::to_string(contradictions) + " contradictions; refused:";
        for (uint32_t i = 1; i < KCR_NR_REFUSALS; i++) {
            if (refused[i])
                out += " " + std::to_string(refused[i]) + " " + reason_name(i) + ",";
        }
        out.back() = '.';
        return out;
    }
};

/** The pages, their sets, and who asks for results. Its functions may be called by all threads. */
class Hunt
{
public:
    static constexpr unsigned arguments = 8;

    Hunt()
        : fd_(domain::create(1 << 20)), region_(fd_.get()), tracker_(fd_.get()),
          function_(new_function())
    {
        area_.fill(0);
        for (size_t page = 0; page < hunt_pages; page++) {
            area_.word(page) = 0;
            sets_[page] = tracker_.make(area_.page(page), page_size);
        }
        sets_[hunt_pages] = tracker_.make(area_.data(), area_.size());
    }

    const Area& area() const
    {
        return area_;
    }
    PageState& state(size_t page)
    {
        return states_[page];
    }
    Tally& tally()
    {
        return tally_;
    }
    bool armed(size_t set) const
    {
        return tracker_.stamp(sets_[set]) != 0;
    }

    /** Arms set @p set, unless that is refused now. */
    bool arm(size_t set)
    {
        const Answer answer = tracker_.arm_once(sets_[set]);

        if (answer.armed())
            tally_.armed++;
        else if (answer.reason < KCR_NR_REFUSALS)
            tally_.refused[answer.reason]++;
        return answer.armed();
    }

    /** Computes and stores, if @p set is armed. @p argument is the caller's alone. */
    void remember(size_t set, uint64_t argument)
    {
        const uint32_t f = function_;
        const Key key = {{sets_[set], 0, tracker_.stamp(sets_[set])}, argument};
        const uint64_t f_stamp = region_.stamp(f);
        Versions versions{};

        if (!key.set.stamp)
            return;
        for (size_t page = 0; page < hunt_pages; page++) {
            if (covers(set, page))
                versions[page] = __atomic_load_n(&area_.word(page), __ATOMIC_ACQUIRE);
        }
        const int status =
            domain::store(tracker_.fd(), f, f_stamp, bytes_of(key), bytes_of(versions));
        if (status >= 0)
            tally_.stored++;
        else if (status == -EBADMSG)
            contradiction(f);
        else
            tally_.outdated++;
    }

    /** Looks up what was computed with @p argument; false if it is older than memory. */
    bool observe(size_t set, uint64_t argument)
    {
        std::array<uint64_t, hunt_pages> floors{};
        std::array<uint64_t, hunt_pages> replaced{};
        Versions versions{};
        bool good = true;

        for (size_t page = 0; page < hunt_pages; page++) {
            replaced[page] = states_[page].replaced;
            floors[page] = states_[page].floor;
        }
        if (!find(set, argument, versions))
            return true;
        for (size_t page = 0; page < hunt_pages; page++) {
            const uint64_t ceiling = states_[page].ceiling;
            if (!covers(set, page) || replaced[page] & 1 ||
                replaced[page] != states_[page].replaced)
                continue;
            good = good && versions[page] >= floors[page] && versions[page] <= ceiling;
        }
        if (!good)
            tally_.stale++;
        return good;
    }

private:
    static bool covers(size_t set, size_t page)
    {
        return set == hunt_pages || set == page;
    }
    uint32_t new_function()
    {
        return domain::add(fd_.get(), {.name = "versions",
                                       .key_max = sizeof(Key),
                                       .result_max = sizeof(Versions),
                                       .version = version_++,
                                       .sets = 1});
    }
    /* The kernel has rejected the function: another takes its place */
    void contradiction(uint32_t rejected)
    {
        const std::lock_guard lock(mutex_);

        tally_.contradictions++;
        if (function_ == rejected && version_ < KCR_FUNCTIONS_MAX)
            function_ = new_function();
    }
    bool find(size_t set, uint64_t argument, Versions& versions)
    {
        const Key key = {{sets_[set], 0, tracker_.stamp(sets_[set])}, argument};

        tally_.lookups++;
        if (!key.set.stamp)
            return false;
        const auto found = region_.find(function_, sizeof(Versions), bytes_of(key));
        if (!found || found->size() != sizeof(versions))
            return false;
        std::memcpy(versions.data(), found->data(), sizeof(versions));
        tally_.hits++;
        return true;
    }

    Area area_{hunt_pages};
    std::array<PageState, hunt_pages> states_;
    Tally tally_;
    uint64_t version_ = 0;
    std::mutex mutex_;
    Fd fd_;
    domain::Region region_;
    Tracker tracker_;
    std::atomic<uint32_t> function_;
    std::array<uint32_t, hunt_sets> sets_{};
};

/** Who writes to a page. */
class Owner
{
public:
    Owner(Hunt& hunt, size_t page, uint64_t seed) : random(seed), hunt_(hunt), page_(page) {}

    uint8_t* page() const
    {
        return hunt_.area().page(page_);
    }
    uint64_t& word() const
    {
        return hunt_.area().word(page_);
    }
    size_t number() const
    {
        return page_;
    }
    Hunt& hunt() const
    {
        return hunt_;
    }

    /** The version to be written next. */
    uint64_t next()
    {
        hunt_.state(page_).ceiling = ++version_;
        return version_;
    }
    /** That version is in memory now. */
    void settle()
    {
        if (__atomic_load_n(&word(), __ATOMIC_ACQUIRE) != version_)
            throw std::runtime_error("version " + std::to_string(version_) + " is not there");
        hunt_.state(page_).floor = version_;
        hunt_.tally().writes++;
        for (const size_t set : {page_, hunt_pages})
            hunt_.observe(set, random.below(Hunt::arguments));
    }
    /** A version that is written by @p write, of which others see either nothing or all. */
    template <typename F> void version(F write)
    {
        write(next());
        settle();
    }
    /** The same, but the page may be empty for a while. */
    template <typename F> void replacement(F write)
    {
        auto& state = hunt_.state(page_);

        state.replaced++;
        version(write);
        state.replaced++;
    }
    void store(uint64_t value) const
    {
        __atomic_store_n(&word(), value, __ATOMIC_SEQ_CST);
    }
    /** Gives the others time to arm the page, and to remember what is in it. */
    void rest()
    {
        for (int i = 0; i < 200 && !hunt_.armed(page_); i++)
            __builtin_ia32_pause();
        if (random.chance(1, 4)) {
            hunt_.arm(page_);
            hunt_.remember(page_, page_);
        }
        for (uint64_t i = random.below(64); i; i--)
            __builtin_ia32_pause();
        if (random.chance(1, 8))
            usleep(static_cast<useconds_t>(random.below(300)));
    }

    kcr::Random random;

private:
    Hunt& hunt_;
    size_t page_;
    uint64_t version_ = 0;
};

/** A way to write. */
struct Way {
    std::string name;
    unsigned weight;
    std::function<void(Owner&)> write;
};

/** How a hunt goes. */
struct Plan {
    uint64_t ops;      /* writes of each owner */
    unsigned watchers; /* threads that only arm, compute, store and look up */
    bool until_wrong;  /* it ends with the first stale result */
    bool rests;        /* owners give the others time in between */
    /* What an owner may do: made by the owner's thread */
    std::function<std::vector<Way>(Owner&)> ways;
};

inline void watch(Hunt& hunt, unsigned number, const std::atomic<bool>& done)
{
    kcr::Random random(1000 + number);

    for (uint64_t round = 0; !done; round++) {
        const size_t set = random.below(hunt_sets);

        hunt.arm(set);
        hunt.remember(set, hunt_pages + number);
        for (int i = 0; i < 4; i++)
            hunt.observe(random.below(hunt_sets), random.below(Hunt::arguments));
        __builtin_ia32_pause();
        if (round % 64 == 63)
            usleep(100);
    }
}

inline void own(Owner& owner, const Plan& plan)
{
    const auto ways = plan.ways(owner);
    uint64_t weights = 0;

    for (const auto& way : ways)
        weights += way.weight;
    for (uint64_t op = 0; op < plan.ops; op++) {
        if (plan.until_wrong && owner.hunt().tally().wrong())
            return;
        uint64_t pick = owner.random.below(weights);
        auto way = ways.begin();
        while (pick >= way->weight)
            pick -= (way++)->weight;
        try {
            way->write(owner);
        } catch (const std::exception& error) {
            throw std::runtime_error(way->name + ": " + error.what());
        }
        if (plan.rests)
            owner.rest();
    }
}

/** Hunts until every owner has made its writes. */
inline void go(Check& check, Hunt& hunt, const Plan& plan)
{
    std::atomic<bool> done = false;
    std::vector<std::jthread> watchers;
    std::vector<std::jthread> owners;

    for (unsigned i = 0; i < plan.watchers; i++)
        watchers.emplace_back([&hunt, &done, i] { watch(hunt, i, done); });
    for (size_t page = 0; page < hunt_pages; page++) {
        owners.emplace_back([&, page] {
            try {
                Owner owner(hunt, page, 77 + page);
                own(owner, plan);
            } catch (const std::exception& error) {
                check.that(false, "page " + std::to_string(page) + ": " + error.what());
            }
        });
    }
    owners.clear();
    done = true;
    watchers.clear();
    check.note(hunt.tally().text());
}

} // namespace track

#endif
