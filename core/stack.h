/* SPDX-License-Identifier: MIT */
/* stack.h - lwIP's TCP, alone
 *
 * stack.c is the only file that includes lwip/.  It makes connections out of
 * checked SYNs, feeds them checked segments, and hands out bytes; which
 * connection a segment belongs to is the caller's knowledge (flowtab), never
 * lwIP's: its list of connections holds just the one at work.
 */
#ifndef CORE_STACK_H
#define CORE_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "packet.h"
#include "tun.h"
#include "util.h"

struct gateway;
struct tcp_pcb;
struct pbuf;

struct stack_conn {
	struct tcp_pcb *pcb; /* NULL: gone (reset, or both ends closed) */
	struct pbuf *up_head, *up_tail; /* what came, in order */
	struct pbuf *up_settled;        /* to here nothing moves any more */
	uint32_t up_bytes;              /* in that queue */
	uint32_t up_taken;              /* consumed from the first piece */
	uint32_t unread;                /* consumed but not told to lwIP yet */
	uint32_t window, first;         /* offered to the app: now, at first */
	uint32_t through;               /* consumed since it grew */
	uint16_t app_mss;               /* what the app may be sent */
	bool open, fin_seen, fin_sent;
	bool widens;      /* the window may grow */
	struct list busy; /* linked while a timer may have work */
	uint64_t flow_id;
};

struct stack_events { /* made outside of any lwIP call */
	void (*opened)(struct stack_conn *);
	void (*received)(struct stack_conn *); /* up_bytes grew */
	void (*fin)(struct stack_conn *);      /* the app closed its side */
	void (*acked)(struct stack_conn *, uint32_t len); /* of stack_write() */
	void (*gone)(struct stack_conn *, bool reset);    /* pcb is NULL */
};

int stack_init(struct gateway *gw, const struct stack_events *ev);
void stack_fini(void);

/* A connection from the SYN p: the SYN-ACK is sent.  0 or -ENOMEM. */
int stack_accept(struct stack_conn *c, const struct packet *syn);
/* A segment of it; buf may be kept (or NULL). */
void stack_up(struct stack_conn *c, struct packet *p, struct tun_buf *buf);

/* Up: look, then consume; the app's window opens by what was consumed. */
size_t stack_peek(const struct stack_conn *c, struct iovec *v, size_t *n);
void stack_consume(struct stack_conn *c, size_t len);
/* Copy what stays queued out of buffers much larger than it.  What was
 * settled stays where it is until it is consumed. */
void stack_settle(struct stack_conn *c);

/* Down: room in bytes; write by reference (p stays until acked). */
size_t stack_room(const struct stack_conn *c);
int stack_write(struct stack_conn *c, const void *p, size_t len);
size_t stack_unsent(const struct stack_conn *c);  /* of that, not sent yet */
size_t stack_unacked(const struct stack_conn *c); /* and sent, but no more */
void stack_flush(struct stack_conn *c);           /* send, and acknowledge */
/* Would that be no more than an acknowledgement of less than a segment? */
bool stack_may_wait(const struct stack_conn *c);
void stack_shut(struct stack_conn *c);          /* FIN after what was written */
void stack_reset(struct stack_conn *c);         /* RST; no event follows */
void stack_drop(struct stack_conn *c);          /* forget silently; no event */
bool stack_drained(const struct stack_conn *c); /* all acked, FIN too */
uint32_t stack_rtt_us(const struct stack_conn *c);

#endif
