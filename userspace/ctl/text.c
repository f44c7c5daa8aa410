// SPDX-License-Identifier: Apache-2.0
/* Numbers with units as people read them, and text measured and cut in terminal columns. */
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <wchar.h>

const char *text_bytes(uint64_t bytes, char ret[TEXT_VALUE_SIZE])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(ret, TEXT_VALUE_SIZE, "%u B", (unsigned)bytes);
		return ret;
	}
	/* 1023.95 would be rounded to 1024.0 */
	while (value >= 1023.95 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(ret, TEXT_VALUE_SIZE, "%.1f %s", value, units[unit]);
	return ret;
}

/* Five digits at most: as they are, or in thousands, millions, … */
static const char *format_scaled(double value, char ret[TEXT_VALUE_SIZE])
{
	static const char units[] = {'k', 'M', 'G', 'T', 'P', 'E'};
	size_t unit = 0;

	value /= 1000;
	while (value >= 999.95 && unit + 1 < sizeof(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(ret, TEXT_VALUE_SIZE, "%.1f%c", value, units[unit]);
	return ret;
}

const char *text_count(uint64_t count, char ret[TEXT_VALUE_SIZE])
{
	if (count >= 100000)
		return format_scaled((double)count, ret);
	snprintf(ret, TEXT_VALUE_SIZE, "%u", (unsigned)count);
	return ret;
}

const char *text_rate(double per_second, char ret[TEXT_VALUE_SIZE])
{
	if (per_second >= 9999.5)
		return format_scaled(per_second, ret);
	snprintf(ret, TEXT_VALUE_SIZE, per_second < 10 && per_second > 0 ? "%.1f" : "%.0f",
		 per_second);
	return ret;
}

const char *text_byte_rate(double per_second, char ret[TEXT_VALUE_SIZE])
{
	size_t len;

	text_bytes(per_second > 0 ? (uint64_t)per_second : 0, ret);
	len = strlen(ret);
	snprintf(ret + len, TEXT_VALUE_SIZE - len, "/s");
	return ret;
}

const char *text_duration(double seconds, char ret[TEXT_VALUE_SIZE])
{
	uint64_t whole = seconds > 0 ? (uint64_t)seconds : 0;

	if (seconds <= 0)
		snprintf(ret, TEXT_VALUE_SIZE, "0s");
	else if (seconds < 0.0995)
		snprintf(ret, TEXT_VALUE_SIZE, "%.2fms", seconds * 1e3);
	else if (seconds < 0.9995)
		snprintf(ret, TEXT_VALUE_SIZE, "%.0fms", seconds * 1e3);
	else if (whole < 60)
		snprintf(ret, TEXT_VALUE_SIZE, "%.1fs", seconds < 59.9 ? seconds : 59.9);
	else if (whole < 3600)
		snprintf(ret, TEXT_VALUE_SIZE, "%um%02us", (unsigned)(whole / 60),
			 (unsigned)(whole % 60));
	else if (whole < 86400)
		snprintf(ret, TEXT_VALUE_SIZE, "%uh%02um", (unsigned)(whole / 3600),
			 (unsigned)(whole / 60 % 60));
	else
		snprintf(ret, TEXT_VALUE_SIZE, "%ud%02uh", (unsigned)(whole / 86400),
			 (unsigned)(whole / 3600 % 24));
	return ret;
}

/* One character of @text. @ret_len: its bytes. Return: the code point; 0xfffd for malformed bytes.
 */
static wchar_t decode(const unsigned char *text, size_t *ret_len)
{
	unsigned len = text[0] < 0x80   ? 1
		       : text[0] < 0xc2 ? 0
		       : text[0] < 0xe0 ? 2
		       : text[0] < 0xf0 ? 3
		       : text[0] < 0xf5 ? 4
					: 0;
	uint32_t point = text[0] & (0xffu >> (len + 1));

	*ret_len = 1;
	if (len == 0)
		return 0xfffd;
	if (len == 1)
		return text[0];
	for (unsigned i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0xfffd;
		point = point << 6 | (text[i] & 0x3f);
	}
	*ret_len = len;
	return (wchar_t)point;
}

static bool is_control(wchar_t c)
{
	/* C0, DEL, C1, and the marks that turn the direction of writing */
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffd || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static size_t columns_of(wchar_t c)
{
	int columns = is_control(c) ? 1 : wcwidth(c);

	return columns < 0 ? 1 : (size_t)columns; /* a character that the locale does not know */
}

size_t text_width(const char *text)
{
	size_t width = 0, len;

	for (; *text; text += len)
		width += columns_of(decode((const unsigned char *)text, &len));
	return width;
}

size_t text_append_fitted(struct strbuf *out, const char *text, size_t width)
{
	bool is_cut = text_width(text) > width;
	size_t room = is_cut && width > 0 ? width - 1 : width;
	size_t used = 0, len;

	for (; *text; text += len) {
		wchar_t c = decode((const unsigned char *)text, &len);

		if (used + columns_of(c) > room)
			break;
		used += columns_of(c);
		strbuf_append(out, is_control(c) ? slice_of("?", 1) : slice_of(text, len));
	}
	if (is_cut && width > 0) {
		strbuf_append_str(out, "…");
		used++;
	}
	return used;
}

int text_parse_duration(const char *text, uint32_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}};
	char *end;
	double value;

	if ((*text < '0' || *text > '9') && *text != '.')
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		value *= units[i].ms;
		if (!(value >= 1 && value <= 3600000))
			return -EINVAL;
		*ret_ms = (uint32_t)value;
		return 0;
	}
	return -EINVAL;
}
