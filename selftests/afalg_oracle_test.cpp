// SPDX-License-Identifier: GPL-2.0
/*
 * The differential oracle: random requests, most of them repeated or nearly so,
 * each put to a socket that opted in and to one that did not. The answers must
 * be the same, byte for byte.
 *
 * Usage: afalg_oracle_test [REQUESTS [SEED]]   (or KCR_REQUESTS, KCR_SEED)
 */
#include <atomic>
#include <chrono>
#include <memory>

#include "cipher.hpp"

using afalg::Bytes;
using afalg::Direction;
using afalg::MutableView;
using afalg::Operation;
using afalg::Transform;
using afalg::View;
using kcr::Random;
using tap::Check;

namespace
{

constexpr uint64_t default_requests = 200000;
constexpr size_t pool_size = 512;

/* One algorithm with one key, opted in and not. */
struct Subject {
    const char* type;
    const char* name;
    size_t key_size;
    size_t iv_size;
    size_t granule;
    size_t least;
    size_t digest_size; /* 0 for a cipher */
    std::shared_ptr<Transform> plain = {};
    std::shared_ptr<Transform> reuse = {};
};

std::vector<Subject> make_subjects(uint64_t seed)
{
    const std::vector<Subject> wanted = {
        {"skcipher", "ecb(aes)", 16, 0, 16, 16, 0},
        {"skcipher", "cbc(aes)", 16, 16, 16, 16, 0},
        {"skcipher", "cbc(aes)", 32, 16, 16, 16, 0},
        {"skcipher", "ctr(aes)", 24, 16, 1, 1, 0},
        {"skcipher", "xts(aes)", 32, 16, 1, 16, 0},
        {"skcipher", "xts(aes)", 64, 16, 1, 16, 0},
        {"skcipher", "cbc(aes-generic)", 16, 16, 16, 16, 0},
        {"skcipher", "ctr(aes-generic)", 16, 16, 1, 1, 0},
        {"hash", "sha1", 0, 0, 1, 0, 20},
        {"hash", "sha256", 0, 0, 1, 0, 32},
        {"hash", "sha512", 0, 0, 1, 0, 64},
        {"hash", "sha256-generic", 0, 0, 1, 0, 32},
        {"hash", "hmac(sha256)", 32, 0, 1, 0, 32},
        {"hash", "hmac(sha256)", 70, 0, 1, 0, 32},
    };
    std::vector<Subject> subjects;
    Random random(seed);

    for (Subject subject : wanted) {
        const Bytes key = random.bytes(subject.key_size);
        auto plain = afalg::try_bind(subject.type, subject.name);
        auto reuse = afalg::try_bind(subject.type, subject.name);
        if (!plain || !reuse)
            continue;
        subject.plain = std::make_shared<Transform>(std::move(*plain));
        subject.reuse = std::make_shared<Transform>(std::move(*reuse));
        subject.reuse->set_reuse();
        if (!key.empty()) {
            subject.plain->set_key(key);
            subject.reuse->set_key(key);
        }
        subjects.push_back(std::move(subject));
    }
    return subjects;
}

struct Request {
    size_t subject = 0;
    Direction direction = Direction::encrypt;
    Bytes iv;
    Bytes data;
};

/* Draws requests: about 7 in 10 are repeats of one made before by this worker. */
class Source
{
public:
    Source(const std::vector<Subject>& subjects, uint64_t seed) : subjects_(subjects), random_(seed)
    {
    }

    const Request& next(bool& repeated)
    {
        repeated = !pool_.empty() && random_.chance(7, 10);
        if (repeated)
            return pool_[popular()];
        if (pool_.size() < pool_size) {
            pool_.push_back(make());
            return pool_.back();
        }
        Request& slot = pool_[random_.below(pool_.size())];
        slot = make();
        return slot;
    }

