// SPDX-License-Identifier: GPL-2.0
/*
 * What trackers promise: sets, arming, stamps and what is stored with them, as the
 * uapi header describes it.
 */
#include <thread>

#include "others.hpp"

using namespace track;

namespace
{

/* A domain and a tracker without sets */
struct Empty {
    Fd fd = domain::create(small_region);
    Tracker tracker{fd.get()};
};

void test_tracker(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Fd lookup(domain::share(fd.get(), 0));
    const Fd device(domain::open_device());
    auto request = domain::sized<kcr_tracker>();
    struct {
        kcr_tracker known;
        uint64_t unknown;
    } longer{};

    const Fd tracker(Tracker::try_make(fd.get()));
    check.that(fcntl(tracker.get(), F_GETFD) == FD_CLOEXEC, "close-on-exec");
    check.that(Tracker::try_make(lookup.get()) == -EACCES, "of a lookup descriptor");
    check.that(Tracker::try_make(device.get()) == -ENOTTY, "of the device");
    request.flags = 1;
    check.that(domain::request(fd.get(), KCR_IOC_TRACKER, request) == -EINVAL, "unknown flag");
    request.flags = 0;
    request.size = sizeof(request) - 1;
    check.that(domain::request(fd.get(), KCR_IOC_TRACKER, request) == -EINVAL, "too short");
    longer.known.size = sizeof(longer);
    check.that(bool(Fd(domain::request(fd.get(), KCR_IOC_TRACKER, longer))), "longer, zero");
    longer.unknown = 1;
    check.that(domain::request(fd.get(), KCR_IOC_TRACKER, longer) == -E2BIG, "longer, not zero");
    check.that(ioctl(fd.get(), KCR_IOC_SET_ARM, &request) < 0 && errno == ENOTTY,
               "a tracker's request to a domain");
    auto info = domain::sized<kcr_create>();
    check.that(domain::request(tracker.get(), KCR_IOC_CREATE, info) == -ENOTTY,
               "the device's request to a tracker");
    check.that(ioctl(tracker.get(), KCR_IOC_SET_ADD, nullptr) < 0 && errno == EFAULT, "no struct");
}

void test_stamps(Check& check)
{
    const Empty empty;
    const int fd = empty.tracker.fd();
    constexpr size_t size = KCR_SETS_MAX * sizeof(uint64_t);
    const auto map = [&](size_t length, int prot, int flags, off_t offset) {
        void* address = mmap(nullptr, length, prot, flags, fd, offset);
        if (address != MAP_FAILED)
            munmap(address, length);
        return address != MAP_FAILED;
    };
    uint64_t word = 1;

    check.that(map(size, PROT_READ, MAP_SHARED, 0), "read-only");
    check.that(!map(size, PROT_READ | PROT_WRITE, MAP_SHARED, 0), "writable");
    check.that(!map(size, PROT_READ | PROT_EXEC, MAP_SHARED, 0), "executable");
    check.that(!map(size, PROT_READ, MAP_PRIVATE, 0), "private");
    check.that(!map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0), "private and writable");
    check.that(!map(2 * size, PROT_READ, MAP_SHARED, 0), "too much");
    check.that(!map(size, PROT_READ, MAP_SHARED, size), "behind it");
    uint8_t* memory = empty.tracker.stamps().writable();
    check.that(mprotect(memory, size, PROT_READ | PROT_WRITE) < 0 && errno == EACCES, "mprotect");
    check.that(write_mem(getpid(), memory, &word, sizeof(word)) != 0, "/proc/self/mem");
    check.that(write_vm(getpid(), memory, &word, sizeof(word)) != 0, "process_vm_writev");
    for (uint32_t set = 0; set < KCR_SETS_MAX; set++) {
        if (!check.that(!empty.tracker.stamp(set), "a stamp of no set"))
            break;
    }
}

