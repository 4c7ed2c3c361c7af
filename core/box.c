/* SPDX-License-Identifier: MIT */
/* box.c - a command in namespaces of its own
 *
 *	we                          init (pid 1 inside)        command
 *	clone ------------------->  waits
 *	write uid_map, gid_map
 *	"\0" -------------------->  network, files
 *	            <-- BOX_TUN ---
 *	box_go() ---------------->  fork ------------------->  exec
 *	box_signal() ------------>  kill ------------------->
 *	            <- BOX_STOPPED, BOX_ENDED -- wait
 *
 * The command sees itself as the same user as outside, with no rights over
 * its namespaces.  Processes it leaves behind are reaped by init, and killed
 * when it ends.
 *
 * When we die, init is killed (PR_SET_PDEATHSIG, or it reads an end of file),
 * with it, by the kernel, everything in the process namespace, and then the
 * namespaces have nobody who holds them.
 */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boxset.h"
#include "sandbox.h"

#define APPARMOR_SYSCTL "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
#define NAMESPACES      (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)

/* What a root of the box may have: to be a user, use files, ping, make user
 * namespaces (mapping root needs SETFCAP).  Not its network, mounts or the
 * kernel.  An ordinary user has none of them anyway, but for programs that
 * bring their own (ping). */
#define CAPS                                                            \
	(SANDBOX_CAP(CAP_CHOWN) | SANDBOX_CAP(CAP_DAC_OVERRIDE) |       \
	 SANDBOX_CAP(CAP_DAC_READ_SEARCH) | SANDBOX_CAP(CAP_FOWNER) |   \
	 SANDBOX_CAP(CAP_FSETID) | SANDBOX_CAP(CAP_KILL) |              \
	 SANDBOX_CAP(CAP_SETGID) | SANDBOX_CAP(CAP_SETUID) |            \
	 SANDBOX_CAP(CAP_NET_BIND_SERVICE) | SANDBOX_CAP(CAP_NET_RAW) | \
	 SANDBOX_CAP(CAP_SYS_CHROOT) | SANDBOX_CAP(CAP_SETFCAP))

/* --- messages ------------------------------------------------------------ */

union fd_room {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_message(int ctl, const struct box_message *m, int fd)
{
	struct iovec v = { (void *)m, sizeof(*m) };
	union fd_room room = { .bytes = { 0 } };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		h.msg_control = &room;
		h.msg_controllen = sizeof(room);
		room.head.cmsg_level = SOL_SOCKET;
		room.head.cmsg_type = SCM_RIGHTS;
		room.head.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&room.head), &fd, sizeof(fd));
	}
	/* If nobody reads it, we are about to be killed. */
	sendmsg(ctl, &h, MSG_NOSIGNAL);
}

static void tell(int ctl, enum box_kind kind, int value, const char *text)
{
	struct box_message m = { .kind = kind, .value = value };

	snprintf(m.text, sizeof(m.text), "%s", text);
	send_message(ctl, &m, kind == BOX_TUN ? value : -1);
}

int box_receive(struct box *b, struct box_message *m)
{
	struct iovec v = { m, sizeof(*m) };
	union fd_room room = { .bytes = { 0 } };
	struct msghdr h = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &room,
			    .msg_controllen = sizeof(room) };
	const struct cmsghdr *c;
	ssize_t n;

	/* A signal that init did not read any more comes back as ECONNRESET,
	 * once, in front of what it told us last. */
	do
		n = recvmsg(b->ctl, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	if (n != sizeof(*m))
		return 0;
	m->text[sizeof(m->text) - 1] = 0;
	if (m->kind == BOX_TUN) {
		m->value = -1;
		c = CMSG_FIRSTHDR(&h);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(&m->value, CMSG_DATA(c), sizeof(m->value));
	}
	return 1;
}

