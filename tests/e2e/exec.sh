# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# exec.sh - "sluice exec": status, signals, terminal, files, and that nothing
# is left of it; as root and as an ordinary user

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need python3 setpriv unshare curl
[[ $(id -u) == 0 ]] || skip_all "needs root, to become another user"
[[ -x $SLUICE ]] || skip_all "no $SLUICE"
[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun"

TMP=$(mktemp -d "${TMPDIR:-/tmp}/sluice-exec.XXXXXX")
chmod 755 "$TMP"
trap world_down EXIT
trap 'exit 143' TERM

# A user who may open /dev/net/tun, as on a stock Debian, whatever its mode
# is here: seen by this one process tree only.
as_user()
{
	unshare -m bash -c '
		mkdir -p "$1/dev" && mount -t tmpfs none "$1/dev" &&
			mknod -m 666 "$1/dev/tun" c 10 200 &&
			mount --bind "$1/dev/tun" /dev/net/tun || exit 99
		shift
		cd /
		export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
		exec setpriv --reuid=65534 --regid=65534 \
			--clear-groups --inh-caps=-all "$@"' sh "$TMP" "$@"
}

as_root()
{
	"$@"
}

# status NAME WANTED COMMAND...
status()
{
	local name=$1 want=$2 out got=0
	shift 2

	out=$("$@" 2>&1 </dev/null) || got=$?
	if ((got == want)); then
		pass "$name"
	else
		fail "$name" "status $got, want $want: $out"
	fi
}

# prints NAME PATTERN COMMAND...: the extended regular expression is in what
# it prints
prints()
{
	local name=$1 want=$2 out
	shift 2

	out=$("$@" 2>&1 </dev/null)
	matches "$name" "$out" "$want"
}

MARK=marker-$$-of-exec.sh

# What a command could leave behind: whoever is in its namespaces (it printed
# them) or holds them, processes, mounts, files.  A number that is free again
# may be that of a new namespace of somebody else's, but not two of them.
inside=
left_over()
{
	local ns
	for ns in $inside; do
		find /proc/[0-9]*/fd -lname "$ns" 2>/dev/null
		find /proc/[0-9]*/ns -lname "$ns" ! -name '*_for_*' 2>/dev/null
	done | awk -F/ '$4 == "fd" || n[$3]++ == 1'
	pgrep -f "$MARK"
	grep -v '/run/netns\|sluice' /proc/self/mountinfo
	ls "$TMP"
}

same_left_over()
{
	[[ $(left_over) == "$BEFORE" ]]
}

x()
{
	"$WHO" "$SLUICE" exec "$@"
}

closed()
{
	x "$@" <&- >&- 2>&-
}

# --- a command, and how it ends -------------------------------------------

statuses()
{
	status "status 0" 0 x -- true
	status "status 7" 7 x -- sh -c 'exit 7'
	status "status 255" 255 x -- sh -c 'exit 255'
	status "no -- is needed" 3 x sh -c 'exit 3'
	status "options of the command are its own" 0 \
		x -- sh -c 'test "$1 $2" = "-c x"' sh -c x
	status "closed input, output and errors stay closed" 9 \
		closed -- sh -c '(: 9<&0) || (: 9>&1) || (: 9>&2) || exit 9'
	status "killed by SIGTERM: 143" 143 x -- sh -c 'kill -TERM $$'
	status "killed by SIGKILL: 137" 137 x -- sh -c 'kill -KILL $$'
	status "not found: 127" 127 x -- /no/such/command
	status "not in PATH: 127" 127 x -- no-such-command-at-all
	status "not executable: 126" 126 x -- /etc/passwd
	prints "which one, and why" '^sluice: no-such-cmd: No such file' \
		x -- no-such-cmd
}

mistakes()
{
	status "no command: 2" 2 x
	prints "and what it should look like" 'exec needs a command.*exec --' x
	status "an unknown option: 2" 2 x --jason -- true
	prints "with the nearest" 'did you mean "--json"' x --jason -- true
	status "an unknown key: 78" 78 x -o tun.mtuu=1 -- true
	status "a device of the user's: 78" 78 x -o tun.fd=0 -- true
	status "no such file: 78" 78 x -c /no/such/file.ini -- true
	prints "one line for it" '^[^
]*no/such/file.ini[^
]*$' x -c /no/such/file.ini -- true
}

