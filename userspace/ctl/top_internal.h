/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CTL_TOP_INTERNAL_H
#define SLUICE_CTL_TOP_INTERNAL_H

#include "ctl/ctl_internal.h"

/* What `top`'s panels are made of: top_panel.c draws, top_packets.c has those of packets. */

/* A row of any panel: what it is sorted by, and where its cells come from. */
struct top_row {
	const char *group, *name; /* pool and endpoint; listener; client; service and endpoint */
	const json_t *row;
	double rate; /* connections a second; packets a second; bytes a second of connections */
	double bytes_in_rate, bytes_out_rate;
	double dropped_rate; /* packets a second */
	uint64_t active;
	uint64_t bytes;
};

struct top_rows {
	struct top_row *rows;
	size_t count, cap;
};

struct top_panel_shape {
	const char *title;
	const struct table_column *columns;
	size_t ncolumns;
	void (*collect)(struct top_rows *rows, const struct top_frame *frame);
	void (*fill)(struct table *table, const struct top_row *row);
};

extern const struct top_panel_shape top_services_panel, top_guard_panel;

/* Return: NULL: out of memory, and the row is left out. */
struct top_row *top_row_add(struct top_rows *rows);

/* How fast a counter has grown, or counter @key; 0 where it is not known or started anew. */
double top_rate_between(const struct top_frame *frame, uint64_t before, uint64_t now);
double top_rate_of(const struct top_frame *frame, const json_t *before, const json_t *now,
		   const char *key);

/* The first row of @array whose @key is @text; NULL: none is. */
const json_t *top_find(const json_t *array, const char *key, const char *text);

void top_add_rate(struct table *table, double rate);
void top_add_byte_rates(struct table *table, const struct top_row *row);

#endif
