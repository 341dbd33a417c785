#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Makes results/*.csv and the plots of Documentation/core-api/kcr-policies.rst.
# Needs cmake, ninja, awk, and for the plots gnuplot (Debian: gnuplot-nox).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
docs=$here/../../../../Documentation/core-api
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

cmake -G Ninja -S "$here" -B "$build" >/dev/null
ninja -C "$build" >/dev/null
"$build/kcr-policy" check
mkdir -p "$here/results"
"$build/kcr-policy" study "$here/traces" >"$here/results/hits.csv"
"$build/kcr-policy" flood >"$here/results/flood.csv"

# table POLICIES TRACES: one line a trace, one column a policy
table()
{
	awk -F, -v columns="$1" -v rows="$2" '
	$1 == 4096 && $2 == 8 && $5 == "no" { rate[$3 "/" $4, $6] = $7 }
	END {
		n = split(columns, c, " ")
		m = split(rows, r, " ")
		for (i = 1; i <= m; i++) {
			printf "%s", r[i]
			for (j = 1; j <= n; j++)
				printf " %s", rate[c[j], r[i]]
			print ""
		}
	}' "$here/results/hits.csv"
}

s=free-or-second
table "clock/$s clock-random/$s random/$s srrip/$s sieve/$s lru/$s lives-key/$s" \
	"uniform-equal zipf-0.6 zipf-0.8 zipf-1.0 scan-50 loop-1.1 loop-2.0 phases demo-large demo-small" \
	>"$build/eviction"
table "lives-key/always lives-key/second lives-key/1-in-4 lives-key/$s" \
	"uniform-equal zipf-0.8 scan-10 scan-50 loop-0.9 loop-1.1 loop-2.0 phases two-pass demo demo-large demo-small" \
	>"$build/admission"
awk -F, '
$3 == 1000 && $6 == 100 { keeps[$1 "/" $2, $4, $5] = $7 }
END {
	n = split("none/always none/free-or-second strict/free-or-second read/free-or-second", c, " ")
	for (times = 1; times <= 3; times++)
		for (owners = 1; owners <= 64; owners = owners == 2 ? 8 : owners == 8 ? 64 : owners * 2) {
			printf "%dx,%d", times, owners
			for (j = 1; j <= n; j++)
				printf " %s", keeps[c[j], times, owners]
			print ""
		}
}' "$here/results/flood.csv" >"$build/flood"

command -v gnuplot >/dev/null || { echo "study.sh: no gnuplot: no plots" >&2; exit 0; }
gnuplot -e "data='$build'; out='$docs'" "$here/plots.gp"
# What checkpatch would complain about
sed -i 's/[ \t]*$//' "$docs"/kcr-policy-*.svg
