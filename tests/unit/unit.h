/* SPDX-License-Identifier: MIT */
/* unit.h - a CUnit program from a table of tests
 *
 *	#include "unit.h"
 *
 *	static void a_test_is_a_sentence(void)
 *	{
 *		CU_ASSERT_EQUAL(1 + 1, 2);
 *	}
 *
 *	static const struct unit_test tests[] = {
 *		UNIT(a_test_is_a_sentence),
 *	};
 *
 *	UNIT_MAIN("arithmetic", tests)
 *
 * It prints TAP for "make check", and CUnit's own summary.  With arguments it
 * runs only the tests whose names contain one of them.
 */
#ifndef UNIT_H
#define UNIT_H

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* clang-format off */
#define UNIT(function) { #function, function }
/* clang-format on */

static unsigned int unit_number;
static const char *unit_skip_reason;

/* Leave a test that cannot be run here; say why. */
#define UNIT_SKIP(reason)                    \
	do {                                 \
		unit_skip_reason = (reason); \
		return;                      \
	} while (0)

static inline void unit_started(const CU_pTest test, const CU_pSuite suite)
{
	(void)test;
	(void)suite;
	unit_skip_reason = NULL;
}

static inline void unit_done(const CU_pTest test, const CU_pSuite suite,
			     const CU_pFailureRecord failures)
{
	const struct CU_FailureRecord *f;

	(void)suite;
	printf("%s %u - ", failures ? "not ok" : "ok", ++unit_number);
	for (const char *c = test->pName; *c; c++)
		putchar(*c == '_' ? ' ' : *c);
	if (!failures && unit_skip_reason)
		printf(" # SKIP %s", unit_skip_reason);
	putchar('\n');
	for (f = failures; f; f = f->pNext)
		printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber,
		       f->strCondition);
}

static inline int unit_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return 1;
	return argc < 2;
}

static inline int unit_main(const char *name, const struct unit_test *tests,
			    size_t count, int argc, char **argv)
{
	CU_pSuite suite;
	unsigned int planned = 0;
	unsigned int failures;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	suite = CU_add_suite(name, NULL, NULL);
	for (size_t i = 0; suite && i < count; i++) {
		if (!unit_wanted(tests[i].name, argc, argv))
			continue;
		if (CU_add_test(suite, tests[i].name, tests[i].run))
			planned++;
	}
	if (CU_get_error() != CUE_SUCCESS) {
		printf("Bail out! CUnit: %s\n", CU_get_error_msg());
		return EXIT_FAILURE;
	}
	printf("1..%u\n", planned);
	CU_set_test_start_handler(unit_started);
	CU_set_test_complete_handler(unit_done);
	CU_run_all_tests();
	CU_print_run_results(stdout);
	putchar('\n');
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(name, tests)                                           \
	int main(int argc, char **argv)                                  \
	{                                                                \
		return unit_main(name, tests,                            \
				 sizeof(tests) / sizeof(*(tests)), argc, \
				 argv);                                  \
	}

#endif
