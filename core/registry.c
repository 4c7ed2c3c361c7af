/* SPDX-License-Identifier: MIT */
/* registry.c - where plugins come from
 *
 *	name --added--> builtin_plugins[] --> PLUGINDIR/NAME.so --> no such
 *	path -------------------------------> file
 *
 * Each is loaded once and stays until the process ends, whatever becomes of
 * the registry: nothing is gained by unloading code, and timers or threads
 * of it might still be about.
 */
#include "autoconf.h"

#include "registry.h"

#include <dirent.h>
#ifdef SLUICE_DLOPEN
#include <dlfcn.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "plugin_check.h"
#include "util.h"

#define NAMES_MAX 128 /* of plugins that are looked through for a near one */

static struct plugin *add(struct registry *r, const struct sluice_plugin *t,
			  const char *file, char *text, size_t text_len)
{
	struct plugin *p = calloc(1, sizeof(*p));
	char why[REGISTRY_TEXT - 64];

	if (file && p)
		p->file = strdup(file);
	if (!p || (file && !p->file)) {
		snprintf(text, text_len, "%s", strerror(ENOMEM));
		free(p);
		return NULL;
	}
	if (plugin_check(p, t, why, sizeof(why))) {
		snprintf(text, text_len, "%s%s%s", file ? file : "",
			 file ? ": " : "", why);
		free(p->file);
		free(p);
		return NULL;
	}
	p->next = r->list;
	r->list = p;
	return p;
}

struct plugin *registry_add(struct registry *r, const struct sluice_plugin *t,
			    char *text, size_t text_len)
{
	return add(r, t, NULL, text, text_len);
}

void registry_fini(struct registry *r)
{
	struct plugin *p;

	while ((p = r->list)) {
		r->list = p->next;
		free(p->file);
		free(p);
	}
}

static struct plugin *find_added(const struct registry *r, const char *name)
{
	struct plugin *p;

	for (p = r->list; p; p = p->next)
		if (!p->file && !strcmp(p->head.name, name))
			return p;
	return NULL;
}

static const struct sluice_plugin *find_builtin(const char *name)
{
	for (size_t i = 0; builtin_plugins[i]; i++)
		if (!strcmp(builtin_plugins[i]->name, name))
			return builtin_plugins[i];
	return NULL;
}

/* ---------------------------------------------------------------- names */

struct names {
	char *v[NAMES_MAX + 1];
	size_t n;
};

static void names_add(struct names *all, const char *name, size_t len)
{
	if (all->n < NAMES_MAX && (all->v[all->n] = strndup(name, len)))
		all->n++;
}

static void names_fini(struct names *all)
{
	while (all->n)
		free(all->v[--all->n]);
}

#ifdef SLUICE_DLOPEN

