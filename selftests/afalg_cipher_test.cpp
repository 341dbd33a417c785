// SPDX-License-Identifier: GPL-2.0
/*
 * AF_ALG ciphers with reuse: every answer of a socket that opted in is compared
 * with the answer of one that did not, and reuse must really have happened.
 */
#include "cipher.hpp"

using afalg::Bytes;
using afalg::Direction;
using afalg::MutableView;
using afalg::Operation;
using afalg::View;
using kcr::Cipher;
using kcr::Pages;
using kcr::Pair;
using kcr::Random;
using kcr::Watch;
using tap::Check;

namespace
{

constexpr std::array<Direction, 2> both = {Direction::encrypt, Direction::decrypt};

std::string describe(Direction direction, size_t length)
{
    return std::string(direction == Direction::encrypt ? "encrypt " : "decrypt ") +
           std::to_string(length);
}

/* All lengths in both directions; what fits the tiers must hit when repeated. */
void test_lengths(Check& check, const Cipher& cipher, size_t key_size)
{
    Random random(key_size * 31 + cipher.iv_size);
    Pair pair(cipher, random.bytes(key_size));
    unsigned kept = 0;

    for (size_t length : kcr::lengths(cipher)) {
        for (Direction direction : both) {
            const Bytes data = random.bytes(length);
            const Bytes iv = random.bytes(cipher.iv_size);
            const Watch watch("skcipher");

            pair.compare(check, direction, iv, data, describe(direction, length));
            const auto hits = watch.hits();
            if (length <= kcr::largest_kept)
                check.that(hits >= 1, describe(direction, length) + ": no hit in 3 requests");
            kept += hits > 0;
        }
    }
    check.note(std::to_string(kept) + " lengths and directions answered by reuse");
}

/* Encrypting and then decrypting gives the text back, both through reuse. */
void test_round_trip(Check& check, const Cipher& cipher)
{
    Random random(2);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    const Watch watch("skcipher");

    for (size_t length : {64, 512, 4096}) {
        const Bytes text = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);
        for (unsigned i = 0; i < 4; i++) {
            const Bytes secret = pair.reuse_op().crypt(Direction::encrypt, iv, text);
            const Bytes back = pair.reuse_op().crypt(Direction::decrypt, iv, secret);
            check.same(back, text, "round trip " + std::to_string(length));
            check.that(secret != text, "ciphertext is the plaintext");
        }
        /* the same bytes in the other direction are another request */
        pair.compare(check, Direction::decrypt, iv, text, "direction is in the key");
    }
    check.that(watch.hits() > 0, "no hits");
}

/* The answer overwrites the very memory that the request came from. */
void test_in_place(Check& check, const Cipher& cipher)
{
    Random random(3);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    kcr::Splicer splicer;
    Pages pages(32 * kcr::page_size);

    for (size_t length : {16, 64, 512, 4096, 8192, 16384}) {
        const Bytes data = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);
        const Bytes want = pair.expected(Direction::encrypt, iv, data);
        const Watch watch("skcipher");

        for (size_t offset : {0, 1, 8, 4000}) {
            for (bool spliced : {false, true}) {
                for (unsigned i = 0; i < 3; i++) {
                    const MutableView memory = pages.view(offset, length);
                    std::copy(data.begin(), data.end(), memory.begin());
                    if (spliced) {
                        pair.reuse_op().send(Direction::encrypt, iv, {}, MSG_MORE);
                        splicer.send(pair.reuse_op().fd(), memory);
                        pair.reuse_op().receive(memory);
                    } else {
                        pair.reuse_op().crypt(Direction::encrypt, iv, memory, memory);
                    }
                    check.same(memory, want,
                               (spliced ? "spliced in place " : "in place ") +
                                   std::to_string(length) + " at " + std::to_string(offset));
                }
            }
        }
        if (length <= kcr::largest_kept)
            check.that(watch.hits() > 0, "in place " + std::to_string(length) + ": no hits");
    }
}

/* Cuts [0, length) into pieces of odd sizes. */
std::vector<iovec> cut(uint8_t* data, size_t length, Random& random, size_t pieces)
{
    std::vector<iovec> parts;
    size_t at = 0;

    while (parts.size() + 1 < pieces && at + 1 < length) {
        const size_t step = 1 + random.below((length - at) / 2 + 1);
        parts.push_back({data + at, std::min(step, length - at - 1)});
        at += parts.back().iov_len;
    }
    parts.push_back({data + at, length - at});
    return parts;
}

