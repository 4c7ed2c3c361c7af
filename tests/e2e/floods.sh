#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Floods, each with a good app beside it (T2 to T8, T11): it keeps four fifths
# of what it gets while as many packets go elsewhere, so that the processor's
# share is the same; and memory and descriptors come back
#
# FULL=1 (make floods): as long as the threat model says, and the figures.

. "$(dirname "$0")/lib.sh"
FLOOD=${FLOOD:-${SLUICE%/*}/tests/e2e/flood}
need python3
[[ -x $FLOOD ]] || skip_all "no $FLOOD"
! "$SLUICE" plugins tcp-forward 2>/dev/null | grep -q 'built in' ||
	skip_all "where plugins are shared the same packets meet the same code"
world_up
server 7 "$HERE/peer.py" echo 7

FULL=${FULL:-}
SECONDS_EACH=${SECONDS_EACH:-$((${FULL:+14} + 1))}
BITS=50e6
TRIES=3

# Where floods go that only cost: nobody there takes them.
ip -n "$NS_CLI" link add waste0 type veth peer name waste1
ip -n "$NS_CLI" link set waste0 up arp off
ip -n "$NS_CLI" link set waste1 up arp off

# of NAME: NAME4 or NAME6
of() { local v=$1$F; echo "${!v}"; }
ANY4=198.18.0.0/65536 ANY6=2001:db8::/65536
CROWD4=10.0.0.16/200 CROWD6=fd00:736c::1:0/60000
OTHER4=10.0.0.250 OTHER6=fd00:736c::250
SECOND4=10.99.0. SECOND6=fd99::
FOREIGN4=172.16.0.0/65536 FOREIGN6=2001:db8:1::/65536

flood() { ip netns exec "$NS_CLI" "$FLOOD" "$@"; }
good() { cli "$HERE/good.py" "$SECONDS_EACH" $BITS "$SRV" 7 9; }

# The good app while FLOOD... runs: what it got into GOT.
beside()
{
	local pid
	flood "$@" >"$TMP/flood.out" 2>&1 &
	pid=$!
	GOT=$(good 2>&1)
	wait $pid
}

# figure N TEXT: the Nth word of it, 0 if there is none
figure()
{
	awk -v n="$1" '{ v = $n + 0 } END { print v + 0 }' <<<"$2"
}

# Does GOT have four fifths of WANT?
enough()
{
	local i
	for i in 2 4 6; do
		(($(figure $i "$WANT") > 0)) || return 1
		(($(figure $i "$GOT") * 5 >= $(figure $i "$WANT") * 4)) ||
			return 1
	done
}

# keeps NAME KIND SRC DST PORT RATE: the good app has enough
keeps()
{
	local name=$1 i cpu
	shift

	for ((i = 0; i < TRIES; i++)); do
		# Short: one measure for all, until something looks wrong.
		if [[ -n $FULL || -z $WANT ]] || ((i)); then
			beside waste0 "$@" $SECONDS_EACH.5
			WANT=$GOT
		fi
		cpu=$(sluice_cpu)
		beside tun0 "$@" $SECONDS_EACH.5
		cpu=$((($(sluice_cpu) - cpu) / SECONDS_EACH / 10))
		[[ -z $FULL ]] || diag "$name, $CASE: $(tail -n 1 \
			"$TMP/flood.out"), want $WANT, got $GOT," \
			"RSS $(sluice_rss) KiB, $(sluice_fds) descriptors," \
			"CPU $cpu %"
		! enough || break
	done
	if enough; then
		pass "$name"
	else
		fail "$name" "want $WANT, got $GOT, CPU $cpu %, $(limits)"
	fi
}

# CPU time of the gateway in ms
sluice_cpu()
{
	awk -v hz="$(getconf CLK_TCK)" \
		'{ print int(($14 + $15) * 1000 / hz) }' \
		"/proc/$SLUICE_PID/stat"
}

# What was refused, and why.
limits()
{
	counter drop_limit >/dev/null
	sed -n 's/.*counter \(limit_[a-z]* [0-9]*\).*/\1/p;
		s/.*counter \(flow_evicted[a-z_]* [0-9]*\).*/\1/p' \
		"$TMP/sluice.log" | tail -n 7 | tr '\n' ' '
}

floods()
{
	WANT=
	keeps "T2: 100,000 SYNs a second from its own address, refused" \
		syn "$APP" "$(of ANY)" 0 100000
	keeps "T2: the same to nobody, from many addresses" \
		syn "$(of CROWD)" "$HOLES/100" 0 100000
	keeps "T4: 100,000 new sessions a second from one address" \
		udp "$(of OTHER)" "$(of ANY)" 9 100000
	keeps "T4: the same from its own" udp "$APP" "$(of ANY)" 9 100000
	keeps "T4: the same from many" udp "$(of CROWD)" "$(of ANY)" 9 100000
	keeps "T6: 100,000 first fragments a second" \
		frag "$(of OTHER)" "$SRV" 7 100000
	keeps "T7: single bytes out of order, in 100 connections" \
		bytes "$(of OTHER)" "$SRV" 20 100
	keeps "T11: 100,000 SYNs a second from foreign addresses" \
		syn "$(of FOREIGN)" "$SRV" 7 100000
}

# connect_ms COMMAND... HOST PORT: how long a connect takes, in the namespace
# of the command
connect_ms()
{
	"$1" python3 - "$2" "$3" <<-'EOF_PY'
		import socket, sys, time
		start = time.monotonic()
		socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
		print(int((time.monotonic() - start) * 1000))
	EOF_PY
}

# 5,000 SYNs to many that never answer; then one to somebody who was never
# asked before.
dead()
{
	local i second direct through

	for i in 3 4; do
		second=$(of SECOND)$i
		flood tun0 syn "$APP" "$HOLES/100" 0 5000 1 >/dev/null
		counter tcp_open >"$TMP/waiting"
		through=$(connect_ms cli "$second" 7)
		direct=$(connect_ms gw "$second" 7)
		((through > direct + 50)) || break
	done
	check "T3: 5,000 dead destinations take what they may" \
		test "$(<"$TMP/waiting")" -gt 500
	check "T3: another waits 50 ms at most ($through, direct $direct)" \
		test "$through" -le $((direct + 50))
}

# slow_ones read|write: connections whose other end does nothing, a thousand in
# full length
slow_ones()
{
	local n=$((${FULL:+700} + 300)) said pid
	coproc SLOW { cli "$HERE/slow.py" "$1" "$SRV" 20 $n 2>&1; }
	pid=$SLOW_PID
	read -r -u "${SLOW[0]}" -t 100 said
	same "T8: $n slow ones, $1" "$said" "open $n"
	MOST=$(sluice_rss)
	same "T8: others are served beside them" \
		"$(cli "$HERE/peer.py" many "$SRV" 7 20)" "bad 0"
	exec {SLOW[1]}>&-
	read -r -u "${SLOW[0]}" -t 100 said
	[[ $1 == write ]] ||
		same "T8: what was sent is there when they wake" "$said" "read $n"
	wait $pid
}

is_base() { (($(sluice_fds) <= $1)); }

# Everything that is over is given back: descriptors, then memory.
back()
{
	check "T5: descriptors are as before" wait_for 60 is_base "$FDS"
	check "T2: and memory ($RSS KiB at first)" \
		wait_for 30 sluice_rss_below $((RSS + 8192))
}

one_family()
{
	dead
	floods
	slow_ones read
	slow_ones write
}

with_offload()
{
	FDS=$(sluice_fds) RSS=$(sluice_rss)
	each_family one_family
	back
}

# As many descriptors as some systems give: the gateway lives, what was there
# stays, and there is nothing left over.
few()
{
	local fds before
	fds=$(sluice_fds)
	mkfifo "$TMP/held"
	bg bash -c "exec ip netns exec $NS_CLI '$HERE/peer.py' \
		hold $SRV4 7 40 <>'$TMP/held'"
	wait_for 20 counted tcp_open 40
	cli "$HERE/slow.py" read "$SRV4" 20 2000 </dev/null >"$TMP/few.out" 2>&1
	check "T5: 2,000 connects with 256 descriptors are refused, counted" \
		counted limit_places 1500
	matches "T5: as many as there are places get in" "$(<"$TMP/few.out")" \
		"^open (7|8)[0-9]"
	check "T5: what was open stays so" kill -0 "$BG"
	flood tun0 udp "$OTHER4" "$ANY4" 9 20000 1 >/dev/null
	flood tun0 syn "$OTHER4" "$HOLES4/100" 0 20000 1 >/dev/null
	same "T5: a new one gets in" \
		"$(cli "$HERE/peer.py" many $SRV4 7 5)" "bad 0"
	before=$(sluice_cpu)
	sleep 1
	check "T5: no work goes on" test $(($(sluice_cpu) - before)) -lt 50
	stop "$BG"
	check "T5: descriptors are as before" wait_for 60 is_base "$fds"
}

server 20 "$HERE/slow.py" serve 20
ulimit -n 16384
OFFLOAD=${OFFLOAD:-on} each_offload with_offload gateway.log-level=info \
	tcp-forward.connect-timeout=2s udp-forward.idle-timeout=2s
printf '#!/bin/sh\nulimit -n 256\nexec "%s" "$@"\n' "$SLUICE" >"$TMP/few"
chmod 755 "$TMP/few"
SLUICE=$TMP/few
OFFLOAD=on each_offload few gateway.log-level=info \
	tcp-forward.connect-timeout=2s udp-forward.idle-timeout=2s
