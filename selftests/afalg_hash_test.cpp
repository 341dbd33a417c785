// SPDX-License-Identifier: GPL-2.0
/*
 * AF_ALG digests with reuse: every digest of a socket that opted in is compared
 * with that of one that did not, and reuse must really have happened.
 */
#include "data.hpp"
#include "stats.hpp"

using afalg::Bytes;
using afalg::MutableView;
using afalg::Operation;
using afalg::Transform;
using afalg::View;
using kcr::Pages;
using kcr::Random;
using kcr::Watch;
using tap::Check;

namespace
{

constexpr size_t largest_kept = 4096;

struct Hash {
    const char* name;
    size_t size;
    bool keyed;
};

constexpr std::array<Hash, 7> hashes = {{
    {"sha1", 20, false},
    {"sha256", 32, false},
    {"sha512", 64, false},
    {"sha1-generic", 20, false},
    {"sha256-generic", 32, false},
    {"sha512-generic", 64, false},
    {"hmac(sha256)", 32, true},
}};

Transform bind(const Hash& hash, View key, bool reuse)
{
    auto transform = afalg::try_bind("hash", hash.name);

    if (!transform)
        throw tap::Skip(std::string("no ") + hash.name + " in this kernel");
    if (reuse)
        transform->set_reuse();
    if (hash.keyed)
        transform->set_key(key);
    return std::move(*transform);
}

/* Two sockets with the same hash and key: one opted in, one not. */
class Pair
{
public:
    explicit Pair(const Hash& hash, View key = default_key())
        : size_(hash.size), plain_(bind(hash, key, false)), reuse_(bind(hash, key, true)),
          plain_op_(plain_.accept()), reuse_op_(reuse_.accept())
    {
    }

    Transform& reuse()
    {
        return reuse_;
    }
    Operation& reuse_op()
    {
        return reuse_op_;
    }
    Operation& plain_op()
    {
        return plain_op_;
    }
    size_t size() const
    {
        return size_;
    }

    Bytes expected(View in)
    {
        Bytes out(size_);
        plain_op_.digest(in, out);
        return out;
    }

    Bytes compare(Check& check, View in, const std::string& what, unsigned repeats = 3)
    {
        Bytes want = expected(in);

        for (unsigned i = 0; i < repeats; i++) {
            Bytes got(size_);
            reuse_op_.digest(in, got);
            check.same(got, want, what + ", request " + std::to_string(i + 1));
        }
        return want;
    }

    void rekey(View key)
    {
        plain_op_ = Operation(afalg::Fd());
        reuse_op_ = Operation(afalg::Fd());
        plain_.set_key(key);
        reuse_.set_key(key);
        plain_op_ = plain_.accept();
        reuse_op_ = reuse_.accept();
    }

private:
    static View default_key()
    {
        static const Bytes key = Random(77).bytes(32);
        return key;
    }

