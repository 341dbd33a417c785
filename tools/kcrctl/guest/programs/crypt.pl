# SPDX-License-Identifier: GPL-2.0
# Hashes of passwords as they are in /etc/shadow.
for my $i (0 .. 59) {
	print crypt("password " . ($i % 8), '$6$rounds=20000$abcdefgh'), "\n";
}
