// SPDX-License-Identifier: Apache-2.0
/* Tables for terminals: columns as wide as their widest cell, cut where the line would be too long.
 */
#include "ctl/ctl_internal.h"

#include <assert.h>

#define GAP          2  /* columns between two columns */
#define SHRUNK_WIDTH 10 /* what a shrinkable column keeps while others can give */

static const char *const colour_codes[] = {
	[TABLE_PLAIN] = "",        [TABLE_BOLD] = "\033[1m",  [TABLE_DIM] = "\033[2m",
	[TABLE_GOOD] = "\033[32m", [TABLE_WARN] = "\033[33m", [TABLE_BAD] = "\033[31m",
};

const char *table_colour_begin(const struct ctl_screen *screen, enum table_colour colour)
{
	return screen->has_colour ? colour_codes[colour] : "";
}

const char *table_colour_end(const struct ctl_screen *screen, enum table_colour colour)
{
	return screen->has_colour && colour != TABLE_PLAIN ? "\033[0m" : "";
}

void table_init(struct table *table, const struct table_column *columns, size_t ncolumns)
{
	assert(ncolumns > 0 && ncolumns <= TABLE_COLUMNS_MAX);
	*table = (struct table){.columns = columns, .ncolumns = ncolumns};
	table->last = &table->first;
	for (size_t i = 0; i < ncolumns; i++)
		table->widths[i] = text_width(columns[i].title);
}

void table_done(struct table *table)
{
	arena_done(&table->arena);
}

void table_add(struct table *table, enum table_colour colour, const char *text)
{
	struct table_cell *cell = arena_alloc(&table->arena, sizeof(*cell));
	size_t *width = &table->widths[table->ncells % table->ncolumns];
	char *copy = arena_strdup(&table->arena, slice_from_str(text));

	if (!cell || !copy)
		return;
	*cell = (struct table_cell){.text = copy, .colour = colour};
	if (text_width(text) > *width)
		*width = text_width(text);
	*table->last = cell;
	table->last = &cell->next;
	table->ncells++;
}

void table_add_count(struct table *table, uint64_t count)
{
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_PLAIN, text_count(count, text));
}

void table_add_bytes(struct table *table, uint64_t bytes)
{
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_PLAIN, text_bytes(bytes, text));
}

void table_add_duration(struct table *table, double seconds)
{
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_PLAIN, seconds > 0 ? text_duration(seconds, text) : "-");
}

static size_t line_width(const struct table *table, const size_t *widths)
{
	size_t total = (table->ncolumns - 1) * GAP;

	for (size_t i = 0; i < table->ncolumns; i++)
		total += widths[i];
	return total;
}

/* The widest column that may give; ncolumns: none. */
static size_t find_widest(const struct table *table, const size_t *widths)
{
	size_t widest = table->ncolumns;

	for (size_t i = 0; i < table->ncolumns; i++)
		if (table->columns[i].is_shrinkable && widths[i] > SHRUNK_WIDTH &&
		    (widest == table->ncolumns || widths[i] > widths[widest]))
			widest = i;
	return widest;
}

static void shrink(const struct table *table, size_t limit, size_t *widths)
{
	while (line_width(table, widths) > limit) {
		size_t widest = find_widest(table, widths);

		if (widest == table->ncolumns)
			return;
		widths[widest]--;
	}
}

static void append_spaces(struct strbuf *out, size_t count)
{
	strbuf_printf(out, "%*s", (int)count, "");
}

/* Appends one cell in at most @room columns. Return: columns written. */
static size_t append_cell(struct strbuf *out, const struct ctl_screen *screen, const char *text,
			  enum table_colour colour, bool is_right, size_t width, size_t room)
{
	size_t limit = width < room ? width : room;
	size_t shown = text_width(text) < limit ? text_width(text) : limit;

	if (is_right)
		append_spaces(out, limit - shown);
	strbuf_append_str(out, table_colour_begin(screen, colour));
	shown = text_append_fitted(out, text, shown);
	strbuf_append_str(out, table_colour_end(screen, colour));
	return is_right ? limit : shown;
}

/* One line. @cell: the row's first; NULL: the titles. Return: the cell after the row. */
static const struct table_cell *append_row(const struct table *table,
					   const struct ctl_screen *screen, const size_t *widths,
					   const struct table_cell *cell, struct strbuf *out)
{
	bool is_title = !cell;
	size_t limit = screen->width ? screen->width : SIZE_MAX;
	size_t column = 0, want = 0; /* where the line is, and where the next cell begins */

	for (size_t i = 0; i < table->ncolumns; i++) {
		const char *text = is_title ? table->columns[i].title : cell ? cell->text : "";
		enum table_colour colour = is_title ? TABLE_BOLD
					   : cell   ? cell->colour
						    : TABLE_PLAIN;

		if (*text && want < limit) {
			append_spaces(out, want - column);
			column = want + append_cell(out, screen, text, colour,
						    table->columns[i].is_right, widths[i],
						    limit - want);
		}
		want += widths[i] + GAP;
		cell = cell ? cell->next : NULL;
	}
	strbuf_append_str(out, "\n");
	return cell;
}

void table_render(const struct table *table, const struct ctl_screen *screen, size_t max_rows,
		  struct strbuf *out)
{
	const struct table_cell *cell = table->first;
	size_t widths[TABLE_COLUMNS_MAX];

	memcpy(widths, table->widths, sizeof(widths));
	if (screen->width)
		shrink(table, screen->width, widths);
	append_row(table, screen, widths, NULL, out);
	for (size_t row = 0; cell && (max_rows == 0 || row < max_rows); row++)
		cell = append_row(table, screen, widths, cell, out);
}
