// SPDX-License-Identifier: Apache-2.0
/*
 * How many flows each endpoint has, for services that choose by it. The packet programs count new
 * flows on; which have ended, nobody tells: the table of flows is read through from time to time,
 * a part at once, and what is found takes the place of what was counted.
 */
#include "fastpath/dispatch_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Half a million flows at a time, lines or as many elements: some milliseconds. */
#define STEP_LINES 65536u
#define STEP_MS    100u
#define PASS_MS    1000u
/* A flow without an end that is seen counts for so long after its client's last packet. */
#define ACTIVE_S 10

struct dispatch_loads {
	struct dispatch_load_tables tables;
	uint32_t next;      /* of a pass: lines, and behind them elements; 0: none has begun */
	uint32_t waited_ms; /* since the last one began */
	uint32_t found[DISPATCH_ENDPOINTS_MAX + 1];
	uint32_t before[DISPATCH_ENDPOINTS_MAX + 1]; /* as it was when the pass began */
};

struct dispatch_loads *dispatch_loads_new(const struct dispatch_load_tables *tables)
{
	struct dispatch_loads *loads = calloc(1, sizeof(*loads));

	if (loads)
		loads->tables = *tables;
	return loads;
}

void dispatch_loads_free(struct dispatch_loads *loads)
{
	free(loads);
}

/* --- A flow ------------------------------------------------------------------------------------*/

/* An entry of NAT may be of a flow that is over, whose element is another's by now: those are
 * counted by their elements. Return: 0: it counts for none. */
static uint32_t real_of(uint64_t entry, uint32_t now_s)
{
	if (!entry || entry & DISPATCH_ENTRY_NAT || dispatch_entry_age(entry, now_s) > ACTIVE_S + 1)
		return 0;
	return dispatch_real_of_entry(entry, entry);
}

/* Whether its endpoint still has the source ports that it was taken from. */
static bool is_in_run(const struct dispatch_loads *loads, uint32_t index)
{
	const struct dispatch_nat *nat = &loads->tables.nats[index];
	const struct dispatch_run *run = &loads->tables.runs[nat->run % DISPATCH_RUN_PLACES];

	return run->is_used && index - run->base < run->nports;
}

/* With NAT its end is seen. */
static uint32_t real_of_nat(const struct dispatch_loads *loads, uint32_t index, uint32_t now_s)
{
	const struct dispatch_nat *nat = &loads->tables.nats[index];
	union dispatch_claim claim = {.word = __atomic_load_n(&nat->claim.word, __ATOMIC_RELAXED)};

	if (dispatch_is_free(&claim, now_s) || dispatch_has_ended(claim.flags) ||
	    !is_in_run(loads, index) || nat->real > DISPATCH_ENDPOINTS_MAX)
		return 0;
	return nat->real;
}

/* --- A pass ------------------------------------------------------------------------------------*/

static void begin(struct dispatch_loads *loads)
{
	memset(loads->found, 0, sizeof(loads->found));
	for (uint32_t real = 0; real <= DISPATCH_ENDPOINTS_MAX; real++)
		loads->before[real] = __atomic_load_n(&loads->tables.loads[real].flows,
						      __ATOMIC_RELAXED);
	loads->waited_ms = 0;
}

static void read_line(struct dispatch_loads *loads, uint32_t index, uint32_t now_s)
{
	const struct dispatch_line *line = &loads->tables.lines[index];

	for (uint32_t i = 0; i < DISPATCH_LINE_PLACES; i++)
		loads->found[real_of(__atomic_load_n(&line->entry[i], __ATOMIC_RELAXED), now_s)]++;
}

/* As many as a line has flows. */
static void read_nats(struct dispatch_loads *loads, uint32_t index, uint32_t now_s)
{
	uint32_t first = index * DISPATCH_LINE_PLACES;

	for (uint32_t i = first; i < first + DISPATCH_LINE_PLACES && i < loads->tables.nnats; i++)
		loads->found[real_of_nat(loads, i, now_s)]++;
}

/* What has begun since the pass did is counted on. */
static void end(struct dispatch_loads *loads)
{
	for (uint32_t real = 1; real <= DISPATCH_ENDPOINTS_MAX; real++) {
		uint32_t *flows = &loads->tables.loads[real].flows;
		uint32_t begun = __atomic_load_n(flows, __ATOMIC_RELAXED) - loads->before[real];

		if (loads->found[real] || loads->before[real])
			__atomic_store_n(flows, loads->found[real] + begun, __ATOMIC_RELAXED);
	}
	loads->next = 0;
}

uint32_t dispatch_loads_step(struct dispatch_loads *loads, uint32_t now_s)
{
	uint32_t nlines = loads->tables.nlines, last;
	uint32_t all = nlines +
		       (loads->tables.nnats + DISPATCH_LINE_PLACES - 1) / DISPATCH_LINE_PLACES;

	if (!loads->next)
		begin(loads);
	last = loads->next + STEP_LINES < all ? loads->next + STEP_LINES : all;
	for (; loads->next < last && loads->next < nlines; loads->next++)
		read_line(loads, loads->next, now_s);
	for (; loads->next < last; loads->next++)
		read_nats(loads, loads->next - nlines, now_s);
	if (last < all) {
		loads->waited_ms += STEP_MS;
		return STEP_MS;
	}
	end(loads);
	return loads->waited_ms + STEP_MS < PASS_MS ? PASS_MS - loads->waited_ms : STEP_MS;
}
