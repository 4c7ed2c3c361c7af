#!/bin/bash
# SPDX-License-Identifier: MIT
#
# DNS through the gateway: port 53 of any address, UDP and TCP, to upstreams
# that work and to such that do not (DNS-1 to DNS-14)

. "$(dirname "$0")/lib.sh"
need dig python3
world_up

peer="$HERE/dnspeer.py"
up4=10.99.0.3 up6=fd99::3	# the server that does as it is told

: >"$TMP/queries"
chmod 666 "$TMP/queries"
server 5353/udp "$peer" server $up4 $up6 5353 "$TMP/queries"
server 53/udp "$peer" server 10.99.0.2 fd99::2 53 "$TMP/queries"

ask() { cli dig +tries=1 +timeout=7 +short "$@"; }
status_of() {
	cli dig +tries=1 +timeout=7 "$@" |
		sed -n 's/.*status: \([A-Z]*\).*/\1/p'
}
odd() { cli "$peer" "$@"; }

# how often a name was asked for, and by what
asked() { grep -c " $1\$" "$TMP/queries"; }

# A name nobody was asked for before.
fresh() { echo "$1.n${EPOCHREALTIME//[.,]/}.test"; }

# Addresses nobody has told the gateway about, in F's family.
public() {
	((F == 4)) && echo 8.8.8.8 203.0.113.77 || echo 2001:4860:4860::8888
}

plain() {
	local a n

	for a in $(public) $SELF; do
		same "DNS-1: port 53 of $a is answered" \
			"$(ask @$a "$(fresh www)")" 192.0.2.1
		same "DNS-10: so is TCP of it" \
			"$(ask +tcp @$a "$(fresh www)")" 192.0.2.1
	done
	a=${a:-$SELF}
	same "DNS-2: it comes from the address asked, TTL 64" \
		"$(odd seen $a "$(fresh www)")" "$a 53 64"
	same "DNS-13: IP options, extension headers" \
		"$(odd options $a "$(fresh www)")" "rcode 0, 1 answers"
	same "DNS-13: a question in fragments" \
		"$(odd parts $a "$(fresh www)")" "rcode 0, 1 answers"
	same "DNS-1: ten questions in one packet (UDP_SEGMENT)" \
		"$(odd batch $a "$(fresh www)" 10)" 10
	same "DNS-1: AAAA" "$(ask @$a "$(fresh www)" AAAA)" 2001:db8::1
	same "DNS-1: TXT" "$(ask @$a "$(fresh www)" TXT)" '"text"'
	same "DNS-1: NXDOMAIN stays NXDOMAIN" \
		"$(status_of @$a "$(fresh nx)")" NXDOMAIN
	n=$(fresh www)
	matches "DNS-3: the question comes back letter by letter" \
		"$(cli dig @$a "${n^^}")" "${n^^}\..*IN.*A"
	same "DNS-3: the same id, answered in reverse" \
		"$(odd sameid $a slow.x$F.test www.x$F.test)" \
		"slow.x$F.test www.x$F.test"
	same "DNS-3: a question repeated is asked and answered once" \
		"$(odd repeat $a slow.r$F$OFFLOAD_NOW.test)" 1
	same "DNS-3: and reached the server once" \
		"$(asked "slow.r$F$OFFLOAD_NOW.test")" 1
}

