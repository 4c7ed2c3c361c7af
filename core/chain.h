/* SPDX-License-Identifier: MIT */
/* chain.h - instances of plugins, in the order of [chain]
 *
 * One array a class and hook, ended by fn NULL, holding only plugins that
 * have the hook.  open, query and protect run until something other than
 * PASS; reply and shutdown run in reverse; observers all run.  Each section
 * is instantiated once, however many chains name it.
 */
#ifndef CORE_CHAIN_H
#define CORE_CHAIN_H

#include "options.h"
#include "registry.h"
#include "util.h"

struct gateway;
struct host;
struct instance;

struct instance {
	struct sluice_ctx ctx;	/* first: what the plugin holds */
	struct instance *next;	/* in order of creation */
	struct gateway *gw;
	struct plugin *plugin;
	const char *name;	/* of its section */
	void *self;
	struct options options;
	bool optional, created, started;
	uint32_t classes;	/* 1 << CHAIN_* it is named in */
	char error[256];	/* of sluice_fail() */
	struct list timers, watches, dials;	/* host.c sweeps them */
	struct host *host;	/* host.c's: host_init() before create() */
	uint64_t calls_slow, errors;
};

enum chain_class {
	CHAIN_TCP, CHAIN_UDP, CHAIN_DNS, CHAIN_PROTECT, CHAIN_OBSERVE,
	CHAIN_CLASSES
};

extern const char *const chain_names[CHAIN_CLASSES];

struct chains {
	struct instance *instances;
	struct instance **of[CHAIN_CLASSES];	/* NULL at the end of each */
	uint32_t see;		/* SLUICE_SEE_* any observer wants */
};

/* Load the plugins named in [chain], check that they have the class, read
 * their options.  Mistakes are reported through c, all of them.  Nothing of a
 * plugin runs yet.  names: the five lists. */
int chain_build(struct chains *ch, struct gateway *gw, struct registry *r,
		struct conf *c, const char *const *const names[CHAIN_CLASSES]);
/* create() each in order; on failure what was created is destroyed, and the
 * reason is logged.  "optional = yes" makes it a warning. */
int chain_create(struct chains *ch);
int chain_start(struct chains *ch);
void chain_stop(struct chains *ch);	/* stop() in reverse */
/* In reverse: host_cancel(), destroy(), host_sweep() */
void chain_destroy(struct chains *ch);

/* Around every call of a plugin: notes who is at work, and warns when a call
 * took over 100 ms (by name, at most once a second).  enter gives a time to
 * hand to leave. */
uint64_t chain_enter(struct instance *in);
void chain_leave(struct instance *in, uint64_t entered, const char *what);
/* A negative answer: counted, logged at most once a second with the text of
 * sluice_fail(). */
void chain_failed(struct instance *in, const char *what, int err);

#endif
