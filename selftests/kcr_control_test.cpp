// SPDX-License-Identifier: GPL-2.0
/*
 * What an administrator controls: site modes, the global switch, counters and
 * who may touch them; and that switching under load never changes an answer.
 */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <sys/wait.h>

#include <atomic>
#include <csignal>

#include "cipher.hpp"

using afalg::Bytes;
using afalg::Direction;
using afalg::Operation;
using kcr::Counters;
using kcr::Pair;
using kcr::Random;
using kcr::ScopedMode;
using kcr::Watch;
using tap::Check;

namespace
{

constexpr std::array<const char*, 2> sites = {"skcipher", "hash"};

Pair cbc_pair(Random& random)
{
    return Pair(kcr::cipher("cbc(aes)"), random.bytes(16));
}

/* Ten distinct requests, each @p repeats times. */
void exercise(Check& check, Pair& pair, Random& random, unsigned repeats = 3)
{
    for (unsigned i = 0; i < 10; i++) {
        const Bytes iv = random.bytes(16);
        const Bytes data = random.bytes(i % 2 ? 64 : 2048);
        pair.compare(check, Direction::encrypt, iv, data, "request", repeats);
    }
}

void test_off(Check& check)
{
    Random random(1);
    Pair pair = cbc_pair(random);
    const ScopedMode mode("skcipher", "off");
    const Watch watch("skcipher");

    exercise(check, pair, random);
    check.that(watch["lookups"] == 0, "lookups in mode off");
    check.that(watch["stores"] == 0, "stores in mode off");
    check.that(watch.hits() == 0, "hits in mode off");
}

void test_observe(Check& check)
{
    Random random(2);
    Pair pair = cbc_pair(random);
    const ScopedMode mode("skcipher", "observe");
    const Watch watch("skcipher");

    exercise(check, pair, random, 4);
    check.that(watch.hits() == 0, "hits in mode observe");
    check.that(watch["observe_equal"] > 0, "no equal answers were observed");
    check.that(watch["observe_differ"] == 0, "equal requests gave different answers");
}

void test_reuse(Check& check)
{
    Random random(3);
    Pair pair = cbc_pair(random);
    const Watch watch("skcipher");

    exercise(check, pair, random);
    check.that(watch.hits() >= 10, "fewer than 10 hits for 10 requests made 3 times");
    check.that(watch["stores"] >= 10, "fewer than 10 stores");
}

/* What was kept before a site was off must still be right, or gone. */
void test_mode_cycle(Check& check)
{
    Random random(4);
    Pair pair = cbc_pair(random);
    const Bytes data = random.bytes(64);
    const Bytes iv = random.bytes(16);

    for (const char* mode : {"reuse", "off", "reuse", "observe", "reuse", "observe", "off"}) {
        const ScopedMode scoped("skcipher", mode);
        check.that(kcr::read_file(kcr::mode_path("skcipher")).find(mode) != std::string::npos,
                   std::string("the mode file does not say ") + mode);
        pair.compare(check, Direction::encrypt, iv, data, mode);
    }
    const Watch watch("skcipher");
    pair.compare(check, Direction::encrypt, iv, data, "reuse at last");
    check.that(watch.hits() > 0, "no hits after the cycle");
}

void test_bad_mode(Check& check)
{
    for (const char* site : sites) {
        const std::string path = kcr::mode_path(site);
        const std::string before = kcr::read_file(path);

        for (const char* bad : {"on", "reus", "reuse2", "OFF", "1", " ", "off observe"}) {
            const int err = kcr::try_write_file(path, bad);
            check.that(err == EINVAL,
                       std::string("'") + bad + "': " + (err ? std::strerror(err) : "accepted"));
        }
        check.that(kcr::read_file(path) == before, "a refused mode changed the mode");
        check.that(kcr::try_write_file(path, "reuse\n") == 0, "a trailing newline is refused");
    }
}

/* In mode reuse every lookup ends as a hit or as a miss with one reason. */
void test_counters_add_up(Check& check)
{
    Random random(5);
    Pair pair = cbc_pair(random);
    const Watch watch("skcipher");

    exercise(check, pair, random, 4);
    const auto lookups = watch["lookups"];
    check.that(lookups == 40, std::to_string(lookups) + " lookups for 40 requests");
    check.that(lookups == watch.hits() + watch.misses(),
               "lookups " + std::to_string(lookups) + " are not hits " +
                   std::to_string(watch.hits()) + " plus misses " + std::to_string(watch.misses()));
    check.that(watch["stores"] + watch["stores_dropped"] <= watch.misses(),
               "more stores than misses");
    check.that(watch.misses() >= 10, "fewer than ten misses for ten new requests");
    check.that(watch["miss_cold"] > 0, "none of ten new requests was a cold miss");
}

void test_too_large(Check& check)
{
    Random random(6);
    Pair pair = cbc_pair(random);
    const Watch watch("skcipher");

    for (unsigned i = 0; i < 5; i++)
        pair.compare(check, Direction::encrypt, random.bytes(16), random.bytes(16384), "large");
    check.that(watch.hits() == 0, "a hit on 16 KiB");
    check.that(watch["miss_too_large"] + watch["passed"] >= 15, "large requests are not counted");
}

void test_reset(Check& check)
{
    Random random(7);
    Pair pair = cbc_pair(random);

    exercise(check, pair, random);
    check.that(Counters::read("skcipher")["lookups"] > 0, "nothing counted before the reset");
    kcr::write_file(kcr::stats_path, "0\n");
    for (const char* site : sites) {
        const Counters now = Counters::read(site);
        for (const char* counter : {"lookups", "l2_hits", "l3_hits", "miss_cold", "miss_stale",
                                    "stores", "hit_ticks", "ticks_saved"})
            check.that(now[counter] == 0, std::string(site) + " " + counter + " survives a reset");
    }
    const Watch watch("skcipher");
    exercise(check, pair, random);
    check.that(watch.hits() > 0, "no hits counted after the reset");
}

/* What @p body throws fails the case instead of the thread or of other threads' end. */
void guarded(Check& check, const std::function<void()>& body)
{
    try {
        body();
    } catch (const std::exception& error) {
        check.that(false, std::string("exception: ") + error.what());
    }
}

/* Requests of threads on all CPUs while @p meddle runs @p rounds times. */
void under_load(Check& check, unsigned rounds, const std::function<void(unsigned)>& meddle)
{
    Random random(8);
    Pair pair = cbc_pair(random);
    struct Sample {
        Bytes iv, data, want;
    };
    std::vector<Sample> samples;
    std::atomic<bool> done = false;
    std::vector<std::jthread> threads;

    for (unsigned i = 0; i < 64; i++) {
        Sample sample{random.bytes(16), random.bytes(i % 8 ? 64 : 4096), {}};
        sample.want = pair.expected(Direction::encrypt, sample.iv, sample.data);
        samples.push_back(std::move(sample));
    }
    for (unsigned cpu = 0; cpu < kcr::cpus(2); cpu++) {
        threads.emplace_back([&, cpu] {
            Random draw(cpu);
            guarded(check, [&] {
                kcr::pin_to_cpu(cpu);
                Operation op = pair.reuse().accept();
                while (!done) {
                    const Sample& sample = samples[draw.below(samples.size())];
                    check.same(op.crypt(Direction::encrypt, sample.iv, sample.data), sample.want,
                               "under load");
                }
            });
        });
    }
    guarded(check, [&] {
        for (unsigned round = 0; round < rounds; round++)
            meddle(round);
    });
    done = true;
}

/*
 * Switching patches the kernel's text, with breakpoints, while other CPUs run
 * it. QEMU 7.2, emulating several CPUs in several threads, may execute a
 * breakpoint that has just been removed, on any kernel: use one CPU there, or
 * -accel tcg,thread=single together with KCR_PATCH_UNDER_LOAD=1.
 */
void require_safe_patching()
{
    unsigned leaf = 0;
    std::array<unsigned, 3> vendor{};

    if (std::getenv("KCR_PATCH_UNDER_LOAD") || std::thread::hardware_concurrency() == 1)
        return;
#ifdef __x86_64__
    __cpuid(0x40000000, leaf, vendor[0], vendor[1], vendor[2]);
#endif
    if (std::memcmp(vendor.data(), "TCGTCGTCGTCG", sizeof(vendor)) == 0)
        throw tap::Skip("emulated CPUs in threads may not survive patching; run on one CPU");
}

void test_switch_under_load(Check& check)
{
    require_safe_patching();
    const Watch watch("skcipher");

    under_load(check, 30, [&](unsigned round) {
        kcr::write_file(kcr::enable_path, round % 2 ? "1" : "0");
        usleep(20000);
    });
    kcr::write_file(kcr::enable_path, "1");
    check.that(watch.hits() > 0, "no hits while it was on");
}

void test_modes_under_load(Check& check)
{
    require_safe_patching();
    const ScopedMode restore("skcipher", "reuse");
    const std::array<const char*, 4> modes = {"off", "observe", "reuse", "reuse"};
    const Watch watch("skcipher");

    under_load(check, 32, [&](unsigned round) {
        kcr::write_file(kcr::mode_path("skcipher"), modes[round % modes.size()]);
        usleep(20000);
    });
    check.that(watch.hits() > 0, "no hits while in mode reuse");
    check.that(watch["observe_differ"] == 0, "equal requests gave different answers");
}

void test_switch(Check& check)
{
    Random random(9);
    Pair pair = cbc_pair(random);

    kcr::write_file(kcr::enable_path, "0");
    {
        const Watch watch("skcipher");
        exercise(check, pair, random);
        check.that(watch["lookups"] == 0, "lookups with kcr_enable=0");
        check.that(kcr::read_file(kcr::enable_path) == "N", "kcr_enable does not read N");
    }
    kcr::write_file(kcr::enable_path, "1");
    const Watch watch("skcipher");
    exercise(check, pair, random);
    check.that(watch.hits() > 0, "no hits after kcr_enable=1");
    check.that(kcr::try_write_file(kcr::enable_path, "maybe") == EINVAL, "kcr_enable=maybe");
}

/* Runs @p body as nobody in a child; it returns a message, or nothing if all is well. */
void as_nobody(Check& check, const std::function<std::string()>& body)
{
    int ends[2];
    char buffer[512];

    if (pipe(ends) < 0)
        afalg::fail("pipe");
    const pid_t child = fork();
    if (child == 0) {
        std::string message = "cannot become nobody";
        try {
            if (setgid(65534) == 0 && setuid(65534) == 0)
                message = body();
        } catch (const std::exception& error) {
            message = error.what();
        }
        _exit(message.empty() || write(ends[1], message.data(), message.size()) < 0 ? 0 : 1);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], buffer, sizeof(buffer));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    check.that(got <= 0 && status == 0,
               got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "child failed");
}

