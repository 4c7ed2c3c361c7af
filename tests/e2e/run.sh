# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# run.sh - "sluice run": start, signals, rights, and mistakes at the start

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need python3 setpriv unshare curl
world_up

alive()
{
	kill -0 "$SLUICE_PID" 2>/dev/null
}

# ended SECONDS: its status in ENDED, when it is there in time
ended()
{
	local pid=$SLUICE_PID

	ENDED='still running'
	wait_for "$1" eval "! kill -0 $pid 2>/dev/null" || return
	SLUICE_PID=
	ENDED=0
	wait "$pid" || ENDED=$?
}

no_device()
{
	! ip -n "$NS_CLI" link show tun0 >/dev/null 2>&1
}

# --- signals ----------------------------------------------------------------

for signal in TERM INT; do
	sluice_start || continue
	kill -$signal "$SLUICE_PID"
	ended 5
	same "SIG$signal ends it with 0" "$ENDED" 0
	check "and the device is gone" no_device
done

if sluice_start; then
	kill -HUP "$SLUICE_PID"
	check "SIGHUP is answered in the log" wait_for 2 logged 'SIGHUP'
	kill -PIPE "$SLUICE_PID"
	sleep 0.2
	check "neither SIGHUP nor SIGPIPE ends it" alive
	sluice_stop
fi

# It is stopped (so it cannot do it in good order) when the signals come.
if sluice_start; then
	kill -STOP "$SLUICE_PID"
	kill -TERM "$SLUICE_PID"
	kill -INT "$SLUICE_PID"
	kill -CONT "$SLUICE_PID"
	ended 2
	matches "two signals end it at once" "$ENDED" '^(130|143)$'
fi

# --- ready ------------------------------------------------------------------

notified()
{
	grep -q "$1" "$TMP/notify"
}

cat >"$TMP/notify.py" <<'EOF'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\0", 1))
with open(sys.argv[2], "a") as f:
    f.write("listening\n"); f.flush()
    while True:
        f.write(s.recv(1000).decode() + "\n"); f.flush()
EOF

for kind in path abstract; do
	socket=$TMP/notify.sock
	[[ $kind == path ]] || socket=@sluice-e2e-$$
	: >"$TMP/notify"
	bg ip netns exec "$NS_GW" python3 "$TMP/notify.py" "$socket" \
		"$TMP/notify"
	wait_for 5 notified listening
	export NOTIFY_SOCKET=$socket
	if sluice_start; then
		check "READY=1 reaches a socket ($kind)" \
			wait_for 2 notified '^READY=1$'
		sluice_stop
		check "STOPPING=1 too ($kind)" wait_for 2 notified '^STOPPING=1$'
	fi
	unset NOTIFY_SOCKET
	stop "$BG"
done

# --- rights -------------------------------------------------------------------

field()
{
	awk -v f="$1:" '$1 == f { print $2 }' "/proc/$SLUICE_PID/status"
}

if sluice_start gateway.user=nobody; then
	same "it is another user then" "$(field Uid) $(field Gid)" \
		"$(id -u nobody) $(id -g nobody)"
	# CAP_NET_ADMIN 12, CAP_NET_RAW 13
	same "with two capabilities left" "$(field CapEff)" 0000000000003000
	same "and no way to more" "$(field CapBnd) $(field NoNewPrivs)" \
		"0000000000003000 1"
	same "of its groups none is root's" \
		"$(awk '$1 == "Groups:" { print ($0 ~ / 0( |$)/) }' \
			"/proc/$SLUICE_PID/status")" 0
	server 8080 python3 -m http.server --bind :: --directory "$HERE" 8080
	check "and it carries traffic, IPv4" \
		cli curl -sfo /dev/null --max-time 5 "http://$SRV4:8080/"
	check "IPv6" \
		cli curl -sfo /dev/null --max-time 5 "http://[$SRV6]:8080/"
	sluice_stop
fi
if sluice_start; then
	same "the descriptor limit is as high as it may be" \
		"$(awk '/^Max open files/ { print $4 == $5 }' \
			"/proc/$SLUICE_PID/limits")" 1
	sluice_stop
