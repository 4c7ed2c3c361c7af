#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TCP-1, TCP-4: programs people use: ncat, socat, ssh, iperf3

. "$(dirname "$0")/lib.sh"
need ncat socat
world_up
head -c 5000000 /dev/urandom >"$TMP/file"
cd "$TMP" || exit 1

server 9100 socat -t 10 TCP6-LISTEN:9100,fork,reuseaddr,ipv6only=0 \
	SYSTEM:sha256sum
server 9103 ncat -l -k -p 9103 --sh-exec 'echo hello'
server 9101 socat -t 10 TCP6-LISTEN:9101,fork,reuseaddr,ipv6only=0 \
	"SYSTEM:cat '$TMP/file'"

# sshd as anybody's: one key, no passwords
ssh_ready=
if command -v sshd ssh ssh-keygen >/dev/null; then
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/host"
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/id"
	cp "$TMP/id.pub" "$TMP/authorized"
	server 9102 "$(command -v sshd)" -D -e -f /dev/null -p 9102 \
		-h "$TMP/host" -o "AuthorizedKeysFile=$TMP/authorized" \
		-o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes \
		-o "PidFile=$TMP/sshd.pid"
	ssh_ready=yes
fi
if command -v iperf3 >/dev/null; then
	server 5201 iperf3 -s
fi

in_ssh()
{
	cli ssh -p 9102 -i "$TMP/id" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		-o IdentitiesOnly=yes "root@$SRV" "$@"
}

# iperf3 ARG...: bytes the other end had read when it was told to stop, which
# is before it has read all
moved()
{
	cli timeout 20 iperf3 -J -c "$SRV" "$@" >"$TMP/iperf" || return 1
	python3 -c '
import json, sys
end = json.load(open(sys.argv[1]))["end"]
print(int(end["sum_received"]["bytes"]))' "$TMP/iperf"
}

with_family()
{
	local sum n
	sum=$(sha256sum <"$TMP/file")
	same "TCP-4: ncat sends a file and hears its sum" \
		"$(cli timeout 10 ncat "$SRV" 9100 <"$TMP/file")" "$sum"
	same "TCP-1: ncat hears an ncat" \
		"$(cli timeout 10 ncat --recv-only "$SRV" 9103)" hello
	same "TCP-4: socat sends a file and hears its sum" \
		"$(cli timeout 10 socat -t 10 - "TCP$F:$U$SRV$V:9100" \
			<"$TMP/file")" "$sum"
	same "TCP-1: socat fetches a file" "$(cli timeout 10 socat -u \
		"TCP$F:$U$SRV$V:9101" - | sha256sum)" "$sum"
	if [[ -n $ssh_ready ]]; then
		same "TCP-1: ssh runs a command" \
			"$(in_ssh echo hello </dev/null)" hello
		same "TCP-4: a file through ssh, there and back" \
			"$(in_ssh cat <"$TMP/file" | sha256sum)" "$sum"
		in_ssh exit 7 </dev/null
		same "TCP-1: ssh tells the status" $? 7
	else
		skip "TCP-1: ssh" "no sshd"
	fi
	if command -v iperf3 >/dev/null; then
		for args in '-n 100M' '-n 100M -R' '-n 100M -P 4' '-n 100M -P 4 -R'; do
			# shellcheck disable=SC2086
			n=$(moved $args) || n=0
			check "TCP-1: iperf3 $args ($((n * 8 / 1000000)) Mbit)" \
				test "$n" -ge 70000000
		done
	else
		skip "TCP-1: iperf3" "not here"
	fi
}

with_offload()
{
	each_family with_family
	check "no flow is left" wait_for 10 counted tcp_open 0 0
}

each_offload with_offload