hostile() {
	local a=$SELF n ids

	same "DNS-4: another id is waited out" \
		"$(ask @$a "$(fresh wrongid)")" 192.0.2.1
	same "DNS-4: another question too" \
		"$(ask @$a "$(fresh wrongname)")" 192.0.2.1
	same "DNS-4: 2,000 guesses of the id" \
		"$(ask @$a "$(fresh stranger)")" 192.0.2.1
	same "DNS-4: garbage" "$(ask @$a "$(fresh garbage)")" 192.0.2.1
	same "DNS-6: a lost query is asked again" \
		"$(ask @$a "$(fresh lost)")" 192.0.2.1
	same "DNS-11: a cut answer is asked for by TCP" \
		"$(ask @$a "$(fresh tc)")" 192.0.2.1
	same "DNS-6: SERVFAIL of the server is passed on" \
		"$(status_of @$a "$(fresh servfail)")" SERVFAIL
	same "DNS-6: so is a refusal" \
		"$(status_of @$a "$(fresh refused)")" REFUSED
	same "DNS-6: also one without question" \
		"$(status_of @$a "$(fresh bare)")" REFUSED
	matches "DNS-11: TCP to the server fails: the cut answer is passed" \
		"$(cli dig +ignore +tries=1 @$a "$(fresh tconly)")" \
		'flags:[a-z ]* tc'

	: >"$TMP/queries"
	for n in 1 2 3 4 5 6 7 8; do
		ask @$a "id$n.fresh$F.test" >/dev/null
		sleep 0.05	# a socket lives for 10 ms
	done
	ids=$(awk '/fresh/ { print $3 }' "$TMP/queries" | sort -u | wc -l)
	check "DNS-4: each query has an id of its own" test "$ids" -ge 7
	ids=$(awk '/fresh/ { print $2 }' "$TMP/queries" | sort -u | wc -l)
	check "DNS-4: and a port" test "$ids" -ge 7
}

sizes() {
	local a=$SELF out

	out=$(cli dig +ignore +noedns @$a "$(fresh big)" TXT)
	matches "DNS-11: without EDNS cut to 512 bytes" "$out" 'flags:[a-z ]* tc'
	matches "DNS-11: a whole record in it" "$out" 'ANSWER: 1,'
	matches "DNS-11: in no more than 512" "$out" 'rcvd: ([1-4]?[0-9]{2}|50[0-9]|51[0-2])$'
	out=$(cli dig +ignore +bufsize=4096 @$a "$(fresh fat)" TXT)
	matches "DNS-11: with EDNS cut to 1232" "$out" 'rcvd: 1[012][0-9]{2}$'
	matches "DNS-11: OPT is kept" "$out" 'EDNS: version'
	same "DNS-11: then TCP gives all of it" \
		"$(ask @$a "$(fresh big)" TXT | wc -l)" 16
}

stream() {
	local a=$SELF
	same "DNS-10: two queries in one connection, answered as they are ready" \
		"$(odd pipeline $a slow.p$F.test www.p$F.test)" \
		"www.p$F.test slow.p$F.test"
	same "DNS-10: one byte a segment" \
		"$(odd trickle $a "$(fresh www)")" "rcode 0, 1 answers"
	same "DNS-10: a message of 64 KiB" \
		"$(odd huge $a "$(fresh www)")" "rcode 0, 1 answers"
	same "DNS-10: the app closes its side first" \
		"$(odd half $a "$(fresh slow)")" "rcode 0, 1 answers end"
	same "DNS-10: 300 large answers to an app that is slow to read" \
		"$(odd stingy $a "$(fresh fat)" 300)" 300
	same "DNS-9: too short for a header: the connection ends" \
		"$(odd tcpraw $a 0003aabbcc)" reset
	same "DNS-9: a header and nonsense: FORMERR" \
		"$(odd tcpraw $a 000e123401000001000000000000ffff)" "rcode 1"
	same "DNS-10: a server that ends the connection instead" \
		"$(status_of +tcp @$a "$(fresh close)")" NOERROR
}

