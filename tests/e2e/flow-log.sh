#!/bin/bash
# SPDX-License-Identifier: MIT
#
# flow-log: a line for each flow that ended, with how it ended

. "$(dirname "$0")/lib.sh"
need python3 ping
world_up
peer="$HERE/peer.py"
server 7 "$peer" echo 7
server 11 "$peer" reset 11 1
log=$TMP/flows

# line PATTERN: is there such a line by now?
line() { grep -Eq -- "$1" "$log"; }

# told NAME PATTERN
told()
{
	wait_for 3 line "$2" && pass "$1" ||
		fail "$1" "no '$2' in"$'\n'"$(cat "$log")"
}

# A text with all that is special in patterns taken literally.
literal() { sed 's/[].[]/\\&/g' <<<"$1"; }

flows()
{
	local app dst

	app=$(literal "$U$APP$V:")[0-9]+ dst=$(literal "$U$SRV$V:")
	cli "$peer" many $SRV 7 1 >/dev/null
	told "a flow that is done" \
		"^[0-9TZ:.-]+ flow [0-9]+ tcp $app > ${dst}7 tcp-forward \
up 32 down 32 in [0-9]+\.[0-9]{3}s done$"
	cli "$peer" connect $SRV 9 >/dev/null
	told "one that was refused" \
		" tcp $app > ${dst}9 .* up 0 down 0 in .*s refused$"
	cli "$peer" until-end $SRV 11 3 >/dev/null
	told "one that was reset" " tcp $app > ${dst}11 .*s reset$"
	cli "$peer" connect $HOLE 9 2 >/dev/null
	told "one that nobody answered" \
		" tcp $app > $(literal "$U$HOLE$V"):9 .*s timeout$"
	cli "$peer" udp $SRV 7 100 >/dev/null
	told "a UDP session that got idle" \
		" udp $app > ${dst}7 udp-forward up 100 down 100 .*s idle$"
}

with_text() { each_family flows; }

CASE=text
if sluice_start chain.observe=flow-log flow-log.file="$log" \
	tcp-forward.connect-timeout=1s udp-forward.idle-timeout=1s \
	gateway.log-level=info; then
	with_text
	cli ping -c 1 -W 2 $SRV4 >/dev/null
	sluice_stop
	told "what is open at the end" " ping .* > $(literal $SRV4) .* stop$"
fi

CASE=json
rm -f "$log"
if sluice_start chain.observe=flow-log flow-log.file="$log" \
	flow-log.format=json; then
	cli "$peer" many $SRV4 $SRV6 7 5 >/dev/null
	wait_for 3 eval '(($(wc -l <"$log") >= 10))'
	same "each line is an object with all there is" "$(python3 -c '
import json, sys
keys = {"time", "flow", "proto", "app", "dst", "plugin", "up_bytes",
        "down_bytes", "ms", "why"}
print(sum(keys <= json.loads(l).keys() for l in open(sys.argv[1])))
' "$log")" 10
	sluice_stop
fi

# What the app looked an address up as; the resolver is beside the gateway.
www=www.flow.test
named()
{
	local dst by

	dst=$(literal "$U$SRV$V") by="\\($(literal $www)\\)"
	cli "$peer" many $SRV 7 1 >/dev/null
	told "before it is asked for there is no name" \
		" tcp .* > $dst:7 tcp-forward .* done$"
	same "a name is asked for, over IPv$F" \
		"$(cli dig +tries=1 +timeout=5 +short @$SELF ${www^^} \
			$( ((F == 4)) && echo A || echo AAAA))" $SRV
	cli "$peer" many $SRV 7 1 >/dev/null
	told "TCP to that address has it" \
		" tcp .* > $dst:7 $by tcp-forward .* done$"
	check "in the lines of the log too" \
		wait_for 3 logged " > $dst:7 $by: ended"
	cli "$peer" udp $SRV 7 100 >/dev/null
	told "UDP" " udp .* > $dst:7 $by udp-forward .* idle$"
	cli ping -c 1 -W 2 $SRV >/dev/null
	told "ping" " ping .* > $(literal $SRV) $by .* idle$"
	cli "$peer" connect ${SRV%2}3 9 >/dev/null
	told "its neighbour has none" " > $(literal "$U${SRV%2}3$V"):9 tcp-"
}

# resolved FORMAT: a gateway that wants names, and one flow with a name
resolved()
{
	rm -f "$log"
	sluice_start chain.observe=flow-log flow-log.file="$log" \
		flow-log.format=$1 chain.dns=dns-upstream \
		dns-upstream.server=udp://127.0.0.1:5300 icmp.timeout=1s \
		udp-forward.idle-timeout=1s || return
	[[ $1 != text ]] || return 0
	cli dig +tries=1 +timeout=5 +tcp @$SELF4 $www AAAA >/dev/null
	cli "$peer" many $SRV6 7 1 >/dev/null
}

if command -v dig >/dev/null; then
	bg ip netns exec "$NS_GW" python3 "$HERE/resolver.py" 5300 \
		$www=$SRV4,$SRV6
	wait_port gw 5300/udp
	CASE="names, text"
	resolved text && each_family named && sluice_stop
	CASE="names, json"
	if resolved json; then
		told "a name" "\"dst\":\"$(literal "[$SRV6]"):7\",\
\"name\":\"$www\",\"plugin\":\"tcp-forward\""
		sluice_stop
	fi
	CASE="names, table"
	if resolved table; then
		told "a column of names" " $(literal "[$SRV6]"):7 .* done +$www$"
		sluice_stop
	fi
else
	CASE=names
	skip "flows by name" "no dig here"
fi

# A reader that sleeps may not hold up the gateway.
CASE="pipe that nobody reads"
mkfifo "$TMP/pipe"
exec 7<>"$TMP/pipe"
if sluice_start chain.observe=flow-log flow-log.file="$TMP/pipe"; then
	same "flows go on" "$(cli "$peer" many $SRV4 $SRV6 7 600)" "bad 0"
	# the pipe is full now; reading lets the next line through
	timeout 1 cat <&7 >"$TMP/read"
	check "what could be written was" grep -q ' tcp .* done$' "$TMP/read"
	cli "$peer" many $SRV4 7 1 >/dev/null
	check "and the log tells of the rest" \
		wait_for 3 logged 'flow-log: [0-9]+ lines could not be written'
	sluice_stop
fi
exec 7<&-
