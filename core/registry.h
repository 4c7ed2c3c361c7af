/* SPDX-License-Identifier: MIT */
/* registry.h - where plugins come from
 *
 * A path if there is a slash, else a built-in of that name, else
 * PLUGINDIR/NAME.so.  The only user of dlopen.  Checks, in order, each with
 * its own message: file readable, and not writable by others when we are
 * root; dlopen; symbol; magic; major; needs; sizes; name; classes; options.
 * Nothing of a plugin runs here.
 */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include <stddef.h>

#include <sluice/plugin.h>

#define REGISTRY_TEXT 512 /* a reason, with a path in it */

extern const struct sluice_plugin *const builtin_plugins[];

/* A plugin as the core uses it: every table in its full size, gaps filled
 * with defaults, so that nobody tests for NULL or sizes later.  Of a class
 * that head does not have, all is zero. */
struct plugin {
	struct plugin *next;
	struct sluice_plugin head; /* full-size copy */
	struct sluice_flow_ops flow;
	struct sluice_dns_ops dns;
	struct sluice_protect_ops protect;
	struct sluice_observe_ops observe;
	char *file; /* NULL: built in */
};

struct registry {
	struct plugin *list;
};

/* The plugin, loaded at most once, or NULL with the reason in text. */
struct plugin *registry_get(struct registry *r, const char *which, char *text,
			    size_t text_len);
/* An embedder's own, by pointer; found by name before anything else. */
struct plugin *registry_add(struct registry *r, const struct sluice_plugin *p,
			    char *text, size_t text_len);
/* Call fn for every plugin there is (built in, then files of PLUGINDIR);
 * those that do not load come with plugin NULL and the reason. */
void registry_each(struct registry *r,
		   void (*fn)(void *arg, const char *name,
			      const struct plugin *p, const char *reason),
		   void *arg);
void registry_fini(struct registry *r); /* nothing is dlclosed */

#endif
