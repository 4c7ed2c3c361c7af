/* SPDX-License-Identifier: MIT */
#include "version.h"

#include "autoconf.h"

const char *sluice_version(void)
{
	return PACKAGE_VERSION;
}
