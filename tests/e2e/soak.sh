#!/bin/bash
# SPDX-License-Identifier: MIT
#
# soak.sh - a mixed load with aborts for SOAK_SECONDS (60); after it memory,
# descriptors and flows are what they were, and the counters explain every
# packet
#
# "make soak SOAK_SECONDS=1800" is the long one.  SOAK_APPS (4) do it at once,
# with SOAK_PAUSE (0.05) seconds between two steps of each.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need python3
world_up
peer=$HERE/peer.py up4=10.99.0.3 up6=fd99::3
seconds=${SOAK_SECONDS:-60}
warm_up=$((seconds / 6))

server 7 "$peer" echo 7
server 9 "$peer" sink 9
server 19 "$peer" source 19 1000000
server 5353/udp "$HERE/dnspeer.py" server $up4 $up6 5353

# apps SECONDS SEED: what each says into $TMP/soak.*
apps()
{
	local i pids=()

	for ((i = 1; i <= ${SOAK_APPS:-4}; i++)); do
		ip netns exec "$NS_CLI" "$HERE/soak.py" "$1" \
			"${SOAK_PAUSE:-0.05}" "$2$i" $SRV4 $SRV6 $SELF4 $SELF6 \
			$HOLE4 $HOLE6 >>"$TMP/soak.$i" 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# all_of NAME: so often it was done, by all apps
all_of()
{
	sed -n "s/^done:.* $1 \([0-9]*\).*/\1/p" "$TMP"/soak.* |
		awk '{ n += $1 } END { print n + 0 }'
}

no_flows()
{
	counted tcp_open 0 0 && counted udp_open 0 0 && counted icmp_open 0 0 &&
		counted dns_pending 0 0
}

fds_are()
{
	(($(sluice_fds) == $1))
}

# What the kernel gave to the device and took from it.
kernel()
{
	cli cat "/sys/class/net/tun0/statistics/$1"
}

# A counter equals what command says; read together, till nothing moves.
accounts()
{
	[[ $(counter "$1") == "$("${@:2}")" ]]
}

sluice_start chain.dns=dns-upstream "dns-upstream.server=udp://$up4:5353" \
	tcp-forward.half-close-timeout=5s udp-forward.idle-timeout=3s \
	icmp.timeout=3s gateway.log-level=info || exit
fds=$(sluice_fds)
apps "$warm_up" 1
check "flows end by themselves (warm-up)" wait_for 60 no_flows
rss=$(sluice_rss)
apps "$((seconds - warm_up))" 2
same "what apps did ended as it should" \
	"$(cat "$TMP"/soak.* | grep -v '^done:')" ""
diag "$(cat "$TMP"/soak.*)"
check "flows end by themselves" wait_for 60 no_flows
check "descriptors are as before" wait_for 60 fds_are "$fds"
# What is free goes back to the system after a while; a run too short to warm
# up grows a little.
room=$((rss / 20 + 2048 + (seconds < 300 ? 4096 : 0)))
check "memory is flat" wait_for 60 sluice_rss_below $((rss + room))
diag "RSS: $rss KiB after the warm-up, $(sluice_rss) KiB at the end"

check "each packet from apps was read" \
	wait_for 10 accounts tun_up_packets kernel tx_packets
check "each packet to apps was written" \
	wait_for 10 accounts tun_down_packets kernel rx_packets
same "the device lost none" "$(kernel tx_dropped) $(kernel rx_dropped)" "0 0"
same "each connection was seen" "$(counter tcp_opened)" "$(all_of streams)"
check "each lost fragment was counted" \
	wait_for 60 accounts drop_frag all_of 'fragments lost'
for name in tun_write_dropped tun_read_errors drop_short drop_version \
	drop_header drop_length drop_checksum drop_source drop_limit drop_tcp \
	dial_unprotected dial_loops plugin_errors stack_assertions; do
	check "none: $name" counted $name 0 0
done
sluice_stop
