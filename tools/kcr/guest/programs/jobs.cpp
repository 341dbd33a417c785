// SPDX-License-Identifier: GPL-2.0
#include "jobs.hpp"

namespace programs
{

std::vector<Job> jobs(const std::string& directory)
{
    const std::string licenses = "cat /usr/share/common-licenses/*";

    return {
        {"passwords",
         "keys made of passwords: python3 and libcrypto",
         {"/usr/bin/python3", directory + "/passwords.py"},
         true,
         {}},
        {"crypt",
         "passwords that are checked: perl and libcrypt",
         {"/usr/bin/perl", directory + "/crypt.pl"},
         true,
         {}},
        {"checksums",
         "checksums of files in memory: python3 and libz",
         {"/usr/bin/python3", directory + "/checksums.py", "200"},
         true,
         {"/usr/bin/python3", directory + "/checksums.py", "0"}},
        {"spelling",
         "spelling: enchant and hunspell",
         {"/bin/sh", "-c", licenses + " | /usr/bin/enchant-2 -l -d en_US"},
         true,
         {}},
        {"regexp",
         "regular expressions: sqlite3 and libpcre",
         {"/bin/sh", "-c", "exec /usr/bin/sqlite3 :memory: <" + directory + "/regexp.sql"},
         true,
         {}},
        {"plot",
         "a plot: gnuplot and libm",
         {"/usr/bin/gnuplot", directory + "/plot.gp"},
         false,
         {}},
    };
}

} // namespace programs
