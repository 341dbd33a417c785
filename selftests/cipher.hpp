/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ciphers under test, and a Pair: the same key on a socket that opted in
 * and on one that did not. Whatever the first answers, the second must too.
 */
#ifndef KCR_SELFTEST_CIPHER_HPP
#define KCR_SELFTEST_CIPHER_HPP

#include <array>
#include <string>
#include <vector>

#include "afalg.hpp"
#include "data.hpp"
#include "stats.hpp"
#include "tap.hpp"

namespace kcr
{

/** Largest source and result that the tiers keep. */
inline constexpr size_t largest_kept = 4096;

/** One cipher as AF_ALG names it. */
struct Cipher {
    const char* name;
    size_t granule; /* lengths are multiples of this ... */
    size_t least;   /* ... and at least this */
    size_t iv_size;
    std::vector<size_t> key_sizes;
};

inline const std::vector<Cipher>& ciphers()
{
    static const std::vector<Cipher> list = {
        {"ecb(aes)", 16, 16, 0, {16, 24, 32}},
        {"cbc(aes)", 16, 16, 16, {16, 24, 32}},
        {"ctr(aes)", 1, 1, 16, {16, 24, 32}},
        {"xts(aes)", 1, 16, 16, {32, 48, 64}},
        {"ecb(aes-generic)", 16, 16, 0, {16, 24, 32}},
        {"cbc(aes-generic)", 16, 16, 16, {16, 24, 32}},
        {"ctr(aes-generic)", 1, 1, 16, {16, 24, 32}},
        {"xts(ecb(aes-generic))", 1, 16, 16, {32, 48, 64}},
    };
    return list;
}

inline const Cipher& cipher(const std::string& name)
{
    for (const Cipher& candidate : ciphers()) {
        if (name == candidate.name)
            return candidate;
    }
    throw std::logic_error("unknown cipher " + name);
}

/** Lengths around every boundary that matters for @p cipher. */
inline std::vector<size_t> lengths(const Cipher& cipher)
{
    const std::array<size_t, 28> edges = {
        16,   32,   48,   64,   80,   96,   112,  128,  240,  256,  272,  496,   512,   528,
        1008, 1024, 1040, 2048, 4064, 4080, 4096, 4112, 8176, 8192, 8208, 16384, 61440, 65536};
    std::vector<size_t> result;

    for (size_t edge : edges) {
        for (size_t length : {edge - 1, edge, edge + 1}) {
            if (length % cipher.granule == 0 && length >= cipher.least && length <= 65536)
                result.push_back(length);
        }
    }
    if (cipher.granule == 1) {
        for (size_t length = cipher.least; length < 34; length++)
            result.push_back(length);
    }
    return result;
}

/** Two sockets with the same cipher and key: one opted in, one not. */
class Pair
{
public:
    Pair(const Cipher& cipher, afalg::View key)
        : plain_(bind(cipher)), reuse_(bind(cipher)), plain_op_(start(plain_, key)),
          reuse_op_(start_reuse(reuse_, key))
    {
    }

    afalg::Transform& reuse()
    {
        return reuse_;
    }
    afalg::Operation& plain_op()
    {
        return plain_op_;
    }
    afalg::Operation& reuse_op()
    {
        return reuse_op_;
    }

    /** Changes the key of both; the operation sockets have to be opened anew. */
    void rekey(afalg::View key)
    {
        plain_op_ = afalg::Operation(afalg::Fd());
        reuse_op_ = afalg::Operation(afalg::Fd());
        plain_.set_key(key);
        reuse_.set_key(key);
        plain_op_ = plain_.accept();
        reuse_op_ = reuse_.accept();
    }

    /** The plain socket's answer. */
    afalg::Bytes expected(afalg::Direction direction, afalg::View iv, afalg::View in)
    {
        return plain_op_.crypt(direction, iv, in);
    }

    /**
     * Puts one request to both sockets, @p repeats times to the one that opted
     * in, and compares. Returns the answer.
     */
    afalg::Bytes compare(tap::Check& check, afalg::Direction direction, afalg::View iv,
                         afalg::View in, const std::string& what, unsigned repeats = 3)
    {
        afalg::Bytes want = expected(direction, iv, in);

        for (unsigned i = 0; i < repeats; i++)
            check.same(reuse_op_.crypt(direction, iv, in), want,
                       what + ", request " + std::to_string(i + 1));
        return want;
    }

private:
    static afalg::Transform bind(const Cipher& cipher)
    {
        auto transform = afalg::try_bind("skcipher", cipher.name);
        if (!transform)
            throw tap::Skip(std::string("no ") + cipher.name + " in this kernel");
        return std::move(*transform);
    }

    static afalg::Operation start(afalg::Transform& transform, afalg::View key)
    {
        transform.set_key(key);
        return transform.accept();
    }

    static afalg::Operation start_reuse(afalg::Transform& transform, afalg::View key)
    {
        transform.set_reuse();
        return start(transform, key);
    }

    afalg::Transform plain_;
    afalg::Transform reuse_;
    afalg::Operation plain_op_;
    afalg::Operation reuse_op_;
};

} // namespace kcr

#endif
