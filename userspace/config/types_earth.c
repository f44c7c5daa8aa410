// SPDX-License-Identifier: Apache-2.0
/* The option types that name countries, continents, autonomous systems and points. */
#include "config/config_internal.h"
#include "core/earth.h"

/* --- country -------------------------------------------------------------------- */

static const char *read_country(struct reading *reading, struct slice text, void *field)
{
	earth_code code = earth_code_parse(text);

	(void)reading;
	if (!earth_is_country(code))
		return slice_equal_str(text, "UK") ? "is no country (the United Kingdom is GB)"
						   : "is no country";
	memcpy(field, &code, sizeof(code));
	return NULL;
}

static void expect_country(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a code of ISO 3166 such as DE");
}

static void schema_code(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[A-Z]{2}$\"");
}

const struct option_type type_country = {
	.name = "country",
	.size = sizeof(earth_code),
	.read = read_country,
	.expect = expect_country,
	.schema = schema_code,
};

/* --- continent ------------------------------------------------------------------ */

static const char *read_continent(struct reading *reading, struct slice text, void *field)
{
	earth_code code = earth_code_parse(text);

	(void)reading;
	if (!earth_is_continent(code))
		return "is no continent";
	memcpy(field, &code, sizeof(code));
	return NULL;
}

static void expect_continent(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "one of AF, AN, AS, EU, NA, OC, SA");
}

const struct option_type type_continent = {
	.name = "continent",
	.size = sizeof(earth_code),
	.read = read_continent,
	.expect = expect_continent,
	.schema = schema_code,
};

/* --- asn ------------------------------------------------------------------------ */

static const char *read_asn(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	uint32_t asn;

	(void)reading;
	if (slice_starts_with(text, slice_of("AS", 2)))
		text = slice_skip(text, 2);
	if (parse_count(text, &value))
		return "is not the number of an autonomous system";
	if (value == 0 || value > UINT32_MAX)
		return "is out of range";
	asn = (uint32_t)value;
	memcpy(field, &asn, sizeof(asn));
	return NULL;
}

static void expect_asn(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a number such as 64500 or AS64500");
}

static void schema_asn(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"integer\", \"string\"], \"pattern\": "
			       "\"^(AS)?[0-9]{1,10}$\", \"minimum\": 1, \"maximum\": 4294967295");
}

const struct option_type type_asn = {
	.name = "AS number",
	.size = sizeof(uint32_t),
	.read = read_asn,
	.expect = expect_asn,
	.schema = schema_asn,
};

/* --- degrees -------------------------------------------------------------------- */

/* So many a double holds exactly; of what comes behind the point the rest is dropped. */
#define DIGITS_MAX 15

/* As in JSON, without exponents. Return: whether it is one. */
static bool parse_decimal(struct slice text, double *ret)
{
	size_t sign = text.len && text.ptr[0] == '-', digits = 0;
	double value = 0, scale = 1;
	bool has_point = false;

	for (size_t i = sign; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '.' && digits > 0 && !has_point && i + 1 < text.len) {
			has_point = true;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		if (digits++ >= DIGITS_MAX && has_point)
			continue;
		value = value * 10 + (c - '0');
		scale *= has_point ? 10 : 1;
	}
	*ret = (sign ? -value : value) / scale;
	return digits > 0;
}

static const char *read_degrees(struct reading *reading, struct slice text, void *field)
{
	double value, most = reading->option->max;

	if (!parse_decimal(text, &value))
		return "is not a number of degrees";
	if (value < -most || value > most)
		return "is out of range";
	memcpy(field, &value, sizeof(value));
	return NULL;
}

static void expect_degrees(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out, "degrees from -%u to %u", option->max, option->max);
}

static void schema_degrees(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out, "\"type\": \"number\", \"minimum\": -%u, \"maximum\": %u", option->max,
		      option->max);
}

const struct option_type type_degrees = {
	.name = "degrees",
	.size = sizeof(double),
	.read = read_degrees,
	.expect = expect_degrees,
	.schema = schema_degrees,
};
