// SPDX-License-Identifier: GPL-2.0
/*
 * The ALG_SET_REUSE socket option itself: values, lengths, moments, types.
 */
#include "cipher.hpp"

using afalg::Bytes;
using afalg::Direction;
using afalg::Transform;
using kcr::Random;
using kcr::Watch;
using tap::Check;

namespace
{

void expect(Check& check, int got, int want, const std::string& what)
{
    check.that(got == want, what + ": " + (got ? std::strerror(got) : "success") + " instead of " +
                                (want ? std::strerror(want) : "success"));
}

void test_values(Check& check)
{
    for (const char* type : {"skcipher", "hash"}) {
        const bool cipher = std::string(type) == "skcipher";
        Transform transform(type, cipher ? "cbc(aes)" : "sha256");

        expect(check, transform.try_set_reuse(1), 0, "1");
        expect(check, transform.try_set_reuse(1), 0, "1 again");
        expect(check, transform.try_set_reuse(0), 0, "0");
        expect(check, transform.try_set_reuse(0), 0, "0 again");
        for (int value : {2, -1, 256, 1 << 16, INT32_MIN})
            expect(check, transform.try_set_reuse(value), EINVAL, "value " + std::to_string(value));
        for (socklen_t length : {0, 1, 3})
            expect(check, transform.try_set_reuse(1, length), EINVAL,
                   "length " + std::to_string(length));
        const int bad = setsockopt(transform.fd(), SOL_ALG, ALG_SET_REUSE,
                                   reinterpret_cast<void*>(8), sizeof(int));
        expect(check, bad ? errno : 0, EFAULT, "bad address");
    }
}

void test_unbound(Check& check)
{
    const afalg::Fd fd(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int err = setsockopt(fd.get(), SOL_ALG, ALG_SET_REUSE, &on, sizeof(on));

    expect(check, err ? errno : 0, ENOPROTOOPT, "before bind");
}

void test_other_types(Check& check)
{
    unsigned tried = 0;

    for (const auto& [type, name] :
         {std::pair<const char*, const char*>{"aead", "gcm(aes)"}, {"rng", "stdrng"}}) {
        std::optional<Transform> transform = afalg::try_bind(type, name);
        if (!transform)
            continue;
        tried++;
        expect(check, transform->try_set_reuse(1), ENOPROTOOPT, type);
    }
    if (!tried)
        throw tap::Skip("neither aead nor rng in this kernel");
}

void test_after_accept(Check& check)
{
    Random random(1);
    Transform cipher("skcipher", "cbc(aes)");
    Transform hash("hash", "sha256");

    cipher.set_key(random.bytes(16));
    const afalg::Operation child = cipher.accept();
    expect(check, cipher.try_set_reuse(1), EBUSY, "cipher after accept");
    expect(check, cipher.try_set_reuse(0), EBUSY, "cipher off after accept");
    const afalg::Operation other = hash.accept();
    expect(check, hash.try_set_reuse(1), EBUSY, "hash after accept");
}

void test_on_child(Check& check)
{
    Transform hash("hash", "sha256");
    const afalg::Operation child = hash.accept();
    const int on = 1;
    const int err = setsockopt(child.fd(), SOL_ALG, ALG_SET_REUSE, &on, sizeof(on));

    check.that(err != 0, "an operation socket took the option");
}

/* Runs a request four times and returns what the site counted. */
std::pair<int64_t, int64_t> lookups_and_hits(Check& check, Transform& transform)
{
    Random random(2);
    const Bytes data = random.bytes(64);
    const Bytes iv = random.bytes(16);
    const Watch watch("skcipher");
    afalg::Operation op = transform.accept();
    const Bytes first = op.crypt(Direction::encrypt, iv, data);

    for (unsigned i = 0; i < 3; i++)
        check.same(op.crypt(Direction::encrypt, iv, data), first, "repeated");
    return {watch["lookups"], watch.hits()};
}

void test_off_again(Check& check)
{
    Random random(3);
    Transform transform("skcipher", "cbc(aes)");

    transform.set_key(random.bytes(16));
    auto [lookups, hits] = lookups_and_hits(check, transform);
    check.that(lookups == 0 && hits == 0, "looked up without opting in");
    transform.set_reuse();
    std::tie(lookups, hits) = lookups_and_hits(check, transform);
    check.that(lookups == 4 && hits > 0, "opted in: " + std::to_string(lookups) + " lookups, " +
                                             std::to_string(hits) + " hits in 4 requests");
    expect(check, transform.try_set_reuse(0), 0, "turning off");
    std::tie(lookups, hits) = lookups_and_hits(check, transform);
    check.that(lookups == 0 && hits == 0, "looked up after turning off");
    transform.set_reuse();
    std::tie(lookups, hits) = lookups_and_hits(check, transform);
    check.that(hits > 0, "no hits after turning on again");
}

/* The option may come before or after the key. */
void test_order(Check& check)
{
    Random random(4);
    const Bytes key = random.bytes(16);

    for (bool key_first : {false, true}) {
        Transform transform("skcipher", "cbc(aes)");
        if (key_first)
            transform.set_key(key);
        transform.set_reuse();
        if (!key_first)
            transform.set_key(key);
        check.that(lookups_and_hits(check, transform).second > 0,
                   key_first ? "no hits, key first" : "no hits, option first");
    }
}

/* A cipher with state between requests is refused or passed through, never confused. */
void test_stateful(Check& check)
{
    Random random(5);
    const Bytes key = random.bytes(16);
    const Bytes data = random.bytes(64);
    auto plain = afalg::try_bind("skcipher", "arc4");
    auto reuse = afalg::try_bind("skcipher", "arc4");

    if (!plain || !reuse)
        throw tap::Skip("no arc4 in this kernel");
    const int err = reuse->try_set_reuse(1);
    check.that(err == 0 || err == EOPNOTSUPP, "unexpected error");
    plain->set_key(key);
    reuse->set_key(key);
    afalg::Operation a = plain->accept();
    afalg::Operation b = reuse->accept();
    const iovec part = afalg::Operation::as_iovec(data);
    for (unsigned round = 0; round < 4; round++) {
        for (afalg::Operation* op : {&a, &b})
            op->send(Direction::encrypt, {}, std::span(&part, 1), MSG_MORE);
        for (unsigned piece = 0; piece < 3; piece++) {
            Bytes from_a(16);
            Bytes from_b(16);
            a.receive(from_a);
            b.receive(from_b);
            check.same(from_b, from_a, "piece of a stateful stream");
        }
        for (afalg::Operation* op : {&a, &b})
            op->send(data);
        Bytes from_a(80);
        Bytes from_b(80);
        a.receive(from_a);
        b.receive(from_b);
        check.same(from_b, from_a, "end of a stateful stream");
    }
}

} // namespace

int main()
{
    const std::vector<tap::Case> cases = {
        {"values and lengths", test_values},        {"before bind", test_unbound},
        {"types without a site", test_other_types}, {"after accept", test_after_accept},
        {"on an operation socket", test_on_child},  {"off again", test_off_again},
        {"before or after the key", test_order},    {"stateful cipher", test_stateful},
    };

    return tap::run_cases(cases, [] {
        kcr::require_kcr();
        kcr::pin_to_cpu(0); /* tiers are per CPU and per node */
    });
}
