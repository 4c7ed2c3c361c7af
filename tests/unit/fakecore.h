/* SPDX-License-Identifier: MIT */
/* fakecore.h - a core in memory, for tests of plugins
 *
 *	struct fake *k = fake_new(&sluice_plugin_guard, "port = 25");
 *	struct fake_flow *f = fake_flow_new(k, SLUICE_TCP, "10.0.0.2:1",
 *					    "192.0.2.1:25");
 *
 *	CU_ASSERT_EQUAL(fake_flow_open(f), SLUICE_DROP);
 *	fake_end(k);
 *
 * The test is the network, the apps and the clock.  Time passes in
 * fake_run() only; descriptors that the plugin watches are real.  Dials wait
 * until fake_dial_done().  The plugin's promises are checked as it goes
 * (nothing consumed that was not there, each thing resolved once), and
 * fake_end() checks that it leaves nothing behind.
 */
#ifndef FAKECORE_H
#define FAKECORE_H

#include <pthread.h>
#include <stdbool.h>

#include <sluice/plugin.h>

#include "conf.h"
#include "options.h"

#define FAKE_WATCHES 64
#define FAKE_DIALS   64
#define FAKE_DGRAMS  64
#define FAKE_UP      65536

struct fake_timer;
struct fake_post;

struct fake_dial {
	struct sluice_dial ask;
	bool done;
};

struct fake {
	struct sluice_ctx ctx; /* first */
	const struct sluice_plugin *plugin;
	void *self;
	struct conf conf;
	struct options options;
	char mistakes[512]; /* of the options */
	uint64_t now;
	char error[256];     /* of sluice_fail() */
	char log[1024];      /* the last line */
	unsigned int logged; /* lines */
	struct fake_timer *timers;
	struct {
		int fd;
		uint32_t events;
		void (*fn)(void *, int, uint32_t);
		void *arg;
	} watches[FAKE_WATCHES];
	struct fake_dial dials[FAKE_DIALS];
	unsigned int dialled;
	int dial_answer;    /* of dial() itself; 0 */
	int protect_answer; /* of protect(); 0 */
	struct fake_flow *flows;
	uint64_t last_id;
	pthread_mutex_t lock;
	struct fake_post *posts, **last_post;
	bool created, started, ended;
	const struct sluice_counter *counters;
};

/* The plugin with options as they would stand in its section; create() and
 * start() are called.  NULL when one of them, or the options, said no:
 * fake_create() gives the reason instead. */
struct fake *fake_new(const struct sluice_plugin *p, const char *options);
/* 0 with *out, or the error, with its text in `text` (256 bytes). */
int fake_create(const struct sluice_plugin *p, const char *options,
		struct fake **out, char *text);
/* stop(), close() for what is left, destroy(); checks. */
void fake_end(struct fake *k);

/* Let ms pass: timers fire in order, descriptors are looked at. */
void fake_run(struct fake *k, uint32_t ms);
/* Nothing but what is ready now: posts and descriptors. */
void fake_turn(struct fake *k);
unsigned int fake_timers(const struct fake *k);
unsigned int fake_watches(const struct fake *k);

/* The last dial that was not answered, or NULL; fd or -errno for it. */
struct fake_dial *fake_dial_last(struct fake *k);
void fake_dial_done(struct fake_dial *d, int fd);

/* What the plugin counted under that name. */
uint64_t fake_counter(const struct fake *k, const char *name);

/* ----------------------------------------------------------------- flows */

struct fake_seg; /* bytes on their way down */

struct fake_flow {
	struct sluice_flow pub; /* first */
	struct fake *k;
	struct fake_flow *next;
	struct sluice_flow_info info;
	struct sluice_flow_stats stats;
	uint64_t state[4096 / 8];
	int verdict; /* of open() or resolve(); -1: not asked yet */
	int why;
	/* up: what the app sent and the plugin did not consume */
	uint8_t up[FAKE_UP];
	size_t up_len, consumed;
	bool fin;      /* the app closed its side */
	size_t pieces; /* peek() gives as many; 0: all in one */
	/* down: what the plugin sent and the app did not take */
	struct fake_seg *down, **last_down;
	size_t down_len, window, taken;
	size_t copied, by_ref; /* by send(); by send_ref() */
	uint8_t room[16384];   /* reserve() */
	bool opened;           /* the app was answered: there can be room */
	bool accepted;         /* since then nothing was told */
	bool wants_room, shut, aborted, closed, relayed, connected;
	/* UDP */
	struct sluice_dgram dgrams[FAKE_DGRAMS];
	size_t dgrams_n;
	struct sluice_dgram sent[FAKE_DGRAMS];
	size_t sent_n;
	uint32_t idle_ms, half_ms, mapping, filtering;
	int relay_fd;
	struct sluice_addr connect_to;
	struct sluice_connect connect_how;
};

struct fake_flow *fake_flow_new(struct fake *k, uint8_t proto, const char *app,
				const char *dst);
/* Ask the plugin; LATER and MORE hold the flow.  Again after MORE. */
int fake_flow_open(struct fake_flow *f);
/* The app sends, closes its side, or takes up to n bytes; its window is
 * f->window bytes beyond what it has taken. */
void fake_flow_up(struct fake_flow *f, const void *p, size_t len);
void fake_flow_fin(struct fake_flow *f);
size_t fake_flow_take(struct fake_flow *f, void *p, size_t n);
void fake_flow_dgram(struct fake_flow *f, const void *p, size_t len,
		     const char *peer);
/* The flow ends: close() if the plugin holds it. */
void fake_flow_close(struct fake_flow *f, int why);
/* What was accepted by resolve() hears what there is; fake_turn() does it. */
void fake_flows_turn(struct fake *k);
void fake_flows_end(struct fake *k);

/* ------------------------------------------------------- queries, sockets */

struct fake_query {
	struct sluice_query pub; /* first */
	struct sluice_query_info info;
	uint8_t msg[512];
	char name[256];
	int verdict; /* -1: not decided */
	uint8_t answer[65535];
	size_t answer_len;
	struct sluice_addr addrs[16]; /* of answer_addr() */
	size_t addrs_n;
	uint32_t ttl;
	int blocked;                     /* SLUICE_BLOCK_* */
	struct sluice_response response; /* of respond(); text and records */
	char text[65];                   /* are copied here */
	uint8_t records[4096];
	size_t followed_len; /* of these, with follow() */
	uint16_t followed_n;
	bool responded;
	char reason[256]; /* "what list:line detail" */
	struct sluice_addr forwarded;
	bool is_forwarded;
};

void fake_query_init(struct fake_query *q, const char *name, uint16_t type,
		     const char *app, const char *server);
int fake_query(struct fake *k, struct fake_query *q);
/* The same for an answer on its way back. */
int fake_reply(struct fake *k, struct fake_query *q, const uint8_t *msg,
	       size_t len);

struct fake_socket {
	struct sluice_socket pub; /* first */
	struct sluice_socket_info info;
	_Atomic int verdict; /* -1: not decided */
	int answer;          /* of protect() */
};

void fake_socket_init(struct fake_socket *s, int fd, uint8_t proto,
		      const char *to);
/* Ask the plugin: what it answers; LATER becomes s->verdict in time. */
int fake_socket(struct fake *k, struct fake_socket *s);

struct sluice_addr fake_addr(const char *text);

#endif