/* Scattered sources and destinations, and one message from several sends. */
void test_split(Check& check, const Cipher& cipher)
{
    Random random(4);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    const Watch watch("skcipher");

    for (size_t length : {16, 48, 64, 512, 4096, 12288}) {
        Bytes data = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);
        const Bytes want = pair.expected(Direction::encrypt, iv, data);

        for (unsigned round = 0; round < 12; round++) {
            Bytes out(length);
            const auto from = cut(data.data(), length, random, 1 + round % 5);
            const auto to = cut(out.data(), length, random, 1 + round % 7);

            if (round % 2) {
                pair.reuse_op().send(Direction::encrypt, iv, {}, MSG_MORE);
                for (size_t i = 0; i < from.size(); i++)
                    pair.reuse_op().send(std::span(&from[i], 1),
                                         i + 1 < from.size() ? MSG_MORE : 0);
            } else {
                pair.reuse_op().send(Direction::encrypt, iv, from);
            }
            pair.reuse_op().receive(to);
            check.same(out, want, "split " + std::to_string(length));
        }
    }
    check.that(watch.hits() > 0, "no hits: split requests must hit like whole ones");
}

/* One bit of IV or data makes another request. */
void test_changed_input(Check& check, const Cipher& cipher)
{
    Random random(5);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));

    for (size_t length : {16, 64, 4096}) {
        Bytes data = random.bytes(length);
        Bytes iv = random.bytes(cipher.iv_size);
        const Bytes first = pair.compare(check, Direction::encrypt, iv, data, "original");

        for (size_t i = 0; i < iv.size(); i++) {
            iv[i] ^= 1U << (i % 8);
            const Bytes other = pair.compare(check, Direction::encrypt, iv, data, "IV bit", 2);
            check.that(other != first, "another IV gave the same answer");
            iv[i] ^= 1U << (i % 8);
        }
        for (size_t i = 0; i < length; i += length < 100 ? 1 : 97) {
            data[i] ^= 0x80U >> (i % 8);
            pair.compare(check, Direction::encrypt, iv, data, "data bit", 2);
            data[i] ^= 0x80U >> (i % 8);
        }
        const Watch watch("skcipher");
        pair.compare(check, Direction::encrypt, iv, data, "original again");
        check.that(watch.hits() > 0, "no hit for the original");
    }
}

/* A message without an IV of its own goes on from the last one's. */
void test_iv_written_back(Check& check, const Cipher& cipher)
{
    Random random(6);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    const Watch watch("skcipher");

    for (Direction direction : both) {
        for (size_t length : {16, 32, 64, 256, 4096}) {
            const Bytes data = random.bytes(length);
            const Bytes iv = random.bytes(cipher.iv_size);
            std::array<Bytes, 3> want;

            want[0] = pair.plain_op().crypt(direction, iv, data);
            want[1] = pair.plain_op().crypt(direction, {}, data);
            want[2] = pair.plain_op().crypt(direction, {}, data);
            check.that(want[0] != want[1], "the plain socket does not chain");
            for (unsigned i = 0; i < 4; i++) {
                const std::string what = describe(direction, length) + ", link ";
                check.same(pair.reuse_op().crypt(direction, iv, data), want[0], what + "1");
                check.same(pair.reuse_op().crypt(direction, {}, data), want[1], what + "2");
                check.same(pair.reuse_op().crypt(direction, {}, data), want[2], what + "3");
            }
        }
    }
    check.that(watch.hits() > 0, "no hits");
}

/* One message taken in several reads, so that the kernel continues a request. */
Bytes stream(Operation& op, View iv, View data, std::span<const size_t> reads)
{
    Bytes out(data.size());
    const iovec part = Operation::as_iovec(data);
    size_t at = 0;

    op.send(Direction::encrypt, iv, std::span(&part, 1), MSG_MORE);
    for (size_t count : reads) {
        op.receive(MutableView(out).subspan(at, count));
        at += count;
    }
    op.send(View(data).first(16));
    Bytes rest(data.size() - at + 16);
    op.receive(MutableView(rest));
    out.resize(at);
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

void test_partial_reads(Check& check, const Cipher& cipher)
{
    Random random(7);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    const std::array<std::vector<size_t>, 4> plans = {
        {{16}, {16, 16, 16}, {64, 512, 16}, {2048, 1024, 512}}};

    for (const auto& plan : plans) {
        const Bytes data = random.bytes(4096);
        const Bytes iv = random.bytes(cipher.iv_size);
        const Bytes want = stream(pair.plain_op(), iv, data, plan);
        for (unsigned i = 0; i < 3; i++)
            check.same(stream(pair.reuse_op(), iv, data, plan), want, "partial reads");
        pair.compare(check, Direction::encrypt, iv, data, "whole after partial");
    }
}

/* setkey on the bound socket: nothing of the old key may come back. */
void test_changed_key(Check& check, const Cipher& cipher)
{
    Random random(8);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));

    for (size_t length : {16, 64, 4096}) {
        const Bytes data = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);
        Bytes last = pair.compare(check, Direction::encrypt, iv, data, "first key");

        for (unsigned i = 0; i < 6; i++) {
            const Bytes key = random.bytes(cipher.key_sizes[i % cipher.key_sizes.size()]);
            pair.rekey(key);
            const Watch watch("skcipher");
            const Bytes now = pair.compare(check, Direction::encrypt, iv, data, "new key", 1);
            check.that(watch.hits() == 0, "a hit across setkey");
            check.that(now != last, "another key gave the same answer");
            pair.compare(check, Direction::encrypt, iv, data, "new key again");
            check.that(watch.hits() > 0, "no hit under the new key");
            pair.rekey(key);
            const Watch same("skcipher");
            pair.compare(check, Direction::encrypt, iv, data, "same key set again", 1);
            check.that(same.hits() == 0, "a hit across setkey of the same key");
            last = now;
        }
    }
}