/* Does the value of a sysctl begin with this? */
static bool is_set(const char *sysctl, char value)
{
	int fd = open(sysctl, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c == value;
}

/* --- inside: init -------------------------------------------------------- */

struct init {
	int ctl;
	int children; /* a signalfd for SIGCHLD */
	pid_t command;
	sigset_t mask; /* the command's */
};

static void __attribute__((noreturn)) failed(int ctl, const char *text)
{
	tell(ctl, BOX_FAILED, 0, text);
	_exit(125);
}

/* The next byte from outside; it is over when there is none. */
static int next_byte(int ctl)
{
	unsigned char byte;
	ssize_t n;

	do
		n = read(ctl, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(125);
	return byte;
}

static void __attribute__((noreturn))
be_command(const struct init *in, char **argv)
{
	sigprocmask(SIG_SETMASK, &in->mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "sluice: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The command has ours of everything; so a reader at the other end of a pipe
 * sees its end when the command is done with it. */
static void let_go(struct init *in)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	/* 3 and 4 may be one of these now. */
	in->ctl = fcntl(in->ctl, F_DUPFD, 5);
	in->children = fcntl(in->children, F_DUPFD, 5);
	dup2(in->ctl, 3);
	dup2(in->children, 4);
	in->ctl = 3;
	in->children = 4;
	syscall(SYS_close_range, 5U, ~0U, 0U);
}

static void reap(struct init *in)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(in->children, &info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) >
	       0) {
		if (pid != in->command)
			continue;
		if (WIFSTOPPED(status)) {
			tell(in->ctl, BOX_STOPPED, WSTOPSIG(status), "");
			continue;
		}
		if (WIFCONTINUED(status)) {
			tell(in->ctl, BOX_CONTINUED, 0, "");
			continue;
		}
		tell(in->ctl, BOX_ENDED, status, "");
		_exit(0);
	}
}

static void __attribute__((noreturn)) serve(struct init *in)
{
	struct pollfd p[2] = {
		{ .fd = in->ctl, .events = POLLIN },
		{ .fd = in->children, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(125);
		if (p[1].revents)
			reap(in);
		if (p[0].revents)
			kill(in->command, next_byte(in->ctl));
	}
}

static void set_up(const struct init *in, const struct settings *set)
{
	char text[sizeof(((struct box_message *)0)->text)];
	int fd;

	fd = boxset_network(set, text, sizeof(text));
	if (fd == -EPERM && is_set(APPARMOR_SYSCTL, '1'))
		failed(in->ctl,
		       "AppArmor gives this program no rights in a user "
		       "namespace: sysctl -w kernel.apparmor_restrict_"
		       "unprivileged_userns=0, a profile that allows it, or "
		       "run as root");
	if (fd < 0)
		failed(in->ctl, text);
	boxset_files(set, text, sizeof(text));
	if (*text)
		tell(in->ctl, BOX_NOTE, 0, text);
	tell(in->ctl, BOX_TUN, fd, "");
	close(fd);
}

static void __attribute__((noreturn))
be_init(int ctl, const struct settings *set, char **argv, const sigset_t *mask)
{
	struct init in = { .ctl = ctl, .mask = *mask };
	sigset_t children;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	next_byte(ctl);
	set_up(&in, set);
	/* Ours too: root's would be over this namespace, but still. */
	if (sandbox_bound(CAPS))
		failed(ctl, "give up rights: not permitted");
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	in.children = signalfd(-1, &children, SFD_CLOEXEC);
	next_byte(ctl);
	in.command = fork();
	if (in.command < 0)
		failed(ctl, "fork: no more processes or memory");
	if (!in.command)
		be_command(&in, argv);
	sandbox_caps(SANDBOX_CAP(CAP_KILL));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	let_go(&in);
	serve(&in);
}

/* --- outside ------------------------------------------------------------- */

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, r = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Every id that there is, as itself; what root may give. */
static int map_all(pid_t pid, const char *name)
{
	unsigned int first, outer, count;
	char path[64], text[4096];
	size_t at = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (at < sizeof(text) - 40 &&
	       fscanf(f, "%u %u %u", &first, &outer, &count) == 3)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%u %u %u\n", first, first, count);
	fclose(f);
	return at ? write_proc(pid, name, text) : -EINVAL;
}

static int map_own(pid_t pid, const char *name, unsigned int id)
{
	char text[40];

	snprintf(text, sizeof(text), "%u %u 1", id, id);
	return write_proc(pid, name, text);
}

static int map_ids(pid_t pid)
{
	int r;

	if (!geteuid() && !map_all(pid, "gid_map") && !map_all(pid, "uid_map"))
		return 0;
	/* Older kernels and root do not need it, others insist. */
	write_proc(pid, "setgroups", "deny");
	r = map_own(pid, "gid_map", getegid());
	if (!r)
		r = map_own(pid, "uid_map", geteuid());
	return r;
}

static void explain(int err, char *text, size_t len)
{
	if (err == EPERM &&
	    is_set("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		snprintf(text, len,
			 "this system lets only root make user namespaces: "
			 "sysctl -w kernel.unprivileged_userns_clone=1, or "
			 "run as root");
	else if (err == EPERM)
		snprintf(text, len,
			 "no permission to make a user namespace (in a "
			 "container or chroot?): run outside of it, or as "
			 "root");
	else if (err == ENOSPC || err == EUSERS)
		snprintf(text, len,
			 "no more namespaces allowed: raise "
			 "user.max_user_namespaces, user.max_net_namespaces "
			 "(sysctl -w), or run as root");
	else if (err == EINVAL)
		snprintf(text, len,
			 "the kernel has no user, network, mount or process "
			 "namespaces");
	else if (err == EAGAIN)
		snprintf(text, len,
			 "no more processes allowed: raise the limit "
			 "(ulimit -u)");
	else
		snprintf(text, len, "make namespaces: %s", strerror(err));
}

/* As fork(2), into new namespaces.  Where root may not have a user namespace
 * (none in the kernel, or none left), root does without. */
static pid_t clone_box(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | NAMESPACES, NULL, NULL,
				   NULL, NULL);

	if (pid < 0 && !geteuid())
		pid = (pid_t)syscall(SYS_clone,
				     SIGCHLD | (NAMESPACES & ~CLONE_NEWUSER),
				     NULL, NULL, NULL, NULL);
	return pid;
}

static bool has_own_user_namespace(pid_t pid)
{
	char path[64], theirs[64] = "", ours[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return readlink(path, theirs, sizeof(theirs) - 1) > 0 &&
	       readlink("/proc/self/ns/user", ours, sizeof(ours) - 1) > 0 &&
	       strcmp(theirs, ours) != 0;
}

int box_start(struct box *b, const struct settings *set, char **argv,
	      const sigset_t *mask, char *text, size_t text_len)
{
	int ctl[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl)) {
		r = -errno;
		snprintf(text, text_len, "start: %s%s", strerror(-r),
			 r == -EMFILE ? ": raise the limit (ulimit -n)" : "");
		return r;
	}
	b->pid = clone_box();
	if (!b->pid) {
		close(ctl[0]);
		be_init(ctl[1], set, argv, mask);
	}
	if (b->pid < 0) {
		r = -errno;
		explain(-r, text, text_len);
	}
	close(ctl[1]);
	b->ctl = ctl[0];
	fcntl(b->ctl, F_SETFL, O_NONBLOCK);
	if (!r && has_own_user_namespace(b->pid)) {
		r = map_ids(b->pid);
		if (r)
			snprintf(text, text_len,
				 "map ids into the user namespace: %s",
				 strerror(-r));
	}
	if (r)
		box_end(b);
	else
		box_signal(b, 0);
	return r;
}

void box_go(struct box *b)
{
	box_signal(b, 0);
}

void box_signal(struct box *b, int sig)
{
	unsigned char byte = (unsigned char)sig;

	/* Full or closed: it has more to do than it can, or nothing. */
	send(b->ctl, &byte, 1, MSG_NOSIGNAL);
}

void box_end(struct box *b)
{
	if (b->ctl >= 0)
		close(b->ctl);
	b->ctl = -1;
	if (b->pid <= 0)
		return;
	kill(b->pid, SIGKILL);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
	b->pid = -1;
}
