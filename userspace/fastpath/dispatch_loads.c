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

/* Half a million entries: some milliseconds. */
#define STEP_LINES 65536u
#define STEP_MS    100u
#define PASS_MS    1000u
/* A flow without an end that is seen counts for so long after its client's last packet. */
#define ACTIVE_S 10

struct dispatch_loads {
	struct dispatch_load_tables tables;
	uint32_t next_line; /* of a pass; 0: none has begun */
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

/* With NAT its end is seen. Return: 0: it counts for none. */
static uint32_t real_of_nat(const struct dispatch_loads *loads, uint64_t entry, uint32_t now_s)
{
	uint32_t index = dispatch_entry_index(entry);
	const struct dispatch_nat *nat;
	union dispatch_claim claim;

	if (index >= loads->tables.nnats)
		return 0;
	nat = &loads->tables.nats[index];
	claim.word = __atomic_load_n(&nat->claim.word, __ATOMIC_RELAXED);
	if (dispatch_is_free(&claim, now_s) || dispatch_has_ended(claim.flags) ||
	    nat->real > DISPATCH_ENDPOINTS_MAX)
		return 0;
	return nat->real;
}

static uint32_t real_of(const struct dispatch_loads *loads, uint64_t entry, uint32_t now_s)
{
	if (!entry)
		return 0;
	if (entry & DISPATCH_ENTRY_NAT)
		return real_of_nat(loads, entry, now_s);
	if (dispatch_entry_age(entry, now_s) > ACTIVE_S + 1)
		return 0;
	return dispatch_real_of_entry(entry, entry);
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

static void read_line(struct dispatch_loads *loads, const struct dispatch_line *line,
		      uint32_t now_s)
{
	for (uint32_t i = 0; i < DISPATCH_LINE_PLACES; i++)
		loads->found[real_of(loads, __atomic_load_n(&line->entry[i], __ATOMIC_RELAXED),
				     now_s)]++;
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
	loads->next_line = 0;
}

uint32_t dispatch_loads_step(struct dispatch_loads *loads, uint32_t now_s)
{
	uint32_t last;

	if (!loads->next_line)
		begin(loads);
	last = loads->next_line + STEP_LINES;
	if (last > loads->tables.nlines)
		last = loads->tables.nlines;
	for (uint32_t i = loads->next_line; i < last; i++)
		read_line(loads, &loads->tables.lines[i], now_s);
	loads->next_line = last;
	if (last < loads->tables.nlines) {
		loads->waited_ms += STEP_MS;
		return STEP_MS;
	}
	end(loads);
	return loads->waited_ms + STEP_MS < PASS_MS ? PASS_MS - loads->waited_ms : STEP_MS;
}