/* Results belong to one bound socket, whatever its key. */
void test_two_sockets(Check& check, const Cipher& cipher)
{
    Random random(9);
    const Bytes key = random.bytes(cipher.key_sizes.front());
    Pair one(cipher, key);
    Pair same(cipher, key);
    Pair other(cipher, random.bytes(cipher.key_sizes.front()));

    for (size_t length : {16, 64, 4096}) {
        const Bytes data = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);

        one.compare(check, Direction::encrypt, iv, data, "socket one");
        const Watch watch("skcipher");
        same.compare(check, Direction::encrypt, iv, data, "same key", 1);
        check.that(watch.hits() == 0, "a hit across sockets with the same key");
        const Bytes b = other.compare(check, Direction::encrypt, iv, data, "other key", 1);
        check.that(watch.hits() == 0, "a hit across sockets with different keys");
        for (unsigned i = 0; i < 4; i++) {
            const Bytes a = one.compare(check, Direction::encrypt, iv, data, "one", 1);
            check.that(a != b, "different keys, same answer");
            other.compare(check, Direction::encrypt, iv, data, "other", 1);
        }
        check.that(watch.hits() > 0, "no hits");
    }
}

/* Sockets accepted from one bound socket share its results. */
void test_children(Check& check, const Cipher& cipher)
{
    Random random(10);
    Pair pair(cipher, random.bytes(cipher.key_sizes.front()));
    Operation sibling = pair.reuse().accept();

    for (size_t length : {16, 64, 4096}) {
        const Bytes data = random.bytes(length);
        const Bytes iv = random.bytes(cipher.iv_size);
        const Bytes want = pair.compare(check, Direction::encrypt, iv, data, "first child");
        const Watch watch("skcipher");

        check.same(sibling.crypt(Direction::encrypt, iv, data), want, "second child");
        check.that(watch.hits() == 1, "the second child did not profit from the first");
    }
}

/* A child accepted before there was a key works once there is one. */
void test_key_after_accept(Check& check, const Cipher& cipher)
{
    Random random(11);
    const Bytes key = random.bytes(cipher.key_sizes.front());
    Pair pair(cipher, key);
    const Bytes data = random.bytes(64);
    const Bytes iv = random.bytes(cipher.iv_size);
    const Bytes want = pair.expected(Direction::encrypt, iv, data);
    afalg::Transform late("skcipher", cipher.name);
    const Watch watch("skcipher");

    late.set_reuse();
    Operation early = late.accept();
    late.set_key(key);
    for (unsigned i = 0; i < 3; i++)
        check.same(early.crypt(Direction::encrypt, iv, data), want, "key after accept");
    check.that(watch.hits() > 0, "no hits");
}

std::vector<tap::Case> cases()
{
    using Test = void (*)(Check&, const Cipher&);
    const std::vector<std::pair<const char*, Test>> each = {
        {"round trip", test_round_trip},   {"in place", test_in_place},
        {"split buffers", test_split},     {"changed input", test_changed_input},
        {"changed key", test_changed_key}, {"two sockets", test_two_sockets},
        {"children", test_children},       {"key after accept", test_key_after_accept},
    };
    std::vector<tap::Case> list;

    for (const Cipher& cipher : kcr::ciphers()) {
        const std::string name = cipher.name;
        for (size_t key_size : cipher.key_sizes)
            list.push_back(
                {name + " lengths, key of " + std::to_string(key_size) + " bytes",
                 [&cipher, key_size](Check& check) { test_lengths(check, cipher, key_size); }});
        for (const auto& [what, test] : each)
            list.push_back(
                {name + " " + what, [&cipher, test = test](Check& check) { test(check, cipher); }});
    }
    for (const char* name : {"cbc(aes)", "ctr(aes)", "cbc(aes-generic)", "ctr(aes-generic)"}) {
        const Cipher& cipher = kcr::cipher(name);
        list.push_back({std::string(name) + " IV written back",
                        [&cipher](Check& check) { test_iv_written_back(check, cipher); }});
        list.push_back({std::string(name) + " partial reads",
                        [&cipher](Check& check) { test_partial_reads(check, cipher); }});
    }
    return list;
}

} // namespace

int main()
{
    return tap::run_cases(cases(), [] {
        kcr::require_kcr();
        kcr::pin_to_cpu(0); /* tiers are per CPU and per node */
    });
}
