// SPDX-License-Identifier: GPL-2.0
/*
 * Reuse under fire: threads on all CPUs that share one tfm, and user memory
 * that changes while the kernel reads or writes it. A result computed from
 * moving data may be anything, but it must never be remembered as the result
 * of data that stand still.
 */
#include <atomic>

#include "cipher.hpp"

using afalg::Bytes;
using afalg::Direction;
using afalg::MutableView;
using afalg::Operation;
using afalg::Transform;
using afalg::View;
using kcr::Pages;
using kcr::Pair;
using kcr::Random;
using kcr::Watch;
using tap::Check;

namespace
{

constexpr std::array<size_t, 3> sizes = {64, 512, 4096};
constexpr unsigned racing_requests = 1500;

/* Runs @p body on one thread per CPU; what a thread throws fails the case. */
void on_all_cpus(Check& check, const std::function<void(unsigned)>& body)
{
    std::vector<std::jthread> threads;

    for (unsigned cpu = 0; cpu < kcr::cpus(2); cpu++) {
        threads.emplace_back([&check, &body, cpu] {
            try {
                kcr::pin_to_cpu(cpu);
                body(cpu);
            } catch (const std::exception& error) {
                check.that(false, std::string("thread: ") + error.what());
            }
        });
    }
}

/* Runs @p change again and again on a thread of its own while @p body runs. */
void while_changing(const std::function<void(Random&)>& change, const std::function<void()>& body)
{
    std::atomic<bool> done = false;
    std::jthread thread([&] {
        Random random(99);
        while (!done.load(std::memory_order_relaxed))
            change(random);
    });

    try {
        body();
    } catch (...) {
        done = true;
        throw;
    }
    done = true;
}

struct Sample {
    Bytes iv;
    Bytes data;
    Bytes want;
};

/* Children of one cipher socket on all CPUs draw from the same few requests. */
void test_shared_cipher(Check& check, const kcr::Cipher& cipher)
{
    Random random(1);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    std::vector<Sample> samples;
    const Watch watch("skcipher");

    for (unsigned i = 0; i < 96; i++) {
        Sample sample{random.bytes(cipher.iv_size), random.bytes(16 + 16 * random.below(16)), {}};
        if (i % 16 == 0)
            sample.data = random.bytes(4096);
        sample.want = pair.expected(Direction::encrypt, sample.iv, sample.data);
        samples.push_back(std::move(sample));
    }
    on_all_cpus(check, [&](unsigned cpu) {
        Random draw(cpu);
        Operation op = pair.reuse().accept();
        for (unsigned i = 0; i < 3000; i++) {
            const Sample& sample = samples[draw.below(samples.size())];
            check.same(op.crypt(Direction::encrypt, sample.iv, sample.data), sample.want,
                       "shared tfm");
        }
    });
    check.that(watch.hits() > 0, "no hits");
    check.note(std::to_string(watch.hits()) + " hits");
}

Transform bind_hash(const char* name, bool reuse)
{
    auto hash = afalg::try_bind("hash", name);
    if (!hash)
        throw tap::Skip(std::string("no ") + name + " in this kernel");
    if (reuse)
        hash->set_reuse();
    if (std::string(name).rfind("hmac", 0) == 0)
        hash->set_key(Random(5).bytes(32));
    return std::move(*hash);
}

void test_shared_hash(Check& check, const char* name)
{
    Random random(2);
    Transform plain = bind_hash(name, false);
    Transform reuse = bind_hash(name, true);
    Operation plain_op = plain.accept();
    std::vector<Sample> samples;
    const Watch watch("hash");

    for (unsigned i = 0; i < 96; i++) {
        Sample sample{{}, random.bytes(1 + random.below(i % 16 ? 300 : 4096)), Bytes(32)};
        plain_op.digest(sample.data, sample.want);
        samples.push_back(std::move(sample));
    }
    on_all_cpus(check, [&](unsigned cpu) {
        Random draw(cpu);
        Operation op = reuse.accept();
        Bytes got(32);
        for (unsigned i = 0; i < 3000; i++) {
            const Sample& sample = samples[draw.below(samples.size())];
            op.digest(sample.data, got);
            check.same(got, sample.want, "shared tfm");
        }
    });
    check.that(watch.hits() > 0, "no hits");
    check.note(std::to_string(watch.hits()) + " hits");
}

/*
 * Memory whose first and last word change between four values each: 16 possible
 * contents, so that requests on moving data also repeat, hit and are stored.
 */
class Moving
{
public:
    Moving(Pages& pages, size_t length, Random& random)
        : memory_(pages.view(0, length)), base_(random.bytes(length))
    {
        std::copy(base_.begin(), base_.end(), memory_.begin());
    }

    MutableView memory() const
    {
        return memory_;
    }

    static constexpr unsigned contents = 16;

    Bytes content(unsigned which) const
    {
        Bytes result = base_;
        const uint64_t first = word(which % 4);
        const uint64_t last = word(which / 4);

        std::memcpy(result.data(), &first, sizeof(first));
        std::memcpy(result.data() + result.size() - sizeof(last), &last, sizeof(last));
        return result;
    }

    void change(Random& random)
    {
        const uint64_t draw = random.next();
        store(0, word(draw % 4));
        store(memory_.size() - sizeof(uint64_t), word(draw / 4 % 4));
    }

private:
    static uint64_t word(uint64_t which)
    {
        return 0x0101010101010101ULL * (which + 1);
    }

    void store(size_t offset, uint64_t value)
    {
        auto* at = reinterpret_cast<uint64_t*>(memory_.data() + offset);
        std::atomic_ref<uint64_t>(*at).store(value, std::memory_order_relaxed);
    }

