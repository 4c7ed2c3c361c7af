/* SPDX-License-Identifier: MIT */
/* replay.c - a fuzz target on inputs that are known, once each
 *
 * What "make check" runs: every input of the corpus, which has those that
 * were ever found to be trouble.  The name of each is printed before it is
 * tried.  With arguments: these files instead.
 */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

static int replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		printf("# %s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

static int replay_all(const char *target)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4096];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".",
		 target);
	d = opendir(path);
	if (!d) {
		printf("# %s: %s\n", path, strerror(errno));
		return 0;
	}
	while ((e = readdir(d))) {
		char file[8192];

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (replay(file) == 0)
			n++;
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	const char *target = strrchr(argv[0], '_');
	int n = 0;

	target = target ? target + 1 : "";
	printf("1..1\n");
	for (int i = 1; i < argc; i++)
		n += replay(argv[i]) == 0;
	if (argc < 2)
		n = replay_all(target);
	printf("%s 1 - fuzz inputs of %s\n", n ? "ok" : "not ok", target);
	printf("# %d inputs\n", n);
	return n ? EXIT_SUCCESS : EXIT_FAILURE;
}
