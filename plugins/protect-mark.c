/* SPDX-License-Identifier: MIT */
/* protect-mark.c - keep our sockets out of our own TUN by a mark or a device
 *
 * The mark is for a rule of the host's routing ("ip rule add fwmark ...");
 * the device needs no rule.  Where the TUN is in another network namespace
 * our sockets cannot reach it, and "mark = none" just vouches for them.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <sluice/plugin.h>

struct options {
	const char *mark;
	const char *device;
};

struct protect {
	struct sluice_ctx *ctx;
	const char *device; /* NULL: none */
	uint32_t mark;
	uint8_t marks;
};

static int read_mark(struct sluice_ctx *ctx, const char *text,
		     struct protect *p)
{
	unsigned long long mark;
	char *end;

	if (!strcmp(text, "none"))
		return 0;
	errno = 0;
	mark = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || mark > UINT32_MAX)
		return sluice_fail(ctx, EINVAL,
				   "mark: \"%s\" is no number, nor none", text);
	if (!mark)
		return sluice_fail(ctx, EINVAL,
				   "mark: 0 is what every socket has: use "
				   "another number, or none");
	p->mark = (uint32_t)mark;
	p->marks = 1;
	return 0;
}

static int protect_create(struct sluice_ctx *ctx, const void *options,
			  void **self)
{
	const struct options *o = options;
	struct protect *p;
	int err;

	if (strlen(o->device) >= IFNAMSIZ)
		return sluice_fail(ctx, EINVAL,
				   "device: \"%s\" is too long for a name",
				   o->device);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->ctx = ctx;
	p->device = *o->device ? o->device : NULL;
	err = read_mark(ctx, o->mark, p);
	if (err) {
		free(p);
		return err;
	}
	*self = p;
	return 0;
}

static int protect_socket(void *self, struct sluice_socket *s)
{
	const struct protect *p = self;
	int fd = sluice_socket_info(s)->fd;

	if (p->marks &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &p->mark, sizeof(p->mark)) < 0)
		return sluice_fail(p->ctx, errno,
				   "cannot mark sockets with 0x%x: %m (it "
				   "needs CAP_NET_ADMIN; mark = none where no "
				   "mark is needed)",
				   p->mark);
	if (p->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, p->device,
				    (socklen_t)strlen(p->device)) < 0)
		return sluice_fail(p->ctx, errno,
				   "cannot bind sockets to %s: %m", p->device);
	return SLUICE_TAKE;
}

static void protect_destroy(void *self)
{
	free(self);
}

static const struct sluice_option protect_options[] = {
	{ .key = "mark",
	  .type = SLUICE_OPT_STR,
	  .preset = "${tun.fwmark}",
	  .offset = offsetof(struct options, mark),
	  .help = "mark of our sockets, a number; none: only vouch for them, "
		  "for a TUN in another network namespace" },
	{ .key = "device",
	  .type = SLUICE_OPT_STR,
	  .preset = "",
	  .offset = offsetof(struct options, device),
	  .help = "network device that our sockets are bound to" },
	{ .key = NULL }
};

static const struct sluice_protect_ops protect_ops = {
	.size = sizeof(protect_ops),
	.protect = protect_socket,
};

SLUICE_PLUGIN(protect_mark) = {
	SLUICE_HEAD,
	.name = "protect-mark",
	.version = "1.0",
	.summary = "marks our sockets, or binds them to a device",
	.license = "MIT",
	.options = protect_options,
	.options_bytes = sizeof(struct options),
	.create = protect_create,
	.destroy = protect_destroy,
	.protect = &protect_ops,
};
