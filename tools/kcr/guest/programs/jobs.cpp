// SPDX-License-Identifier: GPL-2.0
#include "jobs.hpp"

namespace programs
{

namespace
{

/* A login service: few users, who come back */
constexpr const char* check_passwords = R"(
import crypt
users = {"user%d" % i: crypt.crypt("secret%d" % i, "$6$salt%d" % i) for i in range(6)}
for visit in range(60):
    name = "user%d" % (visit * 7 % 6)
    right = visit % 5 != 4
    word = "secret" + name[4:] + ("" if right else "!")
    print(name, crypt.crypt(word, users[name]) == users[name])
)";

/* Keys made of passwords, as disk encryption and key stores do */
constexpr const char* derive_keys = R"(
import hashlib
for opened in range(60):
    which = opened * 5 % 8
    key = hashlib.pbkdf2_hmac("sha256", b"pass phrase %d" % which, b"salt %d" % which, 4000)
    print(which, key.hex())
)";

/* A surface of a function that gnuplot takes from the C library */
constexpr const char* plot = "set terminal dumb 79 40; set isosamples 60; set samples 60; "
                             "splot [0.1:4] [0.1:4] x**y - y**x; "
                             "splot [0.1:4] [0.1:4] x**y + y**x";

} // namespace

const std::vector<Job>& jobs()
{
    static const std::vector<Job> all = {
        {"passwords",
         "passwords: python3 and libcrypt",
         {"/usr/bin/python3", "-W", "ignore", "-c", check_passwords},
         {"libcrypt.so.1:crypt_r(cstr,cstr,out[384])->arg2"},
         {"--learn", "10"},
         true},
        {"keys",
         "derived keys: python3 and libcrypto",
         {"/usr/bin/python3", "-c", derive_keys},
         {"libcrypto.so.3:PKCS5_PBKDF2_HMAC(ptr[len=arg1],i32,ptr[len=arg3],i32,i32,id,i32,"
          "out[len=arg6])->i32"},
         {"--learn", "10"},
         true},
        {"spelling",
         "spelling: enchant and hunspell",
         {"/usr/bin/enchant-2", "-d", "en_US", "-l", "/usr/share/common-licenses/GPL-3"},
         {"libenchant-2.so.2:enchant_dict_check(id,ptr[len=arg2],i64)->i32"},
         {},
         true},
        {"plot",
         "a plot: gnuplot and libm",
         {"/usr/bin/gnuplot", "-e", plot},
         {"libm.so.6:pow(f64,f64)->f64"},
         {},
         false},
    };
    return all;
}

} // namespace programs
