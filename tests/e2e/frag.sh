#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Fragments: TUN-5, UDP-4, DNS-13; in any order, both ways; none that overlap,
# and no flood that stops others

. "$(dirname "$0")/lib.sh"
need python3
world_up
server 7 "$HERE/peer.py" echo 7

raw() { cli "$HERE/raw.py" tun0 "$@"; }

with_family()
{
	local size whole drop rss

	for size in 1473 8000 20000 65507; do
		same "UDP-4: $size bytes there and back" \
			"$(cli "$HERE/peer.py" udp $SRV 7 $size)" same
	done
	same "UDP-4: fragments in order" "$(raw frags $SRV 7 whole)" whole
	same "UDP-4: and the last one first" \
		"$(raw frags $SRV 7 reverse)" whole
	whole=$(counter frag_whole)
	drop=$(counter drop_frag)
	same "TUN-5: fragments that overlap come to nothing" \
		"$(raw frags $SRV 7 overlap)" nothing
	check "TUN-5: and are counted" \
		counted drop_frag $((drop + 2))
	same "TUN-5: nothing was put together of them" \
		"$(counter frag_whole)" "$whole"
	same "TUN-5: a first fragment alone comes to nothing" \
		"$(raw frags $SRV 7 first)" nothing

	rss=$(sluice_rss)
	bg ip netns exec "$NS_CLI" "$HERE/raw.py" tun0 flood $SRV 7 60000
	wait_for 5 counted frag_up $(($(counter frag_up) + 2000))
	# The flood comes from the same source: one of theirs may be the oldest
	# of 64 when a busy machine stops between two fragments.
	matches "TUN-5: large datagrams get through a flood of first fragments" \
		"$(cli "$HERE/peer.py" udps $SRV 7 8000 50)" '^lost [0-4]$'
	stop "$BG"
	check "TUN-5: which costs no more than 4 MiB" \
		sluice_rss_below $((rss + 6000))
}

with_offload()
{
	each_family with_family
}

# The 15 s run while the others are at work.  IPv6 waits 30: tests/unit has
# that, with a clock of its own.
first_pass()
{
	local said

	coproc LATE { cli "$HERE/raw.py" tun0 late $SRV4 7; }
	with_offload
	read -r -u "${LATE[0]}" -t 60 said
	same "R23: a datagram that is never whole is told to who sent it" \
		"$said" "icmp $SELF4 11/1"
}

OFFLOAD=on each_offload first_pass
OFFLOAD=off each_offload with_offload
