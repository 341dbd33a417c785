// SPDX-License-Identifier: GPL-2.0
/*
 * Signatures verified through keyctl(KEYCTL_PKEY_VERIFY), by keys from certificates
 * that openssl makes here: good and bad ones in any order, and keys that are revoked.
 */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "stats.hpp"
#include "tap.hpp"

namespace
{

using Bytes = std::vector<uint8_t>;

constexpr unsigned rounds = 400;

struct Kind {
    const char* name;
    const char* generate;
    const char* info;
    unsigned digest_bits;
};

const std::vector<Kind> kinds = {
    {"RSA-2048", "rsa:2048", "enc=pkcs1 hash=sha256", 256},
    {"RSA-4096", "rsa:4096", "enc=pkcs1 hash=sha256", 256},
    {"P-256", "ec -pkeyopt ec_paramgen_curve:P-256", "enc=x962 hash=sha256", 256},
    {"P-384", "ec -pkeyopt ec_paramgen_curve:P-384", "enc=x962 hash=sha256", 256},
};

std::string directory;

void shell(const std::string& command)
{
    if (std::system(("cd " + directory + " && " + command + " >/dev/null 2>&1").c_str()) != 0)
        throw tap::Skip("cannot run: " + command);
}

Bytes read_bytes(const std::string& name)
{
    const std::string text = [&] {
        const afalg::Fd file(open((directory + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        std::string bytes(4096, '\0');
        const ssize_t got = read(file.get(), bytes.data(), bytes.size());
        if (got < 0)
            afalg::fail(name);
        bytes.resize(static_cast<size_t>(got));
        return bytes;
    }();
    return {text.begin(), text.end()};
}

/* A key in the session's keyring, with a digest and its signature */
struct Signed {
    long key = -1;
    Bytes digest;
    Bytes signature;
};

Signed make(const Kind& kind)
{
    Signed result;

    shell(std::string("openssl req -x509 -newkey ") + kind.generate +
          " -nodes -sha256 -subj /CN=kcr -keyout key.pem -outform DER -out cert.der");
    shell("printf kcr > message && openssl dgst -sha256 -binary -out digest message && "
          "openssl dgst -sha256 -sign key.pem -out signature message");
    const Bytes cert = read_bytes("cert.der");
    /* One of the same name would be replaced */
    static unsigned count;
    const std::string name = "kcr test " + std::to_string(count++);
    result.key = syscall(SYS_add_key, "asymmetric", name.c_str(), cert.data(), cert.size(),
                         KEY_SPEC_PROCESS_KEYRING);
    if (result.key < 0)
        throw tap::Skip(std::string(kind.name) + ": no such keys: " + std::strerror(errno));
    result.digest = read_bytes("digest");
    result.signature = read_bytes("signature");
    return result;
}

/* 0 or an errno */
int verify(const Signed& what, const Kind& kind)
{
    keyctl_pkey_params params = {};

    params.key_id = static_cast<int32_t>(what.key);
    params.in_len = static_cast<uint32_t>(what.digest.size());
    params.in2_len = static_cast<uint32_t>(what.signature.size());
    return syscall(SYS_keyctl, KEYCTL_PKEY_VERIFY, &params, kind.info, what.digest.data(),
                   what.signature.data()) == 0
               ? 0
               : errno;
}

/* One of a few ways to spoil it; 0 is none */
Signed spoiled(Signed what, unsigned how)
{
    switch (how) {
    case 0:
        break;
    case 1:
        what.digest[7] ^= 1;
        break;
    case 2:
        what.digest.back() ^= 0x80;
        break;
    default:
        what.signature[what.signature.size() - how] ^= 1;
        break;
    }
    return what;
}

void good_and_bad(const Kind& kind, tap::Check& check)
{
    constexpr unsigned ways = 6;
    const Signed good = make(kind);
    std::vector<int> want;
    std::mt19937 random(1);
    {
        const kcr::ScopedMode mode("sigverify", "off");
        for (unsigned how = 0; how < ways; how++)
            want.push_back(verify(spoiled(good, how), kind));
    }
    check.that(want[0] == 0, "a good signature is rejected without reuse");
    check.that(std::count(want.begin(), want.end(), 0) == 1, "a bad one is accepted");

    const kcr::Watch watch("sigverify");
    for (unsigned i = 0; i < rounds; i++) {
        const unsigned how = random() % ways;
        const int got = verify(spoiled(good, how), kind);
        check.that(got == want[how], std::string(kind.name) + ": " + std::to_string(got) +
                                         " instead of " + std::to_string(want[how]));
    }
    /* Half of the ways leave the signature's form as it is: the others are no verdicts of RSA */
    check.that(watch.hits() > rounds / 3,
               "only " + std::to_string(watch.hits()) + " verdicts were reused");
}

/* Equal digests and signatures, other keys */
void other_keys(tap::Check& check)
{
    const Kind& kind = kinds[0];
    const Signed one = make(kind);
    Signed other = make(kind);
    const Signed good = other;

    other.signature = one.signature;
    for (unsigned i = 0; i < 8; i++) {
        check.that(verify(one, kind) == 0, "a good signature is rejected");
        check.that(verify(other, kind) != 0, "another key's signature is accepted");
        check.that(verify(good, kind) == 0, "a good signature is rejected");
    }
}

void revoked_keys(tap::Check& check)
{
    const Kind& kind = kinds[0];
    const Signed good = make(kind);

    for (unsigned i = 0; i < 8; i++)
        check.that(verify(good, kind) == 0, "a good signature is rejected");
    if (syscall(SYS_keyctl, KEYCTL_REVOKE, good.key) != 0)
        afalg::fail("KEYCTL_REVOKE");
    for (unsigned i = 0; i < 8; i++)
        check.that(verify(good, kind) == EKEYREVOKED, "a revoked key verifies");
}

void prepare()
{
    kcr::require_kcr();
    if (access(kcr::mode_path("sigverify").c_str(), F_OK) != 0)
        throw tap::Skip("this kernel has no site sigverify");
    kcr::write_file(kcr::mode_path("sigverify"), "reuse");
    kcr::write_file("/sys/kernel/kcr/sites/sigverify/bypass", "never");
    char path[] = "/tmp/kcr-sigverify-XXXXXX";
    if (mkdtemp(path) == nullptr)
        afalg::fail("mkdtemp");
    directory = path;
    shell("openssl version");
}

} // namespace

int main()
{
    std::vector<tap::Case> cases;

    cases.reserve(kinds.size() + 2);
    for (const Kind& kind : kinds)
        cases.push_back({std::string(kind.name) + ", good and bad ones in any order",
                         [&](tap::Check& check) { good_and_bad(kind, check); }});
    cases.push_back({"other keys", other_keys});
    cases.push_back({"revoked keys", revoked_keys});
    return tap::run_cases(cases, prepare);
}
