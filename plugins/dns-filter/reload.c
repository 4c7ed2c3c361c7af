/* SPDX-License-Identifier: MIT */
/* reload.c - lists read again, while packets go on
 *
 *	reload_start() --thread--> compile --post--> exchange on the loop
 *	     ^ again                  | failed: the last good one stays
 *
 * Nobody sees half of a list: until the exchange all questions are answered
 * from the old image, after it from the new one.  The thread has the lowest
 * share of the processor there is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"
#include "store.h"

static void reload_done(void *arg);

/* The thread: touches f->fresh* and what does not change, no more. */
static void *reload_run(void *arg)
{
	struct filter *f = arg;
	struct lists l = { .n = 0 };
	bool kept;

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
	f->fresh_err = filter_lists(f, &l);
	if (!f->fresh_err)
		f->fresh_err = store_image(&l, f->options->cache, &f->fresh,
					   &f->stop, &kept);
	memcpy(f->fresh_text, l.error, sizeof(f->fresh_text));
	lists_fini(&l);
	/* Refused at shutdown only; then reload_end() tidies up. */
	sluice_post(f->ctx, reload_done, f);
	return NULL;
}

static void join(struct filter *f)
{
	pthread_join(f->thread, NULL);
	f->running = false;
}

static void exchange(struct filter *f)
{
	struct image old = f->image;

	f->image = f->fresh;
	memset(&f->fresh, 0, sizeof(f->fresh));
	image_close(&old);
	f->counts.reloads++;
	filter_say_image(f, &f->image, false);
}

static void reload_done(void *arg)
{
	struct filter *f = arg;

	if (!f->running)
		return;
	join(f);
	if (!f->fresh_err) {
		exchange(f);
	} else {
		f->counts.reloads_failed++;
		sluice_log(f->ctx, 3,
			   "lists not read again: %s; the rules stay as they "
			   "were",
			   f->fresh_text);
	}
	if (f->again) {
		f->again = false;
		reload_start(f, NULL);
	}
}

int reload_start(void *self, const void *options)
{
	struct filter *f = self;
	int err;

	(void)options;
	if (f->running) {
		/* It may have read already what has just changed. */
		f->again = true;
		return 0;
	}
	atomic_store(&f->stop, false);
	err = pthread_create(&f->thread, NULL, reload_run, f);
	if (err)
		return sluice_fail(f->ctx, err, "start a thread: %s",
				   strerror(err));
	f->running = true;
	return 0;
}

void reload_end(struct filter *f)
{
	if (f->running) {
		atomic_store(&f->stop, true);
		join(f);
	}
	image_close(&f->fresh);
}
