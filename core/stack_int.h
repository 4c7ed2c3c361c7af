/* SPDX-License-Identifier: MIT */
/* stack_int.h - what the files of the stack share; includes lwIP */
#ifndef CORE_STACK_INT_H
#define CORE_STACK_INT_H

#include <setjmp.h>

#include "gateway.h"
#include "stack.h"

/* lwIP has names of its own for these. */
#undef TCP_FIN
#undef TCP_SYN
#undef TCP_RST
#undef TCP_PSH
#undef TCP_ACK
#undef TCP_URG
#undef TCP_ECE
#undef TCP_CWR

#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"

/* Offered to the app, at most; without offload it must stay below what the
 * TUN's queue holds (500 packets), else the kernel drops what it could not
 * queue. */
#define STACK_UP_WINDOW  (512u << 10)
#define STACK_UP_PLAIN   (256u << 10)
#define STACK_UP_FIRST   (64u << 10) /* at first, while gateway.buffers lasts */
#define STACK_UP_LEAST   (16u << 10) /* and after that */
#define STACK_DOWN       (16 * STACK_MSS_BIG) /* written, not acknowledged */
#define STACK_MSS_BIG    62000u /* a segment the device will cut */
#define STACK_CUT        16u    /* packets of one that is cut here */
#define STACK_MSS_MIN    536u
#define STACK_KEEP_SMALL 4u /* data below cap / this is copied */

struct stack {
	struct gateway *gw;
	const struct stack_events *ev;
	struct netif netif;
	struct tcp_pcb_listen listener; /* lwIP wants one to ask accept() */
	uint64_t firsts, more; /* windows as they began, and their growth */
	struct list busy;
	struct timer timer;
	uint64_t isn_key[2];
	bool slow;             /* every other tick is a slow one */
	struct stack_conn *at; /* inside of a call: whose */
	jmp_buf out;
	/* what the call brought, told when it is over */
	uint32_t acked;
	bool opened, received, fin, gone, reset;
};

extern struct stack stack;

/* Everything that lwIP does with c it does in fn. */
void stack_call(struct stack_conn *c,
		void (*fn)(struct stack_conn *, void *arg), void *arg);
void stack_free_queue(struct stack_conn *c);
/* What is offered to the app: as a connection begins, more to one that is
 * read, and nothing any more. */
uint32_t stack_window_first(struct stack_conn *c, bool scaled);
uint32_t stack_window_more(struct stack_conn *c);
void stack_window_none(struct stack_conn *c);
void stack_set_ip(ip_addr_t *to, const struct sluice_addr *a);
/* The end gets a segment of its own, before the last one may be cut.  False:
 * no memory, it is where it was. */
bool stack_fin_apart(struct tcp_pcb *pcb);
/* cwnd is set by lwIP after accept(): open it once the call is over. */
void stack_open_cwnd(struct tcp_pcb *pcb);
/* After tcp_input(), before what was acknowledged is given back; was the app's
 * window shut before? */
void stack_acked(struct tcp_pcb *pcb, bool was_shut);
/* Before tcp_output(). */
void stack_fit_window(struct stack_conn *c, struct tcp_pcb *pcb);

#endif