malformed() {
	local a=$SELF head=123401000001000000000000

	same "DNS-9: 11 bytes are dropped" \
		"$(odd raw $a 1234010000010000000000)" nothing
	same "DNS-9: no bytes" "$(odd raw $a '')" nothing
	same "DNS-9: a question that is cut" "$(odd raw $a ${head}03777777)" \
		"rcode 1"
	same "DNS-9: a pointer at itself" "$(odd raw $a ${head}c00c00010001)" \
		"rcode 1"
	same "DNS-9: a label of 64" \
		"$(odd raw $a "${head}40$(printf '61%.0s' {1..64})0000010001")" \
		"rcode 1"
	same "DNS-9: two questions" \
		"$(odd raw $a 1234010000020000000000000161000001000101620000010001)" \
		"rcode 1"
	same "DNS-9: no question" \
		"$(odd raw $a 123401000000000000000000)" "rcode 1"
	same "DNS-9: 65,535 records in 12 bytes" \
		"$(odd raw $a 12340100ffffffffffffffff)" "rcode 1"
	same "DNS-9: bytes after the end" \
		"$(odd raw $a ${head}0161000001000100)" "rcode 1"
	same "DNS-9: another opcode" \
		"$(odd raw $a 12342000000100000000000001610000010001)" "rcode 4"
	same "DNS-14: a response is no query" \
		"$(odd raw $a 12348180000100000000000001610000010001)" nothing
	same "DNS-9: and then a question" "$(ask @$a "$(fresh www)")" 192.0.2.1
}

with_upstream() {
	each_family plain
	each_family sizes
	each_family stream
	[[ $OFFLOAD_NOW == off ]] && return	# the same from here on
	each_family hostile
	each_family malformed
}

# --- servers that are silent, dead or not there ---

# All of them at once: each takes its five seconds.
ask_silent() {
	local out=$TMP/silent$F start
	start=$(now_ms)
	{
		cli dig +tries=1 +timeout=7 @$SELF silent.a$F.test >"$out.edns"
		echo $(($(now_ms) - start)) >"$out.took"
	} &
	JOBS+=($!)
	cli dig +tries=1 +timeout=7 +noedns @$SELF noise.b$F.test >"$out.noise" &
	JOBS+=($!)
	cli dig +tries=1 +timeout=7 +tcp @$SELF silent.c$F.test >"$out.tcp" &
	JOBS+=($!)
	cli ping -i 0.05 -c 60 -q $SRV >"$out.ping" &
	JOBS+=($!)
}

silent() {
	local out=$TMP/silent$F took
	took=$(<"$out.took")

	matches "DNS-6: a silent server: SERVFAIL" "$(<"$out.edns")" \
		'status: SERVFAIL'
	check "DNS-6: within 5.2 s (took $took)" test "$took" -le 5200
	check "DNS-5: not before 4.8 s" test "$took" -ge 4800
	matches "DNS-6: and EDE says why" "$(<"$out.edns")" 'EDE: 2[23]'
	matches "DNS-6: nothing but noise: SERVFAIL" "$(<"$out.noise")" \
		'status: SERVFAIL'
	matches "DNS-6: no EDE for who has no EDNS" "$(<"$out.noise")" \
		'ADDITIONAL: 0'
	matches "DNS-6: the same by TCP" "$(<"$out.tcp")" 'status: SERVFAIL'
	matches "DNS-8: ping goes on beside them" "$(<"$out.ping")" \
		'60 received, 0% packet loss'
}

# 10,000 questions a second to a silent server.
flooded() {
	local before after

	cli ping -i 0.05 -c 40 -q $SRV >"$TMP/ping" &
	local ping=$!
	JOBS+=($ping)
	before=$(sluice_rss)
	odd flood $SELF 10000 1 >"$TMP/flood"
	after=$(sluice_rss)
	matches "DNS-7: a full queue says SERVFAIL at once" "$(<"$TMP/flood")" \
		'^2:[0-9]{4}'
	check "DNS-7: 10,000 questions cost $((after - before)) KiB" \
		test $((after - before)) -lt 32768
	wait $ping
	matches "DNS-8: ping goes on beside them" "$(<"$TMP/ping")" \
		'40 received, 0% packet loss'
}

answers() { [[ $(ask +timeout=1 @$SELF "$(fresh www)") == 192.0.2.1 ]]; }

