# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# lib.sh - the world of an end-to-end test
#
#	cli                 gw                         srv
#	[app] --tun0-- sluice --veth 10.99.0.1-- 10.99.0.2 .3 .4 [servers]
#	      10.0.0.2              fd99::1       fd99::2  ::3 ::4
#	      fd00:736c::2                        198.18.0.0/15, 2001:db8::/32
#
# Three network namespaces, named by our process id.  In cli everything goes
# into the TUN; gw runs the gateway and reaches only srv; srv answers on any
# address of its two documentation networks.  README has an example.
#
# From outside: SLUICE (the program), SLUICE_PLUGINDIR, OFFLOAD and FAMILY
# (limit the matrix), KEEP=1 (leave logs and say where).

set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SLUICE=${SLUICE:-$HERE/../../sluice}
if [[ -z ${SLUICE_PLUGINDIR:-} && -d ${SLUICE%/*}/plugins/.libs ]]; then
	export SLUICE_PLUGINDIR=${SLUICE%/*}/plugins/.libs
fi

GW4=10.99.0.1 SRV4=10.99.0.2 APP4=10.0.0.2 SELF4=10.0.0.1
GW6=fd99::1 SRV6=fd99::2 APP6=fd00:736c::2 SELF6=fd00:736c::1
# Nobody is there: and nobody says so; unreachable (3/1, 1/0); prohibited (3/13,
# 1/1).
HOLES4=203.0.113.128 HOLES6=fd99:dead::8000 # and 127 after each
HOLE4=203.0.113.9 UNREACH4=203.0.113.1 PROHIBIT4=203.0.113.2
HOLE6=fd99:dead::9 UNREACH6=fd99:dead::1 PROHIBIT6=fd99:dead::2

TESTS=0 FAILED=0
CASE= OFFLOAD_NOW=
SLUICE_PID=
JOBS=()
TMP= NS_CLI= NS_GW= NS_SRV=

# --- TAP ---

skip_all()
{
	trap - EXIT
	clean_up
	echo "1..0 # SKIP $*"
	exit 0
}

diag()
{
	sed 's/^/# /' <<<"$*"
}

# pass NAME, fail NAME [WHY]: one result
pass()
{
	echo "ok $((++TESTS)) - $1${CASE:+ [$CASE]}"
}

fail()
{
	echo "not ok $((++TESTS)) - $1${CASE:+ [$CASE]}"
	((++FAILED))
	[[ -z ${2:-} ]] || diag "$2"
	[[ ! -s $TMP/sluice.log ]] || diag "log: $(tail -n 12 "$TMP/sluice.log")"
}

skip()
{
	echo "ok $((++TESTS)) - $1${CASE:+ [$CASE]} # SKIP ${2:-}"
}

# check NAME COMMAND...: passes if the command does; what it printed is shown
# if not.
check()
{
	local name=$1 out
	shift

	if out=$("$@" 2>&1 </dev/null); then
		pass "$name"
	else
		fail "$name" "status $? of: $*"$'\n'"$out"
	fi
}

# same NAME GOT WANTED
same()
{
	if [[ $2 == "$3" ]]; then
		pass "$1"
	else
		fail "$1" "got '$2', want '$3'"
	fi
}

# matches NAME GOT PATTERN: an extended regular expression
matches()
{
	if [[ $2 =~ $3 ]]; then
		pass "$1"
	else
		fail "$1" "'$2' does not match '$3'"
	fi
}

# --- time ---

now_ms()
{
	local t=${EPOCHREALTIME/[.,]/}
	echo $((t / 1000))
}

# wait_for SECONDS COMMAND...: until it succeeds; 1 if it never does
wait_for()
{
	local end=$(($(now_ms) + $1 * 1000))
	shift

	until "$@" >/dev/null 2>&1; do
		(($(now_ms) < end)) || return 1
		sleep 0.02
	done
}

# took COMMAND...: its milliseconds into TOOK; its status and output stay
took()
{
	local start status=0
	start=$(now_ms)
	"$@" || status=$?
	TOOK=$(($(now_ms) - start))
	return $status
}

# --- the world ---

cli() { ip netns exec "$NS_CLI" "$@"; }
gw() { ip netns exec "$NS_GW" "$@"; }
srv() { ip netns exec "$NS_SRV" "$@"; }

# need TOOL...: skip the file without them
need()
{
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip_all "no $tool here"
	done
}

world_up()
{
	local ns i

	[[ $(id -u) == 0 ]] || skip_all "needs root"
	[[ -x $SLUICE ]] || skip_all "no $SLUICE"
	need ip ss
	[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun"
	TMP=$(mktemp -d "${TMPDIR:-/tmp}/sluice-e2e.XXXXXX")
	chmod 755 "$TMP"
	NS_CLI=sl$$-cli NS_GW=sl$$-gw NS_SRV=sl$$-srv
	trap world_down EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	for ns in "$NS_CLI" "$NS_GW" "$NS_SRV"; do
		ip netns add "$ns" 2>"$TMP/err" ||
			skip_all "no network namespaces: $(cat "$TMP/err")"
		ip -n "$ns" link set lo up
		# addresses are there at once
		ip netns exec "$ns" sysctl -qw \
			net.ipv6.conf.all.disable_ipv6=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0
	done
	# the same in every kernel
	for ns in "$NS_CLI" "$NS_GW" "$NS_SRV"; do
		ip netns exec "$ns" sysctl -qw \
			net.ipv4.tcp_congestion_control=reno 2>/dev/null || :
	done
	gw sysctl -qw net.ipv4.ping_group_range='0 2147483647'
	# errors of the servers' kernel are what is looked at: all of them
	srv sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
		net.ipv4.icmp_msgs_per_sec=100000 2>/dev/null || :

	ip -n "$NS_GW" link add veth0 type veth peer name veth0 netns "$NS_SRV"
	ip -n "$NS_GW" link set veth0 up
	ip -n "$NS_SRV" link set veth0 up
	ip -n "$NS_GW" addr add $GW4/24 dev veth0
	ip -n "$NS_GW" addr add $GW6/64 dev veth0 nodad
	for i in 2 3 4; do
		ip -n "$NS_SRV" addr add 10.99.0.$i/24 dev veth0
		ip -n "$NS_SRV" addr add fd99::$i/64 dev veth0 nodad
	done
	ip -n "$NS_GW" route add default via $SRV4
	ip -n "$NS_GW" -6 route add default via $SRV6
	ip -n "$NS_SRV" route add local 198.18.0.0/15 dev lo
	ip -n "$NS_SRV" -6 route add local 2001:db8::/32 dev lo
	ip -n "$NS_SRV" route add blackhole $HOLE4
	ip -n "$NS_SRV" route add blackhole 203.0.113.128/25
	ip -n "$NS_SRV" route add unreachable $UNREACH4
	ip -n "$NS_SRV" route add prohibit $PROHIBIT4
	ip -n "$NS_SRV" -6 route add blackhole $HOLE6
	ip -n "$NS_SRV" -6 route add blackhole fd99:dead::8000/113
	ip -n "$NS_SRV" -6 route add unreachable $UNREACH6
	ip -n "$NS_SRV" -6 route add prohibit $PROHIBIT6
	srv sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1
	wait_for 5 gw ping -c 1 -W 1 $SRV4 || skip_all "veth carries nothing"
	wait_for 5 gw ping -c 1 -W 1 $SRV6 || skip_all "veth carries no IPv6"
}

world_down()
{
	local status=$?

	trap - EXIT HUP INT TERM
	clean_up
	if ((status)); then
		echo "Bail out! status $status"
	else
		echo "1..$TESTS"
		((FAILED == 0)) || status=1
	fi
	exit $status
}

clean_up()
{
	local ns

	jobs_kill
	if [[ -n $SLUICE_PID ]]; then
		kill -KILL "$SLUICE_PID" 2>/dev/null
		wait "$SLUICE_PID" 2>/dev/null
	fi
	for ns in $NS_CLI $NS_GW $NS_SRV; do
		ip netns pids "$ns" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	if [[ -n $TMP && -n ${KEEP:-} ]]; then
		diag "kept: $TMP"
	elif [[ -n $TMP ]]; then
		rm -rf "$TMP"
	fi
}

jobs_kill()
{
	local pid
	for pid in "${JOBS[@]}"; do
		kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	JOBS=()
}

# bg COMMAND...: in the background till the end of the test; its pid in BG,
# what it prints in $TMP/bg.log
bg()
{
	"$@" </dev/null >>"$TMP/bg.log" 2>&1 &
	BG=$!
	JOBS+=("$BG")
}

# stop PID: of bg
stop()
{
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

listening()
{
	[[ -n $(ip netns exec "$1" ss -Hln"${2:0:1}" "sport = :$3") ]]
}

# server PORT COMMAND...: in srv, and wait until it listens (tcp, or udp for
# PORT/udp)
server()
{
	local port=$1
	shift
	bg ip netns exec "$NS_SRV" "$@"
	wait_port srv "$port" || diag "nothing listens on $port: $*"
}

# wait_port cli|gw|srv PORT[/udp]
wait_port()
{
	local ns=$NS_SRV proto=t
	[[ $1 != cli ]] || ns=$NS_CLI
	[[ $1 != gw ]] || ns=$NS_GW
	[[ $2 != */udp ]] || proto=u
	wait_for 10 listening "$ns" $proto "${2%/*}"
}

