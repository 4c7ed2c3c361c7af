/* SPDX-License-Identifier: MIT */
/* stack_port.c - what lwIP asks of the system below it
 *
 * Memory, one interface that leads everywhere, and a way out for segments.
 * There is no IP layer: ip4_output_if() and its sister are ours.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pool.h"
#include "stack_int.h"
#include "stack_out.h"

/* lwIP's calloc; its pools are ours. */
void *stack_calloc(size_t n, size_t size)
{
	void *p = pool_malloc(n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

void stack_assert(const char *what, const char *file, int line)
{
	log_limited(LOG_LEVEL_ERROR, "lwIP: %s (%s:%d)", what, file, line);
#ifdef SLUICE_DEBUG
	abort();
#endif
	if (!stack.at)
		abort();
	stats_inc(&stack.gw->stats, stack_assertions);
	longjmp(stack.out, 1);
}

/* ------------------------------------------------- functions lwIP calls */

struct ip_globals ip_data;
const ip_addr_t ip_addr_any_type = IPADDR_ANY_TYPE_INIT;

struct netif *netif_get_by_index(u8_t idx)
{
	(void)idx;
	return &stack.netif;
}

struct netif *ip4_route(const ip4_addr_t *dest)
{
	(void)dest;
	return &stack.netif;
}

struct netif *ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	(void)src;
	(void)dest;
	return &stack.netif;
}

const ip_addr_t *ip6_select_source_address(struct netif *netif,
					   const ip6_addr_t *dest)
{
	(void)netif;
	(void)dest;
	return NULL;
}

u16_t nd6_get_destination_mtu(const ip6_addr_t *dest, struct netif *netif)
{
	(void)dest;
	return netif->mtu;
}

void tcp_timer_needed(void)
{
	/* set_busy() knows better */
}

u32_t sys_now(void)
{
	return (u32_t)stack.gw->loop.now;
}

/* All from q on in one piece, which is good until the next call. */
static struct iovec put_together(struct pbuf *p, struct pbuf *q)
{
	static uint8_t flat[65535];
	u16_t skip = (u16_t)(p->tot_len - q->tot_len);

	return (struct iovec){
		.iov_base = flat,
		.iov_len = pbuf_copy_partial(p, flat, q->tot_len, skip),
	};
}

static err_t output(struct pbuf *p, int family, const void *src,
		    const void *dst, u8_t tos)
{
	struct iovec v[STACK_IOV] SCRATCH;
	struct stack_segment seg = {
		.family = family, .src = src, .dst = dst, .tos = tos
	};
	struct pbuf *q;
	int n = STACK_IOV_FIRST;

	for (q = p; q && n < STACK_IOV - 1; q = q->next) {
		v[n].iov_base = q->payload;
		v[n++].iov_len = q->len;
	}
	if (q) /* a plugin sends by very small pieces */
		v[n++] = put_together(p, q);
	if (stack.at)
		seg.mss = stack.at->app_mss;
	seg.flow_id = stack.at ? stack.at->flow_id : 0;
	stack_out(stack.gw, &seg, v, n);
	return ERR_OK; /* never lost, never late: see tun_write() */
}

err_t ip4_output_if(struct pbuf *p, const ip4_addr_t *src,
		    const ip4_addr_t *dest, u8_t ttl, u8_t tos, u8_t proto,
		    struct netif *netif)
{
	(void)ttl;
	(void)proto;
	(void)netif;
	return output(p, 4, src, dest, tos);
}

err_t ip6_output_if(struct pbuf *p, const ip6_addr_t *src,
		    const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth,
		    struct netif *netif)
{
	(void)hl;
	(void)nexth;
	(void)netif;
	return output(p, 6, src->addr, dest->addr, tc);
}
