/* SPDX-License-Identifier: GPL-2.0 */
/** @file passes.hpp
 * The same requests through AF_ALG with and without reuse, measured.
 */
#ifndef KCR_DEMO_PASSES_HPP
#define KCR_DEMO_PASSES_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "afalg.hpp"
#include "corpus.hpp"
#include "stats.hpp"

namespace demo
{

/** In which order the blocks are asked for. */
enum class Order {
    passes, ///< all blocks one after the other, several times
    zipf,   ///< block k with a probability proportional to 1/k
    loop,   ///< a fifth of the blocks, over and over
    mixed,  ///< every other request for one of 100 blocks, the others for blocks in their order
};

/** What to ask for. */
struct Plan {
    Order order = Order::passes;
    unsigned passes = 2; ///< as many requests as there are blocks, times this
};

/** The blocks of one pass after the other; the same ones for the same arguments. */
std::vector<std::vector<size_t>> plan_requests(const Plan& plan, size_t blocks);

/** What observe mode said that reuse would do, before it did. */
struct Prediction {
    uint64_t hits = 0;      ///< requests that it would answer
    int64_t saved = 0;      ///< ticks that it would save
    uint64_t differing = 0; ///< requests that it would have answered wrongly
    kcr::Counters counters; ///< the kernel's, over the passes observed
};

/** What one pass over all blocks took, in ticks of the time stamp counter. */
struct PassTicks {
    uint64_t plain = 0; ///< on a socket that did not opt in
    uint64_t reuse = 0; ///< on one that did
};

/** All that is known about one site after its passes. */
struct SiteResult {
    std::string name;             ///< the site: hash or skcipher
    std::string algorithm;        ///< as AF_ALG names it
    uint64_t requests = 0;        ///< on the socket that opted in, over all passes
    uint64_t bytes = 0;           ///< their input
    std::vector<PassTicks> ticks; ///< one for each pass
    uint64_t mismatches = 0;      ///< answers that were not those of the plain socket
    kcr::Counters counters;       ///< the kernel's, over the passes with reuse
    Prediction predicted;         ///< by observe mode, over the same passes
};

/** Digests and ciphertexts of every block, back to back. */
struct Answers {
    afalg::Bytes bytes;          ///< the answers
    std::vector<size_t> offsets; ///< where each begins; one more than there are answers
};

/**
 * Hashes blocks as planned, without reuse, observed, and with reuse.
 *
 * @p digests receives the plain socket's answers for all blocks.
 */
SiteResult run_hash(const Corpus& corpus, const Plan& plan, Answers& digests);

/**
 * Encrypts all blocks likewise, with @p algorithm: a driver of AES-CBC.
 *
 * As in a convergent backup, the IV of a block is the beginning of its digest,
 * so that equal blocks have equal ciphertexts. A block whose length is not a
 * multiple of 16 is filled up with zeros.
 */
SiteResult run_encrypt(const Corpus& corpus, const std::string& algorithm, const Plan& plan,
                       const Answers& digests);

/** Whether a tick of the time stamp counter is an instruction (QEMU -icount shift=0). */
bool ticks_are_instructions();

} // namespace demo

#endif
