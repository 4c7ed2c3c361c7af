/* SPDX-License-Identifier: MIT */
/* secure.c - finds what can do TLS
 *
 * Built in where configure was told so; else it is the module beside the
 * plugin's own file, loaded for the first encrypted server and never before.
 */
#include "secure.h"

#include <stdio.h>
#include <string.h>

#ifdef UPSTREAM_TLS_MODULE

#include <dlfcn.h>
#include <limits.h>

#define MODULE "dns-upstream-tls.mod"

static const struct secure_ops *load(const char *path, char *text, size_t room)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct secure_ops *ops = lib ? dlsym(lib, "dns_upstream_tls") :
					     NULL;

	if (ops && ops->version == SECURE_VERSION)
		return ops;
	snprintf(text, room, "%s",
		 ops ? "it is of another version" : dlerror());
	return NULL;
}

const struct secure_ops *secure_find(char *text, size_t room)
{
	char path[PATH_MAX];
	const char *slash;
	Dl_info self;

	if (!dladdr(MODULE, &self) || !self.dli_fname ||
	    !(slash = strrchr(self.dli_fname, '/')) ||
	    snprintf(path, sizeof(path), "%.*s/%s",
		     (int)(slash - self.dli_fname), self.dli_fname,
		     MODULE) >= (int)sizeof(path)) {
		snprintf(text, room, "its own path is not known");
		return NULL;
	}
	return load(path, text, room);
}

#elif defined(UPSTREAM_TLS)

extern const struct secure_ops dns_upstream_tls;

const struct secure_ops *secure_find(char *text, size_t room)
{
	(void)text;
	(void)room;
	return &dns_upstream_tls;
}

#else

const struct secure_ops *secure_find(char *text, size_t room)
{
	snprintf(text, room,
		 "this sluice was built without TLS (configure "
		 "--with-tls=openssl)");
	return NULL;
}

#endif
