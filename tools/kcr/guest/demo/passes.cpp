// SPDX-License-Identifier: GPL-2.0
#include "passes.hpp"

#include <x86intrin.h>

#include <algorithm>
#include <functional>
#include <random>

namespace demo
{

namespace
{

constexpr size_t digest_size = 32;
constexpr size_t cipher_block = 16;

using Transform = afalg::Transform;
using Operation = afalg::Operation;

/* Asks a socket for block number @p index; the answer goes to @p out. */
using Ask = std::function<void(Operation& op, size_t index, afalg::MutableView out)>;

using Pass = std::vector<size_t>;

void run_pass(Operation& op, const Pass& pass, Answers& answers, const Ask& ask, uint64_t& ticks)
{
    const uint64_t begin = __rdtsc();

    for (const size_t i : pass) {
        const size_t offset = answers.offsets[i];
        ask(op, i,
            afalg::MutableView(answers.bytes).subspan(offset, answers.offsets[i + 1] - offset));
    }
    ticks = __rdtsc() - begin;
}

/* Blocks of @p pass whose answers differ. */
uint64_t count_mismatches(const Pass& pass, const Answers& got, const Answers& want)
{
    uint64_t count = 0;

    for (const size_t i : pass) {
        const auto begin = static_cast<ptrdiff_t>(want.offsets[i]);
        const auto end = static_cast<ptrdiff_t>(want.offsets[i + 1]);
        count += !std::equal(want.bytes.begin() + begin, want.bytes.begin() + end,
                             got.bytes.begin() + begin);
    }
    return count;
}

void reset_counters()
{
    if (!afalg::rehearsal())
        kcr::write_file(kcr::stats_path, "0\n");
}

/* The same passes in observe mode, which says what reuse would do. */
Prediction observe(const std::string& site, const std::vector<Pass>& passes, Transform& reuse,
                   const Ask& ask, Answers answers)
{
    if (afalg::rehearsal())
        return {};
    const kcr::ScopedMode mode(site, "observe");
    Operation op = reuse.accept();
    uint64_t ticks = 0;

    reset_counters();
    for (const Pass& pass : passes)
        run_pass(op, pass, answers, ask, ticks);
    const auto counters = kcr::Counters::read(site);
    return {.hits = static_cast<uint64_t>(counters["observe_equal"]),
            .saved = counters["ticks_saved"],
            .differing = static_cast<uint64_t>(counters["observe_differ"]),
            .counters = counters};
}

/* Runs all passes on both sockets; @p plain_answers comes with its offsets filled in. */
void run_passes(SiteResult& result, const Plan& plan, Transform& plain, Transform& reuse,
                const Ask& ask, Answers& plain_answers)
{
    const auto passes = plan_requests(plan, plain_answers.offsets.size() - 1);

    plain_answers.bytes.assign(plain_answers.offsets.back(), 0);
    Answers answers = plain_answers;
    result.ticks.resize(passes.size());
    {
        Operation op = plain.accept();
        for (size_t i = 0; i < passes.size(); i++)
            run_pass(op, passes[i], plain_answers, ask, result.ticks[i].plain);
    }
    result.predicted = observe(result.name, passes, reuse, ask, plain_answers);
    reset_counters();
    Operation op = reuse.accept();
    for (size_t i = 0; i < passes.size(); i++) {
        std::fill(answers.bytes.begin(), answers.bytes.end(), uint8_t{0});
        run_pass(op, passes[i], answers, ask, result.ticks[i].reuse);
        result.mismatches += count_mismatches(passes[i], answers, plain_answers);
        result.requests += passes[i].size();
    }
    result.counters = kcr::Counters::read(result.name);
}

size_t next_block(const Plan& plan, std::discrete_distribution<size_t>& zipf,
                  std::mt19937_64& random, size_t request, size_t blocks)
{
    switch (plan.order) {
    case Order::zipf:
        return zipf(random);
    case Order::loop:
        return request % std::max<size_t>(blocks / 5, 1);
    case Order::mixed:
        return request % 2 ? random() % std::min<size_t>(blocks, 100) : request / 2 % blocks;
    case Order::passes:
        break;
    }
    return request % blocks;
}

/* Bytes of input that a plan asks for, of blocks as long as @p length says. */
uint64_t planned_bytes(const Plan& plan, size_t blocks, const std::function<size_t(size_t)>& length)
{
    uint64_t sum = 0;

    for (const Pass& pass : plan_requests(plan, blocks)) {
        for (const size_t block : pass)
            sum += length(block);
    }
    return sum;
}

} // namespace

std::vector<std::vector<size_t>> plan_requests(const Plan& plan, size_t blocks)
{
    std::mt19937_64 random(1);
    std::vector<double> weights;
    std::vector<std::vector<size_t>> passes(plan.passes);

    for (size_t i = 0; i < blocks; i++)
        weights.push_back(1.0 / static_cast<double>(i + 1));
    std::discrete_distribution<size_t> zipf(weights.begin(), weights.end());
    for (size_t request = 0; request < blocks * plan.passes; request++)
        passes[request / blocks].push_back(next_block(plan, zipf, random, request, blocks));
    return passes;
}

SiteResult run_hash(const Corpus& corpus, const Plan& plan, Answers& digests)
{
    SiteResult result;
    Transform plain("hash", "sha256");
    Transform reuse("hash", "sha256");

    result.name = "hash";
    result.algorithm = "sha256";
    result.bytes =
        planned_bytes(plan, corpus.size(), [&](size_t i) { return corpus.block(i).size(); });
    reuse.set_reuse();
    for (size_t i = 0; i <= corpus.size(); i++)
        digests.offsets.push_back(i * digest_size);
    run_passes(
        result, plan, plain, reuse,
        [&corpus](Operation& op, size_t index, afalg::MutableView out) {
            op.digest(corpus.block(index), out);
        },
        digests);
    return result;
}

SiteResult run_encrypt(const Corpus& corpus, const std::string& algorithm, const Plan& plan,
                       const Answers& digests)
{
    SiteResult result;
    Answers secrets;
    afalg::Bytes padded;
    afalg::Bytes key(16);
    Transform plain("skcipher", algorithm);
    Transform reuse("skcipher", algorithm);

    result.name = "skcipher";
    result.algorithm = algorithm;
    secrets.offsets.push_back(0);
    for (size_t i = 0; i < corpus.size(); i++) {
        const auto block = corpus.block(i);
        padded.insert(padded.end(), block.begin(), block.end());
        padded.resize((padded.size() + cipher_block - 1) / cipher_block * cipher_block);
        secrets.offsets.push_back(padded.size());
    }
    for (size_t i = 0; i < key.size(); i++)
        key[i] = static_cast<uint8_t>(0x5a + i);
    reuse.set_reuse();
    plain.set_key(key);
    reuse.set_key(key);
    const std::vector<size_t> offsets = secrets.offsets;
    result.bytes =
        planned_bytes(plan, corpus.size(), [&](size_t i) { return offsets[i + 1] - offsets[i]; });
    run_passes(
        result, plan, plain, reuse,
        [&](Operation& op, size_t index, afalg::MutableView out) {
            const afalg::View iv =
                afalg::View(digests.bytes).subspan(index * digest_size, cipher_block);
            op.crypt(afalg::Direction::encrypt, iv,
                     afalg::View(padded).subspan(offsets[index], out.size()), out);
        },
        secrets);
    return result;
}

bool ticks_are_instructions()
{
    constexpr uint64_t loops = 200000;
    uint64_t best = UINT64_MAX;

    for (unsigned attempt = 0; attempt < 5; attempt++) {
        uint64_t left = loops;
        const uint64_t begin = __rdtsc();
        asm volatile("1: dec %0\n\tjnz 1b" : "+r"(left) : : "cc");
        best = std::min<uint64_t>(best, __rdtsc() - begin);
    }
    /* two instructions a turn, to within one in a thousand */
    return best >= 2 * loops && best - 2 * loops < loops / 500;
}

} // namespace demo
