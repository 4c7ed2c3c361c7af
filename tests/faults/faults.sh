#!/bin/bash
# SPDX-License-Identifier: MIT
#
# faults.sh - system calls that fail, one in each life of a gateway (matrix.py
# says what has to be)
#
# FAULTS=60 (so many places, in equal steps) is what "make check" does,
# FAULTS=all what "make faults" does.

# shellcheck source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
faults=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
need python3 nft "${CC%% *}"
world_up
peer=$HERE/peer.py up4=10.99.0.3 up6=fd99::3

"${CC:-cc}" -D_GNU_SOURCE -O1 -g -shared -fPIC -o "$TMP/shim.so" \
	"$faults/shim.c" -ldl 2>"$TMP/err" ||
	skip_all "no shim: $(head -n 1 "$TMP/err")"
server 7 "$peer" echo 7
server 9 "$peer" sink 9
server 19 "$peer" source 19 200000
server 5353/udp "$HERE/dnspeer.py" server $up4 $up6 5353 "$TMP/queries"

# Every packet of a socket in the gateway's namespace has its mark (the same
# exceptions as in protect.sh: what the kernel says by itself).
gw nft -f - <<'END' || skip_all "no nft here"
table inet audit {
	counter unmarked { }
	chain out {
		type filter hook output priority 0
		oifname != "veth0" accept
		tcp flags rst accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert,
			nd-router-solicit, mld-listener-report,
			mld2-listener-report } accept
		icmp type { destination-unreachable } accept
		icmpv6 type { destination-unreachable } accept
		meta mark 0x736c accept
		counter name unmarked
	}
}
END

cat >"$TMP/faults.ini" <<END
[gateway]
log-level = info
[tun]
name = tun0
netns = $NS_CLI
routes = 0.0.0.0/0 ::/0
[chain]
tcp = tcp-forward
udp = udp-forward
dns = dns-upstream
protect = protect-mark
[dns-upstream]
server = udp://$up4:5353
END

FAULTS=${FAULTS:-60} "$faults/matrix.py" "$TMP/shim.so" "$TMP/faults.log" \
	ip netns exec "$NS_GW" --shim-- "$SLUICE" run -c "$TMP/faults.ini" -- \
	ip netns exec "$NS_CLI" "$faults/scenario.py" $SRV4 $SRV6 $SELF4 $SELF6 \
	>"$TMP/matrix" 2>&1
status=$?
diag "$(tail -n 200 "$TMP/matrix")"
same "a system call that fails does no harm" $status 0
same "PRO-2: and lets nothing out unmarked" "$(gw nft list counter inet audit \
	unmarked | sed -n 's/.*packets \([0-9]*\).*/\1/p')" 0