# --- what it sees -----------------------------------------------------------

world_inside()
{
	local uid
	uid=$("$WHO" id -u)

	prints "the same user" "^$uid\$" x -- id -u
	prints "the same folder" "^/\$" x -- sh -c 'cd / && pwd'
	prints "only lo and the TUN" '^lo sluice0 $' x -- \
		sh -c 'for i in /proc/net/dev; do awk "NR>2{sub(\":\",\"\");print \$1}" $i | sort; done | tr "\n" " "'
	prints "a default route, IPv4" 'default dev sluice0' x -- ip route
	prints "a default route, IPv6" 'default dev sluice0' x -- ip -6 route
	prints "its address, IPv4" '10\.0\.0\.2/24' x -- ip -4 addr
	prints "its address, IPv6, usable at once" \
		'fd00:736c::2/64 scope global nodad' x -- ip -6 addr
	prints "an MTU that was asked for" 'mtu 9000' \
		x -o tun.mtu=9000 -- ip link show sluice0
	prints "resolv.conf names the gateway" \
		'nameserver 10\.0\.0\.1.nameserver fd00:736c::1' \
		x -- sh -c 'tr "\n" . </etc/resolv.conf'
	prints "nobody can write into it" 'Read-only|denied' \
		x -- sh -c 'echo x >>/etc/resolv.conf'
	prints "processes of its own only" '^[1-9] $' \
		x -- sh -c 'ls -d /proc/[0-9]* | wc -l | tr "\n" " "'
	prints "no rights over its network" 'denied|not permitted' \
		x -- ip link set sluice0 down
	prints "no rights over its mounts" 'denied|not permitted|must be' \
		x -- mount -t tmpfs none /mnt
	status "the gateway answers ping" 0 x -- ping -c 1 -W 3 10.0.0.1
	status "the gateway answers ping, IPv6" 0 \
		x -- ping -c 1 -W 3 fd00:736c::1
	same "descriptors are passed on" "$(x -- sh -c 'cat <&5' 5<<<hello)" hello
	same "stdin and stdout pass through" \
		"$(echo hello | x -- tr a-z A-Z)" HELLO
	same "all of a megabyte of them" \
		"$(head -c 1000000 /dev/zero | x -- cat | wc -c)" 1000000
	prints "the descriptor limit stays" "^$(ulimit -Sn)\$" \
		x -- sh -c 'ulimit -Sn'
	status "SIGPIPE ends it as always" 141 \
		x -- bash -c 'kill -PIPE $$'
}

# --- traffic ------------------------------------------------------------------

LOOP=(-o "tun.host-loopback=10.0.0.3 fd00:736c::3")

traffic()
{
	prints "a page of this host, IPv4" 'as served' \
		x "${LOOP[@]}" -- curl -sS -m 9 "http://10.0.0.3:$PORT/page"
	prints "a page of this host, IPv6" 'as served' \
		x "${LOOP[@]}" -- curl -sS -m 9 "http://[fd00:736c::3]:$PORT/page"
	status "a closed port is refused, at once" 7 \
		x "${LOOP[@]}" -- curl -sS -m 9 http://10.0.0.3:1/
	prints "a page from a box in a box" 'as served' \
		x "${LOOP[@]}" -- "$SLUICE" exec -- \
		curl -sS -m 9 "http://10.0.0.3:$PORT/page"
	status "loopback inside is not the host's" 7 \
		x "${LOOP[@]}" -- curl -sS -m 9 "http://127.0.0.1:$PORT/page"
	same "what was sent last still arrives" "$(
		x "${LOOP[@]}" -- bash -c "
			exec 3<>/dev/tcp/10.0.0.3/$PORT
			printf 'PUT /last HTTP/1.0\r\nContent-Length: 200000\r\n\r\n' >&3
			head -c 200000 /dev/zero >&3"
		wait_for 5 test -s "$TMP/www/put.size"
		cat "$TMP/www/put.size"
	)" 200000
	rm -f "$TMP/www/put.size"
}