void test_add(Check& check)
{
    const Empty empty;
    const Area area(8);
    const Tracker& tracker = empty.tracker;
    const uint64_t start = address_of(area.data());
    auto add = domain::sized<kcr_set_add>();
    const auto one = [&](uint64_t at, uint64_t len) {
        const kcr_range range = {at, len};
        return tracker.try_add(KCR_SET_NEW, {&range, 1});
    };

    check.that(one(start, 0) == -EINVAL, "no bytes");
    check.that(one(start, ~0ULL) == -EINVAL, "beyond the end");
    check.that(one(~0ULL - page_size + 1, page_size) == -EINVAL, "around the end");
    check.that(one(1ULL << 63, page_size) == -EINVAL, "the kernel's memory");
    check.that(tracker.try_add(KCR_SET_NEW, {}) == -EINVAL, "no ranges");
    const std::vector<kcr_range> many(KCR_RANGES_MAX + 1, {start, 1});
    check.that(tracker.try_add(KCR_SET_NEW, many) == -EINVAL, "too many ranges");
    add.set = KCR_SET_NEW;
    add.nr = 1;
    add.ranges = 8;
    check.that(domain::request(tracker.fd(), KCR_IOC_SET_ADD, add) == -EFAULT, "a bad pointer");
    add.flags = 1;
    check.that(domain::request(tracker.fd(), KCR_IOC_SET_ADD, add) == -EINVAL, "unknown flag");
    const kcr_range range = {start, 1};
    check.that(tracker.try_add(0, {&range, 1}) == -ENOENT, "to no set");
    check.that(tracker.try_add(KCR_SETS_MAX, {&range, 1}) == -ENOENT, "to no possible set");

    /* All or none */
    const std::array<kcr_range, 2> half = {{{start, page_size}, {start, 0}}};
    check.that(tracker.try_add(KCR_SET_NEW, half) == -EINVAL, "one good, one bad");
    const uint32_t set = tracker.make(area.page(0) + 100, 1);
    check.that(tracker.info(set).pages == 1, "a byte is a page");
    const std::array<kcr_range, 2> two = {{{start + 2 * page_size - 1, 2}, {start + 5000, 1}}};
    check.that(tracker.try_add(static_cast<int>(set), {two.data(), 1}) == static_cast<int>(set),
               "another range");
    check.that(tracker.info(set).pages == 3 && tracker.info(set).ranges == 2,
               "two bytes are two pages");
}

void test_limits(Check& check)
{
    const Empty empty;
    const Area area(KCR_RANGES_MAX);
    const Tracker& tracker = empty.tracker;
    std::vector<kcr_range> ranges;

    area.fill();
    for (size_t i = 0; i < KCR_RANGES_MAX; i++)
        ranges.push_back({address_of(area.page(i)), 1});
    const int set = tracker.try_add(KCR_SET_NEW, ranges);
    check.that(set >= 0, "as many ranges as there may be");
    check.that(tracker.try_add(set, {ranges.data(), 1}) == -ENOSPC, "one more");
    const auto info = tracker.info(static_cast<uint32_t>(set));
    check.that(info.ranges == KCR_RANGES_MAX && info.pages == KCR_RANGES_MAX, "none was added");
    const Answer answer = tracker.arm(static_cast<uint32_t>(set));
    check.that(answer.armed(), "all ranges: " + answer.text());
    for (int i = 1; i < KCR_SETS_MAX; i++)
        tracker.make(area.data(), 1);
    check.that(tracker.try_add(KCR_SET_NEW, {ranges.data(), 1}) == -ENOSPC, "one more set");
    check.that(tracker.drop(7) == 0, "drop one");
    check.that(tracker.try_add(KCR_SET_NEW, {ranges.data(), 1}) == 7, "room for another");
    /* A store to the last range, of a set of many */
    area.word(KCR_RANGES_MAX - 1) = 0;
    check.that(!tracker.stamp(static_cast<uint32_t>(set)), "a store to the last range");
}

