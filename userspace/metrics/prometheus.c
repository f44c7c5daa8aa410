// SPDX-License-Identifier: Apache-2.0
/*
 * The Prometheus text exposition format 0.0.4. Numbers are written from integers: printf's doubles
 * would bring the locale's decimal comma, at which the whole scrape fails.
 * Source: prometheus.io, "Exposition formats".
 */
#include "metrics/prometheus.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The format knows no other escapes; a scrape with bytes that are not UTF-8 is refused as a whole.
 */
static void append_escaped(struct strbuf *out, const char *text, bool is_quoted)
{
	struct slice rest = slice_from_str(text);

	while (rest.len > 0) {
		size_t len = utf8_length(rest.ptr, rest.len);

		if (len == 0)
			strbuf_append_str(out, UTF8_REPLACEMENT);
		else if (*rest.ptr == '\n')
			strbuf_append_str(out, "\\n");
		else if (*rest.ptr == '\\' || (is_quoted && *rest.ptr == '"'))
			strbuf_printf(out, "\\%c", *rest.ptr);
		else
			strbuf_append(out, slice_of(rest.ptr, len));
		rest = slice_skip(rest, len ? len : 1);
	}
}

void prometheus_family(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_printf(out, "# HELP %s ", name);
	append_escaped(out, help, false);
	strbuf_printf(out, "\n# TYPE %s %s\n", name, type);
}

/* name_suffix{labels,le="…"}; @suffix may be empty and @le NULL. */
static void append_series(struct strbuf *out, const char *name, const char *suffix,
			  const struct prometheus_label *labels, const char *le)
{
	const char *before = "{";

	strbuf_append_str(out, name);
	strbuf_append_str(out, suffix);
	for (; labels && labels->name; labels++) {
		strbuf_printf(out, "%s%s=\"", before, labels->name);
		append_escaped(out, labels->value, true);
		strbuf_append_str(out, "\"");
		before = ",";
	}
	if (le) {
		strbuf_printf(out, "%sle=\"%s\"", before, le);
		before = ",";
	}
	strbuf_append_str(out, *before == ',' ? "} " : " ");
}

void prometheus_sample(struct strbuf *out, const char *name, const struct prometheus_label *labels,
		       uint64_t value)
{
	append_series(out, name, "", labels, NULL);
	strbuf_printf(out, "%" PRIu64 "\n", value);
}

/* 14 digits of seconds, the point, 6 digits, NUL. */
#define SECONDS_SIZE 24

/* Seconds without trailing zeros: 0.000064, 1.5, 3. Return: @ret. */
static const char *format_seconds(uint64_t us, char ret[SECONDS_SIZE])
{
	size_t len;

	snprintf(ret, SECONDS_SIZE, "%" PRIu64 ".%06u", us / 1000000, (unsigned)(us % 1000000));
	for (len = strlen(ret); ret[len - 1] == '0'; len--)
		;
	ret[ret[len - 1] == '.' ? len - 1 : len] = '\0';
	return ret;
}

void prometheus_histogram(struct strbuf *out, const char *name,
			  const struct prometheus_label *labels, const struct histogram *histogram)
{
	char seconds[SECONDS_SIZE];
	uint64_t count = 0;

	/* Each bucket is read once, so that "+Inf" and _count agree while the writer goes on. */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		bool is_last = i == HISTOGRAM_BUCKETS - 1;

		count += counter_read(&histogram->buckets[i]);
		append_series(out, name, "_bucket", labels,
			      is_last ? "+Inf" : format_seconds(histogram_bound_us(i), seconds));
		strbuf_printf(out, "%" PRIu64 "\n", count);
	}
	append_series(out, name, "_sum", labels, NULL);
	strbuf_printf(out, "%s\n", format_seconds(counter_read(&histogram->sum_us), seconds));
	append_series(out, name, "_count", labels, NULL);
	strbuf_printf(out, "%" PRIu64 "\n", count);
}
