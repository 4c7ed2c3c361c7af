/* SPDX-License-Identifier: MIT */
/* fuzz_plugin.c - what calls itself a plugin: tables of any content
 *
 * An image in memory has the tables of a plugin that is well, and the input
 * spoils it: records of 4 bytes, each writes somewhere.
 *
 *	0	bits 0-2: which part: the plugin's head, flow, dns, protect,
 *		observe, the options, the strings; bit 7: value times 65536
 *	1	which field of it, the numbers first; in options bits 4-7 which
 *		option; in strings bits 6-7 and 0-5 which byte of which
 *	2-3	its value; of a pointer: 0 is NULL, others one of the strings,
 *		the table, or a function
 *
 * Pointers stay good, since code that may run in the gateway could do anything
 * anyway; numbers, sizes, flags and text are whatever the input says.  What is
 * accepted must be as the core relies on it, be shown, and take a section.
 *
 * fuzz: core/plugin_check.c core/conf.c core/conf_read.c core/options.c
 * fuzz: core/options_show.c core/options_sane.c core/optvalue.c core/json.c
 * fuzz: core/addr.c core/util.c
 */
#include "plugin_check.h"

#include "conf.h"
#include "fuzz.h"
#include "options.h"
#include "util.h"

#define ROWS       5 /* options, and the end of them */
#define STRINGS    6
#define STRING     64
#define STRIDE_MAX 1024 /* of an option, as options_sane.c has it */

/* Each part in a block of its own: what lies about its size is seen. */
struct parts {
	struct sluice_plugin head;
	struct sluice_flow_ops *flow;
	struct sluice_dns_ops *dns;
	struct sluice_protect_ops *protect;
	struct sluice_observe_ops *observe;
	char *string[STRINGS];
};

/* Rows are as long as the head says that they are. */
static struct sluice_option rows[ROWS];
static uint64_t laid_out[(OPTIONS_MAX + 1) * STRIDE_MAX / 8];

static int fn(void)
{
	return 0;
}

static const char *const strings[STRINGS] = {
	"fuzzed", "port", "25", "late|early: when", "1.0", "${tun.name}",
};

static const uint32_t types[ROWS - 1] = { SLUICE_OPT_INT, SLUICE_OPT_STR,
					  SLUICE_OPT_ENUM, SLUICE_OPT_LIST };

static void *block(size_t size)
{
	void *p = calloc(1, size);

	FUZZ_CHECK(p);
	memcpy(p, &(uint32_t){ (uint32_t)size }, 4);
	return p;
}

#define FN ((void *)(uintptr_t)fn)

static void make_options(struct parts *p)
{
	memset(rows, 0, sizeof(rows));
	for (uint32_t i = 0; i < ROWS - 1; i++)
		rows[i] = (struct sluice_option){ .key = p->string[i % 2],
						  .preset = p->string[2],
						  .help = p->string[3],
						  .type = types[i],
						  .offset = i * 8,
						  .max = 99 };
}

static void make(struct parts *p)
{
	for (int i = 0; i < STRINGS; i++) {
		p->string[i] = block(STRING);
		snprintf(p->string[i], STRING, "%s", strings[i]);
	}
	p->flow = block(sizeof(*p->flow));
	p->dns = block(sizeof(*p->dns));
	p->protect = block(sizeof(*p->protect));
	p->observe = block(sizeof(*p->observe));
	p->flow->flags = SLUICE_FLOW_TCP;
	p->flow->open = FN;
	p->dns->query = FN;
	p->protect->protect = FN;
	p->observe->flags = SLUICE_SEE_TICK;
	p->observe->tick = FN;
	make_options(p);
	p->head = (struct sluice_plugin){ SLUICE_HEAD,
					  .options_bytes = 64,
					  .name = p->string[0],
					  .version = p->string[4],
					  .options = (void *)laid_out,
					  .flow = p->flow,
					  .dns = p->dns,
					  .protect = p->protect,
					  .observe = p->observe };
}

static void unmake(struct parts *p)
{
	for (int i = 0; i < STRINGS; i++)
		free(p->string[i]);
	free(p->flow);
	free(p->dns);
	free(p->protect);
	free(p->observe);
}

/* ------------------------------------------------------------- spoiling */

static void spoil_head(struct parts *p, uint8_t field, uint32_t value)
{
	struct sluice_plugin *h = &p->head;
	uint32_t *const number[] = { &h->magic,       &h->abi,
				     &h->needs,       &h->size,
				     &h->option_size, &h->options_bytes };
	const char **const text[] = { &h->name, &h->version, &h->summary,
				      &h->license };

	if (field < ARRAY_SIZE(number)) {
		*number[field] = value;
		return;
	}
	field -= ARRAY_SIZE(number);
	if (field < ARRAY_SIZE(text)) {
		*text[field] = value ? p->string[value % STRINGS] : NULL;
		return;
	}
	switch (field - ARRAY_SIZE(text)) {
	case 0:
		h->options = value ? (void *)laid_out : NULL;
		break;
	case 1:
		h->flow = value ? p->flow : NULL;
		break;
	case 2:
		h->dns = value ? p->dns : NULL;
		break;
	case 3:
		h->protect = value ? p->protect : NULL;
		break;
	case 4:
		h->observe = value ? p->observe : NULL;
		break;
	case 5:
		h->create = value ? FN : NULL;
		break;
	}
}

