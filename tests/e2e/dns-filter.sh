#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dns-filter: lists before real resolvers and real apps, read again under
# load, and what "sluice explain" says of them

. "$(dirname "$0")/lib.sh"
need dig python3
world_up

peer="$HERE/dnspeer.py"
up4=10.99.0.3 up6=fd99::3
block=$TMP/block.txt allow=$TMP/allow.txt

: >"$TMP/queries"
chmod 666 "$TMP/queries"
server 5353/udp "$peer" server $up4 $up6 5353 "$TMP/queries"
server 7 "$HERE/peer.py" echo 7

cat >"$block" <<'LIST'
! names the gateway blocks
0.0.0.0 hosts.example
||below.example^
||two.example^$dnstype=AAAA
LIST
echo '@@||good.below.example^' >"$allow"

filter=(chain.dns="dns-filter dns-upstream" dns-upstream.server="$up4:5353"
	dns-filter.allow="$allow" dns-filter.cache=)

answer_of() { cli dig +tries=1 +timeout=7 "$@"; }
status_of() { answer_of "$@" | sed -n 's/.*status: \([A-Z]*\).*/\1/p'; }
short() { answer_of +short "$@"; }
explain() {
	"$SLUICE" explain -o chain.dns="dns-filter dns-upstream" \
		-o dns-filter.block="$block" -o dns-filter.allow="$allow" \
		-o dns-filter.cache= "$@" 2>"$TMP/explain.err"
}

blocked()
{
	same "a name of a hosts file" "$(status_of @$SELF hosts.example)" \
		NXDOMAIN
	same "also by TCP" "$(status_of +tcp @$SELF hosts.example)" NXDOMAIN
	same "and not what is below it" \
		"$(short @$SELF www.hosts.example)" 192.0.2.1
	same "what is below a name" "$(status_of @$SELF a.below.example AAAA)" \
		NXDOMAIN
	same "but for what is allowed" "$(short @$SELF good.below.example)" \
		192.0.2.1
	same "one type" "$(status_of @$SELF two.example AAAA)" NXDOMAIN
	same "and not the other" "$(short @$SELF two.example)" 192.0.2.1
	matches "EDE says file and line" \
		"$(answer_of @$SELF hosts.example)" \
		'EDE: 15 .*block\.txt:2'
	matches "and not to who has no EDNS" \
		"$(answer_of +noedns @$SELF hosts.example)" 'ADDITIONAL: 0'
	same "a canary" "$(status_of @$SELF use-application-dns.net)" NXDOMAIN
	same "a local record" "$(short @$SELF www.lan)" \
		$'nas.lan.\n10.9.8.7'
	same "and its way back" "$(short @$SELF -x 10.9.8.7)" nas.lan.
	same "a CNAME to a name of others" "$(short @$SELF x.lan)" \
		$'far.example.\n192.0.2.1'
	same "also by TCP, twice" \
		"$(short +tcp @$SELF x.lan A x.lan A)" \
		$'far.example.\n192.0.2.1\nfar.example.\n192.0.2.1'
}

CASE=block
if sluice_start "${filter[@]}" dns-filter.block="$block" \
	dns-filter.record="nas.lan=10.9.8.7 www.lan=nas.lan x.lan=far.example" \
	chain.observe=flow-log flow-log.dns=rules flow-log.file="$TMP/dns.log"
then
	each_family blocked
	check "what is blocked is counted" counted dns-filter.blocked 1
	sluice_stop
	matches "the log has the rule" \
		"$(grep -m 1 ' hosts.example A ' "$TMP/dns.log")" \
		'dns [0-9]+ udp .* NXDOMAIN: blocked .*block\.txt:2$'
	same "and no question that no rule is about" \
		"$(grep -c ' www.hosts.example ' "$TMP/dns.log")" 0
	same "nothing of it was asked outside" \
		"$(grep -c ' hosts.example$' "$TMP/queries")" 0
fi

# --- while lists change ---------------------------------------------------

# Questions without pause; what they were answered with, counted.
keep_asking()
{
	cli python3 - "$1" "$2" <<'PY'
import collections, os, socket, struct, sys, time
host, stop = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                  socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((host, 53))
name = b"\5hosts\7example\0\0\1\0\1"
seen, n = [], 0
while not os.path.exists(stop):
    n = n + 1 & 0xffff
    s.send(struct.pack(">6H", n, 0x100, 1, 0, 0, 0) + name)
    try:
        while True:
            m = s.recv(512)
            if struct.unpack(">H", m[:2])[0] == n:
                break
        got = f"rcode{m[3] & 15}"
    except socket.timeout:
        got = "nothing"
    if not seen or seen[-1] != got:
        seen.append(got)
        open(stop + "." + got, "w").close()
print(*seen)
PY
}

