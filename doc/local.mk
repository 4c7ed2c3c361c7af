# SPDX-License-Identifier: MIT
#
# Manual pages, in mdoc; one a line, sorted.

dist_man_MANS += \
	doc/sluice-plugin.7 \
	doc/sluice.1 \
	doc/sluice.ini.5

EXTRA_DIST +=
