#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# plugins.sh - plugins of others: broken ones are refused or named, and those
# of the documents do what they say

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need curl python3
[[ -x $SLUICE ]] || skip_all "no $SLUICE"
[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun"
[[ -e $SLUICE_TEST_PLUGINDIR/fine.so ]] || skip_all "nothing is loaded here"

TMP=$(mktemp -d "${TMPDIR:-/tmp}/sluice-plugins.XXXXXX")
chmod 755 "$TMP"
CC=${CC:-cc}
trap world_down EXIT
trap 'exit 143' TERM

broken()
{
	echo "$SLUICE_TEST_PLUGINDIR/$1.so"
}

# says NAME STATUS TEXT COMMAND...: its status, and TEXT is in what it prints
says()
{
	local name=$1 want=$2 text=$3 out got=0
	shift 3

	out=$("$@" 2>&1 </dev/null) || got=$?
	if [[ $got == "$want" && $out == *"$text"* ]]; then
		pass "$name"
	else
		fail "$name" "status $got, want $want: $out"
	fi
}

inside()
{
	timeout 60 "$SLUICE" exec "$@"
}

# --- refused, each with its own message ---

while IFS='|' read -r name text; do
	says "$name is refused: $text" 78 "$text" \
		"$SLUICE" check -o chain.tcp="$(broken "$name")"
done <<'END'
no-symbol|it has no symbol sluice_plugin
wrong-magic|its sluice_plugin is something else
other-major|it is built for plugin ABI 99.0
needs-newer|it needs plugin ABI 0.99
short-table|it says its plugin table has 40 bytes
short-flow|its flow table says it has 8 bytes
bad-name|'Bad' is no name of a plugin
no-class|it is of no class
no-open|its flow table has no open()
lying-preset|option port: preset 70000 is above 65535
lying-offset|option port: offset 4096 is outside of the 8 bytes
END

says "a tcp plugin is none for the dns chain" 78 "is no dns plugin, but: tcp" \
	"$SLUICE" check -o chain.dns="$(broken fine)"
says "run refuses it as well, before anything is opened" 78 \
	"it has no symbol sluice_plugin" \
	"$SLUICE" run -c /dev/null -o chain.tcp="$(broken no-symbol)"

if [[ $(id -u) == 0 ]]; then
	cp "$(broken fine)" "$TMP/open.so"
	chmod 666 "$TMP/open.so"
	says "as root, a plugin that others may write to is refused" 78 \
		"anyone may write to it, and we are root" \
		"$SLUICE" check -o chain.tcp="$TMP/open.so"
fi

# --- named ---

# Answers LATER: 30 s.  Meanwhile the others.
inside -o chain.tcp="$(broken never)" -- \
	curl -sS -m 50 http://192.0.2.9/ >"$TMP/never" 2>&1 &
never=$!
JOBS+=("$never")

says "a protect plugin that never resolves is named" 7 \
	"did not protect it in time" \
	inside -o chain.protect="$(broken never)" \
	-o tcp-forward.connect-timeout=500ms -- \
	curl -sS -m 20 http://192.0.2.9/

bg python3 -m http.server 18088 --bind 127.0.0.1 --directory "$TMP"
wait_for 10 curl -sf -o /dev/null http://127.0.0.1:18088/
HOST=(-o tun.host-loopback=10.0.0.9)
says "a plugin that blocks is named, and what it does still works" 0 \
	"open() took" \
	inside "${HOST[@]}" -o chain.tcp="$(broken slow)" -- \
	curl -sS -o /dev/null http://10.0.0.9:18088/

# --- the documents ---

python3 - "$TOP_SRCDIR/doc/plugin-guide.md" "$TMP" <<'END'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
for block in re.findall(r"```c\n(.*?)```", text, re.S):
    name = re.match(r"/\* (\w+\.c)", block)[1]
    open(f"{sys.argv[2]}/{name}", "w", encoding="utf-8").write(block)
END
for name in direct shout socks; do
	check "$name.c of the guide compiles without a warning" \
		"$CC" -Wall -Wextra -Werror -O2 -fPIC -shared \
		-I"$TOP_SRCDIR/include" -o "$TMP/$name.so" "$TMP/$name.c"
done

cp -r "$TOP_SRCDIR/doc/template" "$TMP/template"
chmod -R u+w "$TMP/template"
check "the template builds, and passes its test" \
	make -s -C "$TMP/template" check \
	CFLAGS="-O2 -Wall -Werror -fPIC -I$TOP_SRCDIR/include"
says "its options are shown" 0 "flows to this port are refused" \
	"$SLUICE" plugins "$TMP/template/port-guard.so"
says "it refuses what it is told to" 7 "" \
	inside "${HOST[@]}" -o chain.tcp="guard tcp-forward" -o guard.port=18088 \
	-o guard.plugin="$TMP/template/port-guard.so" -- \
	curl -sS -o /dev/null http://10.0.0.9:18088/
says "and passes on the rest" 0 "" \
	inside "${HOST[@]}" -o chain.tcp="guard tcp-forward" \
	-o guard.plugin="$TMP/template/port-guard.so" -- \
	curl -sS -o /dev/null http://10.0.0.9:18088/
says "direct lets flows out" 0 "" \
	inside "${HOST[@]}" -o chain.tcp="$TMP/direct.so" -- \
	curl -sS -o /dev/null http://10.0.0.9:18088/
same "shout answers in capitals, all of it" \
	"$(inside -o chain.tcp="$TMP/shout.so" -- python3 -c '
import socket, threading
s = socket.create_connection(("192.0.2.1", 7))
def up():
    s.sendall(b"a" * 3000000)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up).start()
got = b"".join(iter(lambda: s.recv(65536), b""))
print(len(got), got == b"A" * 3000000)
' 2>&1)" "3000000 True"

bg python3 "$HERE/socksd.py" 18089
wait_for 10 bash -c ': </dev/tcp/127.0.0.1/18089'
SOCKS=(-o chain.tcp=socks -o socks.plugin="$TMP/socks.so"
	-o socks.proxy=127.0.0.1:18089)
for url in 192.0.2.9:80 '[2001:db8::9]:8080'; do
	says "socks goes through its proxy to $url" 0 "CONNECT $url" \
		inside "${SOCKS[@]}" -- curl -sS "http://$url/"
done
says "socks tells the app that its proxy refused" 7 "" \
	inside "${SOCKS[@]}" -- curl -sS http://192.0.2.9:81/
says "socks tells the app that there is no proxy" 7 "" \
	inside "${SOCKS[@]}" -o socks.proxy=127.0.0.1:9 -- curl -sS http://192.0.2.9/
says "socks must be told its proxy" 78 "proxy: must be given" \
	inside -o chain.tcp="$TMP/socks.so" -- true

wait "$never"
matches "a plugin that never resolves a flow is named" "$(cat "$TMP/never")" \
	'answered LATER and did not decide in time'
