# SPDX-License-Identifier: MIT
#
# Manual pages, in mdoc; one a line, sorted.

dist_man_MANS +=

EXTRA_DIST +=
