/* SPDX-License-Identifier: MIT */
/* dial_protect.c - the protect chain: may this socket be used?
 *
 * Fail closed: only TAKE lets a socket out.  PASS asks the next plugin; the
 * end of the chain, DROP, an error and any other answer refuse the socket.
 * An empty chain refuses all, unless gateway.unprotected says otherwise.
 *
 * LATER puts the dial on the held list.  The verdict may come from any
 * thread: it is stored in the dial, and one post, however many verdicts there
 * are, has the loop look through that list.
 */
#include "dial_int.h"

#include <errno.h>
#include <fcntl.h>

#include "gateway.h"
#include "log.h"

static void protect_resolve(struct sluice_socket *s, int verdict);

static const struct sluice_socket_info *protect_info(struct sluice_socket *s)
{
	return &((struct dial *)s)->info;
}

const struct sluice_socket_api dial_socket_api = {
	.size = sizeof(dial_socket_api),
	.info = protect_info,
	.resolve = protect_resolve,
};

static void refuse_unprotected(struct dial *d, const char *why)
{
	char text[DIAL_TEXT];

	stats_inc(&d->gw->stats, dial_unprotected);
	log_limited(LOG_LEVEL_WARN, "%s: not used: %s", dial_text(d, text),
		    why);
}

/* Ask the plugins from d->at on: SLUICE_TAKE, SLUICE_LATER, or -EPERM.  A
 * plugin that resolves from inside gets what it resolved, whatever it
 * answers. */
static int protect_walk(struct dial *d)
{
	struct gateway *gw = d->gw;
	struct instance *in;
	uint64_t entered;
	int answer;

	if (!d->at || !*gw->chains.of[CHAIN_PROTECT]) {
		if (gw->set.gateway.unprotected)
			return SLUICE_TAKE;
		refuse_unprotected(d, "the protect chain is empty (and "
				      "gateway.unprotected is not allow)");
		return -EPERM;
	}
	while ((in = *d->at)) {
		d->at++;
		gw->dials.asking = true;
		entered = chain_enter(in);
		answer = in->plugin->protect.protect(in->self, &d->pub);
		chain_leave(in, entered, "protect");
		gw->dials.asking = false;
		if (atomic_load(&d->verdict) != UNDECIDED)
			answer = SLUICE_LATER;
		if (answer == SLUICE_TAKE || answer == SLUICE_LATER)
			return answer;
		if (answer == SLUICE_PASS)
			continue;
		if (answer != SLUICE_DROP)
			chain_failed(in, "protect",
				     answer < 0 ? answer : -EINVAL);
		refuse_unprotected(d, "a protect plugin refused it");
		return -EPERM;
	}
	refuse_unprotected(d, "no plugin of the protect chain vouched for it");
	return -EPERM;
}

static void held_free(struct dial *d)
{
	d->gw->dials.held_n--;
	dial_free(d);
}

/* On with the chain, and with what comes after it. */
void dial_protect_go(struct dial *d)
{
	int answer;

	d->state = DIAL_PROTECT;
	d->walking = true;
	answer = protect_walk(d);
	d->walking = false;
	if (d->state == DIAL_HELD) { /* cancelled by what the plugin did */
		if (answer == SLUICE_LATER)
			list_move_tail(&d->gw->dials.held, &d->node);
		else
			held_free(d);
	} else if (answer == SLUICE_LATER) {
		d->state = DIAL_WAIT;
		list_move_tail(&d->gw->dials.held, &d->node);
	} else if (answer == SLUICE_TAKE) {
		dial_connect(d);
	} else {
		dial_finish(d, EPERM);
	}
}

/* A plugin resolved what it held. */
static void protect_decided(struct dial *d)
{
	int verdict = atomic_exchange(&d->verdict, UNDECIDED);

	if (d->state == DIAL_HELD) {
		held_free(d);
		return;
	}
	d->state = DIAL_PROTECT;
	list_move_tail(&d->gw->dials.all, &d->node);
	if (d->error.err) /* out of time, and about to be reported */
		return;
	if (verdict == SLUICE_TAKE) {
		dial_connect(d);
	} else if (verdict == SLUICE_PASS) {
		dial_protect_go(d);
	} else {
		refuse_unprotected(d, "a protect plugin refused it");
		dial_finish(d, EPERM);
	}
}

static void protect_ring(void *arg)
{
	struct gateway *gw = arg;
	struct list *pos, *tmp;
	struct dial *d;

	atomic_store(&gw->dials.rung, false);
	list_for_each_safe(pos, tmp, &gw->dials.held)
	{
		d = container_of(pos, struct dial, node);
		if (atomic_load(&d->verdict) != UNDECIDED)
			protect_decided(d);
	}
}

/* Any thread.  Without memory for the post the next one, or the timer, finds
 * the verdict. */
static void protect_resolve(struct sluice_socket *s, int verdict)
{
	struct dial *d = (struct dial *)s;
	struct gateway *gw = d->gw;
	int32_t none = UNDECIDED;

	if (!atomic_compare_exchange_strong(&d->verdict, &none, verdict))
		return;
	if (atomic_exchange(&gw->dials.rung, true))
		return;
	if (loop_post(&gw->loop, protect_ring, gw) < 0)
		atomic_store(&gw->dials.rung, false);
}

/* The chain on a socket of somebody else.  The plugins get a descriptor of
 * their own for it, since one may answer LATER and keep it. */
int dial_protect(struct gateway *gw, int fd, uint8_t proto,
		 const struct sluice_addr *to)
{
	struct dial *d;
	int answer;

	if (gw->dials.asking)
		return -EDEADLK;
	d = dial_new(gw);
	if (!d)
		return -ENOMEM;
	d->info.proto = proto;
	d->info.to = *to;
	d->info.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (d->info.fd < 0) {
		answer = -errno;
		dial_free(d);
		return answer;
	}
	answer = protect_walk(d);
	if (answer == SLUICE_LATER) {
		d->state = DIAL_WAIT;
		list_move_tail(&gw->dials.held, &d->node);
		dial_abandon(d);
		return -EAGAIN;
	}
	dial_free(d);
	return answer == SLUICE_TAKE ? 0 : -EPERM;
}
