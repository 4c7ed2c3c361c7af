# SPDX-License-Identifier: MIT
#
# The gateway.  One file a line, sorted.

noinst_LTLIBRARIES += \
	core/libbuiltin.la \
	core/libcore.la \
	core/liblwip.la \
	core/libstack.la

core_libcore_la_SOURCES = \
	core/addr.c \
	core/addr.h \
	core/chain.c \
	core/chain.h \
	core/chain_build.c \
	core/conf.c \
	core/conf.h \
	core/conf_read.c \
	core/csum.c \
	core/csum.h \
	core/dgram.c \
	core/dgram.h \
	core/dial.c \
	core/dial.h \
	core/dial_int.h \
	core/dial_protect.c \
	core/dns.c \
	core/dns.h \
	core/dnsapi.c \
	core/dnsask.c \
	core/dnsfollow.c \
	core/dnsjoin.c \
	core/dnsmsg.c \
	core/dnsmsg.h \
	core/dnsq.c \
	core/dnsq.h \
	core/dnssay.c \
	core/dnstcp.c \
	core/flow.c \
	core/flow.h \
	core/flow_api.c \
	core/flowtab.c \
	core/flowtab.h \
	core/frag.c \
	core/frag.h \
	core/frag_cut.c \
	core/gateway.c \
	core/gateway.h \
	core/gateway_path.c \
	core/host.c \
	core/host.h \
	core/icmp.c \
	core/icmp.h \
	core/json.c \
	core/json.h \
	core/log.c \
	core/log.h \
	core/loop.c \
	core/loop.h \
	core/merge.c \
	core/merge.h \
	core/names.c \
	core/names.h \
	core/netsetup.c \
	core/netsetup.h \
	core/options.c \
	core/options.h \
	core/options_sane.c \
	core/options_show.c \
	core/optvalue.c \
	core/optvalue.h \
	core/packet.c \
	core/packet.h \
	core/packet_build.c \
	core/peerset.c \
	core/peerset.h \
	core/plugin_check.c \
	core/plugin_check.h \
	core/pool.c \
	core/pool.h \
	core/rate.h \
	core/registry.c \
	core/registry.h \
	core/relay.c \
	core/rtnl.c \
	core/rtnl.h \
	core/sandbox.c \
	core/sandbox.h \
	core/settings.c \
	core/settings.h \
	core/share.c \
	core/share.h \
	core/stats.c \
	core/stats.h \
	core/tcp.c \
	core/tcp.h \
	core/tcp_data.c \
	core/tcp_flow.h \
	core/timer.c \
	core/timer.h \
	core/tun.c \
	core/tun.h \
	core/tundev.c \
	core/tundev.h \
	core/tunlink.c \
	core/tunlink.h \
	core/udp.c \
	core/udp.h \
	core/udp_recv.c \
	core/udp_send.c \
	core/udpflow.h \
	core/util.c \
	core/util.h \
	core/version.c \
	core/version.h
core_libcore_la_LIBADD = \
	core/libstack.la \
	$(INIH_LIBS) \
	$(DLOPEN_LIBS)

# What may include lwip/, with the include path for it.
core_libstack_la_SOURCES = \
	core/stack.c \
	core/stack.h \
	core/stack_int.h \
	core/stack_move.c \
	core/stack_out.c \
	core/stack_out.h \
	core/stack_port.c \
	core/stack_resend.c \
	core/stack_window.c
core_libstack_la_CPPFLAGS = $(AM_CPPFLAGS) $(LWIP_CPPFLAGS)
core_libstack_la_LIBADD = core/liblwip.la

# lwIP itself: lwip.c includes the sources it is made of.  The warnings of
# code that is not ours help nobody, so there are none.
LWIP_CPPFLAGS = \
	-I$(top_srcdir)/core/lwip \
	-isystem $(LWIP_DIR)/src/include
core_liblwip_la_SOURCES = \
	core/lwip/arch/cc.h \
	core/lwip/checks.c \
	core/lwip/lwip.c \
	core/lwip/lwipopts.h
core_liblwip_la_CPPFLAGS = -I$(LWIP_DIR)/src/core $(LWIP_CPPFLAGS) $(AM_CPPFLAGS)
core_liblwip_la_CFLAGS = $(BASE_CFLAGS) $(HARD_CFLAGS) -w

# The table of static plugins, written by configure, and those plugins.
nodist_core_libbuiltin_la_SOURCES = core/builtin.c
core_libbuiltin_la_LIBADD = $(STATIC_PLUGINS)
EXTRA_core_libbuiltin_la_DEPENDENCIES = $(STATIC_PLUGINS)
DISTCLEANFILES += core/builtin.c

# What a program made of the core links: sluice, and the unit tests.
CORE_LIBS = core/libcore.la core/libbuiltin.la

bin_PROGRAMS += sluice
sluice_SOURCES = \
	core/box.c \
	core/box.h \
	core/boxset.c \
	core/boxset.h \
	core/command.c \
	core/command.h \
	core/exec.c \
	core/exec.h \
	core/explain.c \
	core/explain.h \
	core/main.c \
	core/run.c \
	core/run.h
sluice_LDADD = $(CORE_LIBS)
sluice_LDFLAGS = $(AM_LDFLAGS) $(PROGRAM_LDFLAGS)

# What no packet passes is compiled for size in a program in one piece
# (m4/flags.m4).  CFLAGS, since the flags of a target come before those.
COLD = box boxset chain_build command conf conf_read exec explain main \
	netsetup options options_sane options_show optvalue plugin_check \
	registry rtnl run sandbox settings stats tundev tunlink version
$(addsuffix .%,$(addprefix core/,$(COLD))): CFLAGS += $(COLD_CFLAGS)
