/* SPDX-License-Identifier: MIT */
/* fuzz_conf.c - any bytes as a configuration file
 *
 * A first line "-o ..." is an override, the rest a file.  It is read twice,
 * by the core's tables and by one with every type; when there is no mistake
 * in it, what is printed must read as the same, and as JSON without harm.
 *
 * fuzz: core/conf.c core/conf_read.c core/options.c core/options_show.c
 * fuzz: core/options_sane.c core/optvalue.c core/json.c core/settings.c
 * fuzz: core/addr.c core/util.c
 */
#include <stddef.h>

#include "fuzz.h"
#include "settings.h"

struct values {
	const char *text, *other;
	int64_t flag, number, size, time, choice;
	struct sluice_addr addr;
	const char *const *list;
};

#define ROW(type_, member_, preset_, min_, max_, help_)                  \
	{                                                                \
		.key = #member_, .preset = preset_, .help = help_,       \
		.type = SLUICE_OPT_##type_,                              \
		.offset = offsetof(struct values, member_), .min = min_, \
		.max = max_                                              \
	}

static const struct sluice_option table[] = {
	ROW(STR, text, "${tun.name}", 0, 0, "any text"),
	ROW(STR, other, "", 0, 0, "any text"),
	ROW(BOOL, flag, "no", 0, 0, "a flag"),
	ROW(INT, number, "25", 0, 0, "a number"),
	ROW(SIZE, size, "64k", 0, 0, "a size"),
	ROW(MS, time, "30s", 0, 0, "a time"),
	ROW(ENUM, choice, "late", 0, 0, "late|early: when it is answered"),
	ROW(ADDR, addr, "", 0, 0, "an address"),
	ROW(LIST, list, "a b", 0, 0, "words"),
	{ .key = NULL }
};

struct world {
	struct conf c;
	struct settings s;
	struct options o;
	char *printed;
	size_t printed_len;
};

static void listen_to(void *arg, const char *text)
{
	(void)arg;
	FUZZ_CHECK(strlen(text) < 1024);
}

/* All that was read, as a file. */
static void print(struct world *w)
{
	FILE *out = open_memstream(&w->printed, &w->printed_len);
	const struct settings_section *p;

	for (p = settings_sections; p->name; p++) {
		fprintf(out, "[%s]\n", p->name);
		options_print(
			out,
			(const struct options *)((char *)&w->s + p->options_at),
			p->table, sizeof(*p->table), false);
	}
	fprintf(out, "[s]\n");
	options_print(out, &w->o, table, sizeof(*table), false);
	fclose(out);
}

static void print_json(struct world *w)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	options_print(out, &w->o, table, sizeof(*table), true);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((unsigned char)text[i] >= ' ');
	free(text);
}

static void load(struct world *w, const char *override, const char *text)
{
	memset(w, 0, sizeof(*w));
	conf_init(&w->c, listen_to, NULL);
	if (override)
		conf_override(&w->c, override);
	conf_parse(&w->c, "fuzz", text);
	settings_load(&w->s, &w->c);
	options_load(&w->o, &w->c, "s", table, sizeof(*table),
		     sizeof(struct values), NULL);
	if (!w->c.errors)
		print(w);
}

static void unload(struct world *w)
{
	options_free(&w->o);
	settings_fini(&w->s);
	conf_fini(&w->c);
	free(w->printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest, *override = NULL;
	struct world first, second;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	rest = text;
	if (!strncmp(text, "-o ", 3) && strchr(text, '\n')) {
		override = text + 3;
		rest = strchr(text, '\n');
		*rest++ = '\0';
	}
	load(&first, override, rest);
	if (!first.c.errors) {
		print_json(&first);
		load(&second, NULL, first.printed);
		FUZZ_CHECK(!second.c.errors);
		FUZZ_CHECK(first.printed_len == second.printed_len);
		FUZZ_CHECK(!memcmp(first.printed, second.printed,
				   first.printed_len));
		unload(&second);
	}
	unload(&first);
	free(text);
	return 0;
}
