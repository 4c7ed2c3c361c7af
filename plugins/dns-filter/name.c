/* SPDX-License-Identifier: MIT */
/* name.c - domain names and what they hash to, suffix by suffix
 *
 * The hash runs from the last label to the first, so that one pass over a
 * name gives the hashes of all its suffixes:
 *
 *	state(com) = label(seed, "com")
 *	state(example.com) = label(state(com), "example")
 *
 * Each step is a bijection of 64 bits for a given label, and hash[] is the
 * state stirred once more, for its top bits choose a bucket.
 */
#include "name.h"

#include <string.h>

#define SEED  0x9ae16a3b2f90404full
#define STEP  0x9fb21c651e98df25ull
#define STIR1 0xff51afd7ed558ccdull /* the finalizer of MurmurHash3 */
#define STIR2 0xc4ceb9fe1a85ec53ull

static uint64_t step(uint64_t h, uint64_t w)
{
	h = (h ^ w) * STEP;
	return h ^ h >> 32;
}

static uint64_t label(uint64_t h, const char *p, size_t len)
{
	uint64_t w;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = step(h, w);
	}
	w = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++)
		w |= (uint64_t)(uint8_t)p[i] << 8 * i;
	return step(h, w);
}

static uint64_t stir(uint64_t h)
{
	h = (h ^ h >> 33) * STIR1;
	h = (h ^ h >> 33) * STIR2;
	return h ^ h >> 33;
}

bool name_split(struct name *n, const char *text)
{
	uint64_t state = SEED;
	size_t at = 0, end;

	n->text = text;
	n->n = 0;
	if (!*text || !strcmp(text, "."))
		return false;
	n->at[n->n++] = 0;
	for (; text[at]; at++) {
		if (text[at] == '\\' && text[at + 1])
			at++;
		else if (text[at] == '.') {
			if (n->n == NAME_LABELS)
				return false;
			n->at[n->n++] = (uint16_t)(at + 1);
		}
		if (at >= NAME_TEXT)
			return false;
	}
	end = at;
	for (unsigned int i = n->n; i-- > 0; end = n->at[i] - 1u) {
		state = label(state, text + n->at[i], end - n->at[i]);
		n->hash[i] = stir(state);
	}
	return true;
}

uint64_t name_hash(const char *text, size_t len)
{
	uint64_t state = SEED;
	size_t end = len, at = len;

	while (at-- > 0) {
		if (text[at] != '.')
			continue;
		state = label(state, text + at + 1, end - at - 1);
		end = at;
	}
	return stir(label(state, text, end));
}

/* What a byte of a host name becomes; 0: it may not be there. */
static const char host_byte[256] = {
	['-'] = '-', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2',
	['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7',
	['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c',
	['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
	['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',
	['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
	['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',
	['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b',
	['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g',
	['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l',
	['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
	['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v',
	['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static size_t normal(char *out, const char *text, size_t len, char also)
{
	size_t in_label = 0;

	if (len && text[len - 1] == '.')
		len--;
	if (!len || len >= NAME_HOST)
		return 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '.') {
			if (!in_label)
				return 0;
			in_label = 0;
			out[i] = '.';
			continue;
		}
		out[i] = also && c == (uint8_t)also ? also : host_byte[c];
		if (!out[i] || ++in_label > 63)
			return 0;
	}
	out[len] = '\0';
	return in_label ? len : 0;
}

size_t name_host(char out[NAME_HOST], const char *text, size_t len)
{
	return normal(out, text, len, 0);
}

size_t name_pattern(char out[NAME_HOST], const char *text, size_t len)
{
	return normal(out, text, len, '*');
}

/* One star needs to be remembered at a time: what an earlier one could take
 * more, the later one takes as well. */
static bool glob(const char *s, const char *p)
{
	const char *star = NULL, *mark = NULL;

	while (*s) {
		if (*p == '*') {
			star = ++p;
			mark = s;
		} else if (*p == *s) {
			p++;
			s++;
		} else if (star) {
			p = star;
			s = ++mark;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

bool name_matches(const struct name *n, const char *pattern, bool below)
{
	unsigned int last = below ? n->n : 1;

	for (unsigned int i = 0; i < last; i++)
		if (glob(n->text + n->at[i], pattern))
			return true;
	return false;
}

size_t name_wire(uint8_t out[255], const char *text)
{
	size_t at = 0;

	while (*text && strcmp(text, ".")) {
		size_t n = strcspn(text, ".");

		if (!n || n > 63 || at + n + 2 > 255)
			return 0;
		out[at++] = (uint8_t)n;
		memcpy(out + at, text, n);
		at += n;
		text += n + (text[n] == '.');
	}
	out[at++] = 0;
	return at;
}
