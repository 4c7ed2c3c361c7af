/* SPDX-License-Identifier: MIT */
/* conf_read.c - lines of the INI file, and -o, to entries
 *
 *	file --lines()--> inih --take()--> entries
 *	          \-- sections, empty ones too, and all mistakes of form
 *
 * inih splits lines into section, key and value.  It has no line numbers in
 * the builds that distributions ship, cuts long names in silence, takes an
 * indented line for more of the one before, and tells about the first mistake
 * only.  So the reader that hands it lines looks at each one first: what inih
 * gets to see is well formed, one line at a time, and the number of that line
 * is ours.
 */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

struct parse {
	struct conf *c;
	const char *file;
	const char *at, *end;
	int line;
	bool skip; /* the section's header was no good */
	bool no_memory;
};

/* Debian's inih has these limits as variables; where they are missing, lines
 * are cut at 200 bytes, and lines() says so. */
extern int ini_max_line __attribute__((weak));
extern int ini_initial_alloc __attribute__((weak));
extern bool ini_use_stack __attribute__((weak));

static void line_error(struct parse *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void line_error(struct parse *p, const char *fmt, ...)
{
	char place[512];
	va_list ap;

	snprintf(place, sizeof(place), "%s:%d: ", p->file, p->line);
	va_start(ap, fmt);
	conf_verror(p->c, place, fmt, ap);
	va_end(ap);
}

/* inih's handler: 1, or 0 to have it remember a mistake. */
static int take(void *user, const char *section, const char *key,
		const char *value
#if INI_HANDLER_LINENO
		,
		int lineno
#endif
)
{
	struct parse *p = user;

#if INI_HANDLER_LINENO
	(void)lineno;
#endif
	if (conf_add(p->c, section, key, value ? value : "", p->file, p->line))
		p->no_memory = true;
	return !p->no_memory;
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') &&
		    !(s[i] >= 'A' && s[i] <= 'Z') &&
		    !(s[i] >= '0' && s[i] <= '9') && s[i] != '-' && s[i] != '_')
			return false;
	return len > 0 && len <= CONF_NAME_MAX;
}

/* The length without what is a comment from i on: ; or # at the start of a
 * line, or after a blank. */
static size_t before_comment(const char *s, size_t len, size_t i)
{
	for (; i < len; i++)
		if ((s[i] == ';' || s[i] == '#') && (!i || is_blank(s[i - 1])))
			return i;
	return len;
}

static bool has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 127)
			return true;
	return false;
}

static void trim(const char **s, size_t *len)
{
	while (*len && is_blank(**s))
		++*s, --*len;
	while (*len && is_blank((*s)[*len - 1]))
		--*len;
}

/* "[name]": gives what inih should see, nothing if it is malformed. */
static size_t check_header(struct parse *p, const char *s, size_t len)
{
	p->skip = true;
	if (s[len - 1] != ']') {
		line_error(p, "'%.*s': no ] at the end", (int)len, s);
		return 0;
	}
	if (!is_name(s + 1, len - 2)) {
		line_error(p,
			   "'%.*s' is no name of a section: letters, digits, "
			   "- and _, at most %d",
			   (int)len, s, CONF_NAME_MAX);
		return 0;
	}
	p->skip = false;
	if (conf_add_section(p->c, s + 1, len - 2, p->file, p->line))
		p->no_memory = true;
	return len;
}

/* "key = value", the same. */
static size_t check_pair(struct parse *p, const char *s, size_t len)
{
	const char *equals = memchr(s, '=', len);
	const char *key = s;
	size_t key_len = equals ? (size_t)(equals - s) : 0;

	if (p->skip)
		return 0;
	trim(&key, &key_len);
	if (!equals)
		line_error(p, "'%.*s' is neither [section] nor key = value",
			   (int)MIN(len, 60u), s);
	else if (!is_name(key, key_len))
		line_error(p, "'%.*s' is no name of a key",
			   (int)MIN(key_len, 60u), key);
	else if (!p->c->last_section || p->c->last_section->file != p->file)
		line_error(p, "%.*s: stands before the first [section]",
			   (int)key_len, key);
	else
		return len;
	return 0;
}

static size_t check_line(struct parse *p, const char *s, size_t len,
			 size_t room)
{
	if (len > room) {
		line_error(p, "longer than %zu bytes", room);
		return 0;
	}
	if (has_control(s, len)) {
		line_error(p, "a control character: is this a text file?");
		return 0;
	}
	if (!len)
		return 0;
	return *s == '[' ? check_header(p, s, len) : check_pair(p, s, len);
}

/* inih's reader, in the way of fgets(): the next line, or an empty one in its
 * place if there is nothing in it for inih. */
