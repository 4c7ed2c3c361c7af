/* SPDX-License-Identifier: MIT */
/* stack_window.c - how much an app may have under way to us
 *
 * What was offered may come, and is kept until the net takes it.  So a window
 * begins small, and doubles with each one that was read:
 *
 *	FIRST --read--> 2 FIRST --read--> ... --> WINDOW
 *
 * A connection whose server does not read keeps the window that it had.  Half
 * of gateway.buffers is for windows as they begin, beyond which they begin
 * with LEAST, and half for their growth, beyond which there is none.  So idle
 * connections never use up what busy ones grow by, and what was offered is
 * never taken back.
 */
#include "gateway.h"
#include "stack_int.h"

static uint64_t half_of_all(void)
{
	return (uint64_t)stack.gw->set.gateway.buffers / 2;
}

static void count(int64_t by)
{
	stats_add(&stack.gw->stats, tcp_windows, (uint64_t)by);
}

uint32_t stack_window_first(struct stack_conn *c, bool scaled)
{
	uint32_t wnd = STACK_UP_FIRST;

	if (stack.firsts + wnd > half_of_all())
		wnd = STACK_UP_LEAST;
	if (!scaled)
		wnd = MIN(wnd, 0xFFFFu);
	c->window = c->first = wnd;
	c->widens = scaled;
	stack.firsts += wnd;
	count(wnd);
	return wnd;
}

uint32_t stack_window_more(struct stack_conn *c)
{
	uint32_t most = stack.gw->tun.big ? STACK_UP_WINDOW : STACK_UP_PLAIN;
	uint32_t more = MIN(c->window, most - c->window);

	if (!c->widens || c->through < c->window || !more ||
	    stack.more + more > half_of_all())
		return 0;
	stack.more += more;
	c->window += more;
	c->through = 0;
	count(more);
	return more;
}

void stack_window_none(struct stack_conn *c)
{
	stack.firsts -= c->first;
	stack.more -= c->window - c->first;
	count(-(int64_t)c->window);
	c->window = c->first = 0;
}