with_silence() {
	JOBS_BEFORE=${#JOBS[@]}
	each_family ask_silent
	wait "${JOBS[@]:JOBS_BEFORE}"
	each_family silent
	each_family flooded
	check "DNS-5: 6 s later there is room again" wait_for 6 answers
}

failover() {
	local a=$SELF

	took ask @$a "$(fresh www)" >"$TMP/out"
	same "DNS-6: one of three is dead: the next is asked" \
		"$(<"$TMP/out")" 192.0.2.1
	check "DNS-6: after 2 s (took $TOOK)" test $TOOK -le 2600
	took ask @$a "$(fresh www)" >"$TMP/out"
	check "DNS-6: then the dead one is left out (took $TOOK)" \
		test $TOOK -le 300
}

nowhere() {
	took status_of @$SELF "$(fresh www)" >"$TMP/out"
	same "DNS-6: nobody listens: SERVFAIL" "$(<"$TMP/out")" SERVFAIL
	check "DNS-6: at once (took $TOOK)" test $TOOK -le 500
}

by_tcp() {
	same "DNS-4: a server spoken to by TCP only" \
		"$(ask @$SELF4 "$(fresh www)")" 192.0.2.1
	same "DNS-11: a large answer of it" \
		"$(ask +tcp @$SELF4 "$(fresh big)" TXT | wc -l)" 16
	same "DNS-6: it ends the connection: SERVFAIL" \
		"$(status_of @$SELF4 "$(fresh close)")" SERVFAIL
}

# The chain is dns-rewrite alone: what it passes goes to the server asked.
forwarded() {
	local a=$SRV
	same "DNS-1: without upstreams the server asked is asked" \
		"$(ask @$a "$(fresh www)" AAAA)" 2001:db8::1
	same "DNS-10: by TCP" "$(ask +tcp @$a "$(fresh www)" AAAA)" 2001:db8::1
	same "DNS-4: another id is waited out" \
		"$(ask @$a "$(fresh wrongid)" AAAA)" 2001:db8::1
	same "DNS-4: another question too" \
		"$(ask @$a "$(fresh wrongname)" AAAA)" 2001:db8::1
	same "DNS-4: 2,000 guesses of the id" \
		"$(ask @$a "$(fresh stranger)" AAAA)" 2001:db8::1
	same "DNS-11: a cut answer is the app's to ask for again" \
		"$(ask @$a "$(fresh big)" TXT | wc -l)" 16
	same "DNS-6: the app's second try goes out again" \
		"$(ask +tries=2 +timeout=1 @$a "$(fresh lost)" AAAA |
			tail -n 1)" 2001:db8::1
	matches "DNS-6: nobody listens: SERVFAIL and why" \
		"$(cli dig +tries=1 @${a%2}4 "$(fresh www)")" \
		'status: SERVFAIL.*EDE: 23'
	same "DNS-1: the gateway itself is no server" \
		"$(status_of @$SELF "$(fresh www)")" SERVFAIL
}

# RFC 7766: a connection is kept while a question is under way, then ended.
left_alone() {
	local www=001f123401000001000000000000
	www+=037777770474657374046e616d650000010001
	same "DNS-10: a connection that is idle ends" \
		"$(odd idle $SELF4 '')" "end after 2 s"
	same "DNS-10: counted from the last answer" \
		"$(odd idle $SELF4 $www)" "end after 2 s"
	same "DNS-10: half a question does not keep it" \
		"$(odd idle $SELF4 "${www:0:20}")" "end after 2 s"
	same "DNS-10: one that waits for its answer does" \
		"$(status_of +tcp @$SELF4 "$(fresh silent)")" SERVFAIL
}

