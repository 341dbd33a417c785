#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs unmodified Debian programs as they are and under kcrctl run, and compares what they print.
#
#	programs.sh [KCRCTL]
#
# TAP on standard output; what was reused, and seconds, in lines of comment.
# Packages: python3 perl libcrypt1 enchant-2 hunspell-en-us sqlite3 sqlite3-pcre gnuplot-nox
kcrctl=${1:-kcrctl}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# check NAME INPUT PROGRAM...: the memo file is NAME.toml
check()
{
	name=$1
	input=$2
	shift 2
	number=$((number + 1))
	if ! command -v "$1" >/dev/null; then
		echo "ok $number - $name # SKIP no $1"
		return
	fi
	start=$(date +%s.%N)
	"$@" <"$input" >"$work/plain" 2>"$work/plain.err"
	plain_status=$?
	middle=$(date +%s.%N)
	"$kcrctl" run --memo-file "$here/$name.toml" --stats -- "$@" <"$input" >"$work/reused" \
		2>"$work/stats"
	status=$?
	end=$(date +%s.%N)
	sed 's/^/# /' "$work/stats"
	echo "$start $middle $end" |
		awk '{ printf "# seconds: %.2f plain, %.2f reused\n", $2 - $1, $3 - $2 }'
	if [ $plain_status -ne 0 ] || [ $status -ne 0 ]; then
		echo "not ok $number - $name: status $plain_status, reused $status"
		failed=1
	elif ! [ -s "$work/plain" ] || ! cmp -s "$work/plain" "$work/reused"; then
		echo "not ok $number - $name: other output"
		failed=1
	elif ! grep -q 'ticks saved' "$work/stats"; then
		echo "not ok $number - $name: nothing was bound"
		failed=1
	else
		echo "ok $number - $name"
	fi
}

echo "TAP version 13"
echo "1..5"
cat /usr/share/common-licenses/* /usr/share/common-licenses/* >"$work/prose"
check passwords /dev/null /usr/bin/python3 "$here/passwords.py"
check crypt /dev/null /usr/bin/perl "$here/crypt.pl"
check spelling "$work/prose" enchant-2 -l -d en_US
check regexp "$here/regexp.sql" sqlite3 :memory:
check plot /dev/null gnuplot "$here/plot.gp"
exit $failed
