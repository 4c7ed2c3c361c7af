/* SPDX-License-Identifier: MIT */
/* run.c - a gateway in the foreground, as root, a service or by hand
 *
 *	read, load --> open --> drop rights --> READY=1 --> run --> close
 *	     | 78        | 1         | 1                     | 0, or 1
 *
 * SIGUSR1 writes the counters to the log, SIGHUP has plugins read their files
 * again.  SIGTERM and SIGINT end it in good
 * order; the second one at once, whatever a plugin is doing then.
 */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

static struct gateway *running; /* for the signal handler */

int run_log(const struct gateway *gw)
{
	const char *file = gw->set.gateway.log_file;
	int r = log_open(file, gw->set.log_level);

	if (!r)
		return 0;
	log_error("[gateway] log-file = %s: %s", file, strerror(-r));
	return EX_CONFIG;
}

/* --- signals ------------------------------------------------------------- */

static void on_end(int sig)
{
	static volatile sig_atomic_t before;

	if (before)
		_exit(128 + sig);
	before = 1;
	gateway_stop(running);
}

static void log_counters_of(const struct instance *in)
{
	const struct sluice_counter *c = in->counters;

	for (; c && c->name; c++)
		if (*c->value)
			log_info("counter %s.%s %llu", in->name, c->name,
				 (unsigned long long)*c->value);
}

/* SIGUSR1: what was counted so far, for whoever reads the log. */
static void log_counters(const struct gateway *gw)
{
	const struct stats *s = &gw->stats;

	for (int i = 0; i < STATS_COUNT; i++)
		if (s->v[i] || stats_desc[i].kind == 'G')
			log_info("counter %s %llu", stats_desc[i].name,
				 (unsigned long long)s->v[i]);
	for (struct instance *in = gw->chains.instances; in; in = in->next)
		log_counters_of(in);
	log_info("counters end");
}

static void on_signal(struct loop_fd *f, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(f->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		log_counters(running);
	else if (!chain_reload(&running->chains))
		log_warn("SIGHUP: no plugin here reads files again; restart "
			 "for a new configuration");
}

static void catch_end(void)
{
	struct sigaction end = { .sa_handler = on_end };

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int watch_signals(struct loop *l, struct loop_fd *f)
{
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = loop_add(l, f, fd, EPOLLIN, on_signal);
	if (r)
		close(fd);
	return r;
}

/* sd_notify(3), without the library. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (path[0] == '@')
		sun.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (struct sockaddr *)&sun, len) < 0)
		log_warn("tell systemd %s: %s", state, strerror(errno));
	close(fd);
}

/* --- the command --------------------------------------------------------- */

static int run_opened(struct gateway *gw)
{
	struct loop_fd signals = { .fd = -1 };
	char text[512];
	int fd, r;

	r = watch_signals(&gw->loop, &signals);
	if (r) {
		log_error("watch for signals: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	r = sandbox_user(gw->set.gateway.user, text, sizeof(text));
	if (r)
		log_error("%s", text);
	if (!r) {
		log_info("ready: device %s", gw->tun.name);
		notify("READY=1");
		r = gateway_run(gw);
		notify("STOPPING=1");
		if (r)
			log_error("stopped: %s", strerror(-r));
	}
	fd = signals.fd;
	loop_del(&gw->loop, &signals);
	close(fd);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_loaded(struct gateway *gw)
{
	char text[512] = "";
	int r = run_log(gw);

	if (r)
		return r;
	running = gw;
	catch_end();
	if (gateway_open(gw, text, sizeof(text))) {
		if (*text)
			log_error("%s", text);
		return gw->misconfigured ? EX_CONFIG : EXIT_FAILURE;
	}
	r = run_opened(gw);
	gateway_close(gw);
	return r;
}

int run_command(const struct command_args *a)
{
	static struct gateway gw;
	int r;

	sandbox_raise_files();
	r = command_configuration(&gw.conf, a);
	if (!r)
		r = gateway_load(&gw);
	r = r || gw.conf.errors ? EX_CONFIG : run_loaded(&gw);
	gateway_fini(&gw);
	return r;
}