    MutableView memory_;
    Bytes base_;
};

void check_stable_cipher(Check& check, Pair& pair, const Moving& moving, View iv)
{
    for (unsigned which = 0; which < Moving::contents; which++)
        pair.compare(check, Direction::encrypt, iv, moving.content(which),
                     "stable content " + std::to_string(which), 2);
}

/* The source of a cipher request changes while the kernel reads it. */
void test_moving_source(Check& check, const kcr::Cipher& cipher)
{
    Random random(3);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    kcr::Splicer splicer;
    Pages pages(2 * kcr::page_size);
    const Watch watch("skcipher");

    for (size_t length : sizes) {
        const Bytes iv = random.bytes(cipher.iv_size);
        Moving moving(pages, length, random);
        Bytes out(length);

        while_changing([&](Random& draw) { moving.change(draw); },
                       [&] {
                           for (unsigned i = 0; i < racing_requests; i++) {
                               pair.reuse_op().send(Direction::encrypt, iv, {}, MSG_MORE);
                               if (i % 2)
                                   splicer.send(pair.reuse_op().fd(), moving.memory());
                               else
                                   pair.reuse_op().send(moving.memory());
                               pair.reuse_op().receive(out);
                           }
                       });
        check_stable_cipher(check, pair, moving, iv);
    }
    check.that(watch.hits() > 0, "no hits");
}

/* Someone else writes to the destination while the kernel does. */
void test_moving_destination(Check& check, const kcr::Cipher& cipher)
{
    Random random(4);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    Pages pages(2 * kcr::page_size);
    const Watch watch("skcipher");

    for (size_t length : sizes) {
        const Bytes iv = random.bytes(cipher.iv_size);
        Pages unused(kcr::page_size);
        const Moving content(unused, length, random);
        Moving moving(pages, length, random);

        while_changing([&](Random& draw) { moving.change(draw); },
                       [&] {
                           for (unsigned i = 0; i < racing_requests; i++) {
                               /* fresh contents are computed, repeated ones are hits: race both */
                               Bytes data = content.content(i % Moving::contents);
                               if (i % 3 == 0)
                                   std::memcpy(data.data() + 8, &i, sizeof(i));
                               pair.reuse_op().crypt(Direction::encrypt, iv, data, moving.memory());
                               if (i % 3 == 0)
                                   pair.compare(check, Direction::encrypt, iv, data,
                                                "after a racing write", 1);
                           }
                       });
        check_stable_cipher(check, pair, content, iv);
    }
    check.that(watch.hits() > 0, "no hits");
}

/* Source and destination are the same moving memory. */
void test_moving_in_place(Check& check, const kcr::Cipher& cipher)
{
    Random random(5);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    Pages pages(2 * kcr::page_size);
    const Watch watch("skcipher");

    for (size_t length : sizes) {
        const Bytes iv = random.bytes(cipher.iv_size);
        Moving moving(pages, length, random);

        while_changing([&](Random& draw) { moving.change(draw); },
                       [&] {
                           for (unsigned i = 0; i < racing_requests; i++) {
                               const Bytes content = moving.content(i % Moving::contents);
                               std::copy(content.begin(), content.end(), moving.memory().begin());
                               pair.reuse_op().crypt(Direction::encrypt, iv, moving.memory(),
                                                     moving.memory());
                           }
                       });
        check_stable_cipher(check, pair, moving, iv);
    }
    check.that(watch.hits() > 0, "no hits");
}

/* Hash input is never copied by AF_ALG itself: the kernel reads our pages. */
void test_moving_hash(Check& check, const char* name)
{
    Random random(6);
    Transform plain = bind_hash(name, false);
    Transform reuse = bind_hash(name, true);
    Operation plain_op = plain.accept();
    Operation op = reuse.accept();
    kcr::Splicer splicer;
    Pages pages(2 * kcr::page_size);
    Bytes got(32);
    Bytes want(32);
    const Watch watch("hash");

    for (size_t length : sizes) {
        Moving moving(pages, length, random);

        while_changing([&](Random& draw) { moving.change(draw); },
                       [&] {
                           for (unsigned i = 0; i < racing_requests; i++) {
                               if (i % 2)
                                   splicer.send(op.fd(), moving.memory());
                               else
                                   op.send(moving.memory());
                               op.receive(got);
                           }
                       });
        for (unsigned i = 0; i < 2 * Moving::contents; i++) {
            const Bytes content = moving.content(i % Moving::contents);
            plain_op.digest(content, want);
            op.digest(content, got);
            check.same(got, want, "stable content " + std::to_string(i % Moving::contents));
        }
    }
    check.that(watch.hits() > 0, "no hits");
}

std::vector<tap::Case> cases()
{
    using Test = void (*)(Check&, const kcr::Cipher&);
    const std::vector<std::pair<const char*, Test>> each = {
        {"shared by threads", test_shared_cipher},
        {"moving source", test_moving_source},
        {"moving destination", test_moving_destination},
        {"moving memory in place", test_moving_in_place},
    };
    std::vector<tap::Case> list;

    for (const char* name : {"cbc(aes)", "xts(aes)", "ctr(aes-generic)", "cbc(aes-generic)"}) {
        for (const auto& [what, test] : each)
            list.push_back({std::string(name) + " " + what,
                            [name, test = test](Check& check) { test(check, kcr::cipher(name)); }});
    }
    for (const char* name : {"sha256", "sha256-generic", "hmac(sha256)"}) {
        list.push_back({std::string(name) + " shared by threads",
                        [name](Check& check) { test_shared_hash(check, name); }});
        list.push_back({std::string(name) + " moving source",
                        [name](Check& check) { test_moving_hash(check, name); }});
    }
    return list;
}

} // namespace

int main()
{
    return tap::run_cases(cases(), kcr::require_kcr);
}
