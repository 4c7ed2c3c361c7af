# SPDX-License-Identifier: MIT
#
# "make check".  Every test prints TAP, so that single cases are counted.
#
#   unit    tests/unit/test_NAME.c is a program of its own: one line below
#   e2e     tests/e2e/NAME.sh runs alone, with a time limit: one line below
#   tree    scripts that look at the source, and at what came of it
#
# "make check TESTS=tests/unit/test_timer" runs one; E2E_TIMEOUT=600 gives
# e2e scripts more time.

# --- unit: one a line, sorted ---

UNIT_TESTS = \
	tests/unit/test_addr \
	tests/unit/test_builtin \
	tests/unit/test_chain \
	tests/unit/test_conf \
	tests/unit/test_csum \
	tests/unit/test_cycles \
	tests/unit/test_dgram \
	tests/unit/test_dial \
	tests/unit/test_dns \
	tests/unit/test_dnsjoin \
	tests/unit/test_dnsmsg \
	tests/unit/test_filter_image \
	tests/unit/test_filter_rule \
	tests/unit/test_flow \
	tests/unit/test_flow_api \
	tests/unit/test_flowtab \
	tests/unit/test_frag \
	tests/unit/test_gateway \
	tests/unit/test_host \
	tests/unit/test_icmp \
	tests/unit/test_log \
	tests/unit/test_loop \
	tests/unit/test_merge \
	tests/unit/test_names \
	tests/unit/test_netsetup \
	tests/unit/test_options \
	tests/unit/test_packet \
	tests/unit/test_packet_build \
	tests/unit/test_peerset \
	tests/unit/test_plugin_answer \
	tests/unit/test_plugin_dns_filter \
	tests/unit/test_plugin_dns_upstream \
	tests/unit/test_plugin_flow_log \
	tests/unit/test_plugin_protect_mark \
	tests/unit/test_plugin_protect_unix \
	tests/unit/test_plugin_tcp_forward \
	tests/unit/test_plugin_udp_forward \
	tests/unit/test_pool \
	tests/unit/test_registry \
	tests/unit/test_relay \
	tests/unit/test_segments \
	tests/unit/test_settings \
	tests/unit/test_share \
	tests/unit/test_stack \
	tests/unit/test_stats \
	tests/unit/test_tcp \
	tests/unit/test_tcp_data \
	tests/unit/test_timer \
	tests/unit/test_tun \
	tests/unit/test_tunlink \
	tests/unit/test_udp \
	tests/unit/test_upstream_cache \
	tests/unit/test_upstream_url \
	tests/unit/test_util

if HAVE_CUNIT
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
EXTRA_PROGRAMS = $(UNIT_TESTS)

# What programs link that say nothing else: the core, and CUnit.
LDADD = $(CORE_LIBS) $(CUNIT_LIBS)

# The fake core (tests/unit/fakecore.h), and tests of plugins with it: the
# plugin is linked in, whatever configure was told about it.
FAKE_SOURCES = \
	tests/unit/fakecore.c \
	tests/unit/fakecore.h \
	tests/unit/fakeflow.c \
	tests/unit/fakequery.c
FAKE_CPPFLAGS = $(AM_CPPFLAGS) -DSLUICE_STATIC

# All of dns-filter, whose files are tested one by one too.  Of the core only
# what the fake core needs: a static dns-filter would be there twice.
FILTER_CPPFLAGS = $(FAKE_CPPFLAGS) $(PCRE2_CFLAGS)
FILTER_LIBS = core/libcore.la $(CUNIT_LIBS) $(PCRE2_LIBS)

tests_unit_test_plugin_answer_SOURCES = tests/unit/test_plugin_answer.c \
	tests/plugins/echo.c tests/plugins/fixed.c $(FAKE_SOURCES)
tests_unit_test_plugin_answer_CPPFLAGS = $(FAKE_CPPFLAGS)

tests_unit_test_filter_image_SOURCES = tests/unit/test_filter_image.c \
	tests/unit/filterlists.h $(DNS_FILTER_SOURCES)
tests_unit_test_filter_image_CPPFLAGS = $(FILTER_CPPFLAGS)
tests_unit_test_filter_image_LDADD = $(FILTER_LIBS)

