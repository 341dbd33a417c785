#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks tier.pml exhaustively, and that leaving out any barrier is found. TAP.
# Needs spin and a C compiler.
set -eu

model=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)/tier.pml
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
scenes="1 2 3 4 5"
number=0
failed=0

# Explores a scene; prints "ok", "violation" or what went wrong
explore()
{
	(
		mkdir -p "$dir/run"
		cd "$dir/run"
		if spin -a -DSCENE="$1" ${2:+-D$2} "$model" >spin.log 2>&1 &&
			${CC:-cc} -w -O1 -DSAFETY -DCOLLAPSE -o pan pan.c >cc.log 2>&1; then
			./pan -m100000 >pan.log 2>&1 || :
		fi
		if ! [ -e pan.log ]; then
			echo "cannot build: $(cat ./*.log | head -n 1)"
		elif grep -q 'search not completed\|max search depth too small' pan.log &&
			! grep -q 'errors: 1' pan.log; then
			echo "incomplete"
		elif grep -q 'errors: 0' pan.log; then
			echo "ok"
		elif grep -q 'assertion violated' pan.log; then
			echo "violation"
		elif grep -q 'invalid end state' pan.log; then
			echo "deadlock"
		else
			echo "no result: $(head -n 1 pan.log)"
		fi
		cd "$dir"
		rm -rf run
	)
}

report()
{
	number=$((number + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $number - $3"
	else
		failed=1
		echo "not ok $number - $3"
		echo "# scene(s) $4: $1"
	fi
}

# A barrier taken away: some scene must show it
mutant()
{
	result=ok
	for scene in $scenes; do
		result=$(explore "$scene" "$1")
		[ "$result" = ok ] || break
	done
	report "$result" violation "violation without $2" "$scenes"
}

echo "TAP version 13"
for scene in $scenes; do
	report "$(explore "$scene" "")" ok "tier model, scene $scene" "$scene"
done
mutant NO_ACQUIRE "acquire on a reader's first load of the sequence"
mutant NO_RMB "smp_rmb() before the sequence is loaded again"
mutant NO_RECHECK "the second look at the sequence"
mutant ODD_ACCEPTED "refusing odd sequences"
mutant ACQUIRE_CMPXCHG "a fully ordered cmpxchg"
mutant NO_RELEASE "release on the even store"
mutant EARLY_STAMP "the owner's stamp loaded after the cmpxchg"
mutant STORED_LATE "the stored flag before the cmpxchg"
mutant NO_XCHG "a fully ordered xchg of the stamp"
mutant NO_SWEEP_ACQUIRE "acquire on the sweep's load of the sequence"
mutant NO_WAIT "the sweep's waiting for writers"
mutant NO_RECHECK_FOLLOW "the sequence checked before a pointer is followed"
mutant NO_RECHECK_COPY "the sequence checked after a blob was copied"
mutant NO_RMB_COPY "smp_rmb() after a blob was copied"
mutant NO_RCU "a grace period before a blob is freed"
echo "1..$number"
exit $failed
