# SPDX-License-Identifier: MIT
#
# The shipped plugins.  For each, its sources and the two lines that take
# from configure whether it is shared or static (m4/plugins.m4).

# All that a plugin sees is the public header.
PLUGIN_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/include
SHARED_PLUGIN_FLAGS = $(AM_LDFLAGS) $(MODULE_LDFLAGS) \
	-avoid-version -shared -rpath $(plugindir)

plugin_LTLIBRARIES = $(SHARED_PLUGINS)

# Plugins are loaded by file name, and nobody links to one: no .la there.
install-data-hook:
	for la in $(SHARED_PLUGINS); do \
		rm -f "$(DESTDIR)$(plugindir)/$${la##*/}"; \
	done
	rm -f "$(DESTDIR)$(plugindir)/dns-upstream-tls.la"

uninstall-hook:
	for la in $(SHARED_PLUGINS); do \
		so=$${la##*/}; \
		rm -f "$(DESTDIR)$(plugindir)/$${so%.la}.so"; \
	done
	rm -f "$(DESTDIR)$(plugindir)/dns-upstream-tls.mod"

EXTRA_LTLIBRARIES += plugins/tcp-forward.la
plugins_tcp_forward_la_SOURCES = plugins/tcp-forward.c
plugins_tcp_forward_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(tcp_forward_CPPFLAGS)
plugins_tcp_forward_la_LDFLAGS = -module $(tcp_forward_LDFLAGS)

EXTRA_LTLIBRARIES += plugins/udp-forward.la
plugins_udp_forward_la_SOURCES = plugins/udp-forward.c
plugins_udp_forward_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(udp_forward_CPPFLAGS)
plugins_udp_forward_la_LDFLAGS = -module $(udp_forward_LDFLAGS)

EXTRA_LTLIBRARIES += plugins/dns-filter.la
plugins_dns_filter_la_SOURCES = $(DNS_FILTER_SOURCES)
plugins_dns_filter_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(dns_filter_CPPFLAGS) \
	$(PCRE2_CFLAGS)
plugins_dns_filter_la_LDFLAGS = -module $(dns_filter_LDFLAGS)
plugins_dns_filter_la_LIBADD = $(PCRE2_LIBS)
DNS_FILTER_SOURCES = \
	plugins/dns-filter/adblock.c \
	plugins/dns-filter/adblock.h \
	plugins/dns-filter/answer.c \
	plugins/dns-filter/build.c \
	plugins/dns-filter/build.h \
	plugins/dns-filter/dns-filter.c \
	plugins/dns-filter/filter.c \
	plugins/dns-filter/filter.h \
	plugins/dns-filter/guard.c \
	plugins/dns-filter/image.c \
	plugins/dns-filter/image.h \
	plugins/dns-filter/lists.c \
	plugins/dns-filter/lists.h \
	plugins/dns-filter/lookup.c \
	plugins/dns-filter/message.c \
	plugins/dns-filter/message.h \
	plugins/dns-filter/name.c \
	plugins/dns-filter/name.h \
	plugins/dns-filter/records.c \
	plugins/dns-filter/regex.c \
	plugins/dns-filter/regex.h \
	plugins/dns-filter/reload.c \
	plugins/dns-filter/reply.c \
	plugins/dns-filter/rule.c \
	plugins/dns-filter/rule.h \
	plugins/dns-filter/special.c \
	plugins/dns-filter/special.h \
	plugins/dns-filter/store.c \
	plugins/dns-filter/store.h \
	plugins/dns-filter/svcb.c \
	plugins/dns-filter/zone.c

EXTRA_LTLIBRARIES += plugins/dns-upstream.la
plugins_dns_upstream_la_SOURCES = \
	plugins/dns-upstream/ask.c \
	plugins/dns-upstream/ask.h \
	plugins/dns-upstream/cache.c \
	plugins/dns-upstream/cache.h \
	plugins/dns-upstream/dns-upstream.c \
	plugins/dns-upstream/frame.c \
	plugins/dns-upstream/group.c \
	plugins/dns-upstream/group.h \
	plugins/dns-upstream/lookup.c \
	plugins/dns-upstream/lookup.h \
	plugins/dns-upstream/msg.c \
	plugins/dns-upstream/msg.h \
	plugins/dns-upstream/network.c \
	plugins/dns-upstream/question.c \
	plugins/dns-upstream/question.h \
	plugins/dns-upstream/reply.c \
	plugins/dns-upstream/secure.c \
	plugins/dns-upstream/secure.h \
	plugins/dns-upstream/servers.c \
	plugins/dns-upstream/servers.h \
	plugins/dns-upstream/stamp.c \
	plugins/dns-upstream/stream.c \
	plugins/dns-upstream/stream.h \
	plugins/dns-upstream/try.c \
	plugins/dns-upstream/try.h \
	plugins/dns-upstream/udp.c \
	plugins/dns-upstream/upstream.h \
	plugins/dns-upstream/url.c \
	plugins/dns-upstream/url.h
plugins_dns_upstream_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(dns_upstream_CPPFLAGS) \
	$(UPSTREAM_TLS_CPPFLAGS) $(TLS_CFLAGS)
plugins_dns_upstream_la_LDFLAGS = -module $(dns_upstream_LDFLAGS)
plugins_dns_upstream_la_LIBADD =

# Encrypted servers: in it, or a module beside it that is no plugin (.mod).
UPSTREAM_TLS_SOURCES = \
	plugins/dns-upstream/h2.c \
	plugins/dns-upstream/tls.c \
	plugins/dns-upstream/tls.h
if UPSTREAM_TLS_STATIC
plugins_dns_upstream_la_SOURCES += $(UPSTREAM_TLS_SOURCES)
plugins_dns_upstream_la_LIBADD += $(TLS_LIBS)
endif
if UPSTREAM_TLS_MODULE
plugin_LTLIBRARIES += plugins/dns-upstream-tls.la
plugins_dns_upstream_la_LIBADD += $(DLOPEN_LIBS)
else
EXTRA_LTLIBRARIES += plugins/dns-upstream-tls.la
endif
plugins_dns_upstream_tls_la_SOURCES = $(UPSTREAM_TLS_SOURCES)
plugins_dns_upstream_tls_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(TLS_CFLAGS)
plugins_dns_upstream_tls_la_LDFLAGS = -module -shrext .mod \
	$(SHARED_PLUGIN_FLAGS)
plugins_dns_upstream_tls_la_LIBADD = $(TLS_LIBS)

EXTRA_LTLIBRARIES += plugins/protect-mark.la
plugins_protect_mark_la_SOURCES = plugins/protect-mark.c
plugins_protect_mark_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(protect_mark_CPPFLAGS)
plugins_protect_mark_la_LDFLAGS = -module $(protect_mark_LDFLAGS)

EXTRA_LTLIBRARIES += plugins/protect-unix.la
plugins_protect_unix_la_SOURCES = plugins/protect-unix.c
plugins_protect_unix_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(protect_unix_CPPFLAGS)
plugins_protect_unix_la_LDFLAGS = -module $(protect_unix_LDFLAGS)

EXTRA_LTLIBRARIES += plugins/flow-log.la
plugins_flow_log_la_SOURCES = plugins/flow-log.c
plugins_flow_log_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(flow_log_CPPFLAGS)
plugins_flow_log_la_LDFLAGS = -module $(flow_log_LDFLAGS)

# What reads options and lists, as in core/local.mk.
COLD_FILTER = adblock build dns-filter lists regex reload rule special store
COLD_UPSTREAM = dns-upstream lookup network servers stamp url
$(addprefix plugins/dns-filter/%-,$(addsuffix .lo,$(COLD_FILTER))) \
$(addprefix plugins/dns-upstream/%-,$(addsuffix .lo,$(COLD_UPSTREAM))): \
	CFLAGS += $(COLD_CFLAGS)
