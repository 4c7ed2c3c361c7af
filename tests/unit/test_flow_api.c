/* SPDX-License-Identifier: MIT */
/* test_flow_api.c - what a plugin answers after LATER, and sockets of its own */
#include "flow.h"

#include "app.h"

/* ------------------------------------------------------------ LATER */

/* A flow that waits for resolve(). */
static struct world *waiting(struct app *a, int family,
			     const struct sluice_addr *dst)
{
	struct world *w = app_world("");

	first.open = script_later;
	app_init(a, w, family, 40001, dst);
	app_syn(a);
	app_turns(w, 4);
	CU_ASSERT_EQUAL_FATAL(first.opens, 1);
	CU_ASSERT_EQUAL(a->segments + a->icmps, 0);
	return w;
}

IN_BOTH(later_and_then_take_answers_the_app)
{
	struct sluice_addr dst = app_closed_port(family);
	struct app a;
	struct world *w = waiting(&a, family, &dst);

	CU_ASSERT_EQUAL(sluice_resolve(first.flow, SLUICE_TAKE, 0), 0);
	UNTIL(w, a.syns);
	CU_ASSERT_EQUAL(sluice_resolve(first.flow, SLUICE_TAKE, 0), -EINVAL);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_STOP);
}

IN_BOTH(later_and_then_pass_asks_the_next)
{
	struct sluice_addr dst = app_closed_port(family);
	struct app a;
	struct world *w = waiting(&a, family, &dst);

	CU_ASSERT_EQUAL(sluice_resolve(first.flow, SLUICE_PASS, 0), 0);
	CU_ASSERT_EQUAL(second.opens, 1);
	UNTIL(w, a.rsts); /* which connects, to nobody */
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 0);
	CU_ASSERT_EQUAL(second.closes, 1);
}

IN_BOTH(later_and_then_drop_tells_why)
{
	static const struct {
		int why;
		bool rst;
		uint8_t code4, code6;
	} cases[] = {
		{ SLUICE_WHY_REFUSED, true, 0, 0 },
		{ SLUICE_WHY_TIMEOUT, true, 0, 0 },
		{ SLUICE_WHY_ERROR, true, 0, 0 },
		{ SLUICE_WHY_UNREACH, false, 1, 3 },
		{ SLUICE_WHY_POLICY, false, 13, 1 },
	};
	struct sluice_addr dst = app_closed_port(family);
	struct app a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = waiting(&a, family, &dst);

		CU_ASSERT_EQUAL(sluice_resolve(first.flow, SLUICE_DROP,
					       cases[i].why),
				0);
		if (cases[i].rst)
			UNTIL(w, a.rsts == 1);
		else
			app_is_told(&a, cases[i].code4, cases[i].code6);
		CU_ASSERT_EQUAL(a.syns, 0);
		CU_ASSERT_EQUAL(first.closes, 0);
		app_end(w);
	}
}

static int resolve_inside(struct sluice_flow *f)
{
	CU_ASSERT_EQUAL(sluice_resolve(f, SLUICE_TAKE, 0), -EINVAL);
	return SLUICE_PASS;
}

IN_BOTH(resolve_is_for_flows_that_wait)
{
	struct sluice_addr dst = app_closed_port(family);
	struct world *w = app_world("");
	struct app a;

	first.open = resolve_inside;
	second.open = script_later;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, second.opens);
	CU_ASSERT_EQUAL(sluice_resolve(second.flow, SLUICE_MORE, 0), -EINVAL);
	CU_ASSERT_EQUAL(sluice_resolve(second.flow, 99, 0), -EINVAL);
	CU_ASSERT_EQUAL(a.segments, 0);
	app_end(w);
	CU_ASSERT_EQUAL(second.closes, 1);
}

