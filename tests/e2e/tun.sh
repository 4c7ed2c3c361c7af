#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TUN-1 to TUN-7: the device, its addresses, and what it does not let in

. "$(dirname "$0")/lib.sh"
need curl ping python3
world_up
server 7 "$HERE/peer.py" echo 7
server 8080 python3 -m http.server --bind :: --directory "$HERE" 8080

device_has()
{
	local out
	out=$(ip -n "$NS_CLI" addr show dev tun0)
	grep -q -- "$1" <<<"$out" || {
		echo "$out"
		return 1
	}
}

addresses_are_as_configured()
{
	check "TUN-1: 10.0.0.2/24 is the default" device_has "inet 10.0.0.2/24"
	check "TUN-1: and an IPv6 address" device_has "inet6 fd00:736c::2/64"
	check "TUN-1: MTU 1500 is the default" device_has "mtu 1500 "
	each_family gateway_answers
}

gateway_answers()
{
	check "TUN-1: the gateway address answers ping" \
		cli ping -c 1 -W 2 $SELF
}

other_addresses()
{
	check "TUN-1: another address" device_has "inet 172.31.7.2/24"
	check "TUN-1: MTU 0 means 1500" device_has "mtu 1500 "
	check "TUN-1: another gateway address" cli ping -c 1 -W 2 172.31.7.1
	same "TUN-1: flows from another network" \
		"$(cli "$HERE/peer.py" many $SRV4 7 1)" "bad 0"
}

any_address()
{
	local i list=()
	for ((i = 0; i < 100; i++)); do
		list+=("198.18.$((RANDOM % 256)).$((1 + RANDOM % 254))")
		list+=("$(printf '2001:db8:%x:%x::%x' \
			$RANDOM $RANDOM $RANDOM)")
	done
	same "TUN-2: 200 addresses that nobody set up" \
		"$(cli "$HERE/peer.py" many "${list[@]}" 7 1)" "bad 0"
	same "TUN-2: UDP to one of them" \
		"$(cli "$HERE/peer.py" udp 198.19.77.1 7 50)" same
	same "TUN-2: UDP to one of them, IPv6" \
		"$(cli "$HERE/peer.py" udp 2001:db8:77::1 7 50)" same
}

other_sources()
{
	local udp tcp icmp
	udp=$(counter udp_opened) tcp=$(counter tcp_opened)
	icmp=$(counter icmp_opened)
	cli "$HERE/raw.py" tun0 spoof 20 7
	check "TUN-3: packets of other sources are counted" \
		wait_for 2 counted drop_source 120 120
	same "TUN-3: and nothing else comes of them" \
		"$(counter udp_opened) $(counter tcp_opened)" "$udp $tcp"
	same "TUN-3: no ping session either" "$(counter icmp_opened)" "$icmp"
	# nor do they come to port 53, whose packets have a path of their own
	cli "$HERE/raw.py" tun0 spoof 20 53
	check "TUN-4: questions of other sources are counted" \
		wait_for 2 counted drop_source 240 240
	check "TUN-4: and not answered" counted dns_queries 0 0
	check "TUN-4: IPv6 has its own prefix" \
		cli curl -6 -sfo /dev/null --max-time 5 "http://[$SRV6]:8080/"
}

malformed()
{
	local name n
	cli "$HERE/raw.py" tun0 broken >"$TMP/wanted"
	while read -r name n; do
		check "TUN-5: $name counts what is malformed" \
			wait_for 2 counted "$name" "$n"
	done <"$TMP/wanted"
	same "DNS-13: an unknown option that may be skipped" \
		"$(cli "$HERE/raw.py" tun0 option 0x1e)" "udp $SRV6 5 bytes"
	same "DNS-13: one that drops the packet" \
		"$(cli "$HERE/raw.py" tun0 option 0x5e)" nothing
	same "DNS-13: one that wants an error" \
		"$(cli "$HERE/raw.py" tun0 option 0xde)" "icmp $SELF6 4/2"
	cli "$HERE/raw.py" tun0 noise 20000 ${#OFFLOAD_NOW}
	same "TUN-5: and everything works after noise" \
		"$(cli "$HERE/peer.py" many $SRV4 $SRV6 7 2)" "bad 0"
}

cpu_ms()
{
	awk '{ print ($14 + $15) * 10 }' "/proc/$SLUICE_PID/stat"
}

link_down_and_up()
{
	local before rss fds

	rss=$(sluice_rss) fds=$(sluice_fds)
	server 9001 "$HERE/peer.py" source 9001 2000000000
	bg ip netns exec "$NS_CLI" "$HERE/peer.py" half $SRV4 9001
	sleep 0.3
	ip -n "$NS_CLI" link set tun0 down
	before=$(cpu_ms)
	sleep 1
	check "TUN-6: a device that is down costs no CPU" \
		test $(($(cpu_ms) - before)) -lt 300
	check "TUN-7: what cannot be written is not piled up" \
		sluice_rss_below $((rss + 20000))
	ip -n "$NS_CLI" link set tun0 up
	ip -n "$NS_CLI" route replace default dev tun0
	ip -n "$NS_CLI" -6 route replace default dev tun0
	check "TUN-6: and it works when it is up again" wait_for 5 \
		cli curl -4 -sfo /dev/null --max-time 1 "http://$SRV4:8080/"
	stop "$BG"
	check "TUN-7: no descriptor is left" \
		wait_for 10 eval "((\$(sluice_fds) <= $fds + 2))"
}

with_offload()
{
	addresses_are_as_configured
	any_address
	other_sources
	malformed
	link_down_and_up
}

each_offload with_offload chain.dns=dns-upstream \
	dns-upstream.server=udp://$SRV4:53
each_offload other_addresses tun.address=172.31.7.2/24 \
	tun.gateway=172.31.7.1 tun.mtu=0 tun.routes=0.0.0.0/0

# The device goes away under the gateway: it ends, with a word and a status.
CASE=
if sluice_start; then
	pid=$SLUICE_PID
	ip -n "$NS_CLI" link del tun0
	if wait_for 3 eval "! kill -0 $pid 2>/dev/null"; then
		status=0
		wait "$pid" || status=$?
		SLUICE_PID=
		same "TUN-6: a device that is gone ends the gateway" $status 1
		check "TUN-6: which says why" logged "error.*(tun0|device)"
	else
		fail "TUN-6: a device that is gone ends the gateway"
		sluice_stop
	fi
fi
