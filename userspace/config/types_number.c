// SPDX-License-Identifier: Apache-2.0
/* The option types that are numbers, with whatever unit, and booleans. */
#include "config/config_internal.h"

static const char *store_u32(const struct option *option, uint64_t value, void *field)
{
	uint32_t stored = (uint32_t)value;

	if (value < option->min || value > option->max)
		return "is out of range";
	memcpy(field, &stored, sizeof(stored));
	return NULL;
}

static void append_range(struct strbuf *out, const struct option *option,
			 void (*format)(uint64_t value, struct strbuf *out))
{
	strbuf_append_str(out, " from ");
	format(option->min, out);
	strbuf_append_str(out, " to ");
	format(option->max, out);
}

/* --- boolean ------------------------------------------------------------------- */

static const char *parse_boolean(struct slice text, bool *ret)
{
	bool is_true = slice_equal_str(text, "true");

	if (!is_true && !slice_equal_str(text, "false"))
		return "is not a boolean";
	*ret = is_true;
	return NULL;
}

static const char *read_boolean(struct reading *reading, struct slice text, void *field)
{
	(void)reading;
	return parse_boolean(text, field);
}

static void expect_boolean(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "true or false");
}

static void schema_boolean(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"boolean\"");
}

const struct option_type type_boolean = {
	.name = "boolean",
	.size = sizeof(bool),
	.read = read_boolean,
	.expect = expect_boolean,
	.schema = schema_boolean,
};

/* A boolean whose field is a number: 0 or 1. */
static const char *read_flag(struct reading *reading, struct slice text, void *field)
{
	bool is_set = false;
	const char *problem = parse_boolean(text, &is_set);
	uint32_t stored = is_set;

	(void)reading;
	if (!problem)
		memcpy(field, &stored, sizeof(stored));
	return problem;
}

const struct option_type type_flag = {
	.name = "boolean",
	.size = sizeof(uint32_t),
	.read = read_flag,
	.expect = expect_boolean,
	.schema = schema_boolean,
};

/* --- Numbers ------------------------------------------------------------------- */

static void format_number(uint64_t value, struct strbuf *out)
{
	strbuf_printf(out, "%llu", (unsigned long long)value);
}

static const char *read_count(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_count(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_count(const struct option *option, struct strbuf *out)
{
	if (option->zero_word)
		strbuf_printf(out, "%s or ", option->zero_word);
	strbuf_append_str(out, "a number");
	append_range(out, option, format_number);
}

static void schema_count(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out, "\"type\": \"integer\", \"minimum\": %u, \"maximum\": %u", option->min,
		      option->max);
}

const struct option_type type_count = {
	.name = "number",
	.size = sizeof(uint32_t),
	.read = read_count,
	.expect = expect_count,
	.schema = schema_count,
};

static const char *read_port(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_count(text, &value);
	uint16_t port = (uint16_t)value;

	if (problem)
		return problem;
	if (value < reading->option->min || value > UINT16_MAX)
		return "is out of range";
	memcpy(field, &port, sizeof(port));
	return NULL;
}

const struct option_type type_port = {
	.name = "port",
	.size = sizeof(uint16_t),
	.read = read_port,
	.expect = expect_count,
	.schema = schema_count,
};

static const char *read_size(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_size(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_size(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a size such as 16KiB,");
	append_range(out, option, format_size);
}

static void schema_size(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^[0-9]+(B|K|KiB|M|MiB|G|GiB)?$\", \"minimum\": 0");
}

const struct option_type type_size = {
	.name = "size",
	.size = sizeof(uint32_t),
	.read = read_size,
	.expect = expect_size,
	.schema = schema_size,
};

static const char *read_duration(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_duration(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_duration(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a duration such as 250ms,");
	append_range(out, option, format_duration);
}

static void schema_duration(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^(0|[0-9]+(ms|s|m|h|d))$\", \"minimum\": 0, "
			       "\"maximum\": 0");
}

const struct option_type type_duration = {
	.name = "duration",
	.size = sizeof(uint32_t),
	.read = read_duration,
	.expect = expect_duration,
	.schema = schema_duration,
};

static const char *read_percent(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_percent(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void format_percent(uint64_t value, struct strbuf *out)
{
	strbuf_printf(out, "%llu%%", (unsigned long long)value);
}

static void expect_percent(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a percentage such as 50%,");
	append_range(out, option, format_percent);
}

static void schema_percent(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[0-9]{1,3}%$\"");
}

const struct option_type type_percent = {
	.name = "percentage",
	.size = sizeof(uint32_t),
	.read = read_percent,
	.expect = expect_percent,
	.schema = schema_percent,
};

static const char *read_mode(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_mode(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_mode(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an octal mode such as \"0660\", at most 0777");
}

static void schema_mode(const struct option *option, struct strbuf *out)
{
	(void)option;
	/* Unquoted, YAML 1.1 editors take 0660 for an integer. */
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^0?[0-7]{3}$\"");
}

const struct option_type type_mode = {
	.name = "octal mode",
	.size = sizeof(uint32_t),
	.read = read_mode,
	.expect = expect_mode,
	.schema = schema_mode,
};

static const char *read_status(struct reading *reading, struct slice text, void *field)
{
	uint64_t first = 0, last = 0;
	const char *problem = parse_status_range(text, &first, &last);
	uint16_t stored[2] = {(uint16_t)first, (uint16_t)last};

	if (problem)
		return problem;
	if (first < reading->option->min || last > reading->option->max)
		return "is out of range";
	memcpy(field, stored, sizeof(stored));
	return NULL;
}

static void expect_status(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a status or a range such as 200-399,");
	append_range(out, option, format_number);
}

static void schema_status(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out,
		      "\"type\": [\"string\", \"integer\"], \"minimum\": %u, \"maximum\": %u, "
		      "\"pattern\": \"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$\"",
		      option->min, option->max);
}

const struct option_type type_status = {
	.name = "status range",
	.size = 2 * sizeof(uint16_t),
	.read = read_status,
	.expect = expect_status,
	.schema = schema_status,
};
