/* SPDX-License-Identifier: MIT */
/* main.c - the command line
 *
 *	sluice VERB [options] [--] [arguments]
 *
 * Options come after the verb, since what they may be depends on it.  What is
 * wrong is said in one line with the nearest known name, and ends with 2.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "conf.h"
#include "exec.h"
#include "explain.h"
#include "run.h"
#include "util.h"
#include "version.h"

#define STATUS_USAGE 2

enum takes { TAKES_NOTHING, TAKES_ONE, TAKES_NAME, TAKES_COMMAND };

struct verb {
	const char *name;
	enum takes takes;
	int (*run)(const struct command_args *);
	const char *options; /* their letters, j for --json */
	const char *form, *help;
};

static int exec_verb(const struct command_args *a);
static int explain_verb(const struct command_args *a);
static int version_verb(const struct command_args *a);
static int help_verb(const struct command_args *a);

static const struct verb verbs[] = {
	{ "run", TAKES_NOTHING, run_command, "co",
	  "run [-c FILE] [-o KEY=VALUE]...",
	  "the gateway in the foreground, until SIGTERM or SIGINT" },
	{ "exec", TAKES_COMMAND, exec_verb, "co",
	  "exec [-c FILE] [-o KEY=VALUE]... [--] COMMAND [ARG]...",
	  "COMMAND with all its traffic through the gateway; no root needed" },
	{ "check", TAKES_NOTHING, command_check, "coj",
	  "check [-c FILE] [-o KEY=VALUE]... [--json]",
	  "read the configuration as run would, and print it or its mistakes" },
	{ "explain", TAKES_NAME, explain_verb, "coj",
	  "explain [-c FILE] [-o KEY=VALUE]... [--json] NAME [TYPE [SOURCE]]",
	  "what would become of a DNS question, and which rule says so" },
	{ "plugins", TAKES_ONE, command_plugins, "j",
	  "plugins [--json] [NAME or FILE]",
	  "the plugins there are; of one, its options" },
	{ "version", TAKES_NOTHING, version_verb, "", "version", "its number" },
	{ "help", TAKES_ONE, help_verb, "", "help [COMMAND]", "this text" },
};

/* What follows the options, for exec and explain. */
static char **operands;

static int exec_verb(const struct command_args *a)
{
	return exec_command(a, operands);
}

static int explain_verb(const struct command_args *a)
{
	return explain_command(a, operands);
}

static int version_verb(const struct command_args *a)
{
	(void)a;
	printf("sluice %s\n", sluice_version());
	return EXIT_SUCCESS;
}

static const struct option_help {
	char letter;
	const char *text;
} option_help[] = {
	{ 'c', "  -c FILE         configuration; without it\n"
	       "                  " COMMAND_CONFIG_FILE ",\n"
	       "                  if that is there\n" },
	{ 'o', "  -o KEY=VALUE    one setting, as in -o tun.mtu=9000; wins\n"
	       "                  over the file, may be repeated\n" },
	{ 'j', "  --json          results for a program\n" },
};