tests_unit_test_filter_rule_SOURCES = tests/unit/test_filter_rule.c \
	tests/unit/filterlists.h $(DNS_FILTER_SOURCES)
tests_unit_test_filter_rule_CPPFLAGS = $(FILTER_CPPFLAGS)
tests_unit_test_filter_rule_LDADD = $(FILTER_LIBS)

tests_unit_test_plugin_dns_filter_SOURCES = \
	tests/unit/test_plugin_dns_filter.c $(DNS_FILTER_SOURCES) \
	$(FAKE_SOURCES)
tests_unit_test_plugin_dns_filter_CPPFLAGS = $(FILTER_CPPFLAGS)
tests_unit_test_plugin_dns_filter_LDADD = $(FILTER_LIBS)

tests_unit_test_plugin_dns_upstream_SOURCES = \
	tests/unit/test_plugin_dns_upstream.c \
	$(plugins_dns_upstream_la_SOURCES) $(FAKE_SOURCES)
tests_unit_test_plugin_dns_upstream_CPPFLAGS = $(FAKE_CPPFLAGS)
tests_unit_test_plugin_dns_upstream_LDADD = $(LDADD) $(TLS_LIBS)

tests_unit_test_upstream_cache_SOURCES = tests/unit/test_upstream_cache.c \
	plugins/dns-upstream/cache.c plugins/dns-upstream/msg.c \
	plugins/dns-upstream/question.c
tests_unit_test_upstream_cache_LDADD = $(CUNIT_LIBS)

tests_unit_test_upstream_url_SOURCES = tests/unit/test_upstream_url.c \
	plugins/dns-upstream/stamp.c plugins/dns-upstream/url.c
tests_unit_test_upstream_url_LDADD = $(CUNIT_LIBS)

tests_unit_test_plugin_flow_log_SOURCES = tests/unit/test_plugin_flow_log.c \
	plugins/flow-log.c $(FAKE_SOURCES)
tests_unit_test_plugin_flow_log_CPPFLAGS = $(FAKE_CPPFLAGS)

tests_unit_test_plugin_protect_mark_SOURCES = tests/unit/test_plugin_protect_mark.c \
	plugins/protect-mark.c $(FAKE_SOURCES)
tests_unit_test_plugin_protect_mark_CPPFLAGS = $(FAKE_CPPFLAGS)

tests_unit_test_plugin_protect_unix_SOURCES = tests/unit/test_plugin_protect_unix.c \
	plugins/protect-unix.c $(FAKE_SOURCES)
tests_unit_test_plugin_protect_unix_CPPFLAGS = $(FAKE_CPPFLAGS)

tests_unit_test_plugin_tcp_forward_SOURCES = tests/unit/test_plugin_tcp_forward.c \
	plugins/tcp-forward.c $(FAKE_SOURCES)
tests_unit_test_plugin_tcp_forward_CPPFLAGS = $(FAKE_CPPFLAGS)

tests_unit_test_plugin_udp_forward_SOURCES = tests/unit/test_plugin_udp_forward.c \
	plugins/udp-forward.c $(FAKE_SOURCES)
tests_unit_test_plugin_udp_forward_CPPFLAGS = $(FAKE_CPPFLAGS)

# Tests that speak TCP to a whole gateway (tests/unit/app.h): the clock of the
# core is theirs.
APP_SOURCES = \
	tests/unit/app.c \
	tests/unit/app.h \
	tests/unit/script.c \
	tests/unit/script.h \
	tests/unit/world.h
APP_WRAP = $(AM_LDFLAGS) -Wl,--wrap=util_now_ms

tests_unit_test_flow_SOURCES = tests/unit/test_flow.c $(APP_SOURCES)
tests_unit_test_flow_LDFLAGS = $(APP_WRAP)

tests_unit_test_share_SOURCES = tests/unit/test_share.c $(APP_SOURCES)
tests_unit_test_share_LDFLAGS = $(APP_WRAP)

tests_unit_test_flow_api_SOURCES = tests/unit/test_flow_api.c $(APP_SOURCES)
tests_unit_test_flow_api_LDFLAGS = $(APP_WRAP)

