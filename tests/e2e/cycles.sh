#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cycles.sh - hundreds of starts and ends, good and violent, of "run" and
# "exec", leave no namespace, process, mount, device, rule, route or file

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need unshare
world_up
# A copy, so that its processes are told from those of other tests.
cp "$SLUICE" "$TMP/sluice"
SLUICE=$TMP/sluice
mkdir "$TMP/tmp"
export TMPDIR=$TMP/tmp XDG_RUNTIME_DIR=$TMP/tmp

# All that could be left over, one thing a line.
there_is()
{
	local ns

	for ns in "$NS_CLI" "$NS_GW"; do
		ip -n "$ns" -o link
		ip -n "$ns" -o addr
		ip -n "$ns" route show table all
		ip -n "$ns" -6 route show table all
		ip -n "$ns" rule
		ip -n "$ns" -6 rule
		ip netns pids "$ns"
	done
	find /proc/[0-9]*/exe -lname "$SLUICE" 2>/dev/null
	awk '{ print $5 }' /proc/self/mountinfo | grep -v /run/netns
	ls -A "$TMPDIR"
}

as_before()
{
	[[ $(there_is) == "$BEFORE" ]]
}

nothing_left()
{
	check "$1: nothing is left" wait_for 5 as_before
	as_before || diag "$(diff <(echo "$BEFORE") <(there_is))"
}

# starts SIGNAL N: bad ends on stdout
starts()
{
	local i

	for ((i = 0; i < $2; i++)); do
		sluice_start || return
		if [[ $1 == TERM ]]; then
			sluice_stop
		else
			kill -KILL "$SLUICE_PID"
			wait "$SLUICE_PID" 2>/dev/null
			SLUICE_PID=
		fi
	done
}

# In a user namespace that may have 60 of each: what was left over would be
# too many.
few()
{
	unshare -rmpf --mount-proc bash -c '
		for kind in user net mnt pid; do
			echo 60 >/proc/sys/user/max_${kind}_namespaces
		done
		. "$0"' "$@"
}

cat >"$TMP/execs" <<'EOF_SH'
bad=0
for ((i = 0; i < 200; i++)); do
	"$1" exec -- true </dev/null || ((++bad))
done
for ((i = 0; i < 250; i++)); do
	all=(/proc/[0-9]*)
	((${#all[@]} > 1)) || break
	sleep 0.02
done
echo "$bad bad, ${#all[@]} process"
EOF_SH

# At any moment: from before there is a namespace until the command runs.
cat >"$TMP/kills" <<'EOF_SH'
for ((i = 0; i < 60; i++)); do
	"$1" exec -- sleep 1000 </dev/null &
	pid=$!
	sleep "0.0$((i % 10))"
	kill -KILL $pid
	wait $pid 2>/dev/null
done
for ((i = 0; i < 250; i++)); do
	set -- $(pgrep -c sluice) $(pgrep -c sleep)
	[[ $* != "0 0" ]] || break
	sleep 0.02
done
echo "$* left"
EOF_SH

BEFORE=$(there_is)
OFFLOAD_NOW=on
failed=$FAILED
starts TERM 100
same "run, 100 times: none failed" $((FAILED - failed)) 0
nothing_left "run, 100 times"
sluice_start && if as_before; then
	fail "what is there is seen"
else
	pass "what is there is seen"
fi
sluice_stop
starts KILL 20
nothing_left "run, 20 times kill -9"

if few /dev/null 2>"$TMP/err"; then
	same "exec, 200 times: all end well, only the shell is left" \
		"$(few "$TMP/execs" "$SLUICE" 2>&1 | tail -n 1)" \
		"0 bad, 1 process"
	nothing_left "exec, 200 times"
	same "exec, 60 times kill -9: no process is left" \
		"$(few "$TMP/kills" "$SLUICE" 2>/dev/null | tail -n 1)" \
		"0 0 left"
	nothing_left "exec, 60 times kill -9"
else
	skip "exec, 200 times" "$(head -n 1 "$TMP/err")"
fi
