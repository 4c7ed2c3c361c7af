#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What an app sees through sluice is what it sees without: every row of
# same.py is run both ways, and has to give the same
#
#	dir                      gw                     srv          far
#	[app] ----- dir0 -- kernel forwarding -- veth0 [servers] -- [servers]
#	[app] ---- tun0 --- sluice ------------/        router       MTU 1300
#	cli
#
# dir has the addresses of cli.  The far host is one router further.
# same.known lists the differences that are known, and why.

. "$(dirname "$0")/lib.sh"
need ping python3
world_up

NS_DIR=sl$$-dir NS_FAR=sl$$-far NS_NEW=sl$$-new

# The two namespaces more; what their processes are is no concern of lib.sh.
more_down()
{
	local status=$? ns

	for ns in $NS_DIR $NS_FAR $NS_NEW; do
		ip netns del "$ns" 2>/dev/null
	done
	(exit $status)
	world_down
}

more_up()
{
	local ns

	trap more_down EXIT
	for ns in "$NS_DIR" "$NS_FAR"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		ip netns exec "$ns" sysctl -qw \
			net.ipv6.conf.all.disable_ipv6=0 \
			net.ipv6.conf.default.accept_dad=0
		ip netns exec "$ns" sysctl -qw \
			net.ipv4.tcp_congestion_control=reno 2>/dev/null || :
	done
	link "$NS_DIR" dir0 $APP4/24 $APP6/64 "$NS_GW" dir0 $SELF4/24 $SELF6/64
	link "$NS_FAR" far0 10.98.0.2/24 fd98::2/64 \
		"$NS_SRV" far0 10.98.0.1/24 fd98::1/64
	for ns in "$NS_FAR" "$NS_SRV"; do
		ip -n "$ns" link set far0 mtu 1300
	done

	# to the app: it has a block of addresses its kernel does not know of
	ip -n "$NS_GW" route add 10.0.0.64/26 via $APP4
	ip -n "$NS_GW" -6 route add fd00:736c::40/122 via $APP6
	ip -n "$NS_SRV" route add 10.0.0.0/24 via $GW4
	ip -n "$NS_SRV" -6 route add fd00:736c::/64 via $GW6
	ip -n "$NS_DIR" route add default via $SELF4
	ip -n "$NS_DIR" -6 route add default via $SELF6
	# to the far host, which offers more than its link takes
	ip -n "$NS_SRV" route add 192.0.2.0/24 via 10.98.0.2
	ip -n "$NS_SRV" -6 route add fd98:1::/64 via fd98::2
	ip -n "$NS_FAR" route add local 192.0.2.0/24 dev lo
	ip -n "$NS_FAR" -6 route add local fd98:1::/64 dev lo
	ip -n "$NS_FAR" route add default via 10.98.0.1 advmss 1460
	ip -n "$NS_FAR" -6 route add default via fd98::1 advmss 1440
	# whoever is refused there is told so by same.py
	ip -n "$NS_SRV" route add table local blackhole 198.18.0.0/19
	ip -n "$NS_SRV" -6 route add table local blackhole 2001:db8::/45

	gw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for ns in "$NS_GW" "$NS_DIR" "$NS_FAR" "$NS_CLI" "$NS_SRV"; do
		ip netns exec "$ns" sysctl -qw net.ipv4.icmp_ratelimit=0 \
			net.ipv6.icmp.ratelimit=0 \
			net.ipv4.icmp_msgs_per_sec=100000 \
			net.ipv4.icmp_msgs_burst=100000 \
			net.ipv4.ip_nonlocal_bind=1 \
			net.ipv6.ip_nonlocal_bind=1 \
			net.ipv4.ping_group_range='0 2147483647' || :
	done 2>/dev/null
	wait_for 5 ip netns exec "$NS_DIR" ping -c 1 -W 1 192.0.2.1 ||
		diag "no way to the far host"
	wait_for 5 ip netns exec "$NS_DIR" ping -c 1 -W 1 fd98:1::1 ||
		diag "no way to the far host, IPv6"
}

# link NS DEVICE IPV4 IPV6 NS DEVICE IPV4 IPV6
link()
{
	ip -n "$1" link add "$2" type veth peer name "$6" netns "$5"
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$5" addr add "$7" dev "$6"
	ip -n "$5" addr add "$8" dev "$6" nodad
	ip -n "$1" link set "$2" up
	ip -n "$5" link set "$6" up
}

# What a kernel learned of paths in one run must not help the next.
forget()
{
	local ns
	for ns in "$NS_CLI" "$NS_DIR" "$NS_GW" "$NS_SRV"; do
		ip -n "$ns" route flush cache
		ip -n "$ns" -6 route flush cache
		ip -n "$ns" tcp_metrics flush
	done >/dev/null 2>&1
}

# rows LOG NS DEVICE: all of them, from there
rows()
{
	forget
	# shellcheck disable=SC2086
	timeout 60 "$HERE/same.py" run "$2" "$3" \
		"$NS_GW" "$NS_SRV" "$NS_FAR" ${FAMILY:-4 6} \
		>"$TMP/$1" 2>"$TMP/$1.err" ||
		fail "all rows were run" "status $?: $(tail -n 20 "$TMP/$1.err")"
}

