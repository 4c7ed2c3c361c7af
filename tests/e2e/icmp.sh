#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ping and traceroute through the gateway (LIF-9, RFC 5508)

. "$(dirname "$0")/lib.sh"
need ping
world_up

# Behind the server, were there anything: its router says so.
ip -n "$NS_SRV" route add 203.0.113.64/26 via $GW4
ip -n "$NS_SRV" -6 route add fd99:beef::/48 via $GW6
FAR4=203.0.113.65 FAR6=fd99:beef::1

# code V4 V6: that of the family
code() { ((F == 4)) && echo "$1" || echo "$2"; }
of() { local v=$1$F; echo "${!v}"; }

# answers [OPTION...] HOST: how many of those sent
answers()
{
	cli ping -n -i 0.05 -W 2 "$@" 2>&1 |
		sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

# told [OPTION...] HOST: what ping says of an error.  Kernels send only so many
# of them a second: up to ten are tried.
told()
{
	cli ping -n -c 10 -i 0.5 -w 6 -W 1 "$@" 2>&1 | grep -m 1 -i '^from'
}

echoes()
{
	same "LIF-9: the gateway answers" "$(answers -c 3 $SELF)" 3
	same "LIF-9: a host answers" "$(answers -c 3 $SRV)" 3
	same "LIF-9: nobody does not" "$(answers -c 2 -W 0.3 $HOLE)" 0
	same "LIF-9: an echo without data" "$(answers -c 2 -s 0 $SRV)" 2
	same "LIF-9: one in many fragments" "$(answers -c 2 -s 20000 $SRV)" 2
	same "LIF-9: also by the gateway" "$(answers -c 2 -s 20000 $SELF)" 2
	same "LIF-9: a hundred at once" \
		"$(answers -c 100 -l 100 -i 0.01 $SRV)" 100
}

# Two pings of one address at the same time (RFC 5508 REQ-1).
same_id()
{
	local one="$TMP/one" pid

	cli ping -n -e 77 -c 8 -i 0.05 -W 2 $SRV >"$one" 2>&1 &
	pid=$!
	same "R18: two identifiers, and two flows" \
		"$(answers -e 78 -c 8 "$(code 10.99.0.3 fd99::3)")" 8
	wait $pid
	matches "R18: neither gets the other's" "$(cat "$one")" "8 received"
}

errors()
{
	matches "R23: a TTL of 1 ends at the gateway" \
		"$(told -t 1 $SRV)" "^From $SELF.*[Tt]ime"
	matches "R23: one of 2 ends at the router behind" \
		"$(told -t 2 "$(of FAR)")" \
		"^From $(code $SRV fd99::.).*[Tt]ime"
	same "R23: one of 2 reaches the server" "$(answers -t 2 -c 1 $SRV)" 1
	matches "LIF-9: unreachable" "$(told $UNREACH)" \
		"$(code "From $SRV .*Host Unreachable" "From fd99::. .*No route")"
	matches "LIF-9: prohibited" "$(told $PROHIBIT)" \
		"$(code "From $SRV .*filtered" "From fd99::. .*prohibited")"
	if command -v traceroute >/dev/null; then
		matches "LIF-9: traceroute with echoes" \
			"$(cli traceroute -$F -I -n -q 2 -w 2 -m 3 $SRV 2>&1 |
				tr -s ' \n' ' ')" " 1 $SELF .* 2 $SRV "
		matches "R23: traceroute with UDP" \
			"$(cli traceroute -$F -U -p 33434 -n -q 2 -w 2 -m 3 \
				$SRV 2>&1 | tr -s ' \n' ' ')" " 1 $SELF .* 2 $SRV "
	fi
}

all()
{
	each_family echoes
	each_family same_id
	each_family errors
}

each_offload all

# --- the system, and the options ---

raw()
{
	same "LIF-9: raw sockets where there are no ping sockets" \
		"$(answers -c 3 $SRV)" 3
	same "R18: two at once" "$(
		answers -c 5 $SRV & answers -c 5 "$(code 10.99.0.3 fd99::3)"
		wait $!
	)" "5"$'\n'"5"
	matches "R23: they know of errors" "$(told -t 2 "$(of FAR)")" \
		"^From $(code $SRV fd99::.).*[Tt]ime"
}
raw_all() { each_family raw; }

gw sysctl -qw net.ipv4.ping_group_range='1 0'
OFFLOAD=on each_offload raw_all
gw sysctl -qw net.ipv4.ping_group_range='0 2147483647'

reply()
{
	same "LIF-9: echo = reply answers for all" "$(answers -c 2 $HOLE)" 2
}
reply_all() { each_family reply; }
OFFLOAD=on each_offload reply_all icmp.echo=reply

off()
{
	same "LIF-9: echo = off answers for none" \
		"$(answers -c 1 -W 0.3 $SELF)" 0
	same "LIF-9: and forwards none" "$(answers -c 1 -W 0.3 $SRV)" 0
}
off_all() { each_family off; }
OFFLOAD=on each_offload off_all icmp.echo=off

idle()
{
	same "R18: a host answers" "$(answers -c 1 $SRV)" 1
	check "R18: its flow ends when nothing moves" \
		wait_for 4 counted icmp_open 0 0
}
idle_all() { each_family idle; }
OFFLOAD=on each_offload idle_all icmp.timeout=1s
