// SPDX-License-Identifier: GPL-2.0
/*
 * Tracked memory is written by devices and by whoever holds on to its pages:
 * direct I/O, io_uring, vmsplice; and pages that are held before they are armed.
 */
#include <linux/aio_abi.h>

#include "others.hpp"
#include "trackio.hpp"

using namespace track;

namespace
{

/* Arming is refused for a reference to @p page */
void refused(Check& check, const Subject& subject, const void* page, const std::string& what)
{
    subject.tracker().renew(subject.set());
    Answer answer = subject.tracker().arm_once(subject.set());

    /* Something else may come between, for a moment */
    for (int i = 0; i < 50 && answer.ret == -EAGAIN && answer.reason != KCR_REFUSED_REFERENCE; i++)
        answer = subject.tracker().arm_once(subject.set());
    check.that(answer.ret == -EAGAIN && answer.reason == KCR_REFUSED_REFERENCE,
               what + ": " + answer.text());
    check.that(answer.address == address_of(page), what + ": which page: " + answer.text());
    check.that(!answer.stamp && !subject.stamp(), what + ": a stamp");
}

void test_direct_read(Check& check)
{
    const Disk disk;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 0;

    area.fill();
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"O_DIRECT read", [&] {
                                disk.put(0, ++value);
                                disk.read_to(0, area.page(1) + sector_size);
                            }});
        check.that(area.word(1, 64) == value, "what was read");
        subject.run(check, {"O_DIRECT readv", [&] {
                                const std::array<iovec, 2> to = {
                                    {{area.page(0), sector_size}, {area.page(3), sector_size}}};
                                disk.put(0, ++value);
                                disk.put(1, value);
                                if (preadv(disk.fd(), to.data(), 2, 0) != 2 * sector_size)
                                    domain::fail("preadv");
                            }});
        check.that(area.word(3) == value, "what was read by readv");
    }
    area.protect(PROT_READ);
    subject.run(check, {"O_DIRECT read, PROT_READ",
                        [&] {
                            check.that(pread(disk.fd(), area.page(1), sector_size, 0) < 0,
                                       "written all the same");
                        },
                        Effect::keeps});
}

void test_aio(Check& check)
{
    const Disk disk;
    const Area area;
    const Subject subject(area.span());
    aio_context_t context = 0;
    uint64_t value = 100;

    if (syscall(SYS_io_setup, 4, &context) < 0)
        throw tap::Skip("no io_setup");
    area.fill();
    const auto read_to_page = [&] {
        iocb request{};
        std::array<iocb*, 1> requests = {&request};
        io_event event{};

        disk.put(0, ++value);
        request.aio_lio_opcode = IOCB_CMD_PREAD;
        request.aio_fildes = static_cast<uint32_t>(disk.fd());
        request.aio_buf = address_of(area.page(2));
        request.aio_nbytes = sector_size;
        if (syscall(SYS_io_submit, context, 1, requests.data()) != 1 ||
            syscall(SYS_io_getevents, context, 1, 1, &event, nullptr) != 1)
            domain::fail("io_submit");
        check.that(event.res == sector_size, "bytes read");
    };
    for (int i = 0; i < 3; i++)
        subject.run(check, {"io_submit", read_to_page});
    syscall(SYS_io_destroy, context);
}

/* A device that reads the page: it is pinned, but not written */
void test_direct_write(Check& check)
{
    const Disk disk;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 200;

    area.fill();
    subject.run(check,
                {"O_DIRECT write", [&] { disk.write_from(0, area.page(1)); }, Effect::keeps});
    subject.run(check, {"O_DIRECT write, then a store", [&] {
                            disk.write_from(0, area.page(1));
                            area.word(1) = ++value;
                        }});
    area.protect(PROT_READ);
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"O_DIRECT write, then a write by force", [&] {
                                disk.write_from(0, area.page(1));
                                ++value;
                                check.that(!write_mem(getpid(), area.page(1), &value, 8),
                                           "/proc/self/mem");
                            }});
    }
}

void test_ring(Check& check)
{
    const Disk disk;
    const Ring ring;
    const Pipe pipe;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 300;

    area.fill();
    for (int i = 0; i < 3; i++) {
        subject.run(check, {"io_uring: direct I/O", [&] {
                                disk.put(3, ++value);
                                check.that(ring.read_to(disk.fd(), Disk::offset(3), area.page(1),
                                                        sector_size, false) == sector_size,
                                           "bytes from the disk");
                            }});
        subject.run(check, {"io_uring: a pipe", [&] {
                                pipe.put(bytes_of(++value));
                                check.that(ring.read_to(pipe.out.get(), -1, area.page(3) + 16, 8,
                                                        false) == 8,
                                           "bytes from a pipe");
                            }});
        check.that(area.word(3, 2) == value, "what was read");
    }
}

/* Pinned while it is armed, then written without a fault */
void test_pinned_after(Check& check)
{
    const Disk disk;
    const Ring ring;
    const Pipe pipe;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 400;

    area.fill();
    const auto fixed = [&](bool device) {
        disk.put(3, ++value);
        pipe.put(bytes_of(value));
        const int got =
            device ? ring.read_to(disk.fd(), Disk::offset(3), area.page(1), sector_size, true)
                   : ring.read_to(pipe.out.get(), -1, area.page(1), 8, true);
        check.that(got == (device ? int(sector_size) : 8), "bytes read: " + std::to_string(got));
        if (device)
            check.that(read(pipe.out.get(), &value, 8) == 8, "the pipe");
    };
    for (const bool device : {true, false, true, false}) {
        const std::string what = device ? "a device" : "a pipe";
        subject.run(check, {.name = "registered, read from " + what,
                            .write =
                                [&] {
                                    ring.pin(area.page(1), page_size);
                                    check.that(!subject.stamp(), what + ": armed and pinned");
                                    refused(check, subject, area.page(1), what);
                                    fixed(device);
                                    refused(check, subject, area.page(1), what + ", again");
                                },
                            .repair = [&] { ring.unpin(); }});
    }
}

