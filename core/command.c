/* SPDX-License-Identifier: MIT */
/* command.c - the commands that look and do nothing: check, plugins
 *
 * "check" goes as far as "run" does before a device or socket is opened: plugins
 * are created, for they know best what is wrong with their values; and prints
 * what would be in force, in a form that can be read again as a file.
 * "plugins" prints what is there, or all about one.  Results go to stdout,
 * mistakes to stderr, so that a script can tell them apart.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway.h"
#include "json.h"

static void print_mistake(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "sluice: %s\n", text);
}

int command_configuration(struct conf *c, const struct command_args *args)
{
	const char *file = args->file;
	int err = 0;

	conf_init(c, print_mistake, NULL);
	if (!file && !access(COMMAND_CONFIG_FILE, F_OK))
		file = COMMAND_CONFIG_FILE;
	if (file)
		err = conf_read(c, file);
	for (int i = 0; i < args->n_overrides && !err; i++)
		if (conf_override(c, args->overrides[i]) == -ENOMEM) {
			print_mistake(NULL, "out of memory");
			err = -ENOMEM;
		}
	return err;
}

int command_printed(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "sluice: standard output: %s\n",
			strerror(errno));
		return EXIT_FAILURE;
	}
	return status;
}

/* ---------------------------------------------------------------- check */

static void print_core_section(const struct settings *set,
			       const struct settings_section *s, bool json)
{
	const struct options *o =
		(const struct options *)((const char *)set + s->options_at);

	printf(json ? "  \"%s\": {" : "[%s]\n", s->name);
	options_print(stdout, o, s->table, sizeof(*s->table), json);
	printf(json ? "}" : "\n");
}

static void print_instance(const struct instance *in, const struct conf *c,
			   bool json)
{
	const struct conf_entry *plugin = conf_find(c, in->name, "plugin");
	const struct sluice_plugin *h = &in->plugin->head;
	const char *which = plugin ? plugin->value : in->name;

	if (json) {
		printf(",\n  ");
		json_string(stdout, in->name);
		printf(": {\"plugin\": ");
		json_string(stdout, which);
		printf(", \"optional\": %s%s", in->optional ? "true" : "false",
		       h->options && h->options->key ? ", " : "");
	} else {
		printf("[%s]\nplugin = %s\noptional = %s\n", in->name, which,
		       in->optional ? "yes" : "no");
	}
	options_print(stdout, &in->options, h->options, h->option_size, json);
	printf(json ? "}" : "\n");
}

/* A path in a chain has no section of its own. */
static bool has_section(const struct instance *in)
{
	return in->plugin && !strchr(in->name, '/');
}

static void print_all(const struct gateway *gw, bool json)
{
	const struct settings_section *s;
	const struct instance *in;

	printf(json ? "{\n" : "");
	for (s = settings_sections; s->name; s++) {
		printf(json && s != settings_sections ? ",\n" : "");
		print_core_section(&gw->set, s, json);
	}
	for (in = gw->chains.instances; in; in = in->next)
		if (has_section(in))
			print_instance(in, &gw->conf, json);
	printf(json ? "\n}\n" : "");
}

/* What only the plugins know to be wrong they say in create(), which may open
 * files but no sockets. */
static int try_plugins(struct gateway *gw, bool json)
{
	int err = loop_init(&gw->loop);

	if (err)
		return err;
	err = chain_create(&gw->chains);
	if (!err)
		print_all(gw, json);
	chain_destroy(&gw->chains);
	loop_fini(&gw->loop);
	return err;
}

int command_check(const struct command_args *args)
{
	struct gateway *gw = calloc(1, sizeof(*gw));
	int err;

	if (!gw) {
		print_mistake(NULL, strerror(ENOMEM));
		return EXIT_FAILURE;
	}
	err = command_configuration(&gw->conf, args);
	if (!err)
		err = gateway_load(gw);
	if (gw->conf.errors)
		err = -EINVAL;
	if (!err)
		err = try_plugins(gw, args->json);
	gateway_fini(gw);
	free(gw);
	return command_printed(err ? EX_CONFIG : EXIT_SUCCESS);
}

/* -------------------------------------------------------------- plugins */

struct list_plugins {
	bool json;
	size_t n;
	int broken;
};

