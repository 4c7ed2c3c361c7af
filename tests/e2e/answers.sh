#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Plugins that answer flows themselves, without a copy and with backpressure:
# the ABI carries more than forwarding

. "$(dirname "$0")/lib.sh"
need python3
plugins=${SLUICE_TEST_PLUGINDIR:-${SLUICE%/*}/tests/plugins/.libs}
[[ -e $plugins/echo.so && -e $plugins/fixed.so ]] ||
	skip_all "no shared test plugins in this build"
"$SLUICE" plugins "$plugins/echo.so" >/dev/null 2>&1 ||
	skip_all "this sluice loads no plugins"
world_up
client="$HERE/answers.py"
anyone4=198.18.5.5 anyone6=2001:db8::55	# nobody is ever asked

echoes()
{
	local anyone=anyone$F taken

	anyone=${!anyone}
	same "echo, $1: 20 MB come back as they were" \
		"$(cli "$client" exchange $anyone 7 20000000)" same
	same "echo, $1: also to a reader that sleeps first" \
		"$(cli "$client" exchange $anyone 7 3000001 2)" same
	same "echo, $1: 200 connections at a time" \
		"$(cli "$client" words $anyone 7 200)" "bad 0"
	taken=$(cli "$client" stuck $anyone 7)
	matches "echo, $1: a full pipe is a full pipe, and all comes back" \
		"$taken" '^[0-9]+ same$'
	# the kernels' own buffers, and 1 MB (T8 of the threats)
	check "echo, $1: little is taken from who does not read ($taken)" \
		test "${taken% *}" -lt 8000000
}

datagrams()
{
	local anyone=anyone$F size

	anyone=${!anyone}
	for size in 0 1 1400 9000 60000; do
		same "echo: a datagram of $size bytes comes back" \
			"$(cli "$HERE/peer.py" udp $anyone 7 $size)" same
	done
}

fixed()
{
	local anyone=anyone$F

	anyone=${!anyone}
	same "fixed: $times times ${#words} bytes, then the end" \
		"$(cli "$client" text $anyone 80 $words $times)" same
	same "fixed: also to a reader that sleeps first" \
		"$(cli "$client" text $anyone 80 $words $times 1)" same
	same "fixed: the other side may be closed already" \
		"$(cli "$HERE/peer.py" half $anyone 80 | grep -c .)" 1
}

asked()
{
	local anyone=anyone$F

	anyone=${!anyone}
	same "fixed: asked again when there are bytes (MORE)" \
		"$(cli "$HERE/peer.py" until-end $anyone 80 10)" EOF
	same "fixed: or when the app has closed its side" \
		"$(cli timeout 5 "$HERE/peer.py" half $anyone 80 |
			grep -c .)" 1
}

with_echo() { each_family echoes "$mode"; }
with_datagrams() { each_family datagrams; }
with_fixed() { each_family fixed; }
with_asked() { each_family asked; }

# Nothing is left that a plugin gave: echo.c and fixed.c would say so.
clean()
{
	check "no piece is kept after the end" not_logged 'not released'
}

not_logged() { ! logged "$1"; }

for mode in copy ref; do
	each_offload with_echo chain.tcp=echo "echo.plugin=$plugins/echo.so" \
		echo.mode=$mode
	clean
done
each_offload with_datagrams chain.tcp=echo chain.udp=echo \
	"echo.plugin=$plugins/echo.so"
# Once by pieces of some size, once by very small ones.
long=$(printf 'abcdefghij%.0s' {1..400})
for words in $long abcdefghij; do
	times=$((${#words} > 10 ? 2500 : 20000))
	each_offload with_fixed chain.tcp=fixed \
		"fixed.plugin=$plugins/fixed.so" \
		fixed.text=$words fixed.repeat=$times
	clean
done
each_offload with_asked chain.tcp=fixed "fixed.plugin=$plugins/fixed.so" \
	fixed.text=hello fixed.when=asked
