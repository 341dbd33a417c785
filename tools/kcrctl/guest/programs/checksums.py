#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# What a mirror does that is asked for checksums of the files that it has in memory.
import random
import sys
import zlib

files = [random.Random(i).randbytes(1 << 20) for i in range(4)]
for i in range(int(sys.argv[1])):
    data = files[i % len(files)]
    print(i % len(files), f"{zlib.crc32(data):08x} {zlib.adler32(data):08x}")
print(len(files), "files")