static void print_broken(struct list_plugins *l, const char *name,
			 const char *reason)
{
	l->broken++;
	if (!l->json) {
		fprintf(stderr, "sluice: %s\n", reason);
		return;
	}
	printf("%s\n  {\"name\": ", l->n++ ? "," : "");
	json_string(stdout, name);
	printf(", \"error\": ");
	json_string(stdout, reason);
	printf("}");
}

static void print_json_head(const struct plugin *p)
{
	const struct sluice_plugin *h = &p->head;
	char classes[64];

	printf("{\"name\": ");
	json_string(stdout, h->name);
	printf(", \"version\": ");
	json_string(stdout, h->version);
	printf(", \"abi\": \"%u.%u\", \"needs\": \"%u.%u\"", h->abi >> 16,
	       h->abi & 0xffff, h->needs >> 16, h->needs & 0xffff);
	printf(", \"classes\": ");
	json_string(stdout, chain_classes(p, classes, sizeof(classes)));
	printf(", \"file\": ");
	json_string(stdout, p->file);
	printf(", \"summary\": ");
	json_string(stdout, h->summary);
	printf(", \"license\": ");
	json_string(stdout, h->license);
}

static void print_plugin(void *arg, const char *name, const struct plugin *p,
			 const char *reason)
{
	struct list_plugins *l = arg;
	char classes[64];

	if (!p) {
		print_broken(l, name, reason);
		return;
	}
	if (l->json) {
		printf("%s\n  ", l->n++ ? "," : "");
		print_json_head(p);
		printf("}");
		return;
	}
	if (!l->n++)
		printf("%-16s %-14s %-8s %-5s %s\n", "NAME", "CLASS", "VERSION",
		       "ABI", "FILE");
	printf("%-16s %-14s %-8s %u.%-3u %s\n", name,
	       chain_classes(p, classes, sizeof(classes)), p->head.version,
	       p->head.abi >> 16, p->head.abi & 0xffff,
	       p->file ? p->file : "built in");
}

static int print_one(const struct plugin *p, bool json)
{
	const struct sluice_plugin *h = &p->head;
	char classes[64];

	if (json) {
		print_json_head(p);
		printf(", \"options\": ");
		options_help(stdout, h->options, h->option_size, true);
		printf("}\n");
		return EXIT_SUCCESS;
	}
	printf("%s %s: %s\n", h->name, h->version, h->summary);
	printf("  class    %s\n", chain_classes(p, classes, sizeof(classes)));
	printf("  file     %s\n", p->file ? p->file : "built in");
	printf("  license  %s\n", h->license);
	printf("  ABI      %u.%u, needs %u.%u\n", h->abi >> 16, h->abi & 0xffff,
	       h->needs >> 16, h->needs & 0xffff);
	if (h->options && h->options->key) {
		printf("\n");
		options_help(stdout, h->options, h->option_size, false);
	}
	return EXIT_SUCCESS;
}

/* A section of the core is looked up as if it were a plugin. */
static bool print_section(const char *name, bool json)
{
	const struct settings_section *s = settings_sections;

	while (s->name && strcmp(s->name, name))
		s++;
	if (!s->name)
		return false;
	if (!json)
		printf("[%s]: a section of the gateway itself\n\n", name);
	printf(json ? "{\"name\": \"%s\", \"options\": " : "", name);
	options_help(stdout, s->table, sizeof(*s->table), json);
	printf(json ? "}\n" : "");
	return true;
}

static int print_list_of(struct registry *r, bool json)
{
	struct list_plugins l = { .json = json };

	printf(json ? "[" : "");
	registry_each(r, print_plugin, &l);
	printf(json ? "\n]\n" : "");
	return l.broken ? EXIT_FAILURE : EXIT_SUCCESS;
}

int command_plugins(const struct command_args *args)
{
	struct registry r = { .list = NULL };
	char text[REGISTRY_TEXT];
	const struct plugin *p;
	int status;

	if (!args->what) {
		status = print_list_of(&r, args->json);
	} else if (print_section(args->what, args->json)) {
		status = EXIT_SUCCESS;
	} else if ((p = registry_get(&r, args->what, text, sizeof(text)))) {
		status = print_one(p, args->json);
	} else {
		fprintf(stderr, "sluice: %s\n", text);
		status = EXIT_FAILURE;
	}
	registry_fini(&r);
	return command_printed(status);
}
