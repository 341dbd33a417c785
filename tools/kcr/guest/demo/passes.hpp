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
};

/** Digests and ciphertexts of every block, back to back. */
struct Answers {
    afalg::Bytes bytes;          ///< the answers
    std::vector<size_t> offsets; ///< where each begins; one more than there are answers
};

/**
 * Hashes all blocks @p passes times without and @p passes times with reuse.
 *
 * @p digests receives the plain socket's answers.
 */
SiteResult run_hash(const Corpus& corpus, unsigned passes, Answers& digests);

/**
 * Encrypts all blocks likewise, with @p algorithm: a driver of AES-CBC.
 *
 * As in a convergent backup, the IV of a block is the beginning of its digest,
 * so that equal blocks have equal ciphertexts. A block whose length is not a
 * multiple of 16 is filled up with zeros.
 */
SiteResult run_encrypt(const Corpus& corpus, const std::string& algorithm, unsigned passes,
                       const Answers& digests);

/** Whether a tick of the time stamp counter is an instruction (QEMU -icount shift=0). */
bool ticks_are_instructions();

} // namespace demo

#endif