# What a plugin can do with a question and an answer (tests/plugins).
rewritten() {
	local a=$SRV
	same "dns: an answer is rewritten on its way back" \
		"$(ask @$a "$(fresh www)")" 198.51.100.7
	same "dns: by TCP too" "$(ask +tcp @$a "$(fresh www)")" 198.51.100.7
	same "dns: answered by the plugin" "$(ask @$a "$(fresh own)")" \
		192.0.2.99
	same "dns: AAAA by the plugin" "$(ask @$a "$(fresh own)" AAAA)" \
		2001:db8::99
	same "dns: by a thread of it" "$(ask @$a "$(fresh thread)")" 192.0.2.99
	same "dns: by TCP and a thread" "$(ask +tcp @$a "$(fresh thread)")" \
		192.0.2.99
	same "dns: LATER, then PASS" "$(ask @$a "$(fresh passed)")" \
		198.51.100.7
	same "dns: forwarded to another server" "$(ask @$a "$(fresh via)")" \
		192.0.2.1
	same "dns: blocked with an address" "$(ask @$a "$(fresh zero)")" 0.0.0.0
	same "dns: in IPv6" "$(ask @$a "$(fresh zero)" AAAA)" ::
	matches "dns: blocked as not there, with SOA and EDE" \
		"$(cli dig @$a "$(fresh nxdomain)")" \
		'status: NXDOMAIN.*EDE: 15.*SOA'
	same "dns: blocked as refused" "$(status_of @$a "$(fresh no)")" REFUSED
	matches "dns: blocked as without data" \
		"$(cli dig @$a "$(fresh nodata)")" 'NOERROR.*ANSWER: 0, AUTH.*: 1'
	same "dns: dropped" "$(status_of +timeout=1 @$a "$(fresh dropped)")" ''
	same "dns: an answer dropped on its way back" \
		"$(status_of +timeout=1 @$a "$(fresh hidden)")" ''
	same "dns: an answer replaced by NXDOMAIN" \
		"$(status_of @$a "$(fresh swapped)")" NXDOMAIN
	same "dns: a plugin that fails blocks" \
		"$(status_of @$a "$(fresh failing)")" SERVFAIL
	same "dns: also on the way back" "$(status_of @$a "$(fresh sour)")" \
		SERVFAIL
	same "dns: TAKE without an answer" "$(status_of @$a "$(fresh empty)")" \
		SERVFAIL
}

kept() {
	same "DNS-5: a plugin keeps a query for ever: SERVFAIL" \
		"$(status_of @$SELF4 "$(fresh never)")" SERVFAIL
	check "DNS-5: and is named" wait_for 3 logged 'rewrite keeps it unresolved'
	same "DNS-5: others go on" "$(ask @$SELF4 "$(fresh own)")" 192.0.2.99
}

unhelped() {
	same "dns: on-error = pass goes on without the plugin" \
		"$(ask @$SRV4 "$(fresh failing)" AAAA)" 2001:db8::1
	same "dns: on the way back as well" \
		"$(ask @$SRV4 "$(fresh sour)")" 192.0.2.1
}

# A real resolver, found by the host's resolv.conf; then that changes.
by_system() {
	local a=$SELF
	same "DNS-12: the host's resolver is asked" \
		"$(ask @$a www.real.test)" 192.0.2.80
	same "DNS-12: AAAA" "$(ask @$a www.real.test AAAA)" 2001:db8::80
	same "DNS-12: by TCP" "$(ask +tcp @$a www.real.test)" 192.0.2.80
	same "DNS-12: a name that is not there" \
		"$(status_of @$a none.real.test)" NXDOMAIN
	same "DNS-11: a TXT of 4 kB" "$(ask @$a big.real.test TXT | wc -l)" 16
	same "DNS-11: without EDNS" \
		"$(ask +noedns @$a big.real.test TXT | wc -l)" 16
}

real() {
	each_family by_system
	echo "nameserver $up4" >"$TMP/resolv.conf"	# port 53: nobody
	check "DNS-12: resolv.conf is read when it changes" wait_for 4 eval \
		"[[ \$(status_of @$SELF4 www.real.test) == SERVFAIL ]]"
	printf 'nameserver %s\n' $up4 fd99::4 >"$TMP/resolv.conf"
	check "DNS-12: and a second server is used" wait_for 4 eval \
		"[[ \$(ask @$SELF4 www.real.test) == 192.0.2.80 ]]"
}

