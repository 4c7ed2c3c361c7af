/* SPDX-License-Identifier: MIT */
/* exec.c - "sluice exec": one command, all its traffic through a gateway
 *
 * This process is the gateway.  It stays in the namespaces it was started in,
 * where its sockets are out of reach of the TUN, which is in the command's
 * (box.c).
 *
 *	read, load --> box_start() --TUN--> gateway_open() --> box_go() --+
 *	     | 78           | 125                | 125                    |
 *	                                                                  v
 *	its status <-- close <-- drain <--BOX_ENDED-- the loop, signals passed
 *
 * Terminal: the command is in our process group, so ^C, ^Z and SIGWINCH reach
 * it without us; we ignore those.  What is sent to us by kill(2) is passed
 * on.  When the command is stopped we stop too, and the shell sees a stopped
 * job.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "box.h"
#include "gateway.h"
#include "log.h"
#include "run.h"
#include "sandbox.h"

#define STATUS_NO_BOX 125

/* What the command sent before it ended is still on its way through us: wait
 * for its connections, as long as something moves. */
#define DRAIN_STEP_MS 20
#define DRAIN_QUIET   5   /* steps */
#define DRAIN_STEPS   100 /* 2 s in all */

static const int passed[] = { SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGUSR1,
			      SIGUSR2, SIGALRM, SIGTSTP, SIGCONT, SIGWINCH };

struct exec {
	struct gateway gw;
	struct box box;
	struct loop_fd messages, signals;
	struct timer drain;
	uint64_t drain_bytes;
	int drain_steps, drain_quiet;
	int status;   /* of the command, as waitpid(2) */
	bool ended;   /* status is there */
	bool stopped; /* it is, and we are to follow */
	bool failed;  /* there will be none, and the reason was logged */
	int terminal; /* -1: none */
	bool foreground;
};

/* --- configuration ------------------------------------------------------- */

static void report(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "sluice: %s\n", text);
}

/* Presets of exec, weaker than the file and -o. */
static void preset(struct conf *c, const char *section, const char *key,
		   const char *setting)
{
	if (!conf_find(c, section, key))
		conf_override(c, setting);
}

static bool uses_protect_mark(const struct conf *c)
{
	return !conf_find(c, "chain", "protect") ||
	       conf_find_word(c, "chain", "protect", "protect-mark");
}

/* The file of the system is for the gateway of the system; here only what was
 * asked for counts. */
static int configure(struct gateway *gw, const struct command_args *a)
{
	struct conf *c = &gw->conf;

	conf_init(c, report, NULL);
	if (a->file)
		conf_read(c, a->file);
	for (int i = 0; i < a->n_overrides; i++)
		conf_override(c, a->overrides[i]);
	preset(c, "gateway", "log-level", "gateway.log-level=warn");
	/* The namespace keeps our sockets out of the TUN, and an ordinary user
	 * could not mark them. */
	if (uses_protect_mark(c))
		preset(c, "protect-mark", "mark", "protect-mark.mark=none");
	if (c->errors || gateway_load(gw) || c->errors)
		return EX_CONFIG;
	if (gw->set.tun.fd >= 0 || *gw->set.tun.netns) {
		report(NULL, "exec makes its own device and namespace: leave "
			     "out tun.fd and tun.netns");
		return EX_CONFIG;
	}
	return run_log(gw);
}

/* --- terminal ------------------------------------------------------------ */

static void terminal_remember(struct exec *x)
{
	x->terminal = -1;
	for (int fd = 0; fd <= 2 && x->terminal < 0; fd++)
		if (isatty(fd))
			x->terminal = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	x->foreground = x->terminal >= 0 && tcgetpgrp(x->terminal) == getpgrp();
}

/* An interactive shell inside takes the terminal and cannot give it back: our
 * group has no number in its namespace.  If it is nobody's now, it is ours
 * again, as it was before. */
static void terminal_restore(struct exec *x)
{
	pid_t now;

	if (x->terminal < 0)
		return;
	now = tcgetpgrp(x->terminal);
	if (x->foreground && now > 0 && now != getpgrp() && kill(-now, 0) &&
	    errno == ESRCH)
		tcsetpgrp(x->terminal, getpgrp()); /* SIGTTOU is ignored */
	close(x->terminal);
	x->terminal = -1;
}

/* A reader of the command's output waits for the last writer, and a plugin
 * that writes to stdout has taken a descriptor of its own by now. */
static void let_go_of_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

/* --- while it runs ------------------------------------------------------- */

static uint64_t moved(const struct stats *s)
{
	return stats_get(s, tun_up_bytes) + stats_get(s, tun_down_bytes);
}

static void drain_step(struct timer *t)
{
	struct exec *x = container_of(t, struct exec, drain);
	uint64_t bytes = moved(&x->gw.stats);

	x->drain_quiet = bytes == x->drain_bytes ? x->drain_quiet + 1 : 0;
	x->drain_bytes = bytes;
	if (!stats_get(&x->gw.stats, tcp_open) ||
	    x->drain_quiet >= DRAIN_QUIET || x->drain_steps++ >= DRAIN_STEPS)
		gateway_stop(&x->gw);
	else
		loop_timer(&x->gw.loop, &x->drain, DRAIN_STEP_MS);
}

static void box_is_gone(struct exec *x)
{
	loop_del(&x->gw.loop, &x->messages);
	if (x->ended)
		return;
	if (!x->failed)
		log_error("exec: the command was killed with its namespaces");
	gateway_stop(&x->gw);
}

