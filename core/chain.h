/* SPDX-License-Identifier: MIT */
/* chain.h - instances of plugins, in the order of [chain]
 *
 * One array a class, ended by NULL, holding only plugins that have the class.
 * open, query and protect run until something other than PASS; reply and
 * shutdown run in reverse; observers all run.  Each section is instantiated
 * once, however many chains name it.
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
	struct sluice_ctx ctx;        /* first: what the plugin holds */
	struct instance *next, *prev; /* in order of creation */
	struct gateway *gw;
	struct plugin *plugin;
	char *name;  /* of its section */
	char *place; /* "sluice.ini:31: [blocklist] dnslist" */
	void *self;
	struct options options;
	bool optional, created, started;
	uint32_t classes;                   /* 1 << CHAIN_* it is named in */
	char error[256];                    /* of sluice_fail() */
	struct list timers, watches, dials; /* host.c sweeps them */
	struct host *host; /* host.c's: host_init() before create() */
	uint64_t calls_slow, errors;
	const struct sluice_counter *counters; /* its own, or NULL */

	struct instance *outer; /* who was at work when this one was called */
	uint32_t depth;         /* calls of it that have not returned */
	uint64_t slow_at, fail_at;     /* next message, ms */
	uint64_t slow_held, fail_held; /* left out since the last */
};

enum chain_class {
	CHAIN_TCP,
	CHAIN_UDP,
	CHAIN_DNS,
	CHAIN_PROTECT,
	CHAIN_OBSERVE,
	CHAIN_CLASSES
};

extern const char *const chain_names[CHAIN_CLASSES];

struct chains {
	struct instance *instances, *last;
	struct instance **of[CHAIN_CLASSES]; /* NULL at the end of each */
	uint32_t see; /* SLUICE_SEE_* any observer wants */
};

/* Keys that any plugin's section may have: "plugin", "optional". */
extern const char *const chain_keys[];

/* Load the plugins named in [chain], check that they have the class, read
 * their options.  Mistakes are reported through c, all of them.  Nothing of a
 * plugin runs yet.  names: the five lists.  0, -EINVAL or -ENOMEM;
 * chain_fini() in either case. */
int chain_build(struct chains *ch, struct gateway *gw, struct registry *r,
		struct conf *c, const char *const *const names[CHAIN_CLASSES]);
/* Set see, from the observers that are in the chain. */
void chain_note_wishes(struct chains *ch);
/* create() each in order; on failure what was created is destroyed, and the
 * reason is logged.  "optional = yes" makes it a warning. */
int chain_create(struct chains *ch);
/* start() the same; on failure the caller goes on to chain_stop(). */
int chain_start(struct chains *ch);
/* reload() each that has one, the options being as they were.  What fails is
 * logged, and stays as it is.  How many there were. */
int chain_reload(struct chains *ch);
void chain_stop(struct chains *ch); /* stop() in reverse */
/* In reverse: host_cancel(), destroy(), host_sweep().  The instances stay,
 * for whoever still points to one, until chain_fini(). */
void chain_destroy(struct chains *ch);
void chain_fini(struct chains *ch);

/* "tcp, udp, dns": what a plugin can be named in, into buf, given back. */
char *chain_classes(const struct plugin *p, char *buf, size_t len);

/* Around every call of a plugin: notes who is at work, and warns when a call
 * took over 100 ms (by name, at most once a second).  enter gives a time to
 * hand to leave. */
uint64_t chain_enter(struct instance *in);
void chain_leave(struct instance *in, uint64_t entered, const char *what);
/* A negative answer: counted, logged at most once a second with the text of
 * sluice_fail(). */
void chain_failed(struct instance *in, const char *what, int err);

#endif
