# SPDX-License-Identifier: MIT
#
# A configuration that is there already belongs to whoever wrote it.

sluiceconfdir = $(sysconfdir)/sluice
EXTRA_DIST += etc/sluice.ini

# A list for dns-filter, as it is: it belongs to the release.
dist_pkgdata_DATA = etc/resolvers.txt

install-data-local: install-config
install-config:
	$(MKDIR_P) '$(DESTDIR)$(sluiceconfdir)'
	@if test -e '$(DESTDIR)$(sluiceconfdir)/sluice.ini'; then \
		echo 'keeping $(sluiceconfdir)/sluice.ini as it is'; \
	else \
		echo 'installing $(sluiceconfdir)/sluice.ini'; \
		$(INSTALL_DATA) $(srcdir)/etc/sluice.ini \
			'$(DESTDIR)$(sluiceconfdir)/sluice.ini'; \
	fi

uninstall-local: uninstall-config
uninstall-config:
	@if cmp -s $(srcdir)/etc/sluice.ini \
		'$(DESTDIR)$(sluiceconfdir)/sluice.ini'; then \
		rm -f '$(DESTDIR)$(sluiceconfdir)/sluice.ini'; \
	fi

.PHONY: install-config uninstall-config
