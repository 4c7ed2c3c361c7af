#!/bin/bash
# SPDX-License-Identifier: MIT
#
# PRO-1 to PRO-6: no socket of ours sends a packet before a plugin vouched for
# it.  A counter in the gateway's namespace sees every packet that leaves
# without the mark.

. "$(dirname "$0")/lib.sh"
need nft python3 ping dig
world_up
peer="$HERE/peer.py"
server 7 "$peer" echo 7
server 53/udp "$HERE/dnspeer.py" server $SRV4 $SRV6 53 "$TMP/queries"
mark=0x736c
sock=$TMP/protect

# Packets that sockets of the gateway make: no RST of the kernel's own, no
# neighbour discovery.
gw nft -f - <<END || skip_all "no nft here"
table inet audit {
	counter marked { }
	counter unmarked { }
	chain out {
		type filter hook output priority 0
		oifname != "veth0" accept
		tcp flags rst accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert,
			nd-router-solicit, mld-listener-report,
			mld2-listener-report } accept
		icmp type { destination-unreachable } accept
		icmpv6 type { destination-unreachable } accept
		meta mark $mark counter name marked accept
		counter name unmarked
	}
}
END

packets() # marked|unmarked
{
	gw nft list counter inet audit "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

forget()
{
	gw nft reset counters >/dev/null
}

# Something of everything that makes sockets.
traffic()
{
	same "$1: TCP" "$(cli "$peer" many $SRV 7 20)" "bad 0"
	same "$1: UDP" "$(cli "$peer" udp $SRV 7 700)" same
	check "$1: ping" cli ping -c 2 -i 0.2 -W 2 $SRV
	check "$1, PRO-4: DNS" \
		cli dig +tries=1 +timeout=5 "@$SRV" "$RANDOM.test"
	check "$1, PRO-4: DNS over TCP" \
		cli dig +tcp +tries=1 +timeout=5 "@$SRV" "$RANDOM.test"
}

nothing_unmarked()
{
	same "$1: no packet without a mark" "$(packets unmarked)" 0
	check "$1: and some with one" test "$(packets marked)" -gt 50
}

# --- protect-mark ---

forget
CASE="protect-mark"
dns="chain.dns=dns-upstream dns-upstream.server=udp://$SRV4"
# shellcheck disable=SC2086 # two words
if sluice_start $dns; then
	each_family traffic PRO-1
	# PRO-3: until the last socket is closed
	bg ip netns exec "$NS_CLI" "$peer" many $SRV4 $SRV6 7 100000
	sleep 1
	load=$BG
	sluice_stop && pass "PRO-3: it stops under load"
	stop "$load"
	nothing_unmarked PRO-3
fi

# --- protect-unix ---

protector() # MODE
{
	[[ -z ${protector_pid:-} ]] || stop "$protector_pid"
	: >"$TMP/protector.log"
	ip netns exec "$NS_GW" "$HERE/protector.py" "$sock" "$1" $mark \
		>"$TMP/protector.log" 2>&1 </dev/null &
	protector_pid=$!
	JOBS+=("$protector_pid")
	wait_for 5 test -S "$sock"
}

with_unix()
{
	# shellcheck disable=SC2086 # two words
	sluice_start $dns chain.protect=protect-unix \
		protect-unix.path="$sock"
}

CASE="protect-unix"
forget
protector yes
if with_unix; then
	each_family traffic PRO-1
	nothing_unmarked PRO-1
	same "PRO-1, PRO-4: each came unconnected, also to DNS servers" \
		"$(grep -c '^bad' "$TMP/protector.log")" 0
	check "PRO-1: streams and datagrams, both families" test "$(sort -u \
		"$TMP/protector.log" | wc -l)" -ge 4
	sluice_stop
fi

# Nothing may leave, and the app hears at once.
nothing_leaves()
{
	local before answer

	before=$(($(packets marked) + $(packets unmarked)))
	took cli "$peer" connect $SRV 7 >"$TMP/answer"
	answer=$(cat "$TMP/answer")
	check "$1: TCP is refused ($answer)" test "$answer" != connected
	check "$1: in no time" test "$TOOK" -lt "$2"
	check "$1: UDP is not sent" \
		test "$(cli "$peer" udp $SRV 7 100)" != same
	check "$1: DNS fails, and says so" fails_dns
	check "$1: ping gets nowhere" not cli ping -c 1 -W 2 $SRV
	same "$1: no packet left" \
		"$(($(packets marked) + $(packets unmarked)))" "$before"
}

not() { ! "$@"; }

fails_dns()
{
	local out
	out=$(cli dig +tries=1 +timeout=7 "@$SRV" "$RANDOM.test")
	echo "$out"
	grep -q "status: SERVFAIL" <<<"$out"
}

for mode in no vanish; do
	CASE="protector $mode"
	protector $mode
	if with_unix; then
		each_family nothing_leaves PRO-2 900
		check "PRO-2: the log says why" \
			logged 'protect-unix: .*(answered no|closed without)'
		sluice_stop
	fi
done

CASE="no protector"
stop "$protector_pid"
rm -f "$sock"
if with_unix; then
	each_family nothing_leaves PRO-2 900
	check "PRO-2: the log says why" logged 'protect-unix.*No such file'
	sluice_stop
fi

# The loop goes on while the protector sleeps: the gateway answers ping.
beside_a_sleeper()
{
	bg ip netns exec "$NS_CLI" "$peer" connect $SRV 7
	sleep 0.1
	check "PRO-6: other work goes on meanwhile" \
		cli ping -c 3 -i 0.1 -W 0.3 $SELF
}

CASE="protector never"
protector never
if with_unix; then
	each_family nothing_leaves PRO-6 1500
	each_family beside_a_sleeper
	check "PRO-6: the log says why" logged 'did not answer in time'
	sluice_stop
fi

# --- no protector at all ---

CASE="empty chain"
out=$(gw "$SLUICE" check -c "$TMP/sluice.ini" -o chain.protect= 2>&1)
status=$?
same "PRO-5: is refused at the start" $status 78
matches "PRO-5: and told how to allow it" "$out" 'unprotected = allow'
if sluice_start chain.protect= gateway.unprotected=allow; then
	same "PRO-5: unless it is allowed in words" \
		"$(cli "$peer" many $SRV4 $SRV6 7 5)" "bad 0"
	check "PRO-1: the counter sees packets without a mark" \
		test "$(packets unmarked)" -gt 50
	sluice_stop
fi
