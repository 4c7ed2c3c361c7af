/* SPDX-License-Identifier: MIT */
/* shim.c - a system call that fails once, for programs that are preloaded
 *
 *	LD_PRELOAD=shim.so FAULT_CALL=socket FAULT_NTH=3 FAULT_ERRNO=24
 *	FAULT_REPORT=FILE
 *
 * The n-th call of that name does nothing and gives the errno; close() closes
 * and then gives it, as Linux does.  The report gets one line for each thing
 * that there is to say:
 *
 *	failed NAME		it was this call's turn
 *	unprotected NAME FD	bytes or a connection out of a socket of the
 *				internet that carries no mark
 *	open FD			a socket or such, and the program has ended
 *	calls NAME COUNT	at the end, of each that was called
 *
 * What libc calls inside of itself is not seen, but for memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096

/* clang-format off */
#define CALLS(X) \
	X(accept4) X(aligned_alloc) X(bind) X(calloc) X(close) \
	X(connect) X(epoll_create1) X(epoll_ctl) X(epoll_wait) \
	X(eventfd) X(fcntl) X(fopen) X(fstat) X(getpeername) \
	X(getrandom) X(getsockname) X(getsockopt) X(ioctl) X(malloc) \
	X(mmap) X(open) X(posix_memalign) X(read) X(realloc) X(recv) \
	X(recvfrom) X(recvmmsg) X(recvmsg) X(send) X(sendmmsg) \
	X(sendmsg) X(sendto) X(setns) X(setsockopt) X(shutdown) \
	X(signalfd) X(socket) X(write) X(writev)
/* clang-format on */

enum call {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
		CALL_COUNT
};

static const char *const names[] = {
#define X(name) #name,
	CALLS(X)
#undef X
};

static void *real[CALL_COUNT];
static atomic_uint counts[CALL_COUNT];
static int chosen = -1; /* enum call */
static unsigned int nth;
static int fault;
static const char *report;

/* What is open: 1; a socket of the internet: 2 more; with a mark: 4 more. */
static uint8_t fds[FDS];

#define REAL(name) ((__typeof__(name) *)next(CALL_##name))

static void *next(enum call c)
{
	if (!real[c])
		real[c] = dlsym(RTLD_NEXT, names[c]);
	return real[c];
}

/* By the kernel's own door, so that nothing here is counted. */
static void say(const char *fmt, ...)
{
	int saved = errno;
	char line[128];
	va_list ap;
	long fd;
	int n;

	if (!report)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fd = syscall(SYS_openat, AT_FDCWD, report,
		     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, n);
		syscall(SYS_close, fd);
	}
	errno = saved;
}

static bool fails(enum call c)
{
	if (atomic_fetch_add(&counts[c], 1) + 1 != nth || (int)c != chosen)
		return false;
	say("failed %s\n", names[c]);
	errno = fault;
	return true;
}

__attribute__((constructor)) static void begin(void)
{
	const char *call = getenv("FAULT_CALL"), *n = getenv("FAULT_NTH");
	const char *err = getenv("FAULT_ERRNO");

	for (int i = 0; call && i < CALL_COUNT; i++)
		if (!strcmp(call, names[i]))
			chosen = i;
	/* The loader's own are not the program's. */
	for (int i = 0; i < CALL_COUNT; i++)
		counts[i] = 0;
	nth = n ? (unsigned int)strtoul(n, NULL, 10) : 0;
	fault = err ? (int)strtol(err, NULL, 10) : EIO;
	report = getenv("FAULT_REPORT");
}

__attribute__((destructor)) static void end(void)
{
	for (int i = 3; i < FDS; i++)
		if (fds[i])
			say("open %d\n", i);
	for (int i = 0; i < CALL_COUNT; i++)
		if (counts[i])
			say("calls %s %u\n", names[i], counts[i]);
}

/* ---------------------------------------------------------- descriptors */

static int opened(int fd, uint8_t what)
{
	if (fd >= 0 && fd < FDS)
		fds[fd] = what;
	return fd;
}

/* Bytes are about to leave by fd. */
static void leaves(int fd, enum call c)
{
	if (fd >= 0 && fd < FDS && (fds[fd] & 6) == 2)
		say("unprotected %s %d\n", names[c], fd);
}

int socket(int domain, int type, int proto)
{
	bool internet = domain == AF_INET || domain == AF_INET6;

	if (fails(CALL_socket))
		return -1;
	return opened(REAL(socket)(domain, type, proto), internet ? 3 : 1);
}

int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (fails(CALL_accept4))
		return -1;
	return opened(REAL(accept4)(fd, sa, len, flags), 1);
}

int epoll_create1(int flags)
{
	if (fails(CALL_epoll_create1))
		return -1;
	return opened(REAL(epoll_create1)(flags), 1);
}

int eventfd(unsigned int value, int flags)
{
	if (fails(CALL_eventfd))
		return -1;
	return opened(REAL(eventfd)(value, flags), 1);
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	if (fails(CALL_signalfd))
		return -1;
	return opened(REAL(signalfd)(fd, set, flags), 1);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	if (fails(CALL_open))
		return -1;
	return opened(REAL(open)(path, flags, mode), 1);
}

