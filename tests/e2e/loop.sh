#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Routing loops: the gateway's own sockets leave through its own TUN.  Here
# the TUN is in the gateway's namespace, and apps are there too.

. "$(dirname "$0")/lib.sh"
need python3
world_up
peer="$HERE/peer.py"
server 7 "$peer" echo 7
inside4=198.18.0.77 inside6=2001:db8::77	# routed into the TUN

here=(tun.netns= "tun.routes=198.18.0.0/15 2001:db8::/32")

# CPU time of the gateway in ms
cpu()
{
	awk -v hz="$(getconf CLK_TCK)" \
		'{ print int(($14 + $15) * 1000 / hz) }' \
		"/proc/$SLUICE_PID/stat"
}

loops()
{
	local inside=inside$F fds before

	inside=${!inside}
	fds=$(sluice_fds) before=$(cpu)
	took gw "$peer" connect $inside 7 >"$TMP/answer"
	check "T12: the app is told ($(cat "$TMP/answer"))" \
		test "$(cat "$TMP/answer")" != connected
	check "T12: within a second" test $TOOK -lt 1000
	check "T12: UDP loops too" test "$(gw "$peer" udp $inside 7 9)" != same
	sleep 1
	same "T12: no descriptor is left" "$(sluice_fds)" "$fds"
	check "T12: and no work goes on" test $(($(cpu) - before)) -lt 300
}

counts()
{
	each_family loops
	check "T12: loops are counted" counted dial_loops 4 40
	matches "T12: the log names what is missing" "$(<"$TMP/sluice.log")" \
		"flow [0-9]+: the route to $inside4 leads back into tun0: \
set protect-mark\.device, .* \(ip rule add not fwmark 0x736c lookup"
	check "T12: once, not for each packet" test \
		"$(grep -c 'leads back' "$TMP/sluice.log")" -le 4
}

each_offload counts "${here[@]}" protect-mark.mark=none

# TG-4: what the line asks for, done
excluded()
{
	local inside=inside$F

	same "TG-4: with the rule the flow gets out" \
		"$(gw "$peer" many ${!inside} 7 5)" "bad 0"
	same "TG-4: UDP too" "$(gw "$peer" udp ${!inside} 7 900)" same
}

rules() # add|del
{
	ip -n "$NS_GW" rule "$1" pref 100 fwmark 0x736c lookup 77
	ip -n "$NS_GW" -6 rule "$1" pref 100 fwmark 0x736c lookup 77
}

ip -n "$NS_GW" route add default via $SRV4 table 77
ip -n "$NS_GW" -6 route add default via $SRV6 table 77
rules add
CASE="rule"
if sluice_start "${here[@]}"; then
	each_family excluded
	check "TG-4: and nothing looped" counted dial_loops 0 0
	sluice_stop
fi
rules del

CASE="device"
if sluice_start "${here[@]}" protect-mark.mark=none \
	protect-mark.device=veth0; then
	each_family excluded
	check "TG-4: and nothing looped" counted dial_loops 0 0
	sluice_stop
fi
