#!/bin/bash
# SPDX-License-Identifier: MIT
#
# UDP through the gateway: sizes, errors, mapping and filtering, idle times
# (UDP-1 to UDP-7)

. "$(dirname "$0")/lib.sh"
need python3
world_up

peer="$HERE/peer.py" udp="$HERE/datagrams.py"

for port in 7 443 123 5353; do
	server $port/udp "$peer" echo $port
done
server 8/udp "$peer" who 8
server 9001/udp "$udp" others 9001 9002
server 9003/udp "$udp" count 9003
server 9005/udp "$udp" blast 9005

# A path that is narrower than the TUN.
ip -n "$NS_GW" route add 198.18.5.0/24 via $SRV4 mtu 1300
ip -n "$NS_GW" -6 route add 2001:db8:5::/48 via $SRV6 mtu 1300
NARROW4=198.18.5.1 NARROW6=2001:db8:5::1
SECOND4=10.99.0.3 SECOND6=fd99::3

# Two hops behind the gateway, were there a third.
ip -n "$NS_SRV" route add 203.0.113.64/26 via $GW4
ip -n "$NS_SRV" -6 route add fd99:beef::/48 via $GW6
FAR4=203.0.113.65 FAR6=fd99:beef::1

dgram() { cli "$udp" "$@"; }

# code V4 V6: that of the family
code() { ((F == 4)) && echo "$1" || echo "$2"; }

# of NAME: NAME4 or NAME6
of() { local v=$1$F; echo "${!v}"; }

plain()
{
	local port

	for port in 7 443 123 5353; do
		same "UDP-1: an answer from port $port" \
			"$(dgram sizes $SRV $port 10)" same
	done
	same "UDP-4: datagrams of all sizes, both ways" "$(dgram sizes $SRV 7 \
		0 1 1000 1452 1453 1472 1473 2048 4000 9000 20000 65000 65507)" same
	same "UDP-1: forty in one send come back one by one" \
		"$(dgram gso $SRV 7 40 1200)" "40 in order"
	same "UDP-1: small ones too" "$(dgram gso $SRV 7 60 20)" "60 in order"
	same "UDP-1: a burst from the net, joined on the way" \
		"$(dgram fetch $SRV 9005 2000 1200)" "2000 in order"
	same "UDP-1: one of datagrams that need fragments" \
		"$(dgram fetch $SRV 9005 100 3000)" "100 in order"
	same "UDP-6: two destinations see one port" \
		"$(dgram mapped 8 $SRV "$(of SECOND)")" "one port"
	same "UDP-6: another port may answer" \
		"$(dgram heard $SRV 9001 port)" "$SRV 9002"
	same "UDP-6: another address may answer" \
		"$(dgram heard $SRV 9001 addr)" "$(of SECOND) 9001"
	if ((F == 4)); then
		same "UDP-1: a datagram without a checksum" \
			"$(dgram nosum $SRV 7)" unsummed
	fi
}

errors()
{
	same "R10: a closed port says so, from its own address" \
		"$(dgram error $SRV 99)" "$(code 3/3 1/4) $SRV"
	matches "R10: an unreachable host says so" \
		"$(dgram error $UNREACH 99)" "$(code "^3/1 $SRV" "^1/0 fd99::.$")"
	matches "R10: a prohibited one too" "$(dgram error $PROHIBIT 99)" \
		"$(code "^3/13 $SRV" "^1/1 fd99::.$")"
	same "R10: and nobody is silent" \
		"$(dgram error $HOLE 99 wait=0.3)" silence
	same "R10: nobody listens at the gateway itself" \
		"$(dgram error $SELF 99)" "$(code 3/3 1/4) $SELF"
	same "R23: a TTL of 1 ends at the gateway" \
		"$(dgram error $SRV 7 ttl=1)" "$(code 11/0 3/0) $SELF"
	same "R23: one of 2 reaches the server" \
		"$(dgram error $SRV 7 ttl=2)" answer
	matches "R23: one of 2 ends at a router behind" \
		"$(dgram error "$(of FAR)" 99 ttl=2)" \
		"$(code "^11/0 $SRV" "^3/0 fd99::.$")"
	same "R11: too big for the path, and whole: the MTU is told" \
		"$(dgram error "$(of NARROW)" 7 df=1 size=1400)" \
		"$(code 3/4 2/0) $SELF 1300"
	same "R11: too big, and may be cut: it arrives" \
		"$(dgram error "$(of NARROW)" 7 df=0 size=$(code 1400 5000))" \
		answer
	same "R11: larger than any MTU: it arrives" \
		"$(dgram error "$(of NARROW)" 7 df=0 size=9000)" answer
}