tests_unit_test_gateway_SOURCES = tests/unit/test_gateway.c $(APP_SOURCES)
tests_unit_test_gateway_LDFLAGS = $(APP_WRAP)

tests_unit_test_merge_SOURCES = tests/unit/test_merge.c $(APP_SOURCES)
tests_unit_test_merge_LDFLAGS = $(APP_WRAP) -Wl,--wrap=tcp_up

tests_unit_test_relay_SOURCES = tests/unit/test_relay.c $(APP_SOURCES)
tests_unit_test_relay_LDFLAGS = $(APP_WRAP)

tests_unit_test_segments_SOURCES = tests/unit/test_segments.c $(RELAYS_SOURCES)
tests_unit_test_segments_CPPFLAGS = $(AM_CPPFLAGS) -DSLUICE_STATIC
tests_unit_test_segments_LDFLAGS = $(RELAYS_WRAP)
tests_unit_test_segments_LDADD = core/libcore.la $(CUNIT_LIBS)

tests_unit_test_stack_SOURCES = tests/unit/test_stack.c $(APP_SOURCES)
tests_unit_test_stack_LDFLAGS = $(APP_WRAP)

tests_unit_test_tcp_SOURCES = tests/unit/test_tcp.c $(APP_SOURCES)
tests_unit_test_tcp_LDFLAGS = $(APP_WRAP)

tests_unit_test_tcp_data_SOURCES = tests/unit/test_tcp_data.c $(APP_SOURCES)
tests_unit_test_tcp_data_LDFLAGS = $(APP_WRAP)

# A gateway between apps and sockets that are ours (tests/fuzz/relays.h).  What
# is wrapped is said in tests/fuzz/fuzz_relay.c too, for "make fuzz".
RELAYS_SOURCES = \
	plugins/protect-mark.c \
	plugins/tcp-forward.c \
	plugins/udp-forward.c \
	tests/fuzz/apps.c \
	tests/fuzz/apps.h \
	tests/fuzz/fakenet.c \
	tests/fuzz/fakenet.h \
	tests/fuzz/relays.c \
	tests/fuzz/relays.h
CLOCK_WRAP = -Wl,--wrap=util_now_ms,--wrap=util_random,--wrap=util_random32
RELAYS_WRAP = $(AM_LDFLAGS) $(CLOCK_WRAP) \
	-Wl,--wrap=socket,--wrap=close,--wrap=bind,--wrap=connect \
	-Wl,--wrap=getsockname,--wrap=getpeername,--wrap=shutdown \
	-Wl,--wrap=getsockopt,--wrap=setsockopt,--wrap=sendmsg \
	-Wl,--wrap=sendmmsg,--wrap=sendto,--wrap=recv \
	-Wl,--wrap=recvmsg,--wrap=recvmmsg \
	-Wl,--wrap=epoll_ctl,--wrap=epoll_wait

# Files that belong to no single test.
EXTRA_DIST += tests/unit/packets.h tests/unit/unit.h tests/unit/world.h

# --- fuzz: one a line, sorted; fuzz.h says what belongs to a target ---

FUZZ_TARGETS = \
	tests/fuzz/replay_conf \
	tests/fuzz/replay_dnsmsg \
	tests/fuzz/replay_dnstcp \
	tests/fuzz/replay_frag \
	tests/fuzz/replay_gateway \
	tests/fuzz/replay_lists \
	tests/fuzz/replay_packet \
	tests/fuzz/replay_plugin \
	tests/fuzz/replay_relay

tests_fuzz_replay_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/replay.c
tests_fuzz_replay_dnsmsg_SOURCES = tests/fuzz/fuzz_dnsmsg.c tests/fuzz/replay.c
tests_fuzz_replay_dnstcp_SOURCES = tests/fuzz/fuzz_dnstcp.c tests/fuzz/replay.c
tests_fuzz_replay_frag_SOURCES = tests/fuzz/fuzz_frag.c tests/fuzz/replay.c
tests_fuzz_replay_gateway_SOURCES = tests/fuzz/fuzz_gateway.c \
	tests/fuzz/apps.c tests/fuzz/replay.c tests/plugins/echo.c