# --- the gateway ---

sluice_is_up()
{
	kill -0 "$SLUICE_PID" || return 0	# waiting would help nobody
	logged 'ready: device'
}

# sluice_start [section.key=value]...: with these over the defaults below;
# fails if it does not come up
sluice_start()
{
	local o args=()

	cat >"$TMP/sluice.ini" <<-EOF_INI
		[gateway]
		log-level = debug
		[tun]
		name = tun0
		netns = $NS_CLI
		routes = 0.0.0.0/0 ::/0
		offload = ${OFFLOAD_NOW:-auto}
		[chain]
		tcp = tcp-forward
		udp = udp-forward
		dns =
		protect = protect-mark
	EOF_INI
	chmod 644 "$TMP/sluice.ini"
	for o; do
		args+=(-o "$o")
	done
	: >"$TMP/sluice.log"
	ip netns exec "$NS_GW" "$SLUICE" run -c "$TMP/sluice.ini" "${args[@]}" \
		</dev/null >"$TMP/sluice.out" 2>"$TMP/sluice.log" &
	SLUICE_PID=$!
	if wait_for 10 sluice_is_up && kill -0 $SLUICE_PID 2>/dev/null; then
		return 0
	fi
	fail "sluice comes up"
	sluice_stop quiet
	return 1
}

