#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# What a server does that checks the password in each request: the same few users again and again.
import hashlib

for i in range(60):
    user = b"user%d" % (i % 10)
    key = hashlib.pbkdf2_hmac("sha256", b"secret of " + user, b"salt of " + user, 20000)
    other = hashlib.scrypt(b"secret of " + user, salt=b"salt", n=1024, r=8, p=1, dklen=32)
    print(user.decode(), key.hex(), other.hex())
