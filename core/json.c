/* SPDX-License-Identifier: MIT */
/* json.c - text as JSON has it
 *
 * Names and paths come from files and from the net: any byte may be in them.
 */
#include "json.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 sequence at s, 0 if there is none (RFC 3629, 4). */
static int utf8_len(const uint8_t *s)
{
	uint8_t low = 0x80, high = 0xbf;
	int len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (int i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void json_string(FILE *out, const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	int len;

	if (!s) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (; *s; s += len ? len : 1) {
		len = utf8_len(s);
		if (!len)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < ' ' || *s == 127)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, (size_t)len, out);
	}
	fputc('"', out);
}