static char *lines(char *buf, int room, void *user)
{
	struct parse *p = user;
	const char *s = p->at, *newline;
	size_t len;

	if (s == p->end || room < 2)
		return NULL;
	newline = memchr(s, '\n', (size_t)(p->end - s));
	len = newline ? (size_t)(newline - s) : (size_t)(p->end - s);
	p->at = newline ? newline + 1 : p->end;
	if (!p->line++ && len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3, len -= 3; /* a byte order mark */
	if (len && s[len - 1] == '\r')
		len--;
	trim(&s, &len);
	len = before_comment(s, len, 0);
	trim(&s, &len);
	len = check_line(p, s, len, (size_t)room - 2);
	memcpy(buf, s, len);
	buf[len] = '\n';
	buf[len + 1] = '\0';
	return buf;
}

static int parse(struct conf *c, const char *name, const char *text, size_t len)
{
	struct parse p = { .c = c, .at = text, .end = text + len };

	p.file = conf_text(c, name, strlen(name));
	if (!p.file)
		return -ENOMEM;
	if (&ini_max_line && &ini_initial_alloc && &ini_use_stack) {
		ini_max_line = ini_initial_alloc = CONF_LINE_MAX;
		ini_use_stack = false;
	}
	if (ini_parse_stream(lines, &p, take, &p) == -2 || p.no_memory)
		return -ENOMEM;
	return 0;
}

int conf_parse(struct conf *c, const char *name, const char *text)
{
	return parse(c, name, text, strlen(text));
}

/* In a user namespace, files of users that are not mapped there seem to
 * belong to this one; it cannot be told who they are. */
static bool is_nobody_in_userns(uid_t uid)
{
	unsigned inside, outside, count = 0;
	FILE *f;

	if (uid != 65534)
		return false;
	f = fopen("/proc/self/uid_map", "re");
	if (!f)
		return false;
	if (fscanf(f, "%u %u %u", &inside, &outside, &count) != 3)
		count = 0;
	fclose(f);
	return count && count <= 65534;
}

const char *conf_untrusted(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid() &&
	    !is_nobody_in_userns(st->st_uid))
		return "it belongs neither to root nor to us";
	if (st->st_mode & S_IWOTH)
		return "anyone may write to it";
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0 &&
	    st->st_gid != getegid())
		return "its group may write to it";
	return NULL;
}

/* All of the file, not ended by a NUL; 0 or -errno. */
static int slurp(int fd, char **text, size_t *len)
{
	size_t room = 0;
	ssize_t got;
	char *more;

	*text = NULL;
	*len = 0;
	do {
		if (*len == room) {
			room = room ? 2 * room : 4096;
			more = realloc(*text, room);
			if (!more)
				return -ENOMEM;
			*text = more;
		}
		got = read(fd, *text + *len, room - *len);
		if (got < 0 && errno != EINTR)
			return -errno;
		*len += got > 0 ? (size_t)got : 0;
		if (*len > CONF_FILE_MAX)
			return -EFBIG;
	} while (got);
	return 0;
}

static int check_file(struct conf *c, const char *path, int fd)
{
	const char *why;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* A device is not written by users: /dev/null is a fine file. */
	why = S_ISCHR(st.st_mode) ? NULL : conf_untrusted(&st);
	if (!why)
		return 0;
	conf_error(c, NULL,
		   "%s: %s; chown it to root and chmod it go-w, so that it is "
		   "known whose configuration this is",
		   path, why);
	return -EPERM;
}

int conf_read(struct conf *c, const char *path)
{
	char *text = NULL;
	size_t len;
	int err, fd, before = c->errors;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : check_file(c, path, fd);
	if (!err)
		err = slurp(fd, &text, &len);
	if (!err)
		err = parse(c, path, text, len);
	if (err && c->errors == before)
		conf_error(c, NULL, "%s: %s", path, strerror(-err));
	free(text);
	if (fd >= 0)
		close(fd);
	return err;
}

int conf_override(struct conf *c, const char *setting)
{
	const char *dot = strchr(setting, '.'), *equals = strchr(setting, '=');
	char section[CONF_NAME_MAX + 1], key[CONF_NAME_MAX + 1];
	const char *value = equals ? equals + 1 : "";
	size_t len = strlen(value);

	if (!dot || !equals || dot > equals ||
	    !is_name(setting, (size_t)(dot - setting)) ||
	    !is_name(dot + 1, (size_t)(equals - dot - 1))) {
		conf_error(c, NULL, "-o %s: is not section.key=value", setting);
		return -EINVAL;
	}
	trim(&value, &len);
	/* What could not stand in a file could not be printed as one. */
	if (has_control(value, len) || before_comment(value, len, 1) < len) {
		conf_error(c, NULL,
			   "-o %s: a control character or comment in the value",
			   setting);
		return -EINVAL;
	}
	snprintf(section, sizeof(section), "%.*s", (int)(dot - setting),
		 setting);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - dot - 1), dot + 1);
	value = conf_text(c, value, len);
	if (!value || conf_add(c, section, key, value, "-o", 0) ||
	    conf_add_section(c, section, strlen(section), "-o", 0))
		return -ENOMEM;
	return 0;
}
