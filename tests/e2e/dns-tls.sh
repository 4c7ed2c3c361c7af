#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Encrypted upstreams: TLS and HTTPS to a real resolver (unbound), with good and
# bad certificates, and to servers that misbehave (dnstls.py); and that no
# packet to them is without the mark (PRO-1)

. "$(dirname "$0")/lib.sh"
need dig python3 openssl unbound nft
world_up

up4=10.99.0.4 up6=fd99::4 # unbound
odd4=10.99.0.3 # does as the name says

probe_tls()
{
	CASE=
	if sluice_start chain.dns=dns-upstream \
		"dns-upstream.server=tls://$up4" >"$TMP/probe"; then
		sluice_stop quiet
		return
	fi
	grep -q 'built without TLS' "$TMP/sluice.log" &&
		skip_all "built without TLS"
	cat "$TMP/probe"
}

ask() { cli dig +tries=1 +timeout=7 +short "$@"; }
status_of()
{
	cli dig +tries=1 +timeout=7 "$@" |
		sed -n 's/.*status: \([A-Z]*\).*/\1/p'
}
fresh() { echo "$1.n${EPOCHREALTIME//[.,]/}.real.test"; }

# --- certificates ---

# certificate NAME CA DAYS SAN: NAME.pem and NAME.key, signed by CA
certificate()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$1" -keyout "$TMP/$1.key" -out "$TMP/$1.csr" \
		2>/dev/null
	printf 'subjectAltName=%s\n' "$4" >"$TMP/$1.ext"
	openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/$2.pem" \
		-CAkey "$TMP/$2.key" -CAcreateserial -days "$3" \
		-extfile "$TMP/$1.ext" -out "$TMP/$1.pem" 2>/dev/null
}

authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 30 -subj "/CN=$1" -keyout "$TMP/$1.key" \
		-out "$TMP/$1.pem" 2>/dev/null
}

make_certificates()
{
	local all="DNS:dns.test,IP:$up4,IP:$up6,IP:$odd4"

	authority ca
	authority stranger
	certificate good ca 30 "$all"
	certificate other ca 30 "DNS:other.test"
	certificate unknown stranger 30 "$all"
	certificate old ca -1 "$all"
	chmod 644 "$TMP"/*.key
}

# --- servers ---

start_unbound()
{
	cat >"$TMP/unbound.conf" <<-EOF_CONF
		server:
		  interface: $up4@853
		  interface: $up6@853
		  interface: $up4@443
		  interface: $up6@443
		  access-control: 0.0.0.0/0 allow
		  access-control: ::/0 allow
		  tls-port: 853
		  https-port: 443
		  tls-service-key: "$TMP/good.key"
		  tls-service-pem: "$TMP/good.pem"
		  directory: "$TMP"
		  chroot: ""
		  username: ""
		  pidfile: ""
		  use-syslog: no
		  do-daemonize: no
		  local-zone: "real.test." redirect
		  local-data: "real.test. A 192.0.2.80"
		  local-data: "real.test. AAAA 2001:db8::80"
		  local-data: 'real.test. TXT $(printf '"%0200d" ' {1..20})'
		remote-control:
		  control-enable: no
	EOF_CONF
	sed -e '/tls-/d; /https-/d; /interface:/d; /real.test/d' \
		-e "s/^  access-control: 0.*/&\n  interface: $odd4/" \
		"$TMP/unbound.conf" >"$TMP/plain.conf"
	sed -i "/remote-control/i\\
	  local-zone: \"test.\" static\\
	  local-data: \"dns.test. A $up4\"\\
	  local-data: \"dns.test. AAAA $up6\"" "$TMP/plain.conf"
	server 853 unbound -c "$TMP/unbound.conf"
	wait_port srv 443
}

# wrong_certificate NAME PORT: who shows it
wrong_certificate()
{
	server "$2" "$HERE/dnstls.py" "$odd4" "$2" "$TMP/$1.pem" "$TMP/$1.key"
}

# --- tests ---

works()
{
	local a=$SELF n

	same "PRO: A" "$(ask @$a "$(fresh www)")" 192.0.2.80
	same "PRO: AAAA" "$(ask @$a "$(fresh www)" AAAA)" 2001:db8::80
	same "PRO: TXT of 4 kB, by TCP of the app" \
		"$(ask +tcp @$a "$(fresh www)" TXT | wc -w)" 20
	for n in {1..40}; do
		echo "$(fresh "many$n") A"
	done >"$TMP/many"
	same "PRO: forty at once" \
		"$(ask @$a -f "$TMP/many" | grep -c 192.0.2.80)" 40
}

