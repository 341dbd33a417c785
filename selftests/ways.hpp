/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways in which the owner of a page writes its next version, for hunts.
 */
#ifndef KCR_SELFTEST_WAYS_HPP
#define KCR_SELFTEST_WAYS_HPP

#include <linux/futex.h>
#include <sys/mount.h>

#include <memory>

#include "hunt.hpp"
#include "pages.hpp"
#include "trackio.hpp"
#include "uffd.hpp"

namespace track
{

inline void done(bool ok, const char* what)
{
    if (!ok)
        domain::fail(what);
}

inline void protect(const Owner& owner, int prot)
{
    done(mprotect(owner.page(), page_size, prot) == 0, "mprotect");
}

inline void write_self(const Owner& owner, uint64_t value)
{
    errno = write_mem(getpid(), owner.page(), &value, sizeof(value));
    done(!errno, "/proc/self/mem");
}

/** Stores, one after the other: each but the first may find the page writable. */
inline void store_burst(Owner& owner)
{
    for (uint64_t i = 1 + owner.random.below(8); i; i--) {
        owner.version([&](uint64_t value) { owner.store(value); });
        for (uint64_t wait = owner.random.below(200); wait; wait--)
            __builtin_ia32_pause();
    }
}

/** What user space and system calls do that copy to it. */
inline void add_copies(std::vector<Way>& ways)
{
    const auto pipe = std::make_shared<Pipe>();

    ways.push_back({"stores", 12, store_burst});
    ways.push_back({"read", 4, [pipe](Owner& owner) {
                        owner.version([&](uint64_t value) {
                            pipe->put(bytes_of(value));
                            done(read(pipe->out.get(), owner.page(), 8) == 8, "read");
                        });
                    }});
    ways.push_back({"vmsplice", 2, [pipe](Owner& owner) {
                        owner.version([&](uint64_t value) {
                            const iovec to = {owner.page(), 8};
                            pipe->put(bytes_of(value));
                            done(vmsplice(pipe->out.get(), &to, 1, 0) == 8, "vmsplice");
                        });
                    }});
    ways.push_back({"a page in a pipe", 2, [pipe](Owner& owner) {
                        Bytes buffer(page_size);
                        const iovec from = {owner.page(), page_size};
                        done(vmsplice(pipe->in.get(), &from, 1, 0) == page_size, "vmsplice");
                        owner.version([&](uint64_t value) { owner.store(value); });
                        done(read(pipe->out.get(), buffer.data(), page_size) == page_size, "read");
                    }});
    ways.push_back({"futex", 3, [](Owner& owner) {
                        owner.version([&](uint64_t) {
                            uint32_t other = 0;
                            done(syscall(SYS_futex, &other, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1,
                                         1, owner.page(),
                                         FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)) >= 0,
                                 "FUTEX_WAKE_OP");
                        });
                    }});
}

/** What debuggers and other processes do. */
inline void add_foreign(std::vector<Way>& ways, const Puppeteer& other)
{
    ways.push_back({"/proc/self/mem", 3, [](Owner& owner) {
                        owner.version([&](uint64_t value) { write_self(owner, value); });
                    }});
    ways.push_back({"process_vm_writev", 3, [](Owner& owner) {
                        owner.version([&](uint64_t value) {
                            errno = write_vm(getpid(), owner.page(), &value, sizeof(value));
                            done(!errno, "process_vm_writev");
                        });
                    }});
    ways.push_back({"written by force", 3, [](Owner& owner) {
                        protect(owner, PROT_READ);
                        owner.rest();
                        if (owner.random.chance(1, 2))
                            pin_for_reading(owner.page());
                        owner.version([&](uint64_t value) { write_self(owner, value); });
                        protect(owner, PROT_READ | PROT_WRITE);
                    }});
    for (const auto way : {Puppeteer::Way::mem, Puppeteer::Way::vm}) {
        ways.push_back({"another process", 2, [&other, way](Owner& owner) {
                            owner.version([&](uint64_t value) {
                                errno = other.write(way, owner.page(), value);
                                done(!errno, "another process");
                            });
                        }});
    }
}