targets()
{
	local before
	before=$(counter drop_target)
	dgram error 239.1.2.3 7 wait=0.1 >/dev/null
	check "UDP-1: multicast is not forwarded, and counted" \
		counted drop_target $((before + 1))
}

all()
{
	each_family plain
	each_family errors
	targets
}

each_offload all

# --- the plugin's options, and what they are for ---

strict()
{
	same "UDP-6: filtering by port: another port is not heard" \
		"$(dgram heard $SRV 9001 port)" silence
	same "UDP-6: nor another address" \
		"$(dgram heard $SRV 9001 addr)" silence
	same "UDP-6: who was asked is heard" \
		"$(dgram heard $SRV 9001 none)" "$SRV 9001"
	same "UDP-6: a pair has its own port" \
		"$(dgram mapped 8 $SRV "$(of SECOND)")" "2 ports"
	same "UDP-7: a dropped port is refused at once" \
		"$(dgram error $SRV 443)" "$(code 3/3 1/4) $SRV"
	same "UDP-7: the others are not" "$(dgram sizes $SRV 7 10)" same
}

relaxed()
{
	same "UDP-6: filtering by address: its other port is heard" \
		"$(dgram heard $SRV 9001 port)" "$SRV 9002"
	same "UDP-6: another address is not" \
		"$(dgram heard $SRV 9001 addr)" silence
}

only_auto() { OFFLOAD=on each_offload "$@"; }

strict_all() { each_family strict; }
only_auto strict_all udp-forward.filtering=port udp-forward.mapping=pair \
	"udp-forward.drop-ports=443 80"

relaxed_all() { each_family relaxed; }
only_auto relaxed_all udp-forward.filtering=address

# One second stands for the sixty of a user.
idle()
{
	same "UDP-3: a one-way sender keeps its port" \
		"$(dgram sent $SRV 9003 12 0.25)" "12 datagrams from 1 ports"
	same "UDP-2: answers alone keep a session" \
		"$(dgram alive $SRV 9005 12 0.25)" "12 word"
	check "UDP-2: silence ends it" wait_for 3 counted udp_open 0 0
}

idle_all() { each_family idle; }
only_auto idle_all udp-forward.idle-timeout=1s

# --- many ---

many()
{
	local before n=2000 rss said

	ulimit -n 8192
	before=$(sluice_rss)
	coproc HELD { cli "$udp" sessions $SRV4 7 $n; }
	read -r -u "${HELD[0]}" -t 60 said
	same "UDP-5: $n sessions at once" "$said" "good $n"
	check "UDP-5: each has its socket" counted udp_open $n $n
	rss=$(sluice_rss)
	check "UDP-5: below 1 KiB each in the gateway ($before to $rss KiB)" \
		test $(((rss - before) * 1024 / n)) -lt 1024
	exec {HELD[1]}>&-
	wait "$HELD_PID"
}

few()
{
	local said

	coproc HELD { cli "$udp" sessions $SRV4 7 60 2>&1 | tail -n 1; }
	read -r -u "${HELD[0]}" -t 60 said
	same "UDP-5: what is beyond the limit is refused" "${said%% *}" good
	check "UDP-5: and counted" counted drop_limit 1
	exec {HELD[1]}>&-
	wait "$HELD_PID" 2>/dev/null
	same "UDP-5: others live on" "$(cli "$peer" connect $SRV4 7)" connected
}

ulimit -n 8192
# a sanitizer's memory is not ours
if ! grep -aq __asan_init "$SLUICE"; then
	OFFLOAD=on each_offload many gateway.max-flows=20000
fi

host_loopback()
{
	same "TUN-2: host-loopback leads to this host's loopback" \
		"$(dgram sizes "$(code 10.0.0.77 fd00:736c::77)" 7007 10 3000)" same
	same "R10: a closed port there says so, as the app knows it" \
		"$(dgram error "$(code 10.0.0.77 fd00:736c::77)" 99)" \
		"$(code "3/3 10.0.0.77" "1/4 fd00:736c::77")"
}

bg ip netns exec "$NS_GW" "$peer" echo 7007
wait_port gw 7007/udp
host_all() { each_family host_loopback; }
only_auto host_all "tun.host-loopback=10.0.0.77 fd00:736c::77"