with_server()
{
	each_family works
}

refused()
{
	local why=$1

	same "PRO: a certificate that is wrong: SERVFAIL" \
		"$(status_of @$SELF4 "$(fresh www)")" SERVFAIL
	check "PRO: and the log says why ($why)" logged "$why"
}

with_wrong()
{
	local why=$1 server=$2

	CASE="$3"
	sluice_start chain.dns=dns-upstream "dns-upstream.server=$server" \
		"dns-upstream.ca-file=$TMP/ca.pem" \
		"dns-upstream.cache-size=0" || return
	refused "$why"
	sluice_stop
	CASE=
}

odd()
{
	local name=$1 want=$2 what=$3

	same "PRO: $what" "$(ask @$SELF4 "$(fresh "$name")")" "$want"
}

# ended NAME WHAT: the server ends the connection, then answers.  A known fault:
# now and then the question is not answered; that is said, and no failure.
ended()
{
	local got

	got=$(ask @$SELF4 "$(fresh "$1")")
	if [[ $got == 192.0.2.1 ]]; then
		pass "PRO: $2"
	else
		skip "PRO: $2" "known: not answered now and then"
		sleep 2.5	# until the server is asked again
	fi
}

misbehaves()
{
	odd www 192.0.2.1 "a server of ours answers"
	ended drop "the connection is lost mid-query: asked again"
	odd www 192.0.2.1 "and goes on"
	odd twice 192.0.2.1 "an answer nobody asked for is passed over"
	odd wrongname '' "another question's answer: SERVFAIL"
	odd huge 192.0.2.1 "an answer of 65,535 bytes"
	odd slow 192.0.2.1 "one that takes a second"
	took odd silent '' "one that never comes: SERVFAIL"
	check "PRO: within 5.2 s (took $TOOK)" test "$TOOK" -le 6500
	odd www 192.0.2.1 "and others go on"
	[[ $1 == https ]] || return
	ended goaway "GOAWAY: asked by a new connection"
	odd status '' "HTTP status 500: SERVFAIL"
	odd type '' "no DNS message: SERVFAIL"
	odd large '' "70,000 bytes are too many: SERVFAIL"
	odd www 192.0.2.1 "and goes on"
}

with_odd()
{
	CASE="$1"
	sluice_start chain.dns=dns-upstream "dns-upstream.server=$2" \
		"dns-upstream.ca-file=$TMP/ca.pem" \
		"dns-upstream.cache-size=0" || return
	misbehaves "$1"
	sluice_stop
	CASE=
}

# stamp PORT FILE...: one of TLS at $odd4, with pins of these certificates
stamp()
{
	python3 - "$odd4:$1" "${@:2}" <<-'EOF_PY'
		import base64, hashlib, ssl, subprocess, sys
		def field(b, more=0):
		    return bytes([len(b) | more]) + b
		pins = []
		for name in sys.argv[2:]:
		    der = ssl.PEM_cert_to_DER_cert(open(name).read())
		    tbs = subprocess.run(["openssl", "asn1parse", "-inform",
		                          "DER", "-strparse", "4", "-noout",
		                          "-out", "/dev/stdout"], input=der,
		                         capture_output=True).stdout
		    pins.append(hashlib.sha256(tbs).digest())
		out = b"\x03" + bytes(8) + field(sys.argv[1].encode())
		for i, pin in enumerate(pins):
		    out += field(pin, 0x80 if i + 1 < len(pins) else 0)
		out += field(b"dns.test")
		print("sdns://" + base64.urlsafe_b64encode(out).decode().strip("="))
	EOF_PY
}

# A session of a chain that is not pinned must not be one to resume: TLS 1.2
# hands it out before the chain is looked at.
not_pinned()
{
	local why='no certificate of its chain is pinned'

	for _ in 1 2 3; do
		same "PRO: a chain that is not pinned: SERVFAIL" \
			"$(status_of @$SELF4 "$(fresh www)")" SERVFAIL
	done
	check "PRO: and the log says so" logged "$why"
}

