/* SPDX-License-Identifier: MIT */
/* tcp_flow.h - what tcp.c, tcp_data.c and relay.c share of a TCP flow */
#ifndef CORE_TCP_FLOW_H
#define CORE_TCP_FLOW_H

#include "gateway.h"
#include "stack.h"
#include "tcp.h"

/* Two of the segments that lwIP makes for a device that cuts them. */
#define TCP_CHUNK 124000u

/* Bytes on their way down, until the app acknowledged them: a piece of our
 * own memory, or a plugin's. */
struct tcp_chunk {
	struct tcp_chunk *next;
	uint8_t *base;
	uint32_t cap, used, acked;
	void (*release)(void *arg); /* a plugin's; NULL: data below */
	void *arg;
	uint8_t data[];
};

/* The net's side of a relayed flow. */
struct relay {
	struct loop_fd net;
	struct loop_work soon; /* its share of the turn is used up */
	struct timer drain;    /* reset by the net: the app gets the rest */
	bool on;
	bool readable, writable; /* by the last edges of epoll */
	bool to_end;    /* FIN or urgent byte: a short read was not all */
	bool eof, shut; /* FIN from the net, FIN to the net */
	bool hung;      /* the net closed both ways, before we closed ours */
	bool failed;    /* reset by the net */
};

struct tcp_flow {
	struct flow flow; /* first */
	struct stack_conn conn;
	uint8_t *held; /* the SYN, until it is answered */
	uint32_t held_len;
	uint16_t target;     /* where it is counted while it is held */
	bool eof_told : 1;   /* eof() was called */
	bool news : 1;       /* readable() is due */
	bool wants_room : 1; /* writable() is due once there is room */
	bool reserved : 1;   /* a plugin is writing into the last chunk */
	bool owing : 1;      /* an acknowledgement, till an answer comes */
	uint8_t at_once;     /* so many are not put off */
	struct tcp_chunk *down, *down_tail;
	struct list dirty; /* linked till the end of the turn, or owing */
	const struct tcp_service *service;
	struct instance *more_for; /* who answered MORE last */
	struct relay relay;
};

static inline struct tcp_flow *tcp_flow_of(struct flow *f)
{
	return (struct tcp_flow *)f;
}

/* tcp.c: at the end of this turn, look at tf. */
void tcp_mark(struct tcp_flow *tf);

/* tcp_data.c: bytes down, and their memory. */
void tcp_data_init(void);
void tcp_data_fini(void);
void tcp_data_trim(void);
size_t tcp_reserve(struct tcp_flow *tf, struct iovec *v);
int tcp_commit(struct tcp_flow *tf, size_t len);
bool tcp_data_much(void); /* more than caches hold is on its way down */
void tcp_acked(struct tcp_flow *tf, uint32_t len);
void tcp_data_free(struct tcp_flow *tf); /* all chunks */
void tcp_data_tidy(struct tcp_flow *tf); /* an idle flow holds none */
extern const struct sluice_flow_api tcp_api;

/* relay.c: the net's side. */
int relay_start(struct tcp_flow *tf, int fd);
void relay_up(struct tcp_flow *tf);   /* send what came */
void relay_down(struct tcp_flow *tf); /* read while there is room */
void relay_close(struct tcp_flow *tf, bool reset);
bool relay_done(const struct tcp_flow *tf); /* nothing left to carry */
void relay_set_tos(struct tcp_flow *tf, uint8_t tos); /* from now on */

#endif
