// SPDX-License-Identifier: GPL-2.0
#include "passes.hpp"

#include <x86intrin.h>

#include <algorithm>
#include <functional>

namespace demo
{

namespace
{

constexpr size_t digest_size = 32;
constexpr size_t cipher_block = 16;

using Transform = afalg::Transform;
using Operation = afalg::Operation;

/* Puts request number @p index to a socket; the answer goes to @p out. */
using Ask = std::function<void(Operation& op, size_t index, afalg::MutableView out)>;

void run_pass(Operation& op, Answers& answers, const Ask& ask, uint64_t& ticks)
{
    const uint64_t begin = __rdtsc();

    for (size_t i = 0; i + 1 < answers.offsets.size(); i++) {
        const size_t offset = answers.offsets[i];
        ask(op, i,
            afalg::MutableView(answers.bytes).subspan(offset, answers.offsets[i + 1] - offset));
    }
    ticks = __rdtsc() - begin;
}

uint64_t count_mismatches(const Answers& got, const Answers& want)
{
    uint64_t count = 0;

    for (size_t i = 0; i + 1 < want.offsets.size(); i++) {
        const auto begin = static_cast<ptrdiff_t>(want.offsets[i]);
        const auto end = static_cast<ptrdiff_t>(want.offsets[i + 1]);
        count += !std::equal(want.bytes.begin() + begin, want.bytes.begin() + end,
                             got.bytes.begin() + begin);
    }
    return count;
}

/* Runs all passes on both sockets; @p plain_answers comes with its offsets filled in. */
void run_passes(SiteResult& result, unsigned passes, Transform& plain, Transform& reuse,
                const Ask& ask, Answers& plain_answers)
{
    plain_answers.bytes.assign(plain_answers.offsets.back(), 0);
    Answers answers = plain_answers;
    result.ticks.resize(passes);
    {
        Operation op = plain.accept();
        for (PassTicks& pass : result.ticks)
            run_pass(op, plain_answers, ask, pass.plain);
    }
    if (!afalg::rehearsal())
        kcr::write_file(kcr::stats_path, "0\n");
    Operation op = reuse.accept();
    for (PassTicks& pass : result.ticks) {
        std::fill(answers.bytes.begin(), answers.bytes.end(), uint8_t{0});
        run_pass(op, answers, ask, pass.reuse);
        result.mismatches += count_mismatches(answers, plain_answers);
        result.requests += plain_answers.offsets.size() - 1;
    }
    result.counters = kcr::Counters::read(result.name);
}

} // namespace

SiteResult run_hash(const Corpus& corpus, unsigned passes, Answers& digests)
{
    SiteResult result;
    Transform plain("hash", "sha256");
    Transform reuse("hash", "sha256");

    result.name = "hash";
    result.algorithm = "sha256";
    result.bytes = passes * corpus.bytes();
    reuse.set_reuse();
    for (size_t i = 0; i <= corpus.size(); i++)
        digests.offsets.push_back(i * digest_size);
    run_passes(
        result, passes, plain, reuse,
        [&corpus](Operation& op, size_t index, afalg::MutableView out) {
            op.digest(corpus.block(index), out);
        },
        digests);
    return result;
}

SiteResult run_encrypt(const Corpus& corpus, const std::string& algorithm, unsigned passes,
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
    result.bytes = passes * padded.size();
    for (size_t i = 0; i < key.size(); i++)
        key[i] = static_cast<uint8_t>(0x5a + i);
    reuse.set_reuse();
    plain.set_key(key);
    reuse.set_key(key);
    const std::vector<size_t> offsets = secrets.offsets;
    run_passes(
        result, passes, plain, reuse,
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