void test_arm(Check& check)
{
    const Empty empty;
    const Area area;
    const Tracker& tracker = empty.tracker;
    auto arm = domain::sized<kcr_set_arm>();

    area.fill();
    const uint32_t set = tracker.make(area.data(), area.size());
    check.that(!tracker.stamp(set), "a new set is not armed");
    const Answer first = tracker.arm(set);
    check.that(first.armed() && first.stamp && first.reason == KCR_REFUSED_NOT,
               "armed: " + first.text());
    check.that(tracker.stamp(set) == first.stamp, "the stamp that is mapped");
    check.that(tracker.arm(set).stamp == first.stamp, "armed already");
    check.that(tracker.info(set).armed == 1 && tracker.info(set).stamp == first.stamp, "counted");
    check.that(tracker.renew(set) == 0 && !tracker.stamp(set), "renewed");
    check.that(tracker.info(set).events[KCR_EVENT_RENEW] == 1, "the renewal is counted");
    const Answer second = tracker.arm(set);
    check.that(second.armed() && second.stamp && second.stamp != first.stamp, "a new stamp");
    area.word(0) = 0;
    check.that(!tracker.stamp(set) && !tracker.info(set).stamp, "written");
    check.that(tracker.info(set).events[KCR_EVENT_WRITE] > 0, "the write is counted");

    arm.set = KCR_SETS_MAX - 1;
    check.that(domain::request(tracker.fd(), KCR_IOC_SET_ARM, arm) == -ENOENT, "no such set");
    arm.set = ~0U;
    check.that(domain::request(tracker.fd(), KCR_IOC_SET_ARM, arm) == -ENOENT, "no possible set");
    arm.set = set;
    arm.flags = 1;
    check.that(domain::request(tracker.fd(), KCR_IOC_SET_ARM, arm) == -EINVAL, "unknown flag");
    check.that(tracker.renew(KCR_SETS_MAX) == -ENOENT, "renewal of no set");
    check.that(tracker.drop(KCR_SETS_MAX) == -ENOENT, "drop of no set");
}

/* Adding disarms; dropping ends a set, and the stamp is not another's afterwards */
void test_add_and_drop(Check& check)
{
    const Area area(8);
    const Subject subject({area.data(), 4 * page_size});
    const Tracker& tracker = subject.tracker();
    const kcr_range more = {address_of(area.page(4)), page_size};

    area.fill();
    subject.arm(check, "armed");
    check.that(tracker.try_add(subject.set(), {&more, 1}) == static_cast<int>(subject.set()),
               "added");
    check.that(!subject.stamp(), "armed after it");
    subject.arm(check, "armed with it");
    area.word(4)++;
    check.that(!subject.stamp(), "a store to what was added");
    subject.arm(check, "armed before it is dropped");
    const uint64_t stamp = subject.stamp();
    const auto argument = subject.remember(check, "before it is dropped");
    if (!argument)
        return;
    check.that(tracker.drop(subject.set()) == 0, "dropped");
    check.that(!subject.stamp(), "armed when dropped");
    check.that(tracker.arm_once(subject.set()).ret == -ENOENT, "armed after it was dropped");
    uint32_t other = tracker.make(area.data(), area.size());
    for (int i = 1; i < KCR_SETS_MAX && other != subject.set(); i++)
        other = tracker.make(area.data(), area.size());
    check.that(other == subject.set(), "its number is never used again");
    check.that(!subject.stamp(), "armed at once");
    subject.arm(check, "another set of that number");
    check.that(subject.stamp() != stamp && !subject.find(*argument), "the old result");
}

/* Writes next to what is tracked are no events, in the same mapping or not */
void test_neighbours(Check& check)
{
    const Area area(6);
    const Subject subject({area.page(2), 2 * page_size});

    area.fill();
    for (int i = 0; i < 3; i++) {
        subject.arm(check, "armed");
        const uint64_t stamp = subject.stamp();
        area.word(1, 511)++;
        area.word(4)++;
        madvise(area.page(5), page_size, MADV_DONTNEED);
        madvise(area.page(0), page_size, MADV_DONTNEED);
        check.that(subject.stamp() == stamp, "disarmed by its neighbours");
        area.word(2 + i % 2)++;
        check.that(!subject.stamp(), "a store");
    }
}

