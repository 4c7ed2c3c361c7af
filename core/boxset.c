/* SPDX-License-Identifier: MIT */
/* boxset.c - network and files of a box, made from inside of it
 *
 * The mounts here are seen by nobody outside and go with the box.  Files that
 * are mounted over others lie in a tmpfs that is detached again at once, so
 * that no name leads to them.
 *
 * Names must be asked for on the network, where they are captured, and not
 * by way of a unix socket of a daemon outside; so an empty file lies over
 * each such socket, and libraries go on to DNS.
 */
#include "boxset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netsetup.h"
#include "settings.h"
#include "tundev.h"

#define RESOLV_CONF  "/etc/resolv.conf"
#define STAGE_RESOLV "resolv.conf"
#define STAGE_EMPTY  "empty"

/* --- network ------------------------------------------------------------- */

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A kernel without IPv6 is no reason to refuse. */
static void without_ipv6(struct settings *set)
{
	int n = 0;

	for (int i = 0; i < set->n_address; i++)
		if (set->address[i].addr.family == 4)
			set->address[n++] = set->address[i];
	set->n_address = n;
	n = 0;
	for (int i = 0; i < set->n_routes; i++)
		if (set->routes[i].addr.family == 4)
			set->routes[n++] = set->routes[i];
	set->n_routes = n;
}

static int default_routes(const char *ifname, const struct settings *set,
			  char *text, size_t text_len)
{
	struct prefix to = { .len = 0 };
	bool done[7] = { false };
	int r = 0;

	for (int i = 0; i < set->n_address && !r; i++) {
		to.addr.family = set->address[i].addr.family;
		if (done[to.addr.family])
			continue;
		done[to.addr.family] = true;
		r = netsetup_route(ifname, &to, text, text_len);
	}
	return r;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* read-only in a container: it stays as it is */
	close(fd);
}

/* Our own group may ping without rights. */
static void allow_ping(void)
{
	char range[32];

	snprintf(range, sizeof(range), "%u %u", getegid(), getegid());
	write_file("/proc/sys/net/ipv4/ping_group_range", range);
}

int boxset_network(const struct settings *set, char *text, size_t text_len)
{
	struct tun_config c = { .name = set->tun.name,
				.fd = -1,
				.mtu = set->mtu,
				.offload = (int)set->tun.offload };
	struct settings mine = *set;
	struct tun t = { .fd = -1 };
	int r;

	if (!has_ipv6())
		without_ipv6(&mine);
	r = netsetup_link_up("lo", 0, text, text_len);
	if (r)
		return r;
	r = tundev_open(&t, &c, text, text_len);
	if (r)
		return r;
	r = netsetup_up(t.name, &mine, text, text_len);
	if (!r)
		r = default_routes(t.name, &mine, text, text_len);
	if (r) {
		close(t.fd);
		return r;
	}
	allow_ping();
	return t.fd;
}

/* --- files --------------------------------------------------------------- */

/* A tmpfs for a moment, over a folder that any system has. */
static const char *stage_begin(void)
{
	static const char *const dirs[] = { "/tmp", "/mnt", "/var", "/run" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!mount("tmpfs", dirs[i], "tmpfs", MS_NOSUID | MS_NODEV,
			   "mode=0755,size=64k"))
			return dirs[i];
	return NULL;
}

static FILE *stage_file(const char *stage, const char *name, char *path,
			size_t len)
{
	FILE *f;

	snprintf(path, len, "%s/%s", stage, name);
	f = fopen(path, "we");
	if (f)
		fchmod(fileno(f), 0444);
	return f;
}

static void print_nameserver(FILE *f, const struct sluice_addr *a)
{
	char ip[ADDR_TEXT];

	if (a->family == 4 || (a->family == 6 && has_ipv6()))
		fprintf(f, "nameserver %s\n", addr_ip_text(a, ip));
}

/* Short names mean here what they mean outside. */
static void copy_search(FILE *to)
{
	FILE *from = fopen(RESOLV_CONF, "re");
	char line[1024];

	if (!from)
		return;
	while (fgets(line, sizeof(line), from))
		if (!strncmp(line, "search", 6) || !strncmp(line, "domain", 6))
			fputs(line, to);
	fclose(from);
}

static int put_over(const char *what, const char *target)
{
	char real[PATH_MAX];

	if (!realpath(target, real))
		return -errno;
	return mount(what, real, NULL, MS_BIND, NULL) ? -errno : 0;
}

/* 0 or -errno. */
static int resolv_conf(const struct settings *set, const char *stage)
{
	char path[64];
	FILE *f = stage_file(stage, STAGE_RESOLV, path, sizeof(path));

	if (!f)
		return -errno;
	fputs("# sluice exec: the gateway answers\n", f);
	print_nameserver(f, &set->gw4);
	print_nameserver(f, &set->gw6);
	copy_search(f);
	if (fclose(f))
		return -errno;
	return put_over(path, RESOLV_CONF);
}

static void shut_ways_out(const char *stage)
{
	static const char *const sockets[] = {
		"/run/systemd/resolve/io.systemd.Resolve",
		"/run/nscd/socket",
		"/var/run/nscd/socket",
	};
	char path[64];
	FILE *f = stage_file(stage, STAGE_EMPTY, path, sizeof(path));
	struct stat st;

	if (!f)
		return;
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (!stat(sockets[i], &st) && S_ISSOCK(st.st_mode))
			put_over(path, sockets[i]);
}

static void names(const struct settings *set, char *note, size_t note_len)
{
	const char *stage = stage_begin();
	int r = stage ? resolv_conf(set, stage) : -errno;

	if (stage) {
		shut_ways_out(stage);
		mount(NULL, stage, NULL,
		      MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
		umount2(stage, MNT_DETACH);
	}
	if (r == -ENOENT)
		snprintf(note, note_len,
			 "there is no " RESOLV_CONF " to put ours over, so "
			 "programs may not find the resolver: make an empty "
			 "one");
	else if (r)
		snprintf(note, note_len,
			 "put our " RESOLV_CONF " over the one there: %s: "
			 "programs may not find the resolver",
			 strerror(-r));
}

void boxset_files(const struct settings *set, char *note, size_t note_len)
{
	*note = 0;
	/* What is mounted outside later is seen inside, not the other way. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		snprintf(note, note_len, "mounts of our own: %s",
			 strerror(errno));
	else if (*set->chain.of[CHAIN_DNS])
		names(set, note, note_len);
	/* Refused where /proc is partly hidden, as in containers: then that
	 * one stays, which shows processes of outside but works. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL))
		errno = 0;
}