tests_fuzz_replay_gateway_CPPFLAGS = $(AM_CPPFLAGS) -DSLUICE_STATIC
tests_fuzz_replay_gateway_LDFLAGS = $(AM_LDFLAGS) $(CLOCK_WRAP)
tests_fuzz_replay_gateway_LDADD = core/libcore.la
tests_fuzz_replay_lists_SOURCES = tests/fuzz/fuzz_lists.c \
	tests/fuzz/replay.c $(DNS_FILTER_SOURCES)
tests_fuzz_replay_lists_CPPFLAGS = $(FILTER_CPPFLAGS)
tests_fuzz_replay_lists_LDADD = $(PCRE2_LIBS)
tests_fuzz_replay_packet_SOURCES = tests/fuzz/fuzz_packet.c tests/fuzz/replay.c
tests_fuzz_replay_plugin_SOURCES = tests/fuzz/fuzz_plugin.c tests/fuzz/replay.c
tests_fuzz_replay_relay_SOURCES = tests/fuzz/fuzz_relay.c tests/fuzz/replay.c \
	$(RELAYS_SOURCES)
tests_fuzz_replay_relay_CPPFLAGS = $(AM_CPPFLAGS) -DSLUICE_STATIC
tests_fuzz_replay_relay_LDFLAGS = $(RELAYS_WRAP)
tests_fuzz_replay_relay_LDADD = core/libcore.la

# "make check" tries the inputs that are known; "make fuzz" looks for more.
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/fuzz.h tests/fuzz/run \
	tests/fuzz/seeds.py

fuzz:
	TOP_SRCDIR='$(abs_top_srcdir)' LWIP_DIR='$(LWIP_DIR)' \
		FUZZ_LIBS='$(INIH_LIBS)' \
		$(srcdir)/tests/fuzz/run
.PHONY: fuzz

# --- e2e: one a line, sorted ---

E2E_TESTS = \
	tests/e2e/answers.sh \
	tests/e2e/bad-input.sh \
	tests/e2e/clients.sh \
	tests/e2e/cycles.sh \
	tests/e2e/dns-filter.sh \
	tests/e2e/dns-tls.sh \
	tests/e2e/dns-upstream.sh \
	tests/e2e/dns.sh \
	tests/e2e/exec.sh \
	tests/e2e/floods.sh \
	tests/e2e/flow-log.sh \
	tests/e2e/frag.sh \
	tests/e2e/icmp.sh \
	tests/e2e/loop.sh \
	tests/e2e/nat.sh \
	tests/e2e/plugins.sh \
	tests/e2e/protect.sh \
	tests/e2e/run.sh \
	tests/e2e/same.sh \
	tests/e2e/tcp-limits.sh \
	tests/e2e/tcp.sh \
	tests/e2e/tun.sh \
	tests/e2e/udp.sh \
	tests/e2e/valgrind.sh

TESTS += $(E2E_TESTS)
EXTRA_DIST += $(E2E_TESTS) tests/e2e/README tests/e2e/answers.py \
	tests/e2e/datagrams.py tests/e2e/demo tests/e2e/dnspeer.py tests/e2e/dnstls.py \
	tests/e2e/exec_tty.py tests/e2e/good.py tests/e2e/lib.sh \
	tests/e2e/nat.py tests/e2e/peer.py \
	tests/e2e/protector.py tests/e2e/raw.py tests/e2e/resolver.py \
	tests/e2e/same.known tests/e2e/same.py tests/e2e/samedgram.py \
	tests/e2e/sameends.py tests/e2e/samesyn.py tests/e2e/sametcp.py \
	tests/e2e/sameworld.py \
	tests/e2e/slow.py tests/e2e/socksd.py tests/e2e/www.py

# Packets for floods.sh.  "make floods" runs it in full length, with figures.
check_PROGRAMS += tests/e2e/flood
tests_e2e_flood_SOURCES = tests/e2e/flood.c
tests_e2e_flood_LDADD =

floods: all tests/e2e/flood$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) FULL=1 bash $(srcdir)/tests/e2e/floods.sh
.PHONY: floods