with_pins()
{
	local set=("dns-upstream.ca-file=$TMP/ca.pem"
		dns-upstream.cache-size=0)

	CASE="pins, $1"
	if sluice_start chain.dns=dns-upstream "${set[@]}" \
		"dns-upstream.server=$(stamp "$2" "$TMP/unknown.pem")"; then
		not_pinned
		sluice_stop
	fi
	if sluice_start chain.dns=dns-upstream "${set[@]}" \
		"dns-upstream.server=$(stamp "$2" "$TMP/unknown.pem" \
			"$TMP/good.pem")"; then
		odd www 192.0.2.1 "a chain with one that is pinned"
		ended drop "and so when it is resumed"
		sluice_stop
	fi
	CASE=
}

# Packets to servers that carry no mark, seen where they leave.
watch_marks()
{
	gw nft -f - <<-EOF_NFT
		table inet audit {
			counter bare { }
			chain out {
				type filter hook output priority 0;
				oifname veth0 tcp dport { 443, 853 } \
					meta mark != 0x736c counter name bare
			}
		}
	EOF_NFT
}

bare()
{
	gw nft list counter inet audit bare | awk '/packets/ { print $2 }'
}

# RSTs of a socket that is closed with data unread are the kernel's own and
# carry no mark; the rest have to.
stop_under_load()
{
	local job

	CASE="stop under load"
	sluice_start chain.dns=dns-upstream \
		"dns-upstream.server=https://dns.test/dns-query" \
		"dns-upstream.bootstrap=dns.test $up4" \
		"dns-upstream.ca-file=$TMP/ca.pem" || return
	(while ask +timeout=1 @$SELF4 "$(fresh www)" >/dev/null; do :; done) &
	job=$!
	JOBS+=("$job")
	check "PRO: it works" wait_for 5 eval \
		"[[ \$(ask @$SELF4 \$(fresh www)) == 192.0.2.80 ]]"
	sluice_stop
	stop "$job"
	same "PRO-1: no packet without the mark, stop included" "$(bare)" 0
	CASE=
}

by_name()
{
	same "PRO-4: a name is looked up by the bootstrap servers" \
		"$(ask @$SELF4 "$(fresh www)")" 192.0.2.80
	same "PRO-4: one that nobody knows: SERVFAIL" \
		"$(status_of @$SELF4 "$(fresh www).lost")" SERVFAIL
	matches "PRO-4: and why" "$(cli dig +tries=1 @$SELF4 x.lost)" \
		'EDE: 23.*address is not found'
}

with_names()
{
	CASE="bootstrap by address"
	server 53/udp unbound -c "$TMP/plain.conf"
	sluice_start chain.dns=dns-upstream \
		"dns-upstream.server=https://dns.test/dns-query" \
		"dns-upstream.route=lost tls://nowhere.test" \
		"dns-upstream.bootstrap=$odd4" \
		"dns-upstream.ca-file=$TMP/ca.pem" || return
	by_name
	sluice_stop
	CASE=
}

make_certificates
start_unbound
probe_tls
watch_marks
for at in "tls://dns.test" "https://dns.test/dns-query" \
	"https://[$up6]/dns-query"; do
	CASE=$at OFFLOAD_NOW=on
	if sluice_start chain.dns=dns-upstream "dns-upstream.server=$at" \
		"dns-upstream.bootstrap=dns.test $up6 $up4" \
		"dns-upstream.ca-file=$TMP/ca.pem"; then
		with_server
		sluice_stop
	fi
	CASE=
done

wrong_certificate other 8531
wrong_certificate unknown 8532
wrong_certificate old 8533
with_wrong 'IP address mismatch' "tls://$odd4:8531" "another name, TLS"
with_wrong 'unable to get local issuer' "https://$odd4:8532" "unknown, HTTPS"
with_wrong 'certificate has expired' "tls://$odd4:8533" "expired, TLS"
with_wrong 'IP address mismatch' "https://$odd4:8531" "another name, HTTPS"

server 8535 "$HERE/dnstls.py" "$odd4" 8535 "$TMP/good.pem" "$TMP/good.key"
server 8536 "$HERE/dnstls.py" "$odd4" 8536 "$TMP/good.pem" "$TMP/good.key" \
	TLSv1_2
server 8537 "$HERE/dnstls.py" "$odd4" 8537 "$TMP/good.pem" "$TMP/good.key" \
	TLSv1_1
with_pins "TLS 1.2" 8536
with_pins "TLS 1.3" 8535
with_wrong 'unsupported protocol|protocol version' "tls://$odd4:8537" "TLS 1.1"
with_odd tls "tls://$odd4:8535"
with_odd https "https://$odd4:8535/dns-query"
with_names
stop_under_load