/* Tests and ./bootstrap run load from where they built. */
static const char *plugin_dir(void)
{
	const char *dir = secure_getenv("SLUICE_PLUGINDIR");

	return dir && *dir ? dir : PLUGINDIR;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NAME of each NAME.so in PLUGINDIR, sorted. */
static void names_of_files(struct names *all)
{
	DIR *dir = opendir(plugin_dir());
	struct dirent *e;
	size_t len, from = all->n;

	while (dir && (e = readdir(dir))) {
		len = strlen(e->d_name);
		if (len > 3 && !strcmp(e->d_name + len - 3, ".so"))
			names_add(all, e->d_name, len - 3);
	}
	if (dir)
		closedir(dir);
	qsort(all->v + from, all->n - from, sizeof(*all->v), by_text);
}

#else

static void names_of_files(struct names *all)
{
	(void)all;
}

#endif

static void names_of_builtins(struct names *all)
{
	for (size_t i = 0; builtin_plugins[i]; i++)
		names_add(all, builtin_plugins[i]->name,
			  strlen(builtin_plugins[i]->name));
}

/* "there is no plugin x", with what is near to it. */
static void no_such(const char *name, const char *where, char *text, size_t len)
{
	struct names all = { .n = 0 };
	size_t n = strlen(name);
	const char *near;

	if (n > 3 && !strcmp(name + n - 3, ".so")) {
		snprintf(text, len,
			 "there is no plugin '%s'; a file is given with its "
			 "folder: ./%s",
			 name, name);
		return;
	}
	names_of_builtins(&all);
	names_of_files(&all);
	all.v[all.n] = NULL;
	near = conf_nearest(name, (const char *const *)all.v);
	snprintf(text, len, "there is no plugin '%s' (%s); %s%s%s", name, where,
		 near ? "did you mean " :
			"\"sluice plugins\" lists what there is",
		 near ? near : "", near ? "?" : "");
	names_fini(&all);
}

/* ---------------------------------------------------------------- files */

#ifdef SLUICE_DLOPEN

/* As root, code that somebody else can change is not run: neither the file
 * nor its place in the folder. */
static const char *untrusted(const char *path, const struct stat *st)
{
	const char *slash = strrchr(path, '/'), *why;
	char dir[PATH_MAX];
	struct stat above;

	if (geteuid() != 0)
		return NULL;
	why = conf_untrusted(st);
	if (why)
		return why;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	if (!stat(dir, &above) && (above.st_mode & S_IWOTH) &&
	    !(above.st_mode & S_ISVTX))
		return "anyone may write to its folder";
	return NULL;
}

/* 0, or -errno with the reason in text. */
static int check_file(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	struct stat st;
	int err = 0;

	if (fd < 0 || fstat(fd, &st)) {
		err = -errno;
		why = strerror(-err);
	} else if (!S_ISREG(st.st_mode)) {
		err = -EINVAL;
		why = "it is no regular file";
	} else if ((why = untrusted(path, &st))) {
		err = -EPERM;
	}
	if (fd >= 0)
		close(fd);
	if (err == -EPERM)
		snprintf(text, len,
			 "%s: %s, and we are root: it could be anybody's code "
			 "(chown root, chmod go-w)",
			 path, why);
	else if (err)
		snprintf(text, len, "%s: %s", path, why);
	return err;
}

static struct plugin *load(struct registry *r, const char *path, char *text,
			   size_t text_len)
{
	const struct sluice_plugin *theirs;
	const char *why;
	void *code;

	code = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!code) {
		why = dlerror();
		/* glibc begins with the path, mostly. */
		if (why && !strncmp(why, path, strlen(path)))
			snprintf(text, text_len, "%s", why);
		else
			snprintf(text, text_len, "%s: %s", path,
				 why ? why : "cannot be loaded");
		return NULL;
	}
	theirs = dlsym(code, "sluice_plugin");
	if (!theirs) {
		snprintf(text, text_len,
			 "%s: is no sluice plugin: it has no symbol "
			 "sluice_plugin",
			 path);
		return NULL;
	}
	return add(r, theirs, path, text, text_len);
}

static struct plugin *get_file(struct registry *r, const char *which,
			       char *text, size_t text_len)
{
	bool is_path = strchr(which, '/') != NULL;
	char path[PATH_MAX];
	struct plugin *p;
	int err;

	if (is_path)
		snprintf(path, sizeof(path), "%s", which);
	else
		snprintf(path, sizeof(path), "%s/%s.so", plugin_dir(), which);
	for (p = r->list; p; p = p->next)
		if (p->file && !strcmp(p->file, path))
			return p;
	err = check_file(path, text, text_len);
	if (err == -ENOENT && !is_path) {
		no_such(which, path, text, text_len);
		return NULL;
	}
	return err ? NULL : load(r, path, text, text_len);
}

#else

static struct plugin *get_file(struct registry *r, const char *which,
			       char *text, size_t text_len)
{
	(void)r;
	no_such(which, "this sluice has all its plugins built in", text,
		text_len);
	return NULL;
}

#endif

struct plugin *registry_get(struct registry *r, const char *which, char *text,
			    size_t text_len)
{
	const struct sluice_plugin *builtin;
	struct plugin *p;

	if (strchr(which, '/'))
		return get_file(r, which, text, text_len);
	p = find_added(r, which);
	if (p)
		return p;
	builtin = find_builtin(which);
	if (builtin)
		return add(r, builtin, NULL, text, text_len);
	return get_file(r, which, text, text_len);
}

void registry_each(struct registry *r,
		   void (*fn)(void *arg, const char *name,
			      const struct plugin *p, const char *reason),
		   void *arg)
{
	struct names all = { .n = 0 };
	char text[REGISTRY_TEXT];
	const struct plugin *p;
	size_t builtins;

	names_of_builtins(&all);
	builtins = all.n;
	names_of_files(&all);
	for (size_t i = 0; i < all.n; i++) {
		if (i >= builtins && find_builtin(all.v[i]))
			continue; /* the one built in is taken */
		p = registry_get(r, all.v[i], text, sizeof(text));
		fn(arg, all.v[i], p, p ? NULL : text);
	}
	names_fini(&all);
}
