# SPDX-License-Identifier: MIT

sluiceincludedir = $(includedir)/sluice
sluiceinclude_HEADERS = \
	include/sluice/plugin.h
