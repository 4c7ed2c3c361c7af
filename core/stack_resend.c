/* SPDX-License-Identifier: MIT */
/* stack_resend.c - large segments that are sent again
 *
 * lwIP takes a segment for one packet: it is acknowledged or not, and fits the
 * window or waits.  Ours are many packets, so an app may have a part of one,
 * and may have room for a part.  After each segment from the app the queues
 * are put in the state that lwIP believes in:
 *
 *	unacked, unsent	nothing in them was acknowledged, so nothing in them
 *			points to bytes that were given back
 *	unsent		is behind all that is under way
 */
#include "stack_int.h"

#include <string.h>

static u32_t seq_of(const struct tcp_seg *seg)
{
	return lwip_ntohl(seg->tcphdr->seqno);
}

/* Data behind the header, in the same buffer: a segment that was cut has it. */
static u16_t cut_head(struct pbuf *p, u16_t data, u16_t cut)
{
	uint8_t *at = (uint8_t *)p->payload + p->len - data;

	cut = MIN(cut, data);
	memmove(at, at + cut, (size_t)(data - cut));
	p->len -= cut;
	return cut;
}

static u16_t cut_next(struct pbuf *p, u16_t cut)
{
	struct pbuf *q = p->next;

	if (q->len <= cut) {
		cut = q->len;
		p->next = q->next;
		q->next = NULL;
		pbuf_free(q);
		return cut;
	}
	q->payload = (uint8_t *)q->payload + cut;
	q->len -= cut;
	q->tot_len -= cut;
	return cut;
}

static void trim(struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	u32_t acked = seg ? pcb->lastack - seq_of(seg) : 0;
	u16_t cut = (u16_t)acked, in_head;
	struct pbuf *p;

	if ((s32_t)acked <= 0 || acked >= seg->len)
		return;
	p = seg->p;
	in_head = (u16_t)(p->len - (p->tot_len - seg->len));
	pcb->snd_queuelen -= pbuf_clen(p);
	p->tot_len -= cut;
	seg->len -= cut;
	seg->tcphdr->seqno = lwip_htonl(pcb->lastack);
	/* lwIP counts what is left of the segment when it is done with it. */
	pcb->snd_buf += cut;
	stack.acked += cut;
	if (in_head)
		cut -= cut_head(p, in_head, cut);
	while (cut)
		cut -= cut_next(p, cut);
	pcb->snd_queuelen += pbuf_clen(p);
}

/* A fast retransmission that a shut window held stays in front of what waits.
 * lwIP would write new data at its end, and put it behind what is under way
 * when that is sent again: it goes back to where it was. */
static void put_back(struct tcp_pcb *pcb)
{
	struct tcp_seg **to = &pcb->unacked, *seg;

	while (*to && (seg = pcb->unsent) &&
	       (s32_t)(seq_of(seg) - seq_of(*to)) < 0) {
		pcb->unsent = seg->next;
		seg->next = *to;
		*to = seg;
		to = &seg->next;
	}
}

void stack_acked(struct tcp_pcb *pcb, bool was_shut)
{
	trim(pcb, pcb->unacked);
	trim(pcb, pcb->unsent);
	put_back(pcb);
	/* Who shuts a window before what was sent into it came has lost that:
	 * all of it is sent again as the window opens. */
	if (was_shut && pcb->snd_wnd && pcb->unacked)
		tcp_rexmit_rto(pcb);
}