void test_unprivileged(Check& check)
{
    const Watch watch("skcipher");

    as_nobody(check, []() -> std::string {
        Random random(10);
        Check inner;
        Pair pair = cbc_pair(random);

        exercise(inner, pair, random);
        return inner.failures() ? "wrong answers as nobody" : "";
    });
    check.that(watch.hits() > 0, "nobody opted in and had no hits");
    as_nobody(check, []() -> std::string {
        for (const char* site : sites) {
            if (kcr::try_write_file(kcr::mode_path(site), "off") != EACCES)
                return std::string("nobody may write the mode of ") + site;
        }
        if (kcr::try_write_file(kcr::enable_path, "0") != EACCES)
            return "nobody may write kcr_enable";
        if (kcr::try_write_file(kcr::stats_path, "0") != EACCES)
            return "nobody may reset counters";
        if (open(kcr::stats_path, O_RDONLY) >= 0)
            return "nobody may read counters";
        return "";
    });
}

void short_lives(Check& check, Random& random)
{
    for (unsigned i = 0; i < 150; i++) {
        Pair pair = cbc_pair(random);
        const Bytes iv = random.bytes(16);

        pair.compare(check, Direction::encrypt, iv, random.bytes(64), "short life");
        pair.compare(check, Direction::encrypt, iv, random.bytes(4096), "short life");
        if (i % 4 == 0)
            pair.rekey(random.bytes(16));
    }
}

