// SPDX-License-Identifier: Apache-2.0
/* Dates of HTTP, without the C library's: those follow the locale and the time zone. */
#include "http/date.h"

#include "http/http_internal.h"

#include <errno.h>

#define DAY 86400

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char long_day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					   "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
	int64_t year;
	unsigned month, day; /* 1..12, 1..31 */
};

/* Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that February's length
 * matters last. */
static int64_t days_of(const struct civil *date)
{
	int64_t year = date->year - (date->month <= 2), era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (int64_t)((date->month + 9) % 12) + 2) / 5 + date->day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_of(int64_t days)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	struct civil date = {.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
			     .month = (unsigned)(month < 10 ? month + 3 : month - 9)};

	date.year = year + era * 400 + (date.month <= 2);
	return date;
}

static unsigned month_length(const struct civil *date)
{
	static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
	unsigned length = lengths[date->month - 1];

	return is_leap && date->month == 2 ? length + 1 : length;
}

/* --- Reading -------------------------------------------------------------------------- */

/* @text is matched from left to right; what does not fit is remembered. */
struct reader {
	struct slice rest;
	bool is_bad;
};

static void expect(struct reader *reader, const char *text)
{
	struct slice expected = slice_from_str(text);

	if (!slice_starts_with(reader->rest, expected))
		reader->is_bad = true;
	else
		reader->rest = slice_skip(reader->rest, expected.len);
}

/* Exactly @count digits; the first may be a blank where @is_padded. */
static unsigned digits(struct reader *reader, size_t count, bool is_padded)
{
	unsigned number = 0;

	if (reader->rest.len < count) {
		reader->is_bad = true;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		char c = reader->rest.ptr[i];

		if (is_padded && i == 0 && c == ' ')
			continue;
		if (!http_is_digit(c))
			reader->is_bad = true;
		else
			number = number * 10 + (unsigned)(c - '0');
	}
	reader->rest = slice_skip(reader->rest, count);
	return number;
}

/* The number of the name, of @count that are @size bytes apart. */
static unsigned name(struct reader *reader, const char *names, unsigned count, size_t size)
{
	for (unsigned i = 0; i < count; i++) {
		struct slice candidate = slice_from_str(names + i * size);

		if (slice_starts_with(reader->rest, candidate)) {
			reader->rest = slice_skip(reader->rest, candidate.len);
			return i;
		}
	}
	reader->is_bad = true;
	return 0;
}

static unsigned month(struct reader *reader)
{
	return name(reader, month_names[0], 12, sizeof(month_names[0])) + 1;
}

/* "08:49:37"; a leap second counts as the one before. */
static int64_t clock_time(struct reader *reader)
{
	unsigned hour = digits(reader, 2, false), minute, second;

	expect(reader, ":");
	minute = digits(reader, 2, false);
	expect(reader, ":");
	second = digits(reader, 2, false);
	if (hour > 23 || minute > 59 || second > 60)
		reader->is_bad = true;
	return hour * 3600 + minute * 60 + (second < 60 ? second : 59);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static int64_t imf_fixdate(struct reader *reader, struct civil *date)
{
	int64_t time;

	expect(reader, ", ");
	date->day = digits(reader, 2, false);
	expect(reader, " ");
	date->month = month(reader);
	expect(reader, " ");
	date->year = digits(reader, 4, false);
	expect(reader, " ");
	time = clock_time(reader);
	expect(reader, " GMT");
	return time;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static int64_t rfc850_date(struct reader *reader, int64_t now, struct civil *date)
{
	int64_t this_year = civil_of(now / DAY).year, time;

	expect(reader, ", ");
	date->day = digits(reader, 2, false);
	expect(reader, "-");
	date->month = month(reader);
	expect(reader, "-");
	date->year = this_year - this_year % 100 + digits(reader, 2, false);
	if (date->year > this_year + 50)
		date->year -= 100;
	expect(reader, " ");
	time = clock_time(reader);
	expect(reader, " GMT");
	return time;
}

/* "Sun Nov  6 08:49:37 1994" */
static int64_t asctime_date(struct reader *reader, struct civil *date)
{
	int64_t time;

	expect(reader, " ");
	date->month = month(reader);
	expect(reader, " ");
	date->day = digits(reader, 2, true);
	expect(reader, " ");
	time = clock_time(reader);
	expect(reader, " ");
	date->year = digits(reader, 4, false);
	return time;
}

/* The name of the day is read, but not compared: senders are wrong about it, and nothing hangs on
 * it. */
int http_date_parse(struct slice text, int64_t now, int64_t *ret_seconds)
{
	struct reader reader = {.rest = text};
	struct civil date = {};
	int64_t time;

	if (text.len > 24 && memchr(text.ptr, '-', text.len)) {
		name(&reader, long_day_names[0], 7, sizeof(long_day_names[0]));
		time = rfc850_date(&reader, now, &date);
	} else {
		name(&reader, day_names[0], 7, sizeof(day_names[0]));
		time = reader.rest.len && reader.rest.ptr[0] == ',' ? imf_fixdate(&reader, &date)
								    : asctime_date(&reader, &date);
	}
	if (reader.is_bad || reader.rest.len > 0 || date.day == 0 || date.day > month_length(&date))
		return -EINVAL;
	*ret_seconds = days_of(&date) * DAY + time;
	return 0;
}

/* --- Writing -------------------------------------------------------------------------- */

static char *put_digits(char *to, unsigned number, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		to[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return to + count;
}

const char *http_date_format(int64_t seconds, char ret[HTTP_DATE_LEN])
{
	int64_t days = (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
	unsigned time = (unsigned)(seconds - days * DAY);
	struct civil date = civil_of(days);
	char *to = ret;

	to = mempcpy(to, day_names[((days + 4) % 7 + 7) % 7], 3);
	to = mempcpy(to, ", ", 2);
	to = put_digits(to, date.day, 2);
	*to++ = ' ';
	to = mempcpy(to, month_names[date.month - 1], 3);
	*to++ = ' ';
	to = put_digits(to, (unsigned)date.year, 4);
	*to++ = ' ';
	to = put_digits(to, time / 3600, 2);
	*to++ = ':';
	to = put_digits(to, time / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, time % 60, 2);
	(void)mempcpy(to, " GMT", 4);
	return ret;
}
