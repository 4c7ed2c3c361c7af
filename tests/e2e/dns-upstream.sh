#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What dns-upstream remembers, whom it asks, and what it does when the network
# becomes another one; and that none of its packets goes out unprotected

. "$(dirname "$0")/lib.sh"
need dig python3 nft
world_up

peer="$HERE/dnspeer.py"
up4=10.99.0.3 up6=fd99::3

: >"$TMP/queries"
chmod 666 "$TMP/queries"
server 5353/udp "$peer" server $up4 $up6 5353 "$TMP/queries"
PEER=$BG
server 53/udp "$peer" server 10.99.0.4 fd99::4 53 "$TMP/queries"

ask() { cli dig +tries=1 +timeout=7 +short "$@"; }
asked() { grep -c " $1\$" "$TMP/queries"; }
fresh() { echo "$1.n${EPOCHREALTIME//[.,]/}.test"; }

# Packets to the servers that carry no mark, seen where they leave.
watch_marks()
{
	gw nft -f - <<-EOF_NFT
		table inet audit {
			counter bare { }
			chain out {
				type filter hook output priority 0;
				oifname veth0 meta l4proto { tcp, udp } \
					th dport { 53, 5353 } \
					meta mark != 0x736c counter name bare
			}
		}
	EOF_NFT
}

bare()
{
	gw nft list counter inet audit bare | awk '/packets/ { print $2 }'
}

# start NAME section.key=value...
start()
{
	CASE=$1 OFFLOAD_NOW=on
	shift
	sluice_start chain.dns=dns-upstream "$@"
}

remembered()
{
	local a=$SELF n

	n=$(fresh www)
	same "DNS: asked for the first time" "$(ask @$a "$n")" 192.0.2.1
	same "DNS: and again" "$(ask @$a "${n^^}")" 192.0.2.1
	same "DNS: by TCP too" "$(ask +tcp @$a "$n")" 192.0.2.1
	same "DNS: the server was asked once" "$(asked "$n")" 1
	same "DNS: DNSSEC is another question" \
		"$(ask +dnssec @$a "$n" >/dev/null; asked "$n")" 2
	n=$(fresh slow)
	for _ in {1..10}; do
		ask @$a "$n" >>"$TMP/many$F" &
		JOBS+=($!)
		LAST+=($!)
	done
	wait "${LAST[@]}"
	LAST=()
	same "DNS: ten ask the same" "$(grep -c 192.0.2.1 "$TMP/many$F")" 10
	same "DNS: the server is asked once" "$(asked "$n")" 1
}

# The server stands still: what is too old is better than nothing.
stale()
{
	local n
	n=$(fresh www)

	ask @$SELF4 "$n" >/dev/null
	kill -STOP "$PEER"
	sleep 1.2
	matches "DNS: a server is silent: the old answer, for 30 s" \
		"$(cli dig +tries=1 +timeout=7 @$SELF4 "$n")" \
		"EDE: 3 .*$n\\..*30.*IN.*A.*192.0.2.1"
	kill -CONT "$PEER"
	same "DNS: an answer is an answer again" \
		"$(ask @$SELF4 "$(fresh www)")" 192.0.2.1
}

routed()
{
	same "DNS: a domain has a server of its own" \
		"$(ask @$SELF4 www.corp.test)" 192.0.2.1
	same "DNS: another does not" "$(cli dig +tries=1 +timeout=7 @$SELF4 \
		www.xcorp.test | sed -n 's/.*status: \([A-Z]*\).*/\1/p')" \
		SERVFAIL
}

raced()
{
	same "DNS: of two the one that answers" \
		"$(ask +timeout=1 @$SELF4 "$(fresh www)")" 192.0.2.1
}

# The address that a connection had is gone; nobody resets it.
moved()
{
	same "DNS: by a connection" "$(ask @$SELF4 "$(fresh www)")" 192.0.2.1
	ip -n "$NS_GW" addr add 10.99.0.77/24 dev veth0
	ip -n "$NS_GW" addr del $GW4/24 dev veth0
	ip -n "$NS_GW" addr add 10.99.0.78/24 dev veth0
	ip -n "$NS_GW" route replace default via $SRV4
	check "DNS: another network is noticed" \
		wait_for 5 logged 'the network changed'
	same "DNS: and there is an answer" \
		"$(ask @$SELF4 "$(fresh www)")" 192.0.2.1
	same "DNS: nobody waited for the old connection" \
		"$(grep -c 'no answer' "$TMP/sluice.log")" 0
	ip -n "$NS_GW" addr add $GW4/24 dev veth0
}

LAST=()
watch_marks
if start kept "dns-upstream.server=udp://$up4:5353"; then
	each_family remembered
	sluice_stop
fi
if start stale "dns-upstream.server=udp://$up4:5353" \
	"dns-upstream.cache-max-ttl=1s"; then
	stale
	sluice_stop
fi
if start routes "dns-upstream.server=udp://$up4:9" \
	"dns-upstream.route=corp.test tcp://[$up6]:5353"; then
	routed
	sluice_stop
fi
if start race "dns-upstream.server=udp://$HOLE4 udp://[$up6]:5353" \
	"dns-upstream.mode=race"; then
	raced
	sluice_stop
fi
if start moved "dns-upstream.server=tcp://$up4:5353"; then
	moved
	sluice_stop
fi
CASE=
same "PRO-1: no packet without the mark" "$(bare)" 0