# --- what takes long: a part of it is in "make check", or none ---
#
# "make faults" makes every system call fail, "make soak SOAK_SECONDS=1800" is
# a mixed load for half an hour.

TESTS += tests/faults/faults.sh
EXTRA_DIST += tests/faults/faults.sh tests/faults/matrix.py \
	tests/faults/scenario.py tests/faults/shim.c tests/e2e/soak.py \
	tests/e2e/soak.sh

faults: all
	@$(AM_TESTS_ENVIRONMENT) FAULTS=$${FAULTS-all} \
		bash $(srcdir)/tests/faults/faults.sh

soak: all
	@$(AM_TESTS_ENVIRONMENT) SOAK_SECONDS=$${SOAK_SECONDS-1800} \
		bash $(srcdir)/tests/e2e/soak.sh
.PHONY: faults soak

# --- plugins for tests, loaded from $SLUICE_TEST_PLUGINDIR ---
#
# As in plugins/local.mk, but none is installed:
#
#	check_LTLIBRARIES += tests/plugins/echo.la
#	tests_plugins_echo_la_SOURCES = tests/plugins/echo.c
#	tests_plugins_echo_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
#	tests_plugins_echo_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

TEST_PLUGIN_FLAGS = $(AM_LDFLAGS) $(MODULE_LDFLAGS) \
	-avoid-version -shared -rpath /nowhere

check_LTLIBRARIES += tests/plugins/dns-rewrite.la
tests_plugins_dns_rewrite_la_SOURCES = tests/plugins/dns-rewrite.c
tests_plugins_dns_rewrite_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_dns_rewrite_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

check_LTLIBRARIES += tests/plugins/echo.la
tests_plugins_echo_la_SOURCES = tests/plugins/echo.c
tests_plugins_echo_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_echo_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

check_LTLIBRARIES += tests/plugins/fixed.la
tests_plugins_fixed_la_SOURCES = tests/plugins/fixed.c
tests_plugins_fixed_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_fixed_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

check_LTLIBRARIES += tests/plugins/never.la
tests_plugins_never_la_SOURCES = tests/plugins/never.c
tests_plugins_never_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_never_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

check_LTLIBRARIES += tests/plugins/slow.la
tests_plugins_slow_la_SOURCES = tests/plugins/slow.c
tests_plugins_slow_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_plugins_slow_la_LDFLAGS = -module $(TEST_PLUGIN_FLAGS)

# One source, broken in one way each: NAME,FLAG becomes NAME.so.
BROKEN_PLUGINS = \
	bad-name,-DNAME=Bad \
	fine,-DFINE \
	lying-offset,-DOFFSET=4096 \
	lying-preset,-DPRESET=70000 \
	needs-newer,-DNEEDS=99u \
	no-class,-DFLOW=NULL \
	no-open,-DOPEN=NULL \
	no-symbol,-Dsluice_plugin=something_else \
	other-major,-DABI=0x630000u \
	short-flow,-DFLOW_SIZE=8 \
	short-table,-DSIZE=40 \
	wrong-magic,-DMAGIC=1u

