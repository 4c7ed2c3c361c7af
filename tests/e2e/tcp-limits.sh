#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TCP-2, TCP-3, TCP-6: how long, how many, how much

. "$(dirname "$0")/lib.sh"
need python3
world_up
server 7 "$HERE/peer.py" echo 7

peer() { cli "$HERE/peer.py" "$@"; }

IDLE=3000

# The app waits longer than the gateway.
waits_30_seconds()
{
	took peer connect "$1" 80 40 >"$TMP/waited-$2"
	echo "$TOOK" >>"$TMP/waited-$2"
}

default_time_out()
{
	local v4 v6 f got
	waits_30_seconds $HOLE4 4 &
	v4=$!
	waits_30_seconds $HOLE6 6 &
	v6=$!
	wait_for 5 counted tcp_open 2
	FAMILY=4 each_family idle
	wait $v4 $v6
	for f in 4 6; do
		got=$(tail -n 1 "$TMP/waited-$f")
		check "TCP-2: a dial ends after 30 s, IPv$f ($got ms)" \
			test "$got" -ge 29000 -a "$got" -le 31500
	done
}

without_place()
{
	echo $(($(counter drop_limit) + $(counter flow_evicted_fresh)))
}

flood()
{
	local rss
	rss=$(sluice_rss)
	mkfifo "$TMP/keep$F"
	bg bash -c "exec ip netns exec $NS_CLI '$HERE/peer.py' \
		hold $SRV 7 1 <>'$TMP/keep$F'"
	wait_for 5 counted tcp_open 1
	cli "$HERE/raw.py" tun0 syns $HOLE 2000
	check "T3: one dead destination gets a share of the places" \
		counted tcp_open 250 260
	same "T3: others are reached meanwhile" "$(peer many $SRV 7 50)" "bad 0"
	cli "$HERE/raw.py" tun0 syns $HOLES 3000 64
	check "TCP-3: no more than 1024 wait" counted tcp_open 1000 1030
	check "TCP-3: the rest is dropped or takes a place, and counted" \
		test "$(without_place)" -ge $((LIMITED + 3600))
	LIMITED=$(without_place)
	check "TCP-3: memory stays flat" \
		sluice_rss_below $((rss + 10000))
	check "TCP-3: what was open stays so" kill -0 "$BG"
	check "TCP-2: none of them waits any longer than it may" \
		wait_for 6 counted tcp_open 1 1
	same "TCP-3: then there is room again" "$(peer many $SRV 7 5)" "bad 0"
	stop "$BG"
	wait_for 5 counted tcp_open 0 0
}

# Once for each gateway: what was freed is used again.
idle()
{
	local before each others
	others=$(counter tcp_open)
	before=$(sluice_rss)
	mkfifo "$TMP/idle$F"
	bg bash -c "ulimit -n 65536 2>/dev/null || ulimit -n \$(ulimit -Hn)
		exec ip netns exec $NS_CLI '$HERE/peer.py' \
		hold $SRV 7 $IDLE <>'$TMP/idle$F'"
	check "TCP-6: $IDLE idle connections" \
		wait_for 20 counted tcp_open $((others + IDLE))
	each=$((($(sluice_rss) - before) * 1024 / IDLE))
	check "TCP-6: 2 KB or less for each ($each bytes)" \
		test "$each" -le 2048
	stop "$BG"
	check "TCP-6: all of them end" wait_for 10 counted tcp_open 0 "$others"
}

with_offload()
{
	LIMITED=0
	each_family flood
	rm -f "$TMP"/keep* "$TMP"/idle*
}

if sanitized; then
	skip "TCP-2, TCP-6: 30 s, and memory" "the other builds do that"
elif sluice_start; then
	default_time_out
	sluice_stop
fi
each_offload with_offload tcp-forward.connect-timeout=3s