/* Those of these letters. */
static void print_options(FILE *out, const char *letters)
{
	fputs("\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(option_help); i++)
		if (strchr(letters, option_help[i].letter))
			fputs(option_help[i].text, out);
	fputs("\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong\n"
	      "configuration; exec gives that of COMMAND (128 and the number\n"
	      "of the signal that ended it), or 125 if there is no way to run\n"
	      "it captured, 126 if it cannot be executed, 127 if it is not\n"
	      "found.\n",
	      out);
}

static void print_help(FILE *out)
{
	fputs("sluice - a gateway for a TUN device: packets of apps come in, "
	      "sockets go out,\n         plugins decide in between\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  sluice %s\n      %s\n", verbs[i].form,
			verbs[i].help);
	print_options(out, "coj");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* "did you mean" for word, or nothing. */
static int unknown(const char *kind, const char *word, const char *const *names)
{
	const char *nearest = conf_nearest(word, names);

	fprintf(stderr, "sluice: there is no %s \"%s\"", kind, word);
	if (nearest)
		fprintf(stderr, ": did you mean \"%s\"?", nearest);
	fputs(" (sluice --help)\n", stderr);
	return STATUS_USAGE;
}

static int unknown_verb(const char *word)
{
	const char *names[ARRAY_SIZE(verbs) + 1] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i].name;
	return unknown("command", word, names);
}

static int help_verb(const struct command_args *a)
{
	const struct verb *v = NULL;

	if (a->what) {
		v = find_verb(a->what);
		if (!v)
			return unknown_verb(a->what);
		printf("sluice %s\n    %s\n", v->form, v->help);
		print_options(stdout, v->options);
	} else {
		print_help(stdout);
	}
	return EXIT_SUCCESS;
}

/* --- options ------------------------------------------------------------- */

enum { OPT_JSON = 256 };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "option", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int unknown_option(char **argv)
{
	static const char *const names[] = { "--config", "--option",  "--json",
					     "--help",   "--version", NULL };
	char word[3] = { '-', (char)optopt, 0 };

	if (optopt && optopt < OPT_JSON)
		return unknown("option", word, names);
	return unknown("option", argv[optind - 1], names);
}

/* 0: go on; or a status for exit. */
static int take_option(const struct verb *v, int c, char **argv,
		       struct command_args *a)
{
	char letter = c == OPT_JSON ? 'j' : (char)c;

	if (strchr("coj", letter) && !strchr(v->options, letter)) {
		fprintf(stderr, "sluice: %s takes no %s; usage: sluice %s\n",
			v->name,
			c == OPT_JSON ? "--json" :
			c == 'c'      ? "-c" :
					"-o",
			v->form);
		return STATUS_USAGE;
	}
	switch (c) {
	case 'c':
		a->file = optarg;
		return 0;
	case 'o':
		a->overrides[a->n_overrides++] = optarg;
		return 0;
	case OPT_JSON:
		a->json = true;
		return 0;
	case ':':
		fprintf(stderr,
			"sluice: option %s needs a value (sluice "
			"--help)\n",
			argv[optind - 1]);
		return STATUS_USAGE;
	default:
		return unknown_option(argv);
	}
}

static int check_operands(const struct verb *v, int n, char **argv)
{
	if (v->takes == TAKES_COMMAND && !n) {
		fputs("sluice: exec needs a command: sluice exec -- curl "
		      "http://example.org\n",
		      stderr);
		return STATUS_USAGE;
	}
	if (v->takes == TAKES_NAME && !n) {
		fputs("sluice: explain needs a name: sluice explain "
		      "ads.example.com AAAA\n",
		      stderr);
		return STATUS_USAGE;
	}
	if ((v->takes == TAKES_NOTHING && n) ||
	    (v->takes == TAKES_ONE && n > 1) ||
	    (v->takes == TAKES_NAME && n > 3)) {
		fprintf(stderr,
			"sluice: %s: what is \"%s\"? usage: sluice "
			"%s\n",
			v->name, argv[n - 1], v->form);
		return STATUS_USAGE;
	}
	return 0;
}

static int run_verb(const struct verb *v, int argc, char **argv,
		    struct command_args *a)
{
	/* exec: what follows COMMAND is COMMAND's. */
	const char *form = v->takes == TAKES_COMMAND ? "+:c:o:hV" : ":c:o:hV";
	int c, r;

	opterr = 0;
	while ((c = getopt_long(argc, argv, form, options, NULL)) != -1) {
		if (c == 'h') {
			a->what = v->name;
			return help_verb(a);
		}
		if (c == 'V')
			return version_verb(a);
		r = take_option(v, c, argv, a);
		if (r)
			return r;
	}
	operands = argv + optind;
	r = check_operands(v, argc - optind, operands);
	if (r)
		return r;
	if (v->takes == TAKES_ONE)
		a->what = operands[0];
	return v->run(a);
}

/* 0 to 2 are nobody else's, closed or not: else a socket of ours could be one
 * of them, and be written to or replaced.  Reading or writing there fails as
 * before, and a command finds them closed. */
static void hold_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null",
			     (fd ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct command_args a = { 0 };
	const struct verb *v;
	int r;

	hold_standard_fds();
	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		v = find_verb("help");
	else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		v = find_verb("version");
	else
		v = find_verb(argv[1]);
	if (!v && argv[1][0] == '-') {
		fprintf(stderr,
			"sluice: a command comes first, then options: "
			"sluice run %s ... (sluice --help)\n",
			argv[1]);
		return STATUS_USAGE;
	}
	if (!v)
		return unknown_verb(argv[1]);
	a.overrides = calloc((size_t)argc, sizeof(*a.overrides));
	if (!a.overrides) {
		fputs("sluice: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	r = run_verb(v, argc - 1, argv + 1, &a);
	free(a.overrides);
	return r;
}