/* Sets that overlap, of one tracker and of another */
void test_overlap(Check& check)
{
    const Area area(6);
    const Subject left({area.page(0), 4 * page_size});
    const Subject right({area.page(2), 4 * page_size});
    const uint32_t again = left.tracker().make(area.page(3), page_size);

    area.fill();
    for (const size_t page : {size_t(3), size_t(0), size_t(5), size_t(3)}) {
        left.arm(check, "left");
        right.arm(check, "right");
        check.that(left.tracker().arm(again).armed(), "again");
        check.that(left.stamp() && right.stamp(), "arming disarmed what was armed");
        area.word(page)++;
        const std::string what = "a store to page " + std::to_string(page);
        check.that(!left.stamp() == (page < 4), what + ": left");
        check.that(!right.stamp() == (page >= 2), what + ": right");
        check.that(!left.tracker().stamp(again) == (page == 3), what + ": again");
    }
}

void test_store(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    const uint64_t f_stamp = subject.region().stamp(subject.function());
    const auto store = [&](int fd, const Key& key, size_t len = sizeof(Key)) {
        return domain::store(fd, subject.function(), f_stamp, bytes_of(key).first(len), Bytes(8));
    };
    const int fd = subject.tracker().fd();

    area.fill();
    check.that(store(fd, {{subject.set(), 0, 0}, 1}) == -ESTALE, "not armed");
    subject.arm(check, "armed");
    const uint64_t stamp = subject.stamp();
    check.that(store(fd, {{subject.set(), 0, stamp}, 1}) >= 0, "with the stamp");
    check.that(store(fd, {{subject.set(), 0, stamp + 1}, 1}) == -ESTALE, "with another");
    check.that(store(fd, {{subject.set(), 0, 0}, 1}) == -ESTALE, "with none");
    check.that(store(fd, {{subject.set(), 1, stamp}, 1}) == -EINVAL, "reserved");
    check.that(store(fd, {{subject.set() + 1, 0, stamp}, 1}) < 0, "of no set");
    check.that(store(fd, {{~0U, 0, stamp}, 1}) < 0, "of no possible set");
    check.that(store(fd, {{subject.set(), 0, stamp}, 1}, 8) == -EINVAL, "half a stamp");
    check.that(store(subject.domain(), {{subject.set(), 0, stamp}, 1}) == -EINVAL,
               "on the domain's descriptor");
    const Tracker other(subject.domain());
    check.that(store(other.fd(), {{subject.set(), 0, stamp}, 1}) < 0, "on another tracker");
    area.word(0)++;
    check.that(store(fd, {{subject.set(), 0, stamp}, 1}) == -ESTALE, "after a write");
    const uint32_t plain = domain::add(subject.domain(), {.name = "plain"});
    check.that(domain::store(subject.domain(), plain, subject.region().stamp(plain), Bytes(8),
                             Bytes(8)) == KCR_STORED_NEW,
               "a function without sets");
    check.that(domain::try_register(subject.domain(), {.name = "m", .key_max = 256, .sets = 9}) ==
                   -EINVAL,
               "a function of too many sets");
    check.that(domain::try_register(subject.domain(), {.name = "k", .key_max = 15, .sets = 1}) ==
                   -EINVAL,
               "a function without room for its set");
}

/* A function of two sets, which are written one after the other */
void test_two_sets(Check& check)
{
    const Empty empty;
    const Area area(4);
    const Tracker& tracker = empty.tracker;
    const domain::Region region(empty.fd.get());
    const uint32_t f =
        domain::add(empty.fd.get(), {.name = "two", .key_max = 40, .result_max = 16, .sets = 2});

    area.fill();
    const std::array<uint32_t, 2> sets = {tracker.make(area.page(0), page_size),
                                          tracker.make(area.page(2), page_size)};
    for (const size_t written : {0, 1}) {
        std::array<kcr_set_key, 2> key{};
        for (size_t i = 0; i < 2; i++)
            key[i] = {sets[i], 0, tracker.arm(sets[i]).stamp};
        check.that(domain::store(tracker.fd(), f, region.stamp(f), bytes_of(key), Bytes(8)) >= 0,
                   "stored");
        check.that(region.find(f, 16, bytes_of(key)).has_value(), "found");
        area.word(2 * written)++;
        check.that(!tracker.stamp(sets[written]) && tracker.stamp(sets[!written]), "one of two");
        check.that(domain::store(tracker.fd(), f, region.stamp(f), bytes_of(key), Bytes(8)) ==
                       -ESTALE,
                   "stored after a write");
    }
}