IN_BOTH(abort_after_later_tells_the_app)
{
	struct sluice_addr dst = app_closed_port(family);
	struct app a;
	struct world *w = waiting(&a, family, &dst);

	sluice_abort(first.flow, SLUICE_WHY_POLICY);
	CU_ASSERT_EQUAL(first.closes, 0); /* not inside */
	app_is_told(&a, 13, 1);
	CU_ASSERT_EQUAL(first.closes, 1);
	CU_ASSERT_EQUAL(first.why, SLUICE_WHY_POLICY);
	app_end(w);
}

static int abort_inside(struct sluice_flow *f)
{
	sluice_abort(f, SLUICE_WHY_REFUSED);
	CU_ASSERT_EQUAL(first.closes, 0);
	return SLUICE_TAKE;
}

IN_BOTH(abort_inside_open_refuses_whatever_it_answers)
{
	struct sluice_addr dst = app_closed_port(family);
	struct world *w = app_world("");
	struct app a;

	first.open = abort_inside;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, a.rsts);
	CU_ASSERT_EQUAL(a.syns, 0);
	CU_ASSERT_EQUAL(first.closes, 1);
	app_end(w);
	CU_ASSERT_EQUAL(first.closes, 1);
}

/* ------------------------------------------------- a plugin's own socket */

static int pair[2];

static int relay_pair(struct sluice_flow *f)
{
	return sluice_relay(f, pair[0]);
}

IN_BOTH(relay_inside_open_moves_every_byte)
{
	struct sluice_addr dst = app_closed_port(family);
	struct world *w = app_world("");
	char buf[8];
	struct app a;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	first.open = relay_pair;
	app_init(&a, w, family, 40001, &dst);
	app_open(&a);
	CU_ASSERT_TRUE(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	app_send(&a, "up", 2);
	CU_ASSERT_EQUAL(app_read(w, pair[1], buf, 2), 2);
	CU_ASSERT_EQUAL(send(pair[1], "down", 4, 0), 4);
	UNTIL(w, a.len == 4);
	CU_ASSERT_EQUAL(first.readables + first.eofs + first.writables, 0);
	close(pair[1]);
	UNTIL(w, a.fin);
	app_end(w);
}

IN_BOTH(relay_after_later_resolves_the_flow)
{
	struct sluice_addr dst = app_closed_port(family);
	struct app a;
	struct world *w = waiting(&a, family, &dst);

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	CU_ASSERT_EQUAL(sluice_relay(first.flow, pair[0]), SLUICE_TAKE);
	UNTIL(w, a.syns);
	app_ack(&a);
	CU_ASSERT_EQUAL(send(pair[1], "down", 4, 0), 4);
	UNTIL(w, a.len == 4);
	/* A second one is refused, and closed. */
	CU_ASSERT_EQUAL(sluice_relay(first.flow, dup(pair[1])), -EINVAL);
	close(pair[1]);
	app_end(w);
}

static int relay_and_pass(struct sluice_flow *f)
{
	CU_ASSERT_EQUAL(sluice_relay(f, pair[0]), SLUICE_TAKE);
	return SLUICE_PASS;
}

IN_BOTH(a_socket_given_and_then_passed_on_is_closed)
{
	struct sluice_addr dst = app_closed_port(family);
	struct world *w = app_world("");
	struct app a;
	char c;

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	first.open = relay_and_pass;
	app_init(&a, w, family, 40001, &dst);
	app_syn(&a);
	UNTIL(w, a.rsts); /* the second connects to a closed port */
	CU_ASSERT_EQUAL(recv(pair[1], &c, 1, 0), 0);
	close(pair[1]);
	app_end(w);
}

static const struct unit_test tests[] = {
	UNIT(later_and_then_take_answers_the_app),
	UNIT(later_and_then_pass_asks_the_next),
	UNIT(later_and_then_drop_tells_why),
	UNIT(resolve_is_for_flows_that_wait),
	UNIT(abort_after_later_tells_the_app),
	UNIT(abort_inside_open_refuses_whatever_it_answers),
	UNIT(relay_inside_open_moves_every_byte),
	UNIT(relay_after_later_resolves_the_flow),
	UNIT(a_socket_given_and_then_passed_on_is_closed),
};

UNIT_MAIN("flow api", tests)