/* Pinned before arming: refused for as long as that lasts */
void test_pinned_before(Check& check)
{
    const Disk disk;
    const Area area;
    const Subject subject(area.span());
    uint64_t value = 500;

    area.fill();
    for (int i = 0; i < 3; i++) {
        std::optional<Ring> ring(std::in_place);
        ring->pin(area.page(2), page_size);
        refused(check, subject, area.page(2), "pinned");
        disk.put(3, ++value);
        check.that(ring->read_to(disk.fd(), Disk::offset(3), area.page(2), sector_size, true) ==
                       sector_size,
                   "bytes read");
        refused(check, subject, area.page(2), "pinned and written");
        check.that(subject.tracker().info(subject.set()).refused[KCR_REFUSED_REFERENCE] > 0,
                   "it is not counted");
        if (i % 2)
            ring->unpin();
        else
            ring.reset();
        subject.run(check, {"unpinned", [&] { area.word(2, 5) = ++value; }});
    }
}

/* A page in a pipe is only read from there, but nobody can know */
void test_vmsplice(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    const Pipe pipe;
    const Pipe second;
    const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    Bytes buffer(page_size);
    uint64_t value = 600;

    area.fill();
    const auto give = [&](unsigned flags) {
        const iovec from = {area.page(1), page_size};
        if (vmsplice(pipe.in.get(), &from, 1, flags) != page_size)
            domain::fail("vmsplice");
    };
    const auto drain = [&](const Pipe& from) {
        if (read(from.out.get(), buffer.data(), page_size) != page_size)
            domain::fail("read from a pipe");
    };
    for (const unsigned flags : {0U, unsigned(SPLICE_F_GIFT)}) {
        give(flags);
        refused(check, subject, area.page(1), "a page in a pipe");
        drain(pipe);
        subject.run(check,
                    {"vmsplice", [&] { give(flags); }, Effect::keeps, {}, [&] { drain(pipe); }});
        subject.run(check, {"vmsplice and a store",
                            [&] {
                                give(flags);
                                area.word(1) = ++value;
                            },
                            Effect::changes,
                            {},
                            [&] { drain(pipe); }});
        subject.run(check,
                    {"vmsplice, tee and splice",
                     [&] {
                         give(flags);
                         if (tee(pipe.out.get(), second.in.get(), page_size, 0) != page_size ||
                             splice(pipe.out.get(), nullptr, null.get(), nullptr, page_size, 0) !=
                                 page_size)
                             domain::fail("splice");
                     },
                     Effect::keeps,
                     {},
                     [&] { drain(second); }});
    }
    subject.run(check, {"vmsplice from a pipe", [&] {
                            const iovec to = {area.page(1) + 8, 8};
                            pipe.put(bytes_of(++value));
                            if (vmsplice(pipe.out.get(), &to, 1, 0) != 8)
                                domain::fail("vmsplice from a pipe");
                        }});
    check.that(area.word(1, 1) == value, "what was read");
}

/* Another page's contents go through two pipes and a file, to tracked memory */
void test_splice_from_file(Check& check)
{
    const Area area;
    const Area source(1);
    const Subject subject(area.span());
    const Pipe pipe;
    const Fd file(memfd_create("source", MFD_CLOEXEC));
    uint64_t value = 700;

    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"splice from a file", [&] {
                                off_t offset = 0;
                                const iovec to = {area.page(3), page_size};
                                source.fill(++value);
                                if (pwrite(file.get(), source.data(), page_size, 0) != page_size ||
                                    splice(file.get(), &offset, pipe.in.get(), nullptr, page_size,
                                           0) != page_size ||
                                    vmsplice(pipe.out.get(), &to, 1, 0) != page_size)
                                    domain::fail("splice");
                            }});
        check.that(!std::memcmp(area.page(3), source.data(), page_size), "what was read");
    }
}

void test_socket(Check& check)
{
    const Area area;
    const Subject subject(area.span());
    std::array<int, 2> ends{};
    uint64_t value = 800;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0)
        domain::fail("socketpair");
    const Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    area.fill();
    for (int i = 0; i < 2; i++) {
        subject.run(check, {"recv", [&] {
                                value++;
                                if (send(theirs.get(), &value, 8, 0) != 8 ||
                                    recv(ours.get(), area.page(1), 8, 0) != 8)
                                    domain::fail("recv");
                            }});
        subject.run(check, {"getrandom", [&] {
                                if (syscall(SYS_getrandom, area.page(2), 64, 0) != 64)
                                    domain::fail("getrandom");
                            }});
    }
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"direct I/O reads into it", test_direct_read},
        {"asynchronous direct I/O", test_aio},
        {"direct I/O writes from it", test_direct_write},
        {"io_uring, plain buffers", test_ring},
        {"io_uring, registered when armed", test_pinned_after},
        {"io_uring, registered before", test_pinned_before},
        {"vmsplice and splice", test_vmsplice},
        {"splice from a file", test_splice_from_file},
        {"sockets", test_socket},
    };
    return tap::run_cases(cases, need_tracking);
}
