# SPDX-License-Identifier: MIT
#
# Manual pages, in mdoc; one a line, sorted.

dist_man_MANS += \
	doc/sluice-plugin.7 \
	doc/sluice.1 \
	doc/sluice-dns-filter.5 \
	doc/sluice-dns-upstream.5 \
	doc/sluice.ini.5

dist_doc_DATA = \
	doc/architecture.md \
	doc/performance.md \
	doc/plugin-guide.md
templatedir = $(docdir)/template
dist_template_DATA = \
	doc/template/Makefile \
	doc/template/port-guard.c \
	doc/template/test.c

# A stranger's plugin, out of the tree, against what was installed.
installcheck-local:
	rm -rf template.check && cp -r '$(DESTDIR)$(templatedir)' template.check
	chmod -R u+w template.check
	PKG_CONFIG_PATH='$(DESTDIR)$(pkgconfigdir)' \
	PKG_CONFIG_SYSROOT_DIR='$(DESTDIR)' \
		$(MAKE) -C template.check check CC='$(CC)'
if DLOPEN
	'$(DESTDIR)$(bindir)/sluice' plugins template.check/port-guard.so
endif
	rm -rf template.check