# sluice_stop: it has to end in 5 s, with status 0 and no word of a sanitizer
sluice_stop()
{
	local status=0 pid=$SLUICE_PID

	[[ -n $pid ]] || return 0
	SLUICE_PID=
	kill -TERM "$pid" 2>/dev/null
	if ! wait_for 5 eval "! kill -0 $pid"; then
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
		[[ ${1:-} == quiet ]] || fail "sluice ends when asked to"
		return 1
	fi
	wait "$pid" || status=$?
	if grep -Eq 'Sanitizer|runtime error:' "$TMP/sluice.log"; then
		fail "no sanitizer has anything to say" \
			"$(grep -EA30 'Sanitizer|runtime error:' \
				"$TMP/sluice.log" | head -n 60)"
		return 1
	fi
	[[ ${1:-} != quiet ]] || return 0
	if ((status)); then
		fail "sluice ends well" "status $status"
		return 1
	fi
}

# logged PATTERN: is there such a line?
logged()
{
	grep -Eq -- "$1" "$TMP/sluice.log"
}

# counter NAME: its value now
counter()
{
	local before
	before=$(grep -c 'counters end' "$TMP/sluice.log")
	kill -USR1 "$SLUICE_PID" 2>/dev/null || return 1
	wait_for 5 counters_after "$before"
	sed -n "s/.*counter $1 //p" "$TMP/sluice.log" | tail -n 1 | grep . ||
		echo 0
}

counters_after()
{
	(($(grep -c 'counters end' "$TMP/sluice.log") > $1))
}

# counted NAME LEAST [MOST]: is the counter in that range?
counted()
{
	local n
	n=$(counter "$1")
	echo "$1 is $n"
	((n >= $2 && n <= ${3:-n}))
}

# descriptors and resident KiB of the running gateway
sluice_fds()
{
	find "/proc/$SLUICE_PID/fd" -mindepth 1 2>/dev/null | wc -l
}

# sluice_rss_below KIB: has memory a bound?  A sanitizer's own has none.
sluice_rss_below()
{
	local now
	now=$(sluice_rss)
	echo "VmRSS $now KiB, bound $1"
	sanitized || ((now < $1))
}

# Was it built with AddressSanitizer?
sanitized()
{
	grep -q __asan_init "$SLUICE"
}

sluice_rss()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$SLUICE_PID/status"
}

# --- the matrix ---

# each_offload FUNCTION [section.key=value]...: a gateway with offload on and
# one without, the function under each; $CASE is in the names
each_offload()
{
	local function=$1 o
	shift
	for o in ${OFFLOAD:-on off}; do
		OFFLOAD_NOW=$o CASE="offload $o"
		if sluice_start "$@"; then
			"$function"
			sluice_stop
		fi
		CASE=
	done
	OFFLOAD_NOW=
}

# each_family FUNCTION [ARG...]: for IPv4 and IPv6, with SRV, APP, SELF, HOLE,
# UNREACH, PROHIBIT of the family; F is 4 or 6; [ and ] for URLs in U and V
each_family()
{
	local function=$1 case=$CASE f name value
	shift
	for f in ${FAMILY:-4 6}; do
		F=$f CASE="IPv$f${case:+, $case}" U='' V=''
		for name in SRV APP SELF HOLE HOLES UNREACH PROHIBIT; do
			value=$name$f
			printf -v "$name" %s "${!value}"
		done
		((f == 4)) || U='[' V=']'
		"$function" "$@"
	done
	CASE=$case
}
