#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Records the keys that the demo looks up: runs in the guest, prints a trace for
# kcr-policy on stdout.
#
#	./kcr boot --no-build -- sh $PWD/tools/testing/kcr/policy/record.sh \
#		$PWD/build/tool/guest/demo/kcr-demo [ARGUMENTS] >traces/NAME.trace
set -eu

trace=/sys/kernel/tracing
[ -e "$trace/events/kcr" ] || mount -t tracefs tracefs "$trace"
# Room for some 600,000 events
echo 65536 >"$trace/buffer_size_kb"
echo nop >"$trace/current_tracer"
for event in kcr_hit kcr_miss kcr_invalidate; do
	echo 1 >"$trace/events/kcr/$event/enable"
done
# Requests that a site bypasses leave no trace
for bypass in /sys/kernel/kcr/sites/*/bypass; do
	[ ! -e "$bypass" ] || echo never >"$bypass"
done
taskset 1 "$@" >/dev/null
echo 0 >"$trace/tracing_on"

# Fingerprints become numbers in the order of their first appearance. A word is
# FIRST-LAST: consecutive numbers; a line is a site's run. "forget" is where the
# owner of what was stored last goes away: the demo has one after the other.
awk '
function flush() {
	if (first != "")
		printf "%s%s", separator, first == last ? first : first "-" last
	separator = " "
	first = ""
}
/ kcr_(hit|miss): / {
	match($0, /site=[^ ]*/)
	site = substr($0, RSTART + 5, RLENGTH - 5)
	match($0, /fingerprint=[0-9a-f]*/)
	key = substr($0, RSTART + 12, RLENGTH - 12)
	match($0, /body_len=[0-9]*/)
	kind = substr($0, RSTART + 9, RLENGTH - 9) + 0 > 80 ? "blob" : "inline"
	if (!(key in number))
		number[key] = count++
	n = number[key]
	if (site " " kind != line) {
		flush()
		printf "%s%s %s:", line == "" ? "" : "\n", site, kind
		line = site " " kind
	}
	if (first != "" && n == last + 1) {
		last = n
		next
	}
	flush()
	first = last = n
}
/ kcr_invalidate: / && !/old=0 / && line ~ / / {
	flush()
	printf "\nforget"
	line = "forget"
}
END { flush(); print "" }
' "$trace/trace"
