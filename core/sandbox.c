/* SPDX-License-Identifier: MIT */
/* sandbox.c - rights and limits of this process
 *
 *	root --open devices--> root --sandbox_user()--> user, NET_ADMIN, NET_RAW
 *
 * There is no way back: no_new_privs is set, and the bounding set holds what
 * is left.
 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SO_MARK, SO_BINDTODEVICE; ping where the system gives it to nobody. */
#define OURS (SANDBOX_CAP(CAP_NET_ADMIN) | SANDBOX_CAP(CAP_NET_RAW))

int sandbox_bound(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep & SANDBOX_CAP(cap))
			continue;
		/* EINVAL: beyond the last one this kernel knows. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			return -errno;
	}
	return 0;
}

int sandbox_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(keep >> (32 * i));
		data[i].permitted = data[i].effective;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int become(const struct passwd *pw)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || sandbox_bound(OURS))
		return -errno;
	if (initgroups(pw->pw_name, pw->pw_gid) ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
		return -errno;
	if (sandbox_caps(OURS) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return 0;
}

int sandbox_user(const char *user, char *text, size_t text_len)
{
	const struct passwd *pw;
	int r;

	if (geteuid() || !user || !*user)
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		r = errno ? -errno : -ENOENT;
		snprintf(text, text_len,
			 "there is no user \"%s\": make it (useradd --system "
			 "%s), or set [gateway] user",
			 user, user);
		return r;
	}
	r = pw->pw_uid ? become(pw) : 0;
	if (r)
		snprintf(text, text_len, "become user \"%s\": %s", user,
			 strerror(-r));
	return r;
}

void sandbox_raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}
