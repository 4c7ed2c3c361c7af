/* SPDX-License-Identifier: MIT */
/* servers.c - the servers that questions of one group go to
 *
 *	works --no answer, none since--> down --2 s--> probed by a question
 *	  ^                               ^            |   that another server
 *	  +---------- answer -------------+--no answer-+   gets as well
 *	  +--------------------------------------------+
 *
 * The order is that of the configuration, always: a server that works again
 * is the first again.  Nobody waits for a probe; where all are down, all are
 * asked in their order.
 *
 * A server stays in memory as long as somebody asks it, also when the list it
 * was in is a new one by then.
 */
#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define DOWN_MS  2000
#define CHECK_MS 1000

struct server *server_get(struct server *s)
{
	s->refs++;
	return s;
}

void server_put(struct server *s)
{
	if (!s || --s->refs)
		return;
	if (s->session)
		s->session_free(s->session);
	free(s);
}

static void add(struct servers *s, const struct servers *old,
		const struct url *u)
{
	struct server *one = NULL;

	for (uint32_t i = 0; i < s->n; i++)
		if (!memcmp(&s->v[i]->url, u, sizeof(*u)))
			return;
	if (s->n == SERVERS_MAX)
		return;
	for (uint32_t i = 0; i < old->n; i++)
		if (!memcmp(&old->v[i]->url, u, sizeof(*u)))
			one = old->v[i];
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one) {
			s->lost = true;
			return;
		}
		one->url = *u;
		memcpy(one->addrs, u->addrs, sizeof(one->addrs));
		one->addrs_n = u->addrs_n;
		LIST_INIT(&one->streams);
	}
	s->v[s->n++] = server_get(one);
}

/* The nameserver lines of resolv.conf(5).  Without one it is the server of
 * this machine that is meant; a file that cannot be read means nothing. */
static void add_system(struct servers *s, const struct servers *old)
{
	FILE *f = fopen(s->path, "re");
	struct url u;
	uint32_t before = s->n;
	char line[256], *word, *save;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		word = strtok_r(line, " \t\r\n", &save);
		if (!word || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r\n", &save);
		if (word && !url_parse(word, &u) && u.kind == URL_UDP)
			add(s, old, &u);
	}
	fclose(f);
	if (s->n == before && !url_parse("127.0.0.1", &u))
		add(s, old, &u);
}

/* The addresses that the configuration gives a name. */
static void pin(const char *const *pins, struct url *u)
{
	struct sluice_addr a;
	bool it = false;

	for (; *pins; pins++) {
		if (url_address(*pins, &a)) {
			it = !strcasecmp(*pins, u->host);
			continue;
		}
		if (!it || u->addrs_n == URL_ADDRS)
			continue;
		a.port = u->port;
		u->addrs[u->addrs_n++] = a;
	}
}

/* Is somebody there to ask where names are? */
static bool can_look_up(const char *const *pins)
{
	struct sluice_addr a;

	return *pins && !url_address(*pins, &a);
}

static const char *read_word(const struct servers *s, const char *word,
			     struct url *u)
{
	const char *wrong = url_parse(word, u);

	if (!wrong && !u->addrs_n)
		pin(s->pins, u);
	if (!wrong && !u->addrs_n && !can_look_up(s->pins))
		wrong = "its address is not known: say where it is "
			"(bootstrap = NAME ADDRESS) or whom to ask (bootstrap "
			"= ADDRESS)";
	return wrong;
}

static bool is_system(const char *word)
{
	return !strcmp(word, "system") || !strcmp(word, "host");
}

static void build(struct servers *s)
{
	struct servers old = *s;
	struct url u;

	s->n = 0;
	s->lost = false;
	s->generation++;
	for (size_t i = 0; i < s->words_n; i++) {
		if (is_system(s->words[i]))
			add_system(s, &old);
		else if (!read_word(s, s->words[i], &u))
			add(s, &old, &u);
	}
	for (uint32_t i = 0; i < old.n; i++)
		server_put(old.v[i]);
}

static bool changed(struct servers *s)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		memset(&st, 0, sizeof(st));
	if (st.st_ino == s->inode && st.st_size == s->size &&
	    st.st_mtim.tv_sec == s->mtime.tv_sec &&
	    st.st_mtim.tv_nsec == s->mtime.tv_nsec)
		return false;
	s->inode = st.st_ino;
	s->size = st.st_size;
	s->mtime = st.st_mtim;
	return true;
}

const char *servers_init(struct servers *s, const char *const *words,
			 size_t words_n, const char *const *pins,
			 const char *path, const char **bad)
{
	const char *wrong;
	struct url u;

	memset(s, 0, sizeof(*s));
	s->words = words;
	s->words_n = words_n;
	s->pins = pins;
	s->path = path;
	for (size_t i = 0; i < words_n; i++) {
		*bad = words[i];
		if (i >= SERVERS_MAX)
			return "too many servers";
		if (is_system(words[i])) {
			s->system = true;
			continue;
		}
		wrong = read_word(s, words[i], &u);
		if (wrong)
			return wrong;
	}
	if (s->system)
		changed(s);
	build(s);
	if (!s->lost)
		return NULL;
	servers_fini(s);
	return "no memory for it";
}

void servers_fini(struct servers *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		server_put(s->v[i]);
	s->n = 0;
}

bool servers_refresh(struct servers *s, uint64_t now)
{
	if (!s->system || now < s->checked_ms + CHECK_MS)
		return false;
	s->checked_ms = now;
	if (!changed(s) && !s->lost)
		return false;
	build(s);
	return true;
}

int servers_pick(const struct servers *s, uint32_t tried)
{
	int second = -1;

	for (uint32_t i = 0; i < s->n; i++) {
		if (tried & 1u << i)
			continue;
		if (!s->v[i]->failed)
			return (int)i;
		if (second < 0)
			second = (int)i;
	}
	return second;
}

bool servers_all_down(const struct servers *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!s->v[i]->failed)
			return false;
	return true;
}

int servers_probe(struct servers *s, uint32_t tried, uint64_t now)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (tried & 1u << i || !s->v[i]->failed ||
		    s->v[i]->down_until > now)
			continue;
		s->v[i]->down_until = now + DOWN_MS;
		return (int)i;
	}
	return -1;
}

bool server_worked(struct server *s, uint64_t now)
{
	bool news = s->failed;

	s->failed = false;
	s->down_until = 0;
	s->ok_ms = now;
	return news;
}

bool server_failed(struct server *s, uint64_t began, uint64_t now)
{
	bool news = !s->failed;

	/* It answered others meanwhile: the name was slow, not the server. */
	if (s->ok_ms > began)
		return false;
	s->failed = true;
	s->down_until = now + DOWN_MS;
	/* A name may have several addresses, and others by now. */
	s->known_until = 0;
	if (s->addrs_n)
		s->at = (uint8_t)((s->at + 1) % s->addrs_n);
	return news;
}

void servers_forgive(struct servers *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		s->v[i]->failed = false;
		s->v[i]->down_until = 0;
	}
}
