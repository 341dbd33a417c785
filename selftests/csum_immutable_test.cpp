// SPDX-License-Identifier: GPL-2.0
/*
 * What counts as a mapping that cannot change, and what does not; and that nothing
 * that did change is ever sent with an old checksum.
 */
#include "verity.hpp"

using afalg::Bytes;
using afalg::Fd;
using csum::Site;
using kcr::Random;
using kcr::Watch;
using net::Connection;
using net::Pair;
using tap::Check;

namespace
{

constexpr size_t file_size = size_t{128} * 1024;
constexpr size_t image_blocks = 128;

/* A connection over a device without checksum offload, and the site switched on */
struct Setup {
    Setup() : pair(9000), connection((pair.offload(false), pair)), site("csum", "reuse")
    {
        const Bytes content = Random(99).bytes(8192);
        const Fd file = csum::memfd(content, csum::both_seals);
        Site::warm([&] { connection.transfer(file.get(), 0, content.size()); });
    }

    /* Sends @p file and says whether the site looked anything up; it arrives in any case */
    bool counts(Check& check, int file, const Bytes& content, const std::string& what)
    {
        const Watch watch("csum");
        csum::transfer(check, connection, file, content, 3, what);
        check.that(watch["mismatches"] == 0, what + ": mismatches");
        return watch["lookups"] > 0;
    }

    Pair pair;
    Connection connection;
    Site site;
};

void test_seals(Check& check)
{
    struct {
        unsigned seals;
        bool counts;
    } constexpr cases[] = {
        {0, false},
        {F_SEAL_SHRINK, false},
        {F_SEAL_WRITE, false},
        {F_SEAL_GROW, false},
        {F_SEAL_FUTURE_WRITE, false},
        {F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK, false},
        {F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, false},
        {F_SEAL_WRITE | F_SEAL_SHRINK, true},
        {F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, true},
    };
    Setup setup;

    for (const auto& test : cases) {
        const Bytes content = Random(test.seals).bytes(file_size);
        const Fd file = csum::memfd(content, test.seals);
        const std::string what = "seals " + std::to_string(test.seals);
        check.that(setup.counts(check, file.get(), content, what) == test.counts, what);
    }
}

/* A mapping from before the seal writes on: F_SEAL_FUTURE_WRITE allows that */
void test_changes(Check& check)
{
    Setup setup;
    Bytes content = Random(1).bytes(file_size);
    const Fd file = csum::memfd(content, 0);
    auto* memory = static_cast<uint8_t*>(
        mmap(nullptr, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));

    if (memory == MAP_FAILED)
        afalg::fail("mmap");
    if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK) != 0)
        afalg::fail("F_ADD_SEALS");
    check.that(fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0 && errno == EBUSY,
               "F_SEAL_WRITE in spite of a mapping that may write");
    for (unsigned i = 0; i < 20; i++) {
        for (size_t at = i; at < file_size; at += 512)
            memory[at] = content[at] = static_cast<uint8_t>(memory[at] + 1 + i);
        check.that(!setup.counts(check, file.get(), content, "change " + std::to_string(i)),
                   "a mapping that may be written to counts");
    }
    munmap(memory, file_size);
    /* From now on nobody can */
    if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0)
        afalg::fail("F_ADD_SEALS");
    check.that(setup.counts(check, file.get(), content, "sealed at last"), "does not count");
}

/* Files come and go, with other contents at the same places of recycled inodes */
void test_recycled(Check& check)
{
    Setup setup;
    const Watch watch("csum");

    for (unsigned i = 0; i < 60; i++) {
        const Bytes content = Random(100 + i).bytes(16384);
        const Fd file = csum::memfd(content, csum::both_seals);
        csum::transfer(check, setup.connection, file.get(), content, 3, "file");
    }
    check.that(watch.hits() > 60, "no hits");
}

void drop_caches()
{
    sync();
    kcr::write_file("/proc/sys/vm/drop_caches", "3");
}

