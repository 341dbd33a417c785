// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <string>

#include "child.hpp"
#include "figures.hpp"
#include "sites.hpp"
#include "stats.hpp"

namespace sites
{

namespace
{

/*
 * Threads that hand work to each other (futex), buffers that come and go (mmap,
 * mprotect, madvise), files with locks and flags (fcntl, ioctl) and sockets that
 * are polled (epoll).
 */
const char* const job = R"(
import fcntl, hashlib, mmap, os, queue, select, socket, threading
inbox, outbox = queue.Queue(4), queue.Queue()
def worker():
    while (item := inbox.get()) is not None:
        with mmap.mmap(-1, 65536) as m:
            m[:8] = item.to_bytes(8, 'little')
            m.madvise(mmap.MADV_DONTNEED)
            m[:8] = (item * item).to_bytes(8, 'little')
            outbox.put((item, hashlib.sha256(m[:4096]).hexdigest()))
threads = [threading.Thread(target=worker) for _ in range(3)]
for t in threads: t.start()
poll = select.epoll()
lock = os.memfd_create('lock')
for i in range(400):
    inbox.put(i)
    fcntl.lockf(lock, fcntl.LOCK_EX); fcntl.lockf(lock, fcntl.LOCK_UN)
    a, b = socket.socketpair()
    a.setblocking(False)
    poll.register(a, select.EPOLLIN)
    b.send(b'x'); poll.poll(); a.recv(1); poll.unregister(a)
    a.close(); b.close()
for _ in threads: inbox.put(None)
for t in threads: t.join()
results = sorted(outbox.get() for _ in range(400))
print(hashlib.sha256(repr(results).encode()).hexdigest())
)";

struct Run {
    std::string output;
    uint64_t instructions = 0;
    int status = -1;
};

[[noreturn]] void exec_job(const Program& filter, int out)
{
    try {
        dup2(out, STDOUT_FILENO);
        install(filter);
        execl("/usr/bin/python3", "python3", "-I", "-c", job, nullptr);
    } catch (const std::exception&) {
    }
    _exit(EXIT_FAILURE);
}

Run run_job(const Program& filter)
{
    const afalg::Fd out(memfd_create("output", 0));
    std::array<char, 256> text = {};
    Run run;

    const uint64_t begin = __rdtsc();
    const pid_t pid = fork();
    if (pid == 0)
        exec_job(filter, out.get());
    waitpid(pid, &run.status, 0);
    run.instructions = __rdtsc() - begin;
    const ssize_t got = pread(out.get(), text.data(), text.size(), 0);
    run.output.assign(text.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return run;
}

/* Of the requests that KCR timed; the way of a timed one is longer than that of others */
uint64_t mean(const kcr::Watch& watch, const char* ticks, const char* count)
{
    return static_cast<uint64_t>(watch[ticks] / std::max<int64_t>(watch[count], 1));
}

} // namespace

void sandbox_job(tap::Check& check)
{
    const Program filter = sandbox_profile(Order::linear);
    Run off;

    if (access("/usr/bin/python3", X_OK) != 0)
        throw tap::Skip("no python3");
    run_job(filter); /* for the caches of files */
    {
        const kcr::ScopedMode mode("seccomp_run", "off");
        off = run_job(filter);
    }
    {
        const kcr::ScopedMode mode("seccomp_run", "observe");
        const kcr::Watch observed("seccomp_run");
        run_job(filter);
        figure("seccomp_job_compute_insns", mean(observed, "compute_ticks", "sampled_computes"));
    }
    const kcr::Watch watch("seccomp_run");
    const Run on = run_job(filter);
    const int64_t evaluations = watch.hits() + watch.misses() + watch["bypassed"];

    check.that(off.status == 0 && off.output.size() > 60, "the job does not run: " + off.output);
    check.that(on.status == 0 && on.output == off.output, "the job has another result with reuse");
    check.that(watch.hits() > evaluations / 4, "only " + std::to_string(watch.hits()) + " of " +
                                                   std::to_string(evaluations) +
                                                   " answers were reused");
    figure("seccomp_job_hit_insns", mean(watch, "hit_ticks", "sampled_hits"));
    remark("the job as a whole: " + std::to_string(off.instructions) +
           " instructions, with reuse " + std::to_string(on.instructions));
    figure("seccomp_job_evaluations", static_cast<uint64_t>(evaluations));
    figure("seccomp_job_hits", static_cast<uint64_t>(watch.hits()));
}

} // namespace sites