/* Bound sockets come and go on all CPUs, with live entries in the tiers. */
void test_close_under_load(Check& check)
{
    std::vector<std::jthread> threads;
    const Watch watch("skcipher");

    for (unsigned cpu = 0; cpu < kcr::cpus(2); cpu++) {
        threads.emplace_back([&check, cpu] {
            Random random(100 + cpu);
            kcr::pin_to_cpu(cpu);
            guarded(check, [&] { short_lives(check, random); });
        });
    }
    threads.clear();
    check.that(watch.hits() > 0, "no hits");
}

/* A process killed in the middle of a request takes its tfm with it. */
void test_killed(Check& check)
{
    for (unsigned i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            Random random(i);
            Check ignored;
            Pair pair = cbc_pair(random);
            for (;;)
                exercise(ignored, pair, random);
        }
        usleep(30000);
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        check.that(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                   "the child ended before it was killed");
    }
    Random random(11);
    Pair pair = cbc_pair(random);
    const Watch watch("skcipher");
    exercise(check, pair, random);
    check.that(watch.hits() > 0, "no hits afterwards");
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"mode off", test_off},
        {"mode observe", test_observe},
        {"mode reuse", test_reuse},
        {"mode cycle", test_mode_cycle},
        {"invalid modes", test_bad_mode},
        {"counters add up", test_counters_add_up},
        {"too large to keep", test_too_large},
        {"reset of counters", test_reset},
        {"kcr_enable", test_switch},
        {"kcr_enable under load", test_switch_under_load},
        {"modes under load", test_modes_under_load},
        {"unprivileged user", test_unprivileged},
        {"closing sockets under load", test_close_under_load},
        {"killed in a request", test_killed},
    };

    return tap::run_cases(cases, [] {
        kcr::require_kcr();
        kcr::pin_to_cpu(0); /* threads choose CPUs of their own */
    });
}
