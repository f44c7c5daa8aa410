// SPDX-License-Identifier: Apache-2.0
/* Lines of the access log as others have them: the common log format of web servers, and whatever a
 * template says. */
#include "config/variable.h"
#include "proxy/exchange.h"
#include "proxy/http_log.h"

#include <inttypes.h>
#include <time.h>

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c >= 0x7f || c == '"' || c == '\\';
}

void http_log_escape(struct slice text, struct strbuf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (!needs_escape(c))
			continue;
		strbuf_append(out, slice_of(text.ptr + from, i - from));
		strbuf_printf(out, "\\x%02x", c);
		from = i + 1;
	}
	strbuf_append(out, slice_of(text.ptr + from, text.len - from));
}

/* --- Common and combined ---------------------------------------------------------- */

static struct slice value_of(struct exchange *exchange, enum config_variable variable,
			     const char *argument)
{
	return exchange_variable(exchange, variable, slice_from_str(argument));
}

static void append_value(struct exchange *exchange, enum config_variable variable,
			 const char *argument, struct strbuf *out)
{
	struct slice value = value_of(exchange, variable, argument);

	if (value.len)
		http_log_escape(value, out);
	else
		strbuf_append_str(out, "-");
}

/* "[10/Oct/2000:13:55:36 +0000]" */
static void append_date(uint64_t wall_us, struct strbuf *out)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S +0000", &tm);
	strbuf_printf(out, "[%s]", text);
}

/* The user would be identd's or of basic authentication; neither is known here. */
static void append_common(struct exchange *exchange, struct strbuf *out)
{
	uint64_t body = exchange_bytes_out(exchange) - exchange->head_out;

	append_value(exchange, CONFIG_VARIABLE_CLIENT_IP, "", out);
	strbuf_append_str(out, " - - ");
	append_date(exchange->started_wall_us, out);
	strbuf_append_str(out, " \"");
	append_value(exchange, CONFIG_VARIABLE_METHOD, "", out);
	strbuf_append_str(out, " ");
	append_value(exchange, CONFIG_VARIABLE_URI, "", out);
	strbuf_append_str(out, " ");
	append_value(exchange, CONFIG_VARIABLE_PROTOCOL, "", out);
	strbuf_printf(out, "\" %u ", exchange->status);
	if (body)
		strbuf_printf(out, "%" PRIu64, body);
	else
		strbuf_append_str(out, "-");
}

void http_log_append_common(struct exchange *exchange, bool is_combined, struct strbuf *out)
{
	append_common(exchange, out);
	if (is_combined) {
		strbuf_append_str(out, " \"");
		append_value(exchange, CONFIG_VARIABLE_HEADER, "Referer", out);
		strbuf_append_str(out, "\" \"");
		append_value(exchange, CONFIG_VARIABLE_HEADER, "User-Agent", out);
		strbuf_append_str(out, "\"");
	}
	strbuf_append_str(out, "\n");
}

/* --- Templates -------------------------------------------------------------------- */

/* Without memory a value is left out, not written as it came. */
static struct slice escaped(struct exchange *exchange, struct slice value)
{
	struct strbuf text = {};
	char *copy = NULL;

	http_log_escape(value, &text);
	if (!text.is_failed)
		copy = arena_strdup(&exchange->arena, slice_of(text.text, text.len));
	value = copy ? slice_of(copy, text.len) : (struct slice){};
	strbuf_done(&text);
	return value;
}

static struct slice logged_value(void *context, uint32_t variable, struct slice argument)
{
	struct slice value = exchange_variable(context, variable, argument);

	for (size_t i = 0; i < value.len; i++)
		if (needs_escape((unsigned char)value.ptr[i]))
			return escaped(context, value);
	return value.len ? value : slice_from_str("-");
}

void http_log_append_template(struct exchange *exchange, const struct template *template,
			      struct strbuf *out)
{
	template_append(template, logged_value, exchange, out);
	strbuf_append_str(out, "\n");
}
