// SPDX-License-Identifier: GPL-2.0
/*
 * Which memory can be tracked, and why other memory is refused: files, shared
 * memory, memory that is not there, and memfds by their seals.
 */
#include "others.hpp"

using namespace track;

namespace
{

constexpr int read_write = PROT_READ | PROT_WRITE;
constexpr size_t size = 4 * page_size;

/** Some mapping. */
class Map
{
public:
    Map(int fd, int prot, int flags, size_t length = size)
        : data_(mmap(nullptr, length, prot, flags, fd, 0)), size_(length)
    {
        if (data_ == MAP_FAILED)
            domain::fail("mmap");
    }
    ~Map()
    {
        munmap(data_, size_);
    }
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;

    uint8_t* data() const
    {
        return static_cast<uint8_t*>(data_);
    }
    uint64_t& word(size_t page) const
    {
        return *reinterpret_cast<uint64_t*>(data() + page * page_size);
    }
    std::span<uint8_t> span() const
    {
        return {data(), size_};
    }

private:
    void* data_;
    size_t size_;
};

/* Arming @p memory is refused for good, with @p reason, after @p before */
void refused(
    Check& check, std::span<const uint8_t> memory, kcr_refusal reason, const std::string& what,
    const std::function<void()>& before = [] {})
{
    const Subject subject(memory);

    before();
    const Answer answer = subject.tracker().arm_once(subject.set());

    check.that(answer.ret == -EOPNOTSUPP && answer.reason == reason,
               what + ": " + answer.text() + "; expected: " + reason_name(reason));
    check.that(answer.address >= address_of(memory.data()) &&
                   answer.address < address_of(memory.data()) + memory.size(),
               what + ": which page: " + answer.text());
    check.that(!answer.stamp && !subject.stamp(), what + ": a stamp");
    check.that(subject.tracker().info(subject.set()).refused[reason] == 1,
               what + ": it is not counted");
}

/* A file of @p pages pages, which has no name any more */
Fd temporary_file(size_t length = size)
{
    std::string path = "/tmp/kcr-track-XXXXXX";
    Fd fd(mkostemp(path.data(), O_CLOEXEC));
    const Bytes contents(length, 7);

    if (!fd || write(fd.get(), contents.data(), length) != static_cast<ssize_t>(length))
        domain::fail("a temporary file");
    unlink(path.c_str());
    return fd;
}

void test_files(Check& check)
{
    const Fd file = temporary_file();
    const Map shared(file.get(), read_write, MAP_SHARED);
    const Map shared_read_only(file.get(), PROT_READ, MAP_SHARED);
    const Map untouched(file.get(), read_write, MAP_PRIVATE);
    const Map touched(file.get(), read_write, MAP_PRIVATE);
    uint64_t sum = 0;

    for (size_t page = 0; page < 4; page++)
        sum += shared.word(page) + shared_read_only.word(page) + untouched.word(page);
    check.that(sum, "the file's contents");
    touched.word(0) = touched.word(1) = touched.word(3) = 1;
    sum += touched.word(2);
    for (const Map* map : {&shared, &shared_read_only}) {
        const Subject subject(map->span());
        const Answer answer = subject.tracker().arm_once(subject.set());
        check.that(answer.ret == -EOPNOTSUPP && (answer.reason == KCR_REFUSED_SHARED_MAPPING ||
                                                 answer.reason == KCR_REFUSED_NOT_ANONYMOUS),
                   "a file's shared mapping: " + answer.text());
    }
    refused(check, untouched.span(), KCR_REFUSED_NOT_ANONYMOUS, "a file's private mapping");
    refused(check, touched.span(), KCR_REFUSED_NOT_ANONYMOUS,
            "a file's private mapping, of which one page was not written");
    /* What write(2) would do to it unseen */
    check.that(pwrite(file.get(), &sum, sizeof(sum), 2 * page_size) == sizeof(sum) &&
                   untouched.word(2) == sum && touched.word(2) == sum,
               "a private mapping that does not show what is written");
}

void test_shared_anonymous(Check& check)
{
    const Map map(-1, read_write, MAP_SHARED | MAP_ANONYMOUS);

    map.word(0) = 1;
    refused(check, map.span(), KCR_REFUSED_SHARED_MAPPING, "shared anonymous memory");
}

void test_holes(Check& check)
{
    const Area area;

    area.fill();
    /* Unmapped when all else is mapped: it would be mapped there */
    refused(check, area.span(), KCR_REFUSED_UNMAPPED, "a hole",
            [&] { munmap(area.page(2), page_size); });
    area.map_anew();
    refused(check, area.span(), KCR_REFUSED_UNMAPPED, "nothing",
            [&] { munmap(area.data(), area.size()); });
    area.map_anew();
    /* Nothing was written yet: whether that is armed or not, a write is seen */
    const Subject subject(area.span());
    uint64_t sum = area.word(1);
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.that(answer.armed() || answer.reason != KCR_REFUSED_NOT, "zeroes: " + answer.text());
    check.note("memory of zeroes: " + answer.text());
    for (size_t page = 0; page < area.pages(); page++) {
        area.word(page) = ++sum + 1;
        check.that(!subject.stamp(), "a first store");
    }
    subject.run(check, {"a second store", [&] { area.word(3) = 99; }});
}

void test_no_access(Check& check)
{
    const Area area;
    const Subject subject(area.span());

    area.fill();
    area.protect(PROT_NONE);
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.that(!answer.armed() && !subject.stamp(), "PROT_NONE: " + answer.text());
    area.protect(read_write);
    subject.run(check, {"accessible again", [&] { area.word(0)++; }});
    area.protect(PROT_READ);
    const Answer read_only = subject.try_arm();
    check.that(read_only.armed(), "PROT_READ: " + read_only.text());
}

void test_special(Check& check)
{
    constexpr size_t huge = 2 << 20;
    const domain::Setting pages("/proc/sys/vm/nr_hugepages", "2");
    {
        const Map map(-1, read_write, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, huge);
        map.word(0) = 1;
        refused(check, map.span(), KCR_REFUSED_SPECIAL, "a huge page of hugetlbfs");
    }
    const Fd fd = domain::create(small_region);
    const domain::Region region(fd.get());
    const Subject subject({region.mapping().data(), region.mapping().size()});
    const Answer answer = subject.tracker().arm_once(subject.set());
    check.that(answer.ret == -EOPNOTSUPP && !subject.stamp(), "a region: " + answer.text());
}

Fd memfd(unsigned seals, size_t length = size)
{
    Fd fd(memfd_create("tracked", MFD_CLOEXEC | MFD_ALLOW_SEALING));

    if (!fd || ftruncate(fd.get(), static_cast<off_t>(length)) < 0)
        domain::fail("memfd_create");
    for (off_t at = 0; at < static_cast<off_t>(length); at += page_size) {
        const uint64_t word = 1 + static_cast<uint64_t>(at);
        if (pwrite(fd.get(), &word, sizeof(word), at) != sizeof(word))
            domain::fail("write to a memfd");
    }
    if (seals && fcntl(fd.get(), F_ADD_SEALS, seals) < 0)
        domain::fail("F_ADD_SEALS");
    return fd;
}

/* A memfd that anybody can change, in one way or another */
void test_half_sealed(Check& check)
{
    struct Half {
        unsigned seals;
        const char* name;
    };
    for (const auto& half :
         {Half{0, "no seal"}, Half{F_SEAL_GROW, "sealed: grow"},
          Half{F_SEAL_WRITE, "sealed: write"}, Half{F_SEAL_SHRINK, "sealed: shrink"},
          Half{F_SEAL_SHRINK | F_SEAL_GROW, "sealed: shrink, grow"},
          Half{F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL, "sealed: write, grow"},
          Half{F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK, "sealed: future writes"}}) {
        const Fd fd = memfd(half.seals);
        const Map map(fd.get(), PROT_READ, MAP_SHARED);
        check.that(map.word(1) == page_size + 1, half.name);
        refused(check, map.span(), KCR_REFUSED_SHARED_MAPPING, half.name);
        if (half.seals & F_SEAL_SHRINK)
            continue;
        /* What makes it unfit: it is cut, and grows again, as far as the seals allow */
        check.that(!ftruncate(fd.get(), page_size), "cut");
        check.that((ftruncate(fd.get(), size) < 0) == !!(half.seals & F_SEAL_GROW), "grown");
        if (!(half.seals & F_SEAL_GROW))
            check.that(map.word(1) == 0, "the contents are gone");
    }
    /* Sealed while it is mapped: then it is fit */
    const Fd fd = memfd(0);
    const Fd reader(
        open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
    const Map map(reader.get(), PROT_READ, MAP_SHARED);
    const Subject subject(map.span());
    const uint64_t sum = map.word(0) + map.word(1) + map.word(2) + map.word(3);
    check.that(subject.tracker().arm_once(subject.set()).reason == KCR_REFUSED_SHARED_MAPPING,
               "not sealed yet");
    check.that(sum && !fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), "sealed");
    subject.arm(check, "sealed now");
    subject.remember(check, "sealed now");
}

void test_sealed(Check& check)
{
    for (const unsigned more : {0, F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL}) {
        const Fd fd = memfd(F_SEAL_WRITE | F_SEAL_SHRINK | more);
        const Fd other = memfd(F_SEAL_WRITE | F_SEAL_SHRINK, size + page_size);
        const Map map(fd.get(), PROT_READ, MAP_SHARED);
        const Subject subject(map.span());
        const uint64_t word = 5;
        const auto put = [&](int from, off_t offset) {
            if (mmap(map.data(), size, PROT_READ, MAP_SHARED | MAP_FIXED, from, offset) !=
                map.data())
                domain::fail("mmap MAP_FIXED");
        };

        subject.run(check,
                    {"whatever is forbidden",
                     [&] {
                         check.that(pwrite(fd.get(), &word, 8, 0) < 0, "write");
                         check.that(ftruncate(fd.get(), page_size) < 0, "cut");
                         check.that(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                              0, page_size) < 0,
                                    "punched");
                         check.that(mprotect(map.data(), size, read_write) < 0, "mprotect");
                         check.that(madvise(map.data(), size, MADV_REMOVE) < 0, "MADV_REMOVE");
                         check.that(write_mem(getpid(), map.data(), &word, 8) != 0,
                                    "/proc/self/mem");
                     },
                     Effect::keeps});
        if (!(more & F_SEAL_GROW))
            subject.run(check,
                        {"growing", [&] { check.that(!ftruncate(fd.get(), 2 * size), "grown"); },
                         Effect::keeps});
        subject.run(check, {"MADV_DONTNEED", [&] { madvise(map.data(), page_size, MADV_DONTNEED); },
                            Effect::keeps});
        subject.run(check, {"mprotect and back",
                            [&] {
                                mprotect(map.data(), size, PROT_NONE);
                                mprotect(map.data(), size, PROT_READ);
                            },
                            Effect::keeps});
        subject.run(check, {"a child", [] { in_child([] { return 0; }); }, Effect::keeps});
        subject.run(check, {"another part of another memfd in its place",
                            [&] { put(other.get(), page_size); }});
        subject.run(check, {"back again", [&] { put(fd.get(), 0); }});
        subject.run(check,
                    {"private memory in its place", [&] {
                         if (mmap(map.data(), size, read_write,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != map.data())
                             domain::fail("mmap MAP_FIXED");
                         map.word(0) = map.word(1) = map.word(2) = map.word(3) = 9;
                     }});
        subject.run(check, {"a store to that", [&] { map.word(2)++; }});
    }
}

/* A set of several kinds of memory: each is watched, and one bad page refuses all */
void test_mixed(Check& check)
{
    const Fd fd = domain::create(small_region);
    const Tracker tracker(fd.get());
    const Fd sealed = memfd(F_SEAL_WRITE | F_SEAL_SHRINK);
    const Fd unsealed = memfd(0);
    const Map map(sealed.get(), PROT_READ, MAP_SHARED);
    const Map bad(unsealed.get(), PROT_READ, MAP_SHARED);
    const Area first;
    const Area second;

    first.fill();
    second.fill();
    const std::array<kcr_range, 4> ranges = {{{address_of(first.data()), first.size()},
                                              {address_of(map.data()), size},
                                              {address_of(second.data()), second.size()},
                                              {address_of(bad.data()), size}}};
    const auto set = static_cast<uint32_t>(tracker.try_add(KCR_SET_NEW, {ranges.data(), 3}));
    for (const Area* area : {&first, &second}) {
        const Answer answer = tracker.arm(set);
        check.that(answer.armed() && tracker.stamp(set), "three ranges: " + answer.text());
        area->word(1)++;
        check.that(!tracker.stamp(set), "a store");
    }
    check.that(tracker.try_add(set, {&ranges[3], 1}) == static_cast<int>(set), "a bad range");
    const Answer answer = tracker.arm_once(set);
    check.that(answer.reason == KCR_REFUSED_SHARED_MAPPING &&
                   answer.address == address_of(bad.data()),
               "a bad range: " + answer.text());
    first.word(0) = 1;
    check.that(!tracker.stamp(set), "a stamp");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"files", test_files},
        {"shared anonymous memory", test_shared_anonymous},
        {"holes", test_holes},
        {"no access", test_no_access},
        {"special memory", test_special},
        {"memfds that are not sealed enough", test_half_sealed},
        {"sealed memfds", test_sealed},
        {"sets of several kinds", test_mixed},
    };
    return tap::run_cases(cases, need_tracking);
}