/* A table of some numbers and then functions. */
static void spoil_table(void *table, size_t size, size_t numbers, uint8_t field,
			uint32_t value)
{
	size_t at = numbers * 4 + (field - numbers) * sizeof(void *);
	void *pointer = value ? FN : NULL;

	if (field < numbers)
		memcpy((uint8_t *)table + field * 4u, &value, 4);
	else if (at + sizeof(void *) <= size)
		memcpy((uint8_t *)table + at, &pointer, sizeof(pointer));
}

static void spoil_option(struct parts *p, uint8_t where, uint32_t value)
{
	struct sluice_option *o = &rows[(where >> 4) % ROWS];
	const char *text = value ? p->string[value % STRINGS] : NULL;

	switch (where & 15) {
	case 0:
		o->key = text;
		break;
	case 1:
		o->preset = text;
		break;
	case 2: /* without help there is nothing to show */
		o->help = text ? text : "";
		break;
	case 3:
		o->type = value;
		break;
	case 4:
		o->offset = value;
		break;
	case 5:
		o->min = (int32_t)value;
		break;
	case 6:
		o->max = (int32_t)value;
		break;
	}
}

static void spoil(struct parts *p, const uint8_t *r)
{
	uint32_t value = (uint32_t)get_be16(r + 2) << (r[0] & 128 ? 16 : 0);

	switch (r[0] & 7) {
	case 0:
		spoil_head(p, r[1], value);
		break;
	case 1:
		spoil_table(p->flow, sizeof(*p->flow), 4, r[1], value);
		break;
	case 2:
		spoil_table(p->dns, sizeof(*p->dns), 2, r[1], value);
		break;
	case 3:
		spoil_table(p->protect, sizeof(*p->protect), 2, r[1], value);
		break;
	case 4:
		spoil_table(p->observe, sizeof(*p->observe), 2, r[1], value);
		break;
	case 5:
		spoil_option(p, r[1], value);
		break;
	default: /* the last byte ends it */
		p->string[(r[1] >> 6) + (r[0] & 1) * 2][r[1] % (STRING - 1)] =
			(char)r[3];
	}
}

static void lay_out(size_t stride)
{
	if (stride > STRIDE_MAX)
		return;
	memset(laid_out, 0, ROWS * STRIDE_MAX);
	for (size_t i = 0; i < ROWS; i++)
		memcpy((uint8_t *)laid_out + i * stride, &rows[i],
		       MIN(stride, sizeof(rows[i])));
}

/* ------------------------------------------------------------ accepted */

static void check_tables(const struct plugin *p)
{
	const struct sluice_plugin *h = &p->head;

	FUZZ_CHECK(h->magic == SLUICE_MAGIC && h->needs <= SLUICE_ABI);
	FUZZ_CHECK(*h->name && strlen(h->name) <= 32);
	FUZZ_CHECK(h->version && h->summary && h->license);
	FUZZ_CHECK(h->create && h->start && h->stop && h->destroy);
	FUZZ_CHECK(h->flow || h->dns || h->protect || h->observe);
	if (h->flow)
		FUZZ_CHECK(p->flow.open && p->flow.readable &&
			   p->flow.writable && p->flow.eof && p->flow.idle &&
			   p->flow.close && p->flow.flow_size <= 4096);
	if (h->dns)
		FUZZ_CHECK(p->dns.query && p->dns.reply);
	if (h->protect)
		FUZZ_CHECK(p->protect.protect);
	if (h->observe)
		FUZZ_CHECK(p->observe.packets && p->observe.flow &&
			   p->observe.dns && p->observe.tick);
}

static void be_silent(void *arg, const char *text)
{
	(void)arg;
	FUZZ_CHECK(*text);
}

/* A section of it, with its presets and with a value of each key. */
static void use(const struct plugin *p, bool values)
{
	const struct sluice_plugin *h = &p->head;
	struct sluice_option row;
	struct options o;
	struct conf c;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	FUZZ_CHECK(f);
	fprintf(f, "[s]\n");
	for (size_t i = 0;
	     values && options_row(h->options, h->option_size, i, &row); i++)
		fprintf(f, "%s = 7\n", row.key);
	fclose(f);
	conf_init(&c, be_silent, NULL);
	conf_parse(&c, "fuzz", text);
	free(text);
	options_load(&o, &c, "s", h->options, h->option_size, h->options_bytes,
		     NULL);
	f = open_memstream(&text, &len);
	FUZZ_CHECK(f);
	if (!c.errors)
		options_print(f, &o, h->options, h->option_size, values);
	options_help(f, h->options, h->option_size, values);
	fclose(f);
	free(text);
	options_free(&o);
	conf_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plugin plugin = { .next = NULL };
	char text[REGISTRY_TEXT] = "";
	struct parts parts;

	make(&parts);
	for (; size >= 4; data += 4, size -= 4)
		spoil(&parts, data);
	lay_out(parts.head.option_size);
	if (plugin_check(&plugin, &parts.head, text, sizeof(text))) {
		FUZZ_CHECK(*text);
	} else {
		check_tables(&plugin);
		use(&plugin, false);
		use(&plugin, true);
	}
	unmake(&parts);
	return 0;
}