fi

# --- mistakes -----------------------------------------------------------------

# refused NAME STATUS PATTERN COMMAND...: one line that says so, and nothing is
# left half set up
refused()
{
	local name=$1 want=$2 pattern=$3 out got=0
	shift 3

	out=$("$@" 2>&1 </dev/null) || got=$?
	if ((got != want)); then
		fail "$name: status $want" "status $got: $out"
	else
		pass "$name: status $want"
	fi
	matches "$name: says so" "$out" "$pattern"
	same "$name: in one line" "$(wc -l <<<"$out")" 1
	check "$name: nothing is left" no_device
}

run()
{
	gw "$SLUICE" run -o tun.name=tun0 -o "tun.netns=$NS_CLI" "$@"
}

refused "an unknown key" 78 'tun.*mtv.*mtu' run -o tun.mtv=1500
printf '[chain]\nprotect = protect-mark\n[protect-mark]\nmark = 0\n' \
	>"$TMP/mark.ini"
check "a plugin taken out by -o may keep its section" \
	"$SLUICE" check -c "$TMP/mark.ini" -o chain.protect= \
	-o gateway.unprotected=allow
refused "what only a plugin knows to be wrong" 78 'mark.ini:4: .*mark: 0 is' \
	run -c "$TMP/mark.ini"
refused "a missing file" 78 '/no/such/file' run -c /no/such/file
: >"$TMP/all.ini"
chmod 666 "$TMP/all.ini"
refused "a file that all may write" 78 'writable|write' \
	run -c "$TMP/all.ini"
refused "a missing plugin" 78 'no-such-plugin' run -o chain.tcp=no-such-plugin
refused "a missing user" 1 'no user "no-such-user".*\[gateway\] user' \
	run -o gateway.user=no-such-user
refused "a missing namespace" 1 'namespace "no-such-ns".*ip netns add' \
	gw "$SLUICE" run -o tun.netns=no-such-ns
refused "a log file that cannot be" 78 'log-file.*No such file' \
	run -o gateway.log-file=/no/such/folder/log
refused "an option of another command" 2 'plugins takes no -c; usage' \
	"$SLUICE" plugins -c x
refused "a command that is not there" 2 'did you mean "run"' "$SLUICE" rnu
refused "an option that is not there" 2 'no option "-x"' "$SLUICE" run -x
refused "an option without its value" 2 'needs a value' "$SLUICE" run -c
refused "an operand too many" 2 'what is "now"' "$SLUICE" run now
refused "options before the command" 2 'a command comes first' \
	"$SLUICE" -c x run

ip -n "$NS_CLI" tuntap add busy0 mode tun
gw python3 - "$NS_CLI" >"$TMP/bg.log" <<-'EOF' &
	import ctypes, fcntl, os, struct, sys, time
	ns = os.open("/run/netns/" + sys.argv[1], os.O_RDONLY)
	ctypes.CDLL(None).setns(ns, 0)
	f = os.open("/dev/net/tun", os.O_RDWR)
	fcntl.ioctl(f, 0x400454ca, struct.pack("16sH22x", b"busy0", 0x1001))
	print("busy", flush=True)
	time.sleep(600)
EOF
JOBS+=($!)
wait_for 5 grep -q busy "$TMP/bg.log"
refused "a busy device" 1 \
	'device busy0 is in use by another process: choose another' \
	run -o tun.name=busy0
ip -n "$NS_CLI" tuntap add tap0 mode tap
refused "a TAP" 1 'device tap0 is a TAP .*choose another' run -o tun.name=tap0
refused "a route that is there already" 1 'route 10.99.0.0/24.*another route' \
	gw "$SLUICE" run -o tun.name=tun0 -o tun.routes=10.99.0.0/24
refused "no /dev/net/tun" 1 'there is no /dev/net/tun: .*modprobe' \
	gw unshare -m bash -c 'mount -t tmpfs none /dev/net && exec "$@"' sh \
	"$SLUICE" run
refused "no right to /dev/net/tun" 1 '/dev/net/tun|no permission' \
	gw setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$SLUICE" run