# --- signals --------------------------------------------------------------------

# start_traps: a command that says which signal it got; its gateway in PID
start_traps()
{
	: >"$TMP/traps"
	chmod 666 "$TMP/traps"
	bg "$WHO" "$SLUICE" exec -- bash -c '
		for s in INT TERM HUP USR1 USR2 QUIT; do
			trap "echo $s; exit 40" $s
		done
		trap "echo WINCH" WINCH
		echo ready
		: '"$MARK"'
		while :; do sleep 0.05; done' >"$TMP/traps"
	wait_for 9 grep -q ready "$TMP/bg.log" || :
}

# The gateway itself: the child of ours that has the TUN open.
gateway_pid()
{
	pgrep -of "^$SLUICE exec -- bash -c .*$MARK"
}

signals()
{
	local s got

	for s in INT TERM HUP USR1 USR2 QUIT; do
		: >"$TMP/bg.log"
		start_traps
		kill -$s "$(gateway_pid)"
		got=0
		wait "$BG" || got=$?
		same "SIG$s is passed on" "$got $(tail -n 1 "$TMP/bg.log")" \
			"40 $s"
	done
	signal_at_the_end
}

# A signal to the whole job, as "kill %1" sends it: the command is ended by
# its own, and its init does not read ours any more.
signal_at_the_end()
{
	local pid init got=0

	: >"$TMP/bg.log"
	bg "$WHO" "$SLUICE" exec -- bash -c "echo ready; : $MARK; exec sleep 1000"
	wait_for 9 grep -q ready "$TMP/bg.log" || :
	pid=$(gateway_pid)
	init=$(pgrep -P "$pid")
	kill -STOP "$init"
	pkill -TERM -P "$init"
	kill -TERM "$pid"
	sleep 0.2
	kill -STOP "$pid"
	kill -CONT "$init"
	sleep 0.2
	kill -CONT "$pid"
	wait "$BG" || got=$?
	same "SIGTERM to all of a job: 143" "$got" 143
}

# --- kill -9 ----------------------------------------------------------------------

NAMESPACES='cd /proc/self/ns && readlink net mnt user pid && cd /'

kills()
{
	BEFORE=$(left_over)
	: >"$TMP/bg.log"
	bg "$WHO" "$SLUICE" exec -- bash -c "$NAMESPACES"'
		: '"$MARK"'
		setsid sleep 1000 & (sleep 1001 &)
		echo ready; sleep 1002; exit'
	wait_for 9 grep -q ready "$TMP/bg.log"
	inside=$(grep : "$TMP/bg.log" | sed 's/[][]/\\&/g')
	[[ $(wc -w <<<"$inside") == 4 ]] || fail "no namespaces" "$inside"
	if same_left_over; then
		fail "what is there is seen"
	else
		pass "what is there is seen"
	fi
	kill -KILL "$(gateway_pid)"
	wait "$BG" 2>/dev/null
	check "kill -9 of the gateway leaves nothing behind" \
		wait_for 5 same_left_over
	same_left_over || diag "$(diff <(echo "$BEFORE") <(left_over))"
	inside=
	status "what the command leaves in the background ends with it" 0 \
		x -- bash -c ": $MARK; setsid sleep 1003 & true"
	check "and nothing of that is left either" wait_for 5 same_left_over
}