start_unbound() {
	{
		cat <<-EOF_CONF
			server:
			  interface: 10.99.0.4
			  interface: fd99::4
			  access-control: 0.0.0.0/0 allow
			  access-control: ::/0 allow
			  directory: "$TMP"
			  chroot: ""
			  username: ""
			  pidfile: ""
			  use-syslog: no
			  do-daemonize: no
			  local-zone: "real.test." static
			  local-data: "www.real.test. A 192.0.2.80"
			  local-data: "www.real.test. AAAA 2001:db8::80"
		EOF_CONF
		for i in {1..16}; do
			printf '  local-data: "big.real.test. TXT %s%s"\n' $i \
				"$(printf 'x%.0s' {1..240})"
		done
		printf 'remote-control:\n  control-enable: no\n'
	} >"$TMP/unbound.conf"
	bg ip netns exec "$NS_SRV" unbound -c "$TMP/unbound.conf" -d
	wait_for 10 gw dig +tries=1 +timeout=1 @10.99.0.4 www.real.test
}

# With a resolv.conf of its own in front of the host's.
with_resolv_conf() {
	local program=$SLUICE

	echo "nameserver 10.99.0.4" >"$TMP/resolv.conf"
	cat >"$TMP/sluice" <<-EOF_SH
		#!/bin/sh
		mount --bind "$TMP/resolv.conf" /etc/resolv.conf && \
			exec "$program" "\$@"
	EOF_SH
	cat >"$TMP/private" <<-EOF_SH
		#!/bin/sh
		exec unshare -m "$TMP/sluice" "\$@"
	EOF_SH
	chmod +x "$TMP/sluice" "$TMP/private"
	SLUICE=$TMP/private OFFLOAD=on each_offload "$@"
}

alone() {
	each_family forwarded
	each_family rewritten
}

# gateway FUNCTION OFFLOAD SERVERS [section.key=value]...
gateway() {
	OFFLOAD=$2 each_offload "$1" chain.dns=dns-upstream \
		"dns-upstream.server=$3" "${@:4}"
}

gateway with_upstream on "udp://$up4:5353"
gateway with_upstream off "[$up6]:5353"
gateway by_tcp on "tcp://[$up6]:5353"
gateway left_alone off "udp://$up4:5353" dns.tcp-idle=2s dns.timeout=3s
gateway with_silence on "udp://$up4:5353" dns.max-pending=200
F=4 SRV=$SRV4 SELF=$SELF4
gateway failover on "$HOLE4 $up4:5353"
F=6 SELF=$SELF6
gateway failover off "$HOLE6 [$up6]:5353 $up4:5353"
gateway nowhere on "udp://$up4:5300 tcp://$up4:5300 [$up6]:5300"
rewrite="${SLUICE_TEST_PLUGINDIR:-${SLUICE%/*}/tests/plugins/.libs}/dns-rewrite.so"
if [[ -e $rewrite ]] && "$SLUICE" plugins "$rewrite" >/dev/null 2>&1; then
	each_offload alone chain.dns=rewrite "rewrite.plugin=$rewrite" \
		"rewrite.via=$up4:5353"
	OFFLOAD=on each_offload kept chain.dns=rewrite \
		"rewrite.plugin=$rewrite" dns.timeout=1s
	OFFLOAD=off each_offload unhelped chain.dns=rewrite \
		"rewrite.plugin=$rewrite" dns.on-error=pass
else
	skip "dns: plugins that answer and rewrite" "not to be loaded here"
fi
if command -v unbound >/dev/null; then
	start_unbound
	with_resolv_conf real chain.dns=dns-upstream
else
	skip "DNS-12: a real resolver" "no unbound here"
fi
