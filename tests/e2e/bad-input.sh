#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bad-input.sh - files, rights and limits that are not enough: one line that
# says what, where and what to do, the status, and nothing left half set up
#
# More of it: run.sh (names, devices in use, no driver), exec.sh (no user
# namespaces), tests/conf (mistakes in a file).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv unshare prlimit
world_up
# A copy, so that its processes are told from those of other tests.
cp "$SLUICE" "$TMP/sluice"
SLUICE=$TMP/sluice
device=bad$$

# What is not there in bad times: the device, wherever it could be, processes,
# mounts.
left_over()
{
	local ns

	for ns in "$NS_CLI" "$NS_GW"; do
		ip -n "$ns" -o link | awk '{ print $2 }'
		ip netns pids "$ns"
	done
	find /proc/[0-9]*/exe -lname "$SLUICE" 2>/dev/null
	awk '{ print $5 }' /proc/self/mountinfo | grep -v /run/netns
}

same_left_over()
{
	[[ $(left_over) == "$BEFORE" ]]
}

# refused NAME STATUS PATTERN COMMAND...
refused()
{
	local name=$1 want=$2 pattern=$3 out got=0
	shift 3

	out=$("$@" 2>&1 </dev/null) || got=$?
	same "$name: the status" "$got" "$want"
	matches "$name: says so" "$out" "$pattern"
	same "$name: in one line" "$(wc -l <<<"$out")" 1
	check "$name: nothing is left" wait_for 2 same_left_over
}

nobody()
{
	gw setpriv --reuid=65534 --regid=65534 --clear-groups \
		--inh-caps=-all "$@"
}

# As nobody, who may open /dev/net/tun, as on a stock Debian.
nobody_with_tun()
{
	gw unshare -m bash -c '
		mount -t tmpfs none "$1" && mknod -m 666 "$1/tun" c 10 200 &&
			mount --bind "$1/tun" /dev/net/tun || exit 99
		shift
		exec setpriv --reuid=65534 --regid=65534 \
			--clear-groups --inh-caps=-all "$@"' sh "$TMP/dev" "$@"
}

run()
{
	"${WHO[@]}" "$SLUICE" run -o "tun.name=$device" "$@"
}

x()
{
	"${WHO[@]}" "$SLUICE" exec "$@" -- true
}

check_only()
{
	"${WHO[@]}" "$SLUICE" check "$@"
}

# --- files --------------------------------------------------------------------

files()
{
	local command

	echo '[tun]' >"$TMP/secret.ini"
	chmod 600 "$TMP/secret.ini"
	for command in run x check_only; do
		WHO=(nobody)
		refused "a file that may not be read, $command" 78 \
			"$TMP/secret.ini: Permission denied" \
			$command -c "$TMP/secret.ini"
		WHO=(gw)
		refused "a folder as file, $command" 78 \
			"$TMP: Is a directory" $command -c "$TMP"
		printf '[tun]\nmtu = 1500\nmtuu = 9\n' >"$TMP/typo.ini"
		refused "a wrong key in a file, $command" 78 \
			"$TMP/typo.ini:3: .*mtuu.*mtu" \
			$command -c "$TMP/typo.ini"
		refused "no number, $command" 78 \
			"-o tun.mtu: 'abc' is no number" $command -o tun.mtu=abc
		refused "a number too large, $command" 78 \
			'-o tun.mtu: 70000 is above 65535' \
			$command -o tun.mtu=70000
		refused "no address, $command" 78 \
			'-o tun.address: .*is no prefix like' \
			$command -o tun.address=10.0.0.1/40
		refused "no setting at all, $command" 78 \
			'-o tun: is not section.key=value' $command -o tun
	done
}

# --- rights ---------------------------------------------------------------------

rights()
{
	WHO=(nobody_with_tun)
	refused "no right to make a device" 1 \
		"no permission to make the device $device: run as root" run
	ip -n "$NS_GW" tuntap add other0 mode tun user 1
	BEFORE=$(left_over)
	refused "a device of another user" 1 \
		'device other0 belongs to another user: run as that user' \
		run -o tun.name=other0
	ip -n "$NS_GW" link del other0
	BEFORE=$(left_over)
	WHO=(gw)
	refused "a descriptor that is not open" 1 \
		'\[tun\] fd = 99 is no open descriptor' run -o tun.fd=99
	WHO=(nobody)
	refused "a namespace of root's" 1 \
		"network namespace \"$NS_CLI\": .*run as root" \
		run -o "tun.netns=$NS_CLI"
}

# --- limits ---------------------------------------------------------------------

limits()
{
	local n status

	# What make hands down, for its jobs, would count.
	cat >"$TMP/bare" <<-'EOF_SH'
		#!/bin/bash
		for fd in /proc/$$/fd/*; do
			fd=${fd##*/}
			((fd <= 2)) || eval "exec $fd>&-"
		done
		exec "$@"
	EOF_SH
	chmod +x "$TMP/bare"
	# Each is short of another thing.
	for n in 4 5 6; do
		WHO=(gw "$TMP/bare" timeout 5 prlimit "--nofile=$n")
		refused "$n descriptors, run" 1 'ulimit (-v, )?-n' run
	done
	for n in 4 6 8; do
		WHO=(gw "$TMP/bare" timeout 5 prlimit "--nofile=$n")
		refused "$n descriptors, exec" 125 'ulimit (-v, )?-n' x
	done
	WHO=(gw prlimit --nofile=16)
	status=0
	x >"$TMP/out" 2>&1 || status=$?
	same "16 descriptors are enough for exec" "$status $(cat "$TMP/out")" \
		"0 "
	WHO=(nobody prlimit --nproc=0)
	refused "no more processes, exec" 125 \
		'exec: no more processes allowed: .*ulimit -u' x
	WHO=(gw)
	for n in 10 12 16 20 24; do
		memory $n
	done
}

# With n MiB it works, or says why not; but it does not crash.
memory()
{
	local status=0

	prlimit --as=$(($1 << 20)) "$SLUICE" exec -- true \
		>"$TMP/out" 2>&1 </dev/null || status=$?
	matches "$1 MiB of memory: no crash" "$status" '^(0|78|125|127)$'
	check "$1 MiB: no stack of lines" test "$(wc -l <"$TMP/out")" -le 3
	check "$1 MiB: nothing is left" wait_for 2 same_left_over
}

mkdir "$TMP/dev"
BEFORE=$(left_over)
files
rights
# A sanitizer needs descriptors and memory of its own.
if sanitized; then
	skip "too little of everything" "this build has its sanitizers"
else
	limits
fi