tests/plugins/broken.stamp: tests/plugins/broken.c include/sluice/plugin.h
	$(AM_V_GEN)$(MKDIR_P) tests/plugins/.libs && \
	for kind in $(BROKEN_PLUGINS); do \
		$(CC) $(PLUGIN_CPPFLAGS) $(AM_CFLAGS) $(CFLAGS) \
			$${kind#*,} -fPIC -shared $(AM_LDFLAGS) $(LDFLAGS) \
			-o tests/plugins/.libs/$${kind%%,*}.so \
			$(srcdir)/tests/plugins/broken.c || exit 1; \
	done && touch $@

if DLOPEN
check_DATA = tests/plugins/broken.stamp
endif
EXTRA_DIST += tests/plugins/broken.c
CLEANFILES += tests/plugins/broken.stamp tests/plugins/.libs/*.so

# --- the ABI: its layout is asserted in every build ---

noinst_LTLIBRARIES += tests/libabi.la
tests_libabi_la_SOURCES = tests/abi_layout.c

# --- tree ---

TREE_TESTS = \
	tests/conf/golden \
	tests/dnsmsg-agrees \
	tests/documents \
	tests/format \
	tests/hardening \
	tests/header \
	tests/include-rules \
	tests/manifest \
	tests/spdx

TESTS += $(TREE_TESTS)
check_PROGRAMS += tests/unit/dnsmsg_show
tests_unit_dnsmsg_show_SOURCES = tests/unit/dnsmsg_show.c
tests_unit_dnsmsg_show_LDADD = core/libcore.la
EXTRA_DIST += $(TREE_TESTS) \
	tests/conf/form.ini tests/conf/form.out \
	tests/conf/good.ini tests/conf/good.out \
	tests/conf/plugins.ini tests/conf/plugins.out \
	tests/conf/typos.ini tests/conf/typos.out \
	tests/conf/values.ini tests/conf/values.out

# --- the benchmark: "make bench", "make bench BENCHFLAGS=--quick" ---

BENCH_TOOLS = \
	tests/bench/answer \
	tests/bench/ask \
	tests/bench/probe \
	tests/bench/relay \
	tests/bench/serve
EXTRA_PROGRAMS += $(BENCH_TOOLS)
CLEANFILES += $(BENCH_TOOLS)

tests_bench_answer_SOURCES = \
	tests/bench/answer.c \
	tests/bench/bench.h
tests_bench_answer_LDADD =
tests_bench_ask_SOURCES = \
	tests/bench/ask.c \
	tests/bench/bench.h
tests_bench_ask_LDADD =
tests_bench_probe_SOURCES = \
	tests/bench/bench.h \
	tests/bench/burst.c \
	tests/bench/probe.c
tests_bench_probe_LDADD =
tests_bench_relay_SOURCES = \
	tests/bench/bench.h \
	tests/bench/relay.c
tests_bench_relay_LDADD =
tests_bench_serve_SOURCES = \
	tests/bench/bench.h \
	tests/bench/burst.c \
	tests/bench/serve.c
tests_bench_serve_LDADD =
EXTRA_DIST += \
	tests/bench/measure.py \
	tests/bench/rows.py \
	tests/bench/run \
	tests/bench/table.py \
	tests/bench/world.py

bench: all $(BENCH_TOOLS)
	@$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/bench/run $(BENCHFLAGS)
.PHONY: bench

# Lists of dns-filter, with no gateway around them; LISTS=FILES for real ones.
EXTRA_PROGRAMS += tests/bench/dns_lists
CLEANFILES += tests/bench/dns_lists
tests_bench_dns_lists_SOURCES = tests/bench/dns_lists.c $(DNS_FILTER_SOURCES)
tests_bench_dns_lists_CPPFLAGS = $(FILTER_CPPFLAGS)
tests_bench_dns_lists_LDADD = $(PCRE2_LIBS)

bench-lists: tests/bench/dns_lists
	tests/bench/dns_lists 1000000 $(LISTS)
.PHONY: bench-lists

# --- how they are run ---

EXTRA_DIST += tests/serial tests/summary
CLEANFILES += tests/serial.1.lock tests/serial.2.lock

TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_COMPILER = $(top_srcdir)/tests/serial

# What a test may rely on.  Plugins are where libtool leaves them.
AM_TESTS_ENVIRONMENT = \
	TOP_SRCDIR='$(abs_top_srcdir)'; export TOP_SRCDIR; \
	TOP_BUILDDIR='$(abs_top_builddir)'; export TOP_BUILDDIR; \
	SLUICE='$(abs_top_builddir)/sluice'; export SLUICE; \
	SLUICE_PLUGINDIR='$(abs_top_builddir)/plugins/.libs'; \
	export SLUICE_PLUGINDIR; \
	SLUICE_TEST_PLUGINDIR='$(abs_top_builddir)/tests/plugins/.libs'; \
	export SLUICE_TEST_PLUGINDIR; \
	CC='$(CC)'; export CC; \
	: "$${ASAN_OPTIONS=detect_stack_use_after_return=1}"; \
	: "$${UBSAN_OPTIONS=print_stacktrace=1}"; \
	export ASAN_OPTIONS UBSAN_OPTIONS; \
	LC_ALL=C; export LC_ALL;
