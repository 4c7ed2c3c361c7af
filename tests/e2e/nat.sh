#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The gateway as a NAT: RFC 4787 (UDP), 5382 (TCP), 5508 (ICMP); the rows are
# in nat.py, here is what needs the gateway's own settings
#
# Sizes, path MTU and mapping by pair are in udp.sh, traceroute in icmp.sh.

. "$(dirname "$0")/lib.sh"
need python3
world_up
server 7 "$HERE/peer.py" echo 7
server 7/udp "$HERE/peer.py" echo 7

# Another source in the same namespace.
second_source()
{
	ip -n "$NS_CLI" addr add 10.0.0.3/24 dev tun0
	ip -n "$NS_CLI" addr add fd00:736c::3/64 dev tun0 nodad
}

rows()
{
	local title got wanted

	while IFS='|' read -r title got wanted; do
		same "$title" "$got" "$wanted"
	done < <("$HERE/nat.py" "$NS_CLI" tun0 "$NS_GW" "$NS_SRV" $F)
}

with_offload()
{
	second_source
	each_family rows
	check "R8: hairpin is no loop" counted dial_loops 0 0
}

cli sysctl -qw net.ipv4.ping_group_range='0 2147483647'
export PYTHONDONTWRITEBYTECODE=1	# the source tree stays as it is
each_offload with_offload

# --- what a mapping lives on ---

lives_on()
{
	bg "$HERE/nat.py" "$NS_CLI" tun0 "$NS_GW" "$NS_SRV" $F err
	wait_for 5 counted udp_open 1 || diag "no mapping"
	check "R21: errors do not keep a mapping" \
		wait_for 8 counted udp_open 0 0
	check "R21: and they did come" kill -0 "$BG"
	stop "$BG"
}

lives_on_all() { each_family lives_on; }
OFFLOAD=on each_offload lives_on_all udp-forward.idle-timeout=1s

# --- more than there is room for ---

refused()
{
	same "R22: beyond the limit: datagrams, connections, echoes" \
		"$("$HERE/nat.py" "$NS_CLI" tun0 "$NS_GW" "$NS_SRV" $F crowd)" \
		"$( ((F == 4)) && echo 3/13 3/13 3/13 || echo 1/1 1/1 1/1)"
	wait_for 10 counted tcp_open 0 0
}

refused_all()
{
	OFFLOAD=on each_offload "refused_$1" gateway.max-flows=1
}
refused_4() { FAMILY=4 each_family refused; }
refused_6() { FAMILY=6 each_family refused; }
for family in ${FAMILY:-4 6}; do
	refused_all "$family"
done
