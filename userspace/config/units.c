// SPDX-License-Identifier: Apache-2.0
/* Numbers with units, as text and back: sizes, durations, percentages, modes, status ranges. */
#include "config/config_internal.h"

/* More than any field holds, and small enough to be multiplied by any unit. */
#define NUMBER_MAX UINT32_MAX

struct unit {
	const char *name;
	uint64_t factor;
};

/* Smallest first; the first of two with one factor is the one that is written. */
static const struct unit size_units[] = {
	{"B", 1},       {"KiB", 1 << 10}, {"K", 1 << 10}, {"MiB", 1 << 20},
	{"M", 1 << 20}, {"GiB", 1 << 30}, {"G", 1 << 30},
};

static const struct unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the digits at the start of @text. False if there are none. */
static bool take_number(struct slice *text, uint64_t *ret)
{
	uint64_t number = 0;
	size_t at = 0;

	while (at < text->len && is_digit(text->ptr[at])) {
		number = number * 10 + (uint64_t)(text->ptr[at++] - '0');
		if (number > NUMBER_MAX)
			number = NUMBER_MAX;
	}
	if (at == 0)
		return false;
	*text = slice_skip(*text, at);
	*ret = number;
	return true;
}

static const struct unit *find_unit(const struct unit *units, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_equal_str(name, units[i].name))
			return &units[i];
	}
	return NULL;
}

const char *parse_count(struct slice text, uint64_t *ret)
{
	uint64_t number;

	if (!take_number(&text, &number) || text.len)
		return "is not a number";
	*ret = number;
	return NULL;
}

const char *parse_size(struct slice text, uint64_t *ret_bytes)
{
	const struct unit *unit;
	uint64_t number;

	if (!take_number(&text, &number))
		return "is not a size";
	unit = text.len ? find_unit(size_units, ARRAY_SIZE(size_units), text) : &size_units[0];
	if (!unit)
		return "has an unknown unit";
	*ret_bytes = number * unit->factor;
	return NULL;
}

const char *parse_duration(struct slice text, uint64_t *ret_ms)
{
	const struct unit *unit;
	uint64_t number;

	if (!take_number(&text, &number))
		return "is not a duration";
	if (text.len == 0 && number != 0)
		return "has no unit";
	unit = text.len ? find_unit(duration_units, ARRAY_SIZE(duration_units), text)
			: &duration_units[0];
	if (!unit)
		return "has an unknown unit";
	*ret_ms = number * unit->factor;
	return NULL;
}

const char *parse_percent(struct slice text, uint64_t *ret)
{
	uint64_t number;

	if (!take_number(&text, &number))
		return "is not a percentage";
	if (text.len == 0)
		return "has no % sign";
	if (!slice_equal_str(text, "%"))
		return "is not a percentage";
	*ret = number;
	return NULL;
}

const char *parse_mode(struct slice text, uint64_t *ret)
{
	uint64_t mode = 0;

	if (text.len < 3 || text.len > 4)
		return "is not an octal mode";
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '7')
			return "is not an octal mode";
		mode = mode * 8 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret = mode;
	return NULL;
}

const char *parse_status_range(struct slice text, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t first, last;

	if (!take_number(&text, &first))
		return "is not a status";
	last = first;
	if (text.len && text.ptr[0] == '-') {
		text = slice_skip(text, 1);
		if (!take_number(&text, &last))
			return "is not a range of statuses";
	}
	if (text.len)
		return "is not a range of statuses";
	if (last < first)
		return "ends before it begins";
	*ret_first = first;
	*ret_last = last;
	return NULL;
}

static void format_in(const struct unit *units, size_t count, uint64_t value, struct strbuf *out)
{
	const struct unit *best = &units[0];

	for (size_t i = 1; i < count; i++) {
		if (value % units[i].factor == 0 && units[i].factor > best->factor)
			best = &units[i];
	}
	if (value == 0)
		strbuf_append_str(out, "0");
	else
		strbuf_printf(out, "%llu%s", (unsigned long long)(value / best->factor),
			      best->name);
}

void format_size(uint64_t bytes, struct strbuf *out)
{
	format_in(size_units, ARRAY_SIZE(size_units), bytes, out);
}

void format_duration(uint64_t ms, struct strbuf *out)
{
	format_in(duration_units, ARRAY_SIZE(duration_units), ms, out);
}