# Network namespaces in the kernel, of anybody.
namespaces()
{
	awk '$1 == "net_namespace" { print $2 }' /proc/slabinfo
}

few_namespaces()
{
	(($(namespaces) < $1))
}

# LIF-5
many_starts()
{
	local i bad=0 before n=${STARTS:-200}

	before=$(namespaces)
	for ((i = 0; i < n; i++)); do
		x -- true || ((++bad))
	done
	same "$n starts, and none fails" $bad 0
	if [[ -z $before ]]; then
		skip "LIF-5: and none leaves a namespace" "no /proc/slabinfo"
		return
	fi
	# Others may make some meanwhile.
	check "LIF-5: and none leaves a namespace" \
		wait_for 10 few_namespaces $((before + n / 2))
}

# --- where it cannot be -------------------------------------------------------------

# no_namespaces COMMAND...: as nobody, who may make no more namespaces
no_namespaces()
{
	python3 - "$@" <<-'EOF'
		import ctypes, os, sys
		r, w = os.pipe(); r2, w2 = os.pipe()
		pid = os.fork()
		if pid == 0:
		    ctypes.CDLL(None, use_errno=True).unshare(0x10000000)
		    os.write(w, b"x"); os.read(r2, 1)
		    open("/proc/sys/user/max_user_namespaces", "w").write("0")
		    os.setgroups([]); os.setresgid(1, 1, 1)
		    os.setresuid(1, 1, 1); os.chdir("/")
		    os.execv(sys.argv[1], sys.argv[1:])
		os.read(r, 1)
		for name in "uid_map", "gid_map":
		    open(f"/proc/{pid}/{name}", "w").write("0 0 65536")
		os.write(w2, b"x")
		status = os.waitpid(pid, 0)[1]
		sys.exit(os.waitstatus_to_exitcode(status))
	EOF
}

no_device()
{
	unshare -m bash -c 'mount -t tmpfs none /dev/net && exec "$@"' sh "$@"
}

refusals()
{
	status "no more namespaces: 125" 125 \
		no_namespaces "$SLUICE" exec -- true
	prints "and what to do" \
		'^sluice: error: exec: no more namespaces.*max_user_namespaces' \
		no_namespaces "$SLUICE" exec -- true
	status "no /dev/net/tun: 125" 125 no_device "$SLUICE" exec -- true
	prints "and what to do" \
		'^sluice: error: exec: there is no /dev/net/tun: .*modprobe' \
		no_device "$SLUICE" exec -- true
	prints "no resolv.conf is said, and goes on" \
		'no /etc/resolv.conf.*went on' \
		bash -c '"$@" 2>&1 | tr "\n" " "' sh \
		unshare -m bash -c '
			mkdir -p "$1/etc" && mount --bind "$1/etc" /etc &&
			exec "$2" exec -- /bin/echo went on' sh "$TMP" "$SLUICE"
}

# --- all of it -----------------------------------------------------------------------

mkdir "$TMP/www"
echo 'as served' >"$TMP/www/page"
PORT=$((20000 + $$ % 10000))
bg python3 "$HERE/www.py" "$PORT" "$TMP/www"
wait_for 5 curl -s -o /dev/null "http://127.0.0.1:$PORT/page"

for WHO in as_root as_user; do
	CASE=$WHO
	statuses
	mistakes
	world_inside
	traffic
	signals
	kills
done
for WHO in as_root as_user; do
	CASE=$WHO
	status "the demonstration" 0 "$WHO" bash "$HERE/demo"
done
WHO=as_root CASE=
many_starts
refusals

# A terminal: what a person does at one.
while read -r line; do
	case $line in
	'ok '*) pass "${line#ok }" ;;
	'not ok '*) fail "${line#not ok }" ;;
	*) diag "$line" ;;
	esac
done < <(python3 "$HERE/exec_tty.py" "$SLUICE" 2>&1)
