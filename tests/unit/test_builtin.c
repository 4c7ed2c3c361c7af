/* SPDX-License-Identifier: MIT */
/* test_builtin.c - the table of static plugins that configure writes */
#include <sluice/plugin.h>

#include "unit.h"

extern const struct sluice_plugin *const builtin_plugins[];

static void table_ends_with_null_and_names_are_unique(void)
{
	for (size_t i = 0; builtin_plugins[i]; i++)
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(builtin_plugins[i]->name,
						   builtin_plugins[j]->name);
}

static void plugins_are_of_this_abi(void)
{
	for (size_t i = 0; builtin_plugins[i]; i++) {
		CU_ASSERT_EQUAL(builtin_plugins[i]->magic, SLUICE_MAGIC);
		CU_ASSERT_EQUAL(builtin_plugins[i]->abi, SLUICE_ABI);
	}
}

static const struct unit_test tests[] = {
	UNIT(table_ends_with_null_and_names_are_unique),
	UNIT(plugins_are_of_this_abi),
};

UNIT_MAIN("builtin", tests)