    Random& random()
    {
        return random_;
    }

private:
    /* Low indices are drawn far more often, roughly as Zipf's law has it. */
    size_t popular()
    {
        const double u = static_cast<double>(random_.next() >> 11) * 0x1.0p-53;
        return static_cast<size_t>(u * u * u * static_cast<double>(pool_.size()));
    }

    size_t draw_length(const Subject& subject)
    {
        const uint64_t kind = random_.below(100);
        size_t length = 0;

        if (kind < 90)
            length = random_.below(257);
        else if (kind < 96)
            length = random_.below(1200);
        else if (kind < 99)
            length = 4096 - random_.below(3) * 16 + random_.below(2) * 16;
        else
            length = random_.below(16385);
        length = std::max(length, subject.least);
        return length - length % subject.granule;
    }

    Request make()
    {
        if (!pool_.empty() && random_.chance(1, 2))
            return make_near(pool_[popular()]);

        Request request;
        request.subject = random_.below(subjects_.size());
        const Subject& subject = subjects_[request.subject];
        if (random_.chance(1, 2))
            request.direction = Direction::decrypt;
        request.iv = random_.bytes(subject.iv_size);
        request.data = random_.bytes(draw_length(subject));
        return request;
    }

    /* Something that differs from an earlier request as little as possible. */
    Request make_near(Request request)
    {
        const Subject& subject = subjects_[request.subject];

        switch (random_.below(5)) {
        case 0:
            request.direction =
                request.direction == Direction::encrypt ? Direction::decrypt : Direction::encrypt;
            break;
        case 1:
            flip(request.iv);
            break;
        case 2:
            if (request.data.size() >= subject.least + subject.granule)
                request.data.resize(request.data.size() - subject.granule);
            break;
        case 3:
            for (size_t other = 0; other < subjects_.size(); other++) {
                const size_t candidate = (request.subject + 1 + other) % subjects_.size();
                if (std::string(subjects_[candidate].name) == subject.name)
                    request.subject = candidate;
            }
            break;
        default:
            flip(request.data);
            break;
        }
        return request;
    }

    void flip(Bytes& bytes)
    {
        if (!bytes.empty())
            bytes[random_.below(bytes.size())] ^= 1U << random_.below(8);
    }

    const std::vector<Subject>& subjects_;
    Random random_;
    std::vector<Request> pool_;
};

struct Totals {
    std::atomic<uint64_t> requests = 0;
    std::atomic<uint64_t> repeats = 0;
    std::atomic<uint64_t> bytes = 0;
};

/* Puts requests to both sockets, in one of a few ways that must not matter. */
class Worker
{
public:
    Worker(Check& check, const std::vector<Subject>& subjects, uint64_t seed)
        : check_(check), subjects_(subjects), source_(subjects, seed), seed_(seed)
    {
        for (const Subject& subject : subjects) {
            plain_.push_back(subject.plain->accept());
            reuse_.push_back(subject.reuse->accept());
        }
    }

    void run(uint64_t count, Totals& totals)
    {
        for (uint64_t i = 0; i < count && check_.failures() < 100; i++) {
            bool repeated = false;
            const Request& request = source_.next(repeated);
            const Subject& subject = subjects_[request.subject];
            const size_t size = subject.digest_size ? subject.digest_size : request.data.size();

            want_.resize(size);
            got_.assign(size, 0xa5);
            answer(plain_[request.subject], request, subject, want_, 0);
            answer(reuse_[request.subject], request, subject, got_, source_.random().below(8));
            if (got_ != want_)
                check_.same(got_, want_,
                            std::string(subject.name) + ", " + std::to_string(request.data.size()) +
                                " bytes, worker seed " + std::to_string(seed_) + ", request " +
                                std::to_string(i));
            totals.requests++;
            totals.repeats += repeated;
            totals.bytes += request.data.size();
        }
    }

private:
    static void answer(Operation& op, const Request& request, const Subject& subject,
                       MutableView out, uint64_t manner)
    {
        const size_t cut = manner == 1 ? request.data.size() / 3 : 0;
        const std::array<iovec, 2> parts = {Operation::as_iovec(View(request.data).first(cut)),
                                            Operation::as_iovec(View(request.data).subspan(cut))};
        const std::span<const iovec> all = std::span(parts).subspan(cut ? 0 : 1);

        if (subject.digest_size) {
            if (!request.data.empty())
                op.send(all);
            op.receive(out);
            return;
        }
        op.send(request.direction, request.iv, all);
        const size_t middle = manner == 2 ? out.size() / 2 : 0;
        const std::array<iovec, 2> into = {iovec{out.data(), middle},
                                           iovec{out.data() + middle, out.size() - middle}};
        op.receive(std::span(into).subspan(middle ? 0 : 1));
    }