int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* Nothing else it is used for can fail. */
	if (cmd == F_DUPFD_CLOEXEC && fails(CALL_fcntl))
		return -1;
	r = REAL(fcntl)(fd, cmd, arg);
	if (cmd == F_DUPFD_CLOEXEC && r >= 0)
		opened(r, fd < FDS ? fds[fd] : 1);
	return r;
}

int close(int fd)
{
	bool bad = fails(CALL_close);
	int err = errno, r = REAL(close)(fd);

	opened(fd, 0);
	if (!bad)
		return r;
	errno = err;
	return -1;
}

/* -------------------------------------------------------------- sockets */

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (fails(CALL_connect))
		return -1;
	leaves(fd, CALL_connect);
	return REAL(connect)(fd, sa, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int r;

	if (fails(CALL_setsockopt))
		return -1;
	r = REAL(setsockopt)(fd, level, name, value, len);
	if (!r && level == SOL_SOCKET && name == SO_MARK && fd < FDS)
		fds[fd] |= 4;
	return r;
}

ssize_t send(int fd, const void *p, size_t len, int flags)
{
	if (fails(CALL_send))
		return -1;
	leaves(fd, CALL_send);
	return REAL(send)(fd, p, len, flags);
}

ssize_t sendto(int fd, const void *p, size_t len, int flags,
	       const struct sockaddr *sa, socklen_t sa_len)
{
	if (fails(CALL_sendto))
		return -1;
	leaves(fd, CALL_sendto);
	return REAL(sendto)(fd, p, len, flags, sa, sa_len);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fails(CALL_sendmsg))
		return -1;
	leaves(fd, CALL_sendmsg);
	return REAL(sendmsg)(fd, m, flags);
}

int sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags)
{
	if (fails(CALL_sendmmsg))
		return -1;
	leaves(fd, CALL_sendmmsg);
	return REAL(sendmmsg)(fd, v, n, flags);
}

/* --------------------------------------------- what only counts and fails */

#define PLAIN(type, name, params, args)  \
	type name params                 \
	{                                \
		if (fails(CALL_##name))  \
			return (type)-1; \
		return REAL(name) args;  \
	}

PLAIN(int, bind, (int fd, const struct sockaddr *sa, socklen_t len),
      (fd, sa, len))
PLAIN(int, epoll_ctl, (int fd, int op, int of, struct epoll_event *e),
      (fd, op, of, e))
PLAIN(int, epoll_wait, (int fd, struct epoll_event *v, int n, int ms),
      (fd, v, n, ms))
PLAIN(int, fstat, (int fd, struct stat *st), (fd, st))
PLAIN(int, getpeername, (int fd, struct sockaddr *sa, socklen_t *len),
      (fd, sa, len))
PLAIN(ssize_t, getrandom, (void *p, size_t len, unsigned int flags),
      (p, len, flags))
PLAIN(int, getsockname, (int fd, struct sockaddr *sa, socklen_t *len),
      (fd, sa, len))
PLAIN(int, getsockopt, (int fd, int level, int name, void *v, socklen_t *len),
      (fd, level, name, v, len))
PLAIN(ssize_t, read, (int fd, void *p, size_t len), (fd, p, len))
PLAIN(ssize_t, recv, (int fd, void *p, size_t len, int flags),
      (fd, p, len, flags))
PLAIN(ssize_t, recvfrom,
      (int fd, void *p, size_t len, int flags, struct sockaddr *sa,
       socklen_t *sa_len),
      (fd, p, len, flags, sa, sa_len))
PLAIN(int, recvmmsg,
      (int fd, struct mmsghdr *v, unsigned int n, int flags,
       struct timespec *limit),
      (fd, v, n, flags, limit))
PLAIN(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
PLAIN(int, setns, (int fd, int type), (fd, type))
PLAIN(int, shutdown, (int fd, int how), (fd, how))
PLAIN(ssize_t, write, (int fd, const void *p, size_t len), (fd, p, len))
PLAIN(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
PLAIN(void *, mmap,
      (void *at, size_t len, int prot, int flags, int fd, off_t off),
      (at, len, prot, flags, fd, off))

int ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fails(CALL_ioctl))
		return -1;
	return REAL(ioctl)(fd, what, arg);
}

/* --------------------------------------------------------------- memory */

#define MEMORY(name, params, args)      \
	void *name params               \
	{                               \
		if (fails(CALL_##name)) \
			return NULL;    \
		return REAL(name) args; \
	}

MEMORY(malloc, (size_t size), (size))
MEMORY(calloc, (size_t n, size_t size), (n, size))
MEMORY(realloc, (void *p, size_t size), (p, size))
MEMORY(aligned_alloc, (size_t align, size_t size), (align, size))

int posix_memalign(void **p, size_t align, size_t size)
{
	if (fails(CALL_posix_memalign))
		return errno;
	return REAL(posix_memalign)(p, align, size);
}

FILE *fopen(const char *path, const char *mode)
{
	if (fails(CALL_fopen))
		return NULL;
	return REAL(fopen)(path, mode);
}