void test_other_process(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    const Tracker& tracker = subject.tracker();

    area.fill();
    subject.arm(check, "armed");
    const uint64_t stamp = subject.stamp();
    const auto argument = subject.remember(check, "before fork");
    const uint64_t digest = subject.digest();
    if (!argument)
        return;
    const int result = in_child([&] {
        const kcr_range range = {address_of(area.data()), 1};
        int wrong = 0;
        wrong |= subject.stamp() || subject.find(*argument) ? 1 : 0;
        wrong |= tracker.try_add(KCR_SET_NEW, {&range, 1}) == -EPERM ? 0 : 2;
        wrong |= tracker.arm_once(subject.set()).ret == -EPERM ? 0 : 4;
        wrong |= subject.store(stamp, 99, digest) < 0 ? 0 : 8;
        area.word(0) = 77;
        wrong |= subject.stamp() || subject.find(*argument) ? 16 : 0;
        /* A tracker of its own sees what it does */
        const Subject own(area.span());
        area.populate();
        wrong |= own.try_arm().armed() && own.stamp() ? 0 : 32;
        area.word(1) = 77;
        wrong |= own.stamp() ? 64 : 0;
        return wrong;
    });
    check.that(!result, "in the child: " + std::to_string(result));
    check.that(subject.digest() == digest, "the child's writes came through");
    if (const auto found = subject.find(*argument))
        check.that(*found == digest, "A STALE RESULT");
    subject.arm(check, "armed after the child's end");
    subject.remember(check, "after the child's end");
}

void test_too_often(Check& check)
{
    const domain::Setting burst(burst_path, "2");
    const Area area;
    const Subject subject(area.span());
    bool refused = false;

    area.fill();
    /* As many tries as a slow machine may need for three within a second */
    for (int i = 0; i < 100 && !refused; i++) {
        area.word(0)++;
        const Answer answer = subject.tracker().arm_once(subject.set());
        refused = answer.reason == KCR_REFUSED_TOO_OFTEN;
        check.that(!refused || answer.ret == -EAGAIN, "too often: " + answer.text());
    }
    check.that(refused, "never too often");
    check.that(!refused || subject.tracker().info(subject.set()).refused[KCR_REFUSED_TOO_OFTEN],
               "it is not counted");
}

/* A descriptor may go: the stamps are watched as long as they are mapped */
void test_closed(Check& check)
{
    const Area area;
    Empty empty;

    area.fill();
    const uint32_t set = empty.tracker.make(area.data(), area.size());
    check.that(empty.tracker.arm(set).armed(), "armed");
    empty.tracker.close();
    area.word(0)++;
    check.that(!empty.tracker.stamp(set), "a store after it was closed");
    {
        const Subject gone(area.span());
        gone.arm(check, "a tracker that goes");
    }
    area.word(0)++;
    const Subject next(area.span());
    next.run(check, {"after it went", [&] { area.word(1)++; }});
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"a tracker", test_tracker},
        {"its stamps", test_stamps},
        {"ranges", test_add},
        {"limits", test_limits},
        {"arming", test_arm},
        {"adding and dropping", test_add_and_drop},
        {"neighbours", test_neighbours},
        {"sets that overlap", test_overlap},
        {"what may be stored", test_store},
        {"a function of two sets", test_two_sets},
        {"other processes", test_other_process},
        {"armed too often", test_too_often},
        {"closed descriptors", test_closed},
    };
    return tap::run_cases(cases, need_tracking);
}