static void take_message(struct exec *x, const struct box_message *m)
{
	switch (m->kind) {
	case BOX_NOTE:
		log_warn("%s", m->text);
		break;
	case BOX_FAILED:
		log_error("exec: %s", m->text);
		x->failed = true;
		break;
	case BOX_STOPPED:
		x->stopped = true;
		break;
	case BOX_CONTINUED:
		x->stopped = false;
		break;
	case BOX_ENDED:
		x->ended = true;
		x->status = m->value;
		loop_timer(&x->gw.loop, &x->drain, 1);
		break;
	}
}

static void on_message(struct loop_fd *f, uint32_t events)
{
	struct exec *x = container_of(f, struct exec, messages);
	struct box_message m;
	int r;

	(void)events;
	while ((r = box_receive(&x->box, &m)) == 1)
		take_message(x, &m);
	if (r != -EAGAIN) {
		box_is_gone(x);
	} else if (x->stopped) {
		x->stopped = false;
		/* Goes on with SIGCONT, which on_signal() passes on. */
		raise(SIGSTOP);
	}
}

static bool is_from_terminal(const struct signalfd_siginfo *i)
{
	return i->ssi_code == SI_KERNEL && i->ssi_signo != SIGHUP;
}

static void on_signal(struct loop_fd *f, uint32_t events)
{
	struct exec *x = container_of(f, struct exec, signals);
	struct signalfd_siginfo i;

	(void)events;
	while (read(f->fd, &i, sizeof(i)) == sizeof(i))
		if (!is_from_terminal(&i) && !x->ended)
			box_signal(&x->box, (int)i.ssi_signo);
}

static int watch(struct exec *x, const sigset_t *set)
{
	int fd, r;

	timer_init(&x->drain, drain_step); /* unwatch() wants it */
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = loop_add(&x->gw.loop, &x->signals, fd, EPOLLIN, on_signal);
	if (r)
		close(fd);
	else
		r = loop_add(&x->gw.loop, &x->messages, x->box.ctl, EPOLLIN,
			     on_message);
	return r;
}

static void unwatch(struct exec *x)
{
	int fd = x->signals.fd;

	loop_timer_stop(&x->gw.loop, &x->drain);
	if (x->messages.fd >= 0)
		loop_del(&x->gw.loop, &x->messages);
	if (fd < 0)
		return;
	loop_del(&x->gw.loop, &x->signals);
	close(fd);
}

/* --- start to end -------------------------------------------------------- */

/* The TUN of the box, or -1: the reason was logged. */
static int wait_for_tun(struct exec *x)
{
	struct pollfd p = { .fd = x->box.ctl, .events = POLLIN };
	struct box_message m;
	int r;

	for (;;) {
		r = box_receive(&x->box, &m);
		if (r == 1 && m.kind == BOX_TUN)
			return m.value;
		if (r == 1)
			take_message(x, &m);
		else if (r == -EAGAIN)
			poll(&p, 1, -1);
		else
			break;
	}
	if (!x->failed)
		log_error("exec: the namespaces ended before the command "
			  "began");
	return -1;
}

static int exit_status(const struct exec *x)
{
	if (!x->ended)
		return STATUS_NO_BOX;
	if (WIFSIGNALED(x->status))
		return 128 + WTERMSIG(x->status);
	return WEXITSTATUS(x->status);
}

static int run_opened(struct exec *x, const sigset_t *set)
{
	int r = watch(x, set);

	if (r) {
		log_error("exec: watch the command: %s%s", strerror(-r),
			  r == -EMFILE ? ": raise the limit (ulimit -n)" : "");
	} else {
		let_go_of_stdio();
		box_go(&x->box);
		r = gateway_run(&x->gw);
		if (r)
			log_error("exec: stopped: %s", strerror(-r));
	}
	unwatch(x);
	return exit_status(x);
}

static int run_boxed(struct exec *x, const sigset_t *set)
{
	char text[512] = "";
	int status;

	x->gw.set.tun.fd = wait_for_tun(x);
	if (x->gw.set.tun.fd < 0)
		return STATUS_NO_BOX;
	sandbox_raise_files();
	if (gateway_open(&x->gw, text, sizeof(text))) {
		if (*text)
			log_error("exec: %s", text);
		return x->gw.misconfigured ? EX_CONFIG : STATUS_NO_BOX;
	}
	/* It is in the box; an address of its may also be one out here. */
	x->gw.tun_here = false;
	status = run_opened(x, set);
	gateway_close(&x->gw);
	return status;
}

static int run(struct exec *x, char **argv)
{
	char text[512];
	sigset_t set, old;
	int status;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaddset(&set, passed[i]);
	sigprocmask(SIG_BLOCK, &set, &old);
	if (box_start(&x->box, &x->gw.set, argv, &old, text, sizeof(text))) {
		log_error("exec: %s", text);
		return STATUS_NO_BOX;
	}
	/* Only now: the command inherits what is ignored.  It is the command
	 * that the terminal stops, and we follow. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	status = run_boxed(x, &set);
	box_end(&x->box);
	return status;
}

int exec_command(const struct command_args *a, char **argv)
{
	static struct exec x;
	int status;

	x.messages.fd = x.signals.fd = -1;
	terminal_remember(&x);
	status = configure(&x.gw, a);
	if (!status)
		status = run(&x, argv);
	gateway_fini(&x.gw);
	terminal_restore(&x);
	return status;
}