CASE=reload
if sluice_start "${filter[@]}" dns-filter.block="$block" \
	gateway.log-level=info; then
	keep_asking $SELF4 "$TMP/stop" >"$TMP/seen" &
	asking=$!
	JOBS+=($asking)
	wait_for 20 test -e "$TMP/stop.rcode3"
	cp "$block" "$TMP/before"
	{
		echo '||other.example^'
		for ((i = 0; i < 20000; i++)); do
			echo "0.0.0.0 n$i.example"
		done
	} >"$TMP/next"
	mv "$TMP/next" "$block"
	kill -HUP "$SLUICE_PID"
	check "SIGHUP: the new list counts" wait_for 20 \
		eval '[[ $(status_of @$SELF4 other.example) == NXDOMAIN ]]'
	same "and the old one does not" "$(short @$SELF4 hosts.example)" \
		192.0.2.1
	wait_for 20 test -e "$TMP/stop.rcode0"
	mv "$TMP/before" "$block"
	kill -HUP "$SLUICE_PID"
	check "and back" wait_for 20 \
		eval '[[ $(status_of @$SELF4 hosts.example) == NXDOMAIN ]]'
	mv "$block" "$TMP/away"
	kill -HUP "$SLUICE_PID"
	check "a list that is gone is named in the log" wait_for 20 \
		logged 'lists not read again.*block.txt'
	same "and what was last good stays" \
		"$(status_of @$SELF4 hosts.example)" NXDOMAIN
	mv "$TMP/away" "$block"
	rm "$TMP/stop.rcode3" "$TMP/stop.rcode0"
	touch "$TMP/stop"
	wait $asking
	same "all the while one or the other was answered, and always one" \
		"$(<"$TMP/seen")" "rcode3 rcode0 rcode3"
	sluice_stop
fi

# Two lists with the same rule, in one the first line, in the other the last:
# half of either would let the name through.
read_again()
{
	python3 - "$SLUICE_PID" "$TMP/sluice.log" "$block" <<'PY'
import os, signal, sys, time
pid, log, block = int(sys.argv[1]), sys.argv[2], sys.argv[3]
rest = "".join(f"n{i}.example\n" for i in range(2000))
end = time.monotonic() + 120
def reloads():
    with open(log) as f:
        return f.read().count(" rules of 2 lists")
before = reloads()
for n in range(100):
    with open(block + ".new", "w") as f:
        f.write(rest + "hosts.example\n" if n % 2 else
                "hosts.example\n" + rest)
    os.rename(block + ".new", block)
    os.kill(pid, signal.SIGHUP)
    while reloads() < before + n + 1:
        if time.monotonic() > end:
            sys.exit(f"only {n} of 100")
        time.sleep(0.002)
print("all 100")
PY
}

CASE=reloads
cp "$block" "$TMP/before"
if sluice_start "${filter[@]}" dns-filter.block="$block" \
	gateway.log-level=info; then
	rm -f "$TMP"/stop*
	keep_asking $SELF4 "$TMP/stop" >"$TMP/seen" &
	asking=$!
	JOBS+=($asking)
	wait_for 20 test -e "$TMP/stop.rcode3"
	same "lists are read again a hundred times" "$(read_again)" "all 100"
	touch "$TMP/stop"
	wait $asking
	same "and no question is lost, or answered from half of one" \
		"$(<"$TMP/seen")" rcode3
	sluice_stop
fi
mv "$TMP/before" "$block"

# --- flows ------------------------------------------------------------------

CASE=direct
app_connects() { cli "$HERE/peer.py" connect "$@"; }
if sluice_start "${filter[@]}" chain.tcp="dns-filter tcp-forward" \
	dns-filter.direct=new-flows dns-filter.dot=refuse \
	dns-filter.record="srv.lan=$SRV4"; then
	same "LIF-8: an address no answer gave" \
		"$(app_connects $SRV4 7)" EHOSTUNREACH
	same "LIF-8: the answer" "$(short @$SELF4 srv.lan)" "$SRV4"
	same "LIF-8: now it may be gone to" "$(app_connects $SRV4 7)" \
		connected
	same "port 853 is refused at once" "$(app_connects $SRV4 853)" \
		EHOSTUNREACH
	sluice_stop
fi

# --- explained ---------------------------------------------------------------

CASE=explain
matches "a rule, its file, line and text" "$(explain hosts.example)" \
	"blocked by $block:2: 0\.0\.0\.0 hosts\.example"
matches "what allows it" "$(explain good.below.example)" \
	"passes: allowed by $allow:1: @@\|\|good"
matches "who would be asked" "$(explain www.example AAAA)" \
	'dns-upstream: would be asked'
matches "the answer" "$(explain hosts.example)" 'answer: NXDOMAIN'
same "for a program" "$(explain --json hosts.example HTTPS | python3 -c '
import json, sys
x = json.load(sys.stdin)
s = x["steps"][0]
print(x["rcode"], s["verdict"], s["line"], s["rule"])')" \
	'NXDOMAIN answers 2 0.0.0.0 hosts.example'
same "and no word of what is odd in lists" "$(<"$TMP/explain.err")" ''
explain www.example BOGUS >/dev/null
same "no such type: status 2" $? 2
printf '||ok.example^\n||x.example/y\n##ad\n' >"$TMP/bad.txt"
"$SLUICE" check -o chain.dns=dns-filter -o dns-filter.cache= \
	-o dns-filter.block="$TMP/bad.txt" >"$TMP/out" 2>"$TMP/err"
same "check goes on after lines that are no rules" $? 0
matches "and names them" "$(<"$TMP/err")" 'bad\.txt:2: not used: about URLs'

# Two who map one file have it in memory once: it is shared, not copied.
CASE=cache
mkdir -m 755 "$TMP/cache"
if sluice_start chain.dns="dns-filter dns-upstream" \
	dns-upstream.server="$up4:5353" dns-filter.block="$block" \
	dns-filter.cache="$TMP/cache"; then
	same "compiled lists are kept in a file" \
		"$(ls "$TMP/cache" | grep -c '\.img$')" 1
	matches "and mapped shared" \
		"$(grep '\.img' "/proc/$SLUICE_PID/maps")" ' r--s '
	sluice_stop
fi