void test_fs_verity(Check& check)
{
    Setup setup;
    const verity::Directory dir;
    const Bytes content = Random(2).bytes(file_size);
    const Bytes other = Random(3).bytes(file_size);

    net::sh("truncate -s 8M " + dir / "image");
    net::sh("mkfs.ext4 -q -b 4096 -O verity " + dir / "image");
    {
        const verity::Loop loop(dir / "image", false);
        const verity::Mount mount(loop.path(), dir / "mnt", 0);
        verity::put_file(dir / "mnt/file", content);
        verity::put_file(dir / "mnt/plain", content);
        {
            /* In memory since before: does not count until it has left */
            const Fd keep = verity::open_read(dir / "mnt/file");
            verity::enable(dir / "mnt/file");
            check.that(!setup.counts(check, keep.get(), content, "just enabled"),
                       "pages from before verity count");
        }
        drop_caches();
        const Fd plain = verity::open_read(dir / "mnt/plain");
        check.that(!setup.counts(check, plain.get(), content, "plain file"),
                   "a file without verity counts");
        const Fd file = verity::open_read(dir / "mnt/file");
        check.that(setup.counts(check, file.get(), content, "verity"), "verity does not count");
        /* Pages are evicted and read again */
        drop_caches();
        const Watch watch("csum");
        csum::transfer(check, setup.connection, file.get(), content, 2, "after eviction");
        check.that(watch.hits() > 0, "what is read again is not known again");
    }
    {
        /* The same name, and maybe the same inode, with another content */
        const verity::Loop loop(dir / "image", false);
        const verity::Mount mount(loop.path(), dir / "mnt", 0);
        unlink((dir / "mnt/file").c_str());
        verity::put_file(dir / "mnt/file", other);
        verity::enable(dir / "mnt/file");
        drop_caches();
        const Fd file = verity::open_read(dir / "mnt/file");
        check.that(setup.counts(check, file.get(), other, "replaced"), "does not count");
    }
}

/* Whether a file on a read-only mount of @p device counts */
bool mounted_counts(Check& check, Setup& setup, const verity::Directory& dir,
                    const std::string& device, const Bytes& content, const std::string& what,
                    const std::function<void()>& after_mount = {})
{
    const verity::Mount mount(device, dir / "mnt", MS_RDONLY);
    const Fd file = verity::open_read(dir / "mnt/file");

    if (after_mount)
        after_mount();
    return setup.counts(check, file.get(), content, what);
}

void test_dm_verity(Check& check)
{
    Setup setup;
    const verity::Directory dir;
    const Bytes content = Random(4).bytes(file_size);

    net::sh("truncate -s 512K " + dir / "image");
    net::sh("mkfs.ext4 -q -b 4096 -O ^has_journal " + dir / "image");
    {
        const verity::Loop loop(dir / "image", false);
        const verity::Mount mount(loop.path(), dir / "mnt", 0);
        verity::put_file(dir / "mnt/file", content);
    }
    const Bytes hashes = verity::hash_block(verity::read_all(dir / "image"));
    const Bytes root = verity::sha256(hashes);
    verity::put_file(dir / "hashes", hashes);
    const verity::Loop data(dir / "image", true);
    const verity::Loop tree(dir / "hashes", true);
    check.that(!mounted_counts(check, setup, dir, data.path(), content, "read-only mount"),
               "a read-only mount counts");
    {
        verity::Device device(data.path(), tree.path(), image_blocks, root);
        check.that(mounted_counts(check, setup, dir, device.path(), content, "dm-verity"),
                   "dm-verity does not count");
        check.that(mounted_counts(check, setup, dir, device.path(), content, "mounted again"),
                   "dm-verity does not count when mounted again");
        check.that(!mounted_counts(check, setup, dir, device.path(), content, "suspended",
                                   [&] { device.suspend_and_resume(); }),
                   "a device that may have had another table counts");
    }
    for (const std::string option : {" 1 ignore_corruption", " 1 check_at_most_once"}) {
        const verity::Device device(data.path(), tree.path(), image_blocks, root, option);
        check.that(!mounted_counts(check, setup, dir, device.path(), content, option),
                   option + " counts");
    }
}

} // namespace

int main()
{
    const std::array<tap::Case, 5> cases = {{
        {"seals: both or nothing", test_seals},
        {"what changes is seen", test_changes},
        {"recycled inodes", test_recycled},
        {"fs-verity: enabled, evicted, read again, replaced", test_fs_verity},
        {"dm-verity: strict, once, never suspended", test_dm_verity},
    }};
    return tap::run_cases(cases, csum::require);
}