    Check& check_;
    const std::vector<Subject>& subjects_;
    Source source_;
    uint64_t seed_;
    std::vector<Operation> plain_;
    std::vector<Operation> reuse_;
    Bytes want_;
    Bytes got_;
};

uint64_t setting(int argc, char** argv, int index, const char* variable, uint64_t otherwise)
{
    const char* text = argc > index ? argv[index] : std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

void run_workers(Check& check, const std::vector<Subject>& subjects, uint64_t requests,
                 uint64_t seed, Totals& totals)
{
    const unsigned workers = kcr::cpus(2);
    std::vector<std::jthread> threads;

    for (unsigned i = 0; i < workers; i++) {
        const uint64_t share = requests / workers + (i < requests % workers);
        threads.emplace_back([&check, &subjects, &totals, share, seed, i] {
            try {
                Worker(check, subjects, seed + 1 + i).run(share, totals);
            } catch (const std::exception& error) {
                check.that(false, std::string("worker: ") + error.what());
            }
        });
    }
}

void oracle(Check& check, uint64_t requests, uint64_t seed)
{
    const std::vector<Subject> subjects = make_subjects(seed);
    const kcr::Watch ciphers("skcipher");
    const kcr::Watch hashes("hash");
    const auto begin = std::chrono::steady_clock::now();
    Totals totals;

    check.note("seed " + std::to_string(seed) + ", " + std::to_string(subjects.size()) +
               " algorithms and keys");
    run_workers(check, subjects, requests, seed, totals);

    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begin);
    check.note(std::to_string(totals.requests) + " requests compared, " +
               std::to_string(totals.bytes) + " bytes, " + std::to_string(took.count()) + " ms");
    check.note(std::to_string(totals.repeats * 100 / std::max<uint64_t>(totals.requests, 1)) +
               " % repeated an earlier request");
    check.note("hits: skcipher " + std::to_string(ciphers.hits()) + " of " +
               std::to_string(ciphers["lookups"]) + " lookups, hash " +
               std::to_string(hashes.hits()) + " of " + std::to_string(hashes["lookups"]));
    check.that(totals.requests == requests, "not all requests were made");
    check.that(totals.repeats * 2 >= totals.requests, "less than half repeated");
    check.that(ciphers.hits() > 0, "no cipher request was answered by reuse");
    check.that(hashes.hits() > 0, "no hash request was answered by reuse");
    check.that(uint64_t(ciphers.hits() + hashes.hits()) * 10 >= totals.requests,
               "fewer than one request in ten was answered by reuse");
}

} // namespace

int main(int argc, char** argv)
{
    const auto clock = std::chrono::system_clock::now().time_since_epoch().count();
    const uint64_t requests = setting(argc, argv, 1, "KCR_REQUESTS", default_requests);
    const uint64_t seed = setting(argc, argv, 2, "KCR_SEED", static_cast<uint64_t>(clock));
    const std::vector<tap::Case> cases = {
        {"differential oracle", [=](Check& check) { oracle(check, requests, seed); }},
    };

    return tap::run_cases(cases, kcr::require_kcr);
}