    size_t size_;
    Transform plain_;
    Transform reuse_;
    Operation plain_op_;
    Operation reuse_op_;
};

std::vector<size_t> lengths()
{
    std::vector<size_t> result = {0};

    for (size_t edge :
         {8,   16,   32,   48,   56,   64,   80,    96,    112,   120,   128,   256,
          512, 1024, 2048, 4032, 4096, 8192, 12288, 16384, 61440, 65536, 69632, 73728}) {
        for (size_t length : {edge - 1, edge, edge + 1})
            result.push_back(length);
    }
    return result;
}

void test_lengths(Check& check, const Hash& hash)
{
    Random random(1);
    Pair pair(hash);
    unsigned kept = 0;

    for (size_t length : lengths()) {
        const Bytes data = random.bytes(length);
        const Watch watch("hash");
        const std::string what = std::to_string(length) + " bytes";

        pair.compare(check, data, what);
        const auto hits = watch.hits();
        kept += hits > 0;
        /* without any data AF_ALG takes init and final, which is no whole message */
        if (length > 0 && length <= largest_kept)
            check.that(hits >= 1, what + ": no hit in 3 requests");
    }
    check.note(std::to_string(kept) + " lengths answered by reuse");
}

/* Messages that start anywhere in a page, sent by copy-free user pages or by splice. */
void test_unaligned(Check& check, const Hash& hash)
{
    Random random(2);
    Pair pair(hash);
    Pages pages(32 * kcr::page_size);
    kcr::Splicer splicer;
    const Watch watch("hash");

    for (size_t length : {1, 31, 64, 65, 1000, 4095, 4096, 4097, 9000}) {
        const Bytes data = random.bytes(length);
        const Bytes want = pair.expected(data);

        for (size_t offset : {0, 1, 3, 8, 63, 64, 2048, 4032, 4095}) {
            const MutableView memory = pages.view(offset, length);
            std::copy(data.begin(), data.end(), memory.begin());
            pair.compare(check, memory, std::to_string(length) + " at " + std::to_string(offset));
            for (unsigned i = 0; i < 2; i++) {
                Bytes got(pair.size());
                splicer.send(pair.reuse_op().fd(), memory);
                pair.reuse_op().receive(got);
                check.same(got, want,
                           "spliced " + std::to_string(length) + " at " + std::to_string(offset));
            }
        }
    }
    check.that(watch.hits() > 0, "no hits");
}

/* iovecs of odd sizes are the same message as a flat buffer. */
void test_split(Check& check, const Hash& hash)
{
    Random random(3);
    Pair pair(hash);

    for (size_t length : {2, 17, 64, 500, 4096, 20000}) {
        Bytes data = random.bytes(length);
        const Bytes want = pair.compare(check, data, "flat");
        const Watch watch("hash");

        for (unsigned round = 0; round < 10; round++) {
            std::vector<iovec> parts;
            size_t at = 0;
            while (at < length && parts.size() < 12) {
                const size_t step =
                    parts.size() == 11 ? length - at : 1 + random.below(length - at);
                parts.push_back({data.data() + at, step});
                at += step;
            }
            Bytes got(pair.size());
            pair.reuse_op().send(parts);
            pair.reuse_op().receive(got);
            check.same(got, want, "split " + std::to_string(length));
        }
        if (length <= largest_kept)
            check.that(watch.hits() > 0, "split " + std::to_string(length) + ": no hits");
    }
}

/* Messages in several sends, between whole ones with the same bytes. */
void test_more(Check& check, const Hash& hash)
{
    Random random(4);
    Pair pair(hash);
    const Watch watch("hash");

    for (unsigned round = 0; round < 40; round++) {
        const Bytes data = random.bytes(2 + random.below(6000));
        const size_t middle = 1 + random.below(data.size() - 1);
        const View head = View(data).first(middle);
        const View tail = View(data).subspan(middle);
        const Bytes want = pair.compare(check, data, "whole", 1);

        for (unsigned i = 0; i < 3; i++) {
            Bytes got(pair.size());
            pair.reuse_op().send(head, MSG_MORE);
            pair.reuse_op().send(tail, i == 1 ? MSG_MORE : 0);
            if (i == 2)
                pair.reuse_op().receive(MutableView(got).first(4));
            else
                pair.reuse_op().receive(got);
            check.same(View(got).first(i == 2 ? 4 : got.size()),
                       View(want).first(i == 2 ? 4 : want.size()), "MSG_MORE");
            pair.compare(check, data, "whole between", 1);
        }
        /* a part on its own is another message, and one given up leaves no trace */
        pair.compare(check, head, "head alone", 2);
        pair.reuse_op().send(tail);
        pair.compare(check, data, "after one given up", 1);
    }
    check.that(watch.hits() > 0, "no hits");
}

/* accept() in the middle of a message copies its state. */
void test_export(Check& check, const Hash& hash)
{
    Random random(5);
    Pair pair(hash);

    for (unsigned round = 0; round < 20; round++) {
        const Bytes head = random.bytes(1 + random.below(300));
        const Bytes tail = random.bytes(1 + random.below(300));
        Bytes whole = head;
        whole.insert(whole.end(), tail.begin(), tail.end());
        const Bytes want = pair.expected(whole);
        const Bytes want_head = pair.compare(check, head, "head", 2);
        Bytes got(pair.size());

        pair.reuse_op().send(head, MSG_MORE);
        Operation copy = pair.reuse_op().duplicate();
        copy.send(tail);
        copy.receive(got);
        check.same(got, want, "copy went on");
        pair.reuse_op().receive(got);
        check.same(got, want_head, "original ended");
        pair.compare(check, whole, "whole", 2);
        Operation idle = pair.reuse_op().duplicate();
        idle.digest(whole, got);
        check.same(got, want, "copy without state");
    }
}

void test_changed_bit(Check& check, const Hash& hash)
{
    Random random(6);
    Pair pair(hash);

    for (size_t length : {1, 16, 64, 65, 4096}) {
        Bytes data = random.bytes(length);
        const Bytes first = pair.compare(check, data, "original");

        for (size_t i = 0; i < length; i += length < 100 ? 1 : 61) {
            data[i] ^= 1U << (i % 8);
            const Bytes other = pair.compare(check, data, "changed bit", 2);
            check.that(other != first, "another message, same digest");
            data[i] ^= 1U << (i % 8);
        }
        if (length > 1)
            pair.compare(check, View(data).first(length - 1), "one byte less", 2);
        const Watch watch("hash");
        pair.compare(check, data, "original again");
        check.that(watch.hits() > 0, "no hit for the original");
    }
}

void test_two_sockets(Check& check, const Hash& hash)
{
    Random random(7);
    Pair one(hash);
    Pair two(hash);
    Operation sibling = one.reuse().accept();

    for (size_t length : {16, 64, 4096}) {
        const Bytes data = random.bytes(length);
        const Bytes want = one.compare(check, data, "one");
        const Watch watch("hash");
        Bytes got(one.size());

        two.compare(check, data, "two", 1);
        check.that(watch.hits() == 0, "a hit across bound sockets");
        sibling.digest(data, got);
        check.same(got, want, "sibling");
        check.that(watch.hits() == 1, "the second child did not profit from the first");
    }
}

void test_changed_key(Check& check, const Hash& hash)
{
    Random random(8);
    Pair pair(hash);

    for (size_t length : {16, 64, 4096}) {
        const Bytes data = random.bytes(length);
        Bytes last = pair.compare(check, data, "first key");

        for (size_t key_size : {1, 16, 32, 64, 65, 128}) {
            const Bytes key = random.bytes(key_size);
            for (unsigned again = 0; again < 2; again++) {
                pair.rekey(key);
                const Watch watch("hash");
                const Bytes now = pair.compare(check, data, "new key", 1);
                check.that(watch.hits() == 0, "a hit across setkey");
                check.that(again || now != last, "another key gave the same digest");
                pair.compare(check, data, "new key again");
                check.that(watch.hits() > 0, "no hit under the new key");
                last = now;
            }
        }
    }
}

std::vector<tap::Case> cases()
{
    using Test = void (*)(Check&, const Hash&);
    const std::vector<std::pair<const char*, Test>> each = {
        {"lengths", test_lengths},         {"unaligned and spliced", test_unaligned},
        {"split buffers", test_split},     {"MSG_MORE", test_more},
        {"state export", test_export},     {"changed bit", test_changed_bit},
        {"two sockets", test_two_sockets},
    };
    std::vector<tap::Case> list;

    for (const Hash& hash : hashes) {
        for (const auto& [what, test] : each)
            list.push_back({std::string(hash.name) + " " + what,
                            [&hash, test = test](Check& check) { test(check, hash); }});
        if (hash.keyed)
            list.push_back({std::string(hash.name) + " changed key",
                            [&hash](Check& check) { test_changed_key(check, hash); }});
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
