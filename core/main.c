/* SPDX-License-Identifier: MIT */
/* main.c - the command */
#include <stdio.h>

#include "version.h"

int main(void)
{
	printf("sluice %s\n", sluice_version());
	return 0;
}
