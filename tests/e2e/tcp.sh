#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TCP-1, TCP-4, TCP-5, TCP-7: connections as the app would have them without
# a gateway.  "As without" is tried: gw runs the same client, and what it gets
# is what the app must get.

. "$(dirname "$0")/lib.sh"
need curl python3
world_up

peer() { cli "$HERE/peer.py" "$@"; }
direct() { gw "$HERE/peer.py" "$@"; }

for spec in 7:echo 9000:who '9009:source 9009 1000000'  '9001:source 9001 10000000' 9002:sink \
	'9003:reset' '9004:reset 9004 100000' 9005:errors 9006:urgent \
	'9007:talker 9007 300000' '9008:sleeper 9008 2'; do
	port=${spec%%:*} what=${spec#*:}
	[[ $what == *' '* ]] || what+=" $port"
	# shellcheck disable=SC2086
	server "$port" "$HERE/peer.py" $what
done
mkdir "$TMP/www"
head -c 30000000 /dev/urandom >"$TMP/www/big"
server 8080 python3 -m http.server --bind :: --directory "$TMP/www" 8080

# What did the server print since the mark?
mark() { LINES_BEFORE=$(wc -l <"$TMP/bg.log"); }
server_said() { tail -n +$((LINES_BEFORE + 1)) "$TMP/bg.log" | grep -q "$1"; }

destinations()
{
	local any=198.18.3.4
	((F == 4)) || any=2001:db8:3::4
	matches "TCP-1: the server is asked by the address the app asked" \
		"$(peer until-end-text $any 9000)" "$any 9000"
	same "TCP-1: odd ports, one after the other" \
		"$(peer many $SRV $any 7 20)" "bad 0"
}

http()
{
	check "TCP-1: 30 MB down are the same bytes" cli curl -sf \
		--max-time 20 -o "$TMP/got" "http://$U$SRV$V:8080/big"
	check "TCP-1: to the last one" cmp "$TMP/www/big" "$TMP/got"
	same "TCP-1: 30 MB up are all there" "$(cli timeout 20 \
		"$HERE/peer.py" upload $SRV 9002 30000000)" 30000000
}

half_close()
{
	same "TCP-4: 10 MB after the app shut down its side" \
		"$(peer half $SRV 9001)" 10000000
	same "TCP-4: the end never comes before the last byte" \
		"$(peer ends $SRV 9009 1000000 20)" "bad 0"
	mark
	same "TCP-4: the server shuts down first" \
		"$(peer listen-half $SRV 9007 200000)" 300000
	check "TCP-4: and what the app sends then arrives" \
		wait_for 5 server_said "talker heard 200000"
}

failures()
{
	local host
	for host in "$SRV 9" "$UNREACH 80" "$PROHIBIT 80"; do
		# shellcheck disable=SC2086
		took peer connect $host >"$TMP/got"
		# shellcheck disable=SC2086
		same "TCP-5: connect to $host fails as without a gateway" \
			"$(cat "$TMP/got")" "$(direct connect $host)"
		check "TCP-5: and at once" test "$TOOK" -lt 1000
	done
	matches "TCP-5: curl says refused" \
		"$(cli curl -sS "http://$U$SRV$V:9/" 2>&1)" \
		"(refused|Couldn't connect)"
	same "TCP-5: the RST has the ACK flag and the right number" \
		"$(cli "$HERE/raw.py" tun0 syn $SRV 9 |
			cut -d ' ' -f 3-)" "RST ACK seq 0 ack 1001"
	same "TCP-5: a segment of no connection is reset" \
		"$(cli "$HERE/raw.py" tun0 syn $SRV 7 16 |
			cut -d ' ' -f 3-)" "RST seq 7000 ack 0"
}

time_out()
{
	took peer connect $HOLE 80 8 >"$TMP/got"
	matches "TCP-2: nobody there, the app hears of it" "$(cat "$TMP/got")" \
		"ETIMEDOUT|EHOSTUNREACH|ECONNREFUSED|ECONNRESET"
	check "TCP-2: at the time configured" \
		test "$TOOK" -ge 700 -a "$TOOK" -le 2500
}

resets()
{
	# refused, if the reset overtakes the news of the connection
	matches "TCP-7: a server that resets at once" \
		"$(peer until-end $SRV 9003)" "ECONNRESET|ECONNREFUSED"
	matches "TCP-7: a server that resets in the middle" \
		"$(peer until-end $SRV 9004 100000)" "ECONNRESET"
	mark
	peer abort $SRV 9005
	check "TCP-7: the app's reset is one at the server" \
		wait_for 5 server_said "errors: ECONNRESET"
	mark
	peer until-end-shut $SRV 9005
	check "TCP-7: the app's FIN is one at the server" \
		wait_for 5 server_said "errors: EOF"
}

little_things()
{
	same "TCP-1: an urgent byte is not lost" "$(peer oob $SRV 9006)" 'a!b'
	took peer trickle $SRV 7 500 >"$TMP/got"
	same "TCP-1: single bytes, there and back" "$(cat "$TMP/got")" good
	check "TCP-1: without a delay for each" test "$TOOK" -lt 3000
}

slow_reader()
{
	local n
	peer pour $SRV 9008 2 >"$TMP/got"
	n=$(head -n 1 "$TMP/got")
	diag "$n bytes were taken from the app while the reader slept"
	check "TCP-4: a reader that sleeps stops the app" \
		test "$n" -lt 5000000
	same "TCP-4: and then gets every byte" "$n" "$(tail -n 1 "$TMP/got")"
}

with_family()
{
	destinations
	http
	half_close
	failures
	time_out
	resets
	little_things
	slow_reader
}

with_offload()
{
	each_family with_family
	check "no flow is left" wait_for 10 counted tcp_open 0 0
}

early()
{
	same "TCP-5: accept = early connects before it knows" \
		"$(peer connect $HOLE 9 1)" connected
	same "TCP-5: and carries bytes" "$(peer many $SRV 7 3)" "bad 0"
	matches "TCP-5: and resets what was refused" \
		"$(peer until-end $SRV 9)" "ECONNRESET|ECONNREFUSED"
}

with_early()
{
	each_family early
}

each_offload with_offload tcp-forward.connect-timeout=1s
each_offload with_early tcp-forward.accept=early
