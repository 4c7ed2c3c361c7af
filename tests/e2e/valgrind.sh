#!/bin/bash
# SPDX-License-Identifier: MIT
#
# valgrind.sh - every kind of traffic, with valgrind looking at the gateway: no
# wrong access, no leak, no descriptor left
#
# Sanitized builds find the same by other means, and the two exclude each
# other.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need valgrind python3 dig ping
program=$SLUICE
[[ -x $program ]] && sanitized && skip_all "this build has its sanitizers"
world_up
plugins=${SLUICE_TEST_PLUGINDIR:-${program%/*}/tests/plugins/.libs}
peer=$HERE/peer.py up4=10.99.0.3 up6=fd99::3

# What the gateway inherits is not its own: only 0, 1 and 2.
cat >"$TMP/valgrind" <<-EOF_SH
	#!/bin/bash
	for fd in /proc/\$\$/fd/*; do
		fd=\${fd##*/}
		((fd <= 2)) || eval "exec \$fd>&-"
	done
	exec valgrind -q --vgdb=no --log-file="$TMP/memcheck.%p" \\
		--error-exitcode=99 --exit-on-first-error=no \\
		--leak-check=full --errors-for-leak-kinds=definite,possible \\
		--track-fds=yes --keep-debuginfo=yes "$program" "\$@"
EOF_SH
chmod +x "$TMP/valgrind"
SLUICE=$TMP/valgrind

raw() { cli "$HERE/raw.py" tun0 "$@"; }

# said PID: what memcheck has against the gateway that has just ended.  Of good
# ones it says that its own log and what was inherited is open, and which
# ioctls (of namespaces) it does not know.
said()
{
	sed -E '/FILE DESCRIPTORS:|<inherited from parent>|== *$/d
		/Open file descriptor [0-9]+: .*\/memcheck\./d
		/Warning: noted but unhandled ioctl/,+2d' \
		"$TMP/memcheck.$1" 2>&1 | head -n 40
}

# with_memcheck FUNCTION [section.key=value]...: traffic, SIGTERM, the verdict
with_memcheck()
{
	local function=$1 pid
	shift

	sluice_start "$@" || return
	pid=$SLUICE_PID
	each_family "$function"
	sluice_stop
	same "no error, no leak, no descriptor ($function)" "$(said "$pid")" ""
}

tcp()
{
	same "TCP: bytes there and back" \
		"$(cli "$peer" many $SRV 7 3)" "bad 0"
	same "TCP: half-closed by the app, all comes down" \
		"$(cli "$peer" half $SRV 19)" 300000
	same "TCP: half-closed by the app, all goes up" \
		"$(cli "$peer" upload $SRV 9 300000)" 300000
	: >"$TMP/bg.log"
	same "TCP: half-closed by the server, after all came down" \
		"$(cli "$peer" listen-half $SRV 20 300000)" 300000
	check "TCP: and still all goes up" \
		wait_for 3 grep 'talker heard 300000' "$TMP/bg.log"
	same "TCP: refused" "$(cli "$peer" connect $SRV 1)" ECONNREFUSED
	same "TCP: reset by the server" \
		"$(cli "$peer" until-end $SRV 11 1)" ECONNRESET
	check "TCP: reset by the app" cli "$peer" abort $SRV 7
	# Open until the gateway ends.
	bg ip netns exec "$NS_CLI" bash -c \
		"sleep 99 | exec '$peer' hold $SRV 7 3"
}

udp()
{
	same "UDP: a datagram there and back" \
		"$(cli "$peer" udp $SRV 7 500)" same
	same "UDP: one in fragments, both ways" \
		"$(cli "$peer" udp $SRV 7 20000)" same
	same "UDP: fragments in disorder" "$(raw frags $SRV 7 reverse)" whole
	same "UDP: fragments that overlap" \
		"$(raw frags $SRV 7 overlap)" nothing
	same "UDP: refused" "$(cli "$peer" udp $SRV 1 10)" ECONNREFUSED
	check "ICMP: ping" cli ping -c 2 -i 0.2 -W 3 $SRV
	check "ICMP: ping of the gateway" cli ping -c 1 -W 3 $SELF
	check "ICMP: a TTL of 1" \
		bash -c "! ip netns exec $NS_CLI ping -c 1 -W 2 -t 1 $SRV"
}

dns()
{
	same "DNS by UDP" "$(cli dig +tries=1 +timeout=7 +short @$SELF \
		www.f$F.test)" 192.0.2.1
	same "DNS by TCP" "$(cli dig +tcp +tries=1 +timeout=7 +short @$SELF \
		www.t$F.test)" 192.0.2.1
	# The question still waits when the gateway ends.
	bg ip netns exec "$NS_CLI" dig +tries=1 +timeout=2 @$SELF \
		silent.f$F.test
}

traffic()
{
	tcp
	udp
	dns
}

answers()
{
	same "a plugin that answers itself" \
		"$(cli "$HERE/answers.py" exchange 2001:db8::7 7 300000)" same
	same "it answers datagrams too" \
		"$(cli "$peer" udp 198.18.0.7 7 9000)" same
}

server 7 "$peer" echo 7
server 9 "$peer" sink 9
server 11 "$peer" reset 11
server 19 "$peer" source 19 300000
server 20 "$peer" talker 20 300000
: >"$TMP/queries"
server 5353/udp "$HERE/dnspeer.py" server $up4 $up6 5353 "$TMP/queries"

OFFLOAD_NOW=on
with_memcheck traffic chain.dns=dns-upstream \
	"dns-upstream.server=udp://$up4:5353"
OFFLOAD_NOW=off
FAMILY=4 with_memcheck tcp
if "$program" plugins "$plugins/echo.so" >/dev/null 2>&1; then
	for mode in copy ref; do
		FAMILY=6 with_memcheck answers chain.tcp=echo chain.udp=echo \
			"echo.plugin=$plugins/echo.so" echo.mode=$mode
	done
else
	skip "a plugin that answers itself" "no shared test plugins here"
fi

status=0
"$SLUICE" exec -- true </dev/null >"$TMP/exec.out" 2>&1 &
pid=$!
wait $pid || status=$?
same "exec: its status" "$status $(cat "$TMP/exec.out")" "0 "
same "exec: no error, no leak, no descriptor" "$(said $pid)" ""
