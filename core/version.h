/* SPDX-License-Identifier: MIT */
#ifndef VERSION_H
#define VERSION_H

const char *sluice_version(void);

#endif