compared()
{
	local word family name why

	while IFS='|' read -r word name why; do
		family=${word##* }
		CASE="IPv$family, offload $OFFLOAD_NOW"
		if [[ $word == ok* ]]; then
			pass "$name"
		else
			fail "$name" "${why//; /$'\n'}"
		fi
	done < <("$HERE/same.py" compare "$TMP/direct" "$1" "$HERE/same.known" \
		"$OFFLOAD_NOW")
}

through()
{
	rows "$OFFLOAD_NOW" "$NS_CLI" tun0
	compared "$TMP/$OFFLOAD_NOW"
	CASE="offload $OFFLOAD_NOW"
	check "no flow is left" wait_for 10 counted tcp_open 0 0
}

# --- the device changes under way ---

cpu_ms()
{
	awk '{ print ($14 + $15) * 10 }' "/proc/$SLUICE_PID/stat"
}

# idles NAME: whatever happened, it waits for something to do
idles()
{
	local before
	before=$(cpu_ms)
	sleep 0.7
	check "TUN-6: $1: no spinning" test $(($(cpu_ms) - before)) -lt 200
}

carries()
{
	same "TUN-6: $1: connections" \
		"$(cli "$HERE/peer.py" many $SRV 7 3)" "bad 0"
	same "TUN-6: $1: datagrams" \
		"$(cli "$HERE/peer.py" udp $SRV 7 1400)" same
}

# fits MTU: what is opened now is of that size, and what is sent arrives whole
fits()
{
	carries "MTU $1"
	same "TUN-6: MTU $1: the MSS that is offered" \
		"$("$HERE/same.py" mss "$NS_CLI" tun0 $SRV 7)" \
		$(($1 - (F == 4 ? 40 : 60)))
	check "TUN-6: MTU $1: the largest packet, to the gateway and back" \
		cli ping -n -c 1 -W 5 -M "do" \
		-s $(($1 - (F == 4 ? 28 : 48))) $SELF
}

# set_up_in NS: configure the device, which has lost what it had
set_up_in()
{
	ip -n "$1" addr add $APP4/24 dev tun0
	ip -n "$1" addr add $APP6/64 dev tun0 nodad
	ip -n "$1" link set tun0 up
	ip -n "$1" route add default dev tun0
	ip -n "$1" -6 route add default dev tun0
}

moves()
{
	local home=$NS_CLI

	ip netns add "$NS_NEW"
	ip -n "$NS_CLI" link set tun0 netns "$NS_NEW"
	check "TUN-6: in another namespace: the log says so" wait_for 5 \
		logged "tun0 is in another network namespace"
	idles "in another namespace"
	set_up_in "$NS_NEW"
	NS_CLI=$NS_NEW
	each_family carries "in another namespace"
	ip -n "$NS_NEW" link set tun0 mtu 1400
	wait_for 5 logged "MTU of tun0 is 1400"
	each_family fits 1400
	ip -n "$NS_NEW" link set tun0 mtu 1500 netns "$home"
	NS_CLI=$home
	set_up_in "$NS_CLI"
	each_family carries "back again"
	ip netns del "$NS_NEW"
}

device_changes()
{
	local mtu

	server 7 "$HERE/peer.py" echo 7
	for mtu in 1280 9000 1500; do
		ip -n "$NS_CLI" link set tun0 mtu $mtu
		wait_for 5 logged "MTU of tun0 is $mtu"
		each_family fits $mtu
	done
	moves
	server 9001 "$HERE/peer.py" source 9001 2000000000
	bg ip netns exec "$NS_CLI" "$HERE/peer.py" half $SRV4 9001
	wait_for 5 counted tcp_open 1
	ip -n "$NS_CLI" link set tun0 down
	idles "down, with bytes under way"
	ip -n "$NS_CLI" link set tun0 name other0 up 2>"$TMP/err" ||
		diag "not renamed: $(cat "$TMP/err")"
	# the kernel took it away with the device
	ip -n "$NS_CLI" addr replace $APP6/64 dev other0 nodad
	ip -n "$NS_CLI" route replace default dev other0
	ip -n "$NS_CLI" -6 route replace default dev other0
	wait_for 5 cli "$HERE/peer.py" connect $SRV4 7
	each_family carries "up again, by another name"
	stop "$BG"
	ip -n "$NS_CLI" link set other0 down
	idles "down"
	# each_offload asks it to end now: TUN-6, SIGTERM is obeyed
}

deleted()
{
	local status=0 pid=$SLUICE_PID

	ip -n "$NS_CLI" link del tun0
	if ! wait_for 3 eval "! kill -0 $pid 2>/dev/null"; then
		idles "deleted"
		fail "TUN-6: deleted: it ends"
		return
	fi
	wait "$pid" || status=$?
	SLUICE_PID=
	same "TUN-6: deleted: it ends, and says so" $status 1
}

ulimit -n 8192
export PYTHONDONTWRITEBYTECODE=1	# the source tree stays as it is
more_up
rows direct "$NS_DIR" dir0
each_offload through tcp-forward.connect-timeout=5s
each_offload device_changes
each_offload deleted