/** What changes the mapping. */
inline void add_mappings(std::vector<Way>& ways)
{
    const auto source = std::make_shared<Area>(1);
    constexpr int read_write = PROT_READ | PROT_WRITE;

    ways.push_back({"mprotect", 4, [](Owner& owner) {
                        protect(owner, PROT_READ);
                        owner.rest();
                        protect(owner, read_write);
                        owner.version([&](uint64_t value) { owner.store(value); });
                    }});
    for (const int advice : {MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT, MADV_COLD}) {
        ways.push_back({"madvise " + std::to_string(advice), 2, [advice](Owner& owner) {
                            owner.replacement([&](uint64_t value) {
                                madvise(owner.page(), page_size, advice);
                                owner.store(value);
                            });
                        }});
    }
    ways.push_back({"swapped out, then a store", 1, [](Owner& owner) {
                        madvise(owner.page(), page_size, MADV_PAGEOUT);
                        owner.rest();
                        owner.version([&](uint64_t value) { owner.store(value); });
                    }});
    ways.push_back({"MAP_FIXED", 2, [](Owner& owner) {
                        owner.replacement([&](uint64_t value) {
                            done(mmap(owner.page(), page_size, read_write,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                                      0) == owner.page(),
                                 "mmap MAP_FIXED");
                            owner.store(value);
                        });
                    }});
    ways.push_back({"mremap", 2, [source](Owner& owner) {
                        source->map_anew();
                        owner.replacement([&](uint64_t value) {
                            source->word(0) = value;
                            done(mremap(source->data(), page_size, page_size,
                                        MREMAP_MAYMOVE | MREMAP_FIXED,
                                        owner.page()) == owner.page(),
                                 "mremap");
                        });
                    }});
    ways.push_back({"userfaultfd", 1, [](Owner& owner) {
                        const Uffd uffd({owner.page(), page_size}, UFFDIO_REGISTER_MODE_WP);
                        owner.version([&](uint64_t value) {
                            done(!uffd.protect(owner.page(), true), "UFFDIO_WRITEPROTECT");
                            done(!uffd.protect(owner.page(), false), "UFFDIO_WRITEPROTECT");
                            owner.store(value);
                        });
                    }});
}

/** A child that writes to its copy, and a store while it does. */
inline void fork_and_write(Owner& owner)
{
    const pid_t pid = fork();

    if (!pid) {
        owner.store(1ULL << 40);
        _exit(0);
    }
    done(pid > 0, "fork");
    owner.version([&](uint64_t value) { owner.store(value); });
    done(waitpid(pid, nullptr, 0) == pid, "waitpid");
    owner.version([&](uint64_t value) { owner.store(value); });
}

/** What moves the page itself: processes, nodes. */
inline void add_pages(std::vector<Way>& ways)
{
    ways.push_back({"fork", 1, fork_and_write});
    const auto nodes = node_list("has_memory");
    if (nodes.size() < 2)
        return;
    ways.push_back({"move_pages", 3, [nodes](Owner& owner) {
                        move_to(owner.page(), static_cast<int>(nodes[owner.random.below(2)]));
                        owner.rest();
                        owner.version([&](uint64_t value) { owner.store(value); });
                    }});
}

/** What a disk and a ring do, if there are any. */
inline void add_devices(std::vector<Way>& ways)
{
    const auto disk = std::make_shared<Disk>();
    const auto ring = std::make_shared<Ring>();

    ways.push_back({"O_DIRECT", 3, [disk](Owner& owner) {
                        owner.version([&](uint64_t value) {
                            disk->put(owner.number(), value);
                            disk->read_to(owner.number(), owner.page());
                        });
                    }});
    ways.push_back({"io_uring", 3, [disk, ring](Owner& owner) {
                        owner.version([&](uint64_t value) {
                            disk->put(owner.number(), value);
                            done(ring->read_to(disk->fd(), Disk::offset(owner.number()),
                                               owner.page(), sector_size, false) == sector_size,
                                 "io_uring");
                        });
                    }});
    ways.push_back({"io_uring, registered", 3, [disk, ring](Owner& owner) {
                        ring->pin(owner.page(), page_size);
                        for (uint64_t i = 1 + owner.random.below(8); i; i--) {
                            owner.rest();
                            owner.version([&](uint64_t value) {
                                disk->put(owner.number(), value);
                                done(ring->read_to(disk->fd(), Disk::offset(owner.number()),
                                                   owner.page(), sector_size, true) == sector_size,
                                     "io_uring, registered");
                            });
                        }
                        ring->unpin();
                    }});
}

/** All of them; @p other is another process, made before the memory. */
inline std::vector<Way> all_ways(const Puppeteer& other)
{
    std::vector<Way> ways;

    add_copies(ways);
    add_foreign(ways, other);
    add_mappings(ways);
    add_pages(ways);
    add_devices(ways);
    return ways;
}

/** Stores only. */
inline std::vector<Way> stores()
{
    return {{"stores", 1, store_burst}};
}

/** A variant of the kernel that is broken on purpose, for as long as it lives. */
class Broken
{
public:
    explicit Broken(const std::string& name)
    {
        if (access(path, F_OK) < 0)
            mount("debugfs", "/sys/kernel/debug", "debugfs", 0, nullptr);
        if (access(path, F_OK) < 0)
            throw tap::Skip("this kernel cannot be broken on purpose");
        if (!set(name))
            domain::fail(path + std::string(": ") + name);
    }
    ~Broken()
    {
        set("none");
    }
    Broken(const Broken&) = delete;
    Broken& operator=(const Broken&) = delete;

private:
    static constexpr const char* path = "/sys/kernel/debug/kcr/track_break";

    static bool set(const std::string& name)
    {
        const Fd fd(open(path, O_WRONLY | O_CLOEXEC));
        return fd && write(fd.get(), name.data(), name.size()) == static_cast<ssize_t>(name.size());
    }
};

/** How many writes each owner makes; @p otherwise if the environment does not say. */
inline uint64_t race_ops(uint64_t otherwise)
{
    const char* text = getenv("KCR_RACE_OPS");
    return text ? strtoull(text, nullptr, 0) : otherwise;
}

} // namespace track

#endif
