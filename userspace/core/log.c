// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's log: formats a line, keeps floods off it, writes it with one system call
 * that never waits for a reader.
 */
#include "core/log.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/sink.h"
#include "core/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Longer messages are cut, and end in "…". */
#define MESSAGE_SIZE 2048

static struct sink sink = {.fd = STDERR_FILENO};
static int source_fd = -1; /* what it was opened from; -1: not yet */
static _Atomic uint32_t lost, lost_untold;
static _Atomic int output_level = LOG_INFO;
static _Atomic int output_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {
#define X(name, text) [LOG_##name] = text,
	LOG_LEVELS(X)
#undef X
};

void log_configure(int fd, enum log_level level, enum log_format format)
{
	if (fd != source_fd) {
		sink_close(&sink);
		sink_open(fd, &sink);
		source_fd = fd;
	}
	output_level = (int)level;
	output_format = (int)format;
}

bool log_is_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&output_level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

/*
 * Takes one line of the site's allowance. Two threads that open a window at the same time may let a
 * line more through; that is harmless.
 * Return: whether the line may be written; *ret_suppressed is what the last window left out.
 */
static bool take_allowance(struct log_site *site, uint32_t *ret_suppressed)
{
	uint64_t now_ms = clock_monotonic_ms();

	*ret_suppressed = 0;
	if (site->window_start_ms == 0 || now_ms - site->window_start_ms >= LOG_WINDOW_MS) {
		site->window_start_ms = now_ms;
		site->count = 0;
		*ret_suppressed = atomic_exchange(&site->suppressed, 0);
	}
	if (atomic_fetch_add(&site->count, 1) < LOG_BURST)
		return true;
	atomic_fetch_add(&site->suppressed, 1);
	return false;
}

static void format_json(struct strbuf *line, const char *time, enum log_level level,
			const char *message, uint32_t suppressed)
{
	strbuf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time,
		      level_names[level]);
	json_append_string(line, slice_from_str(message));
	if (suppressed)
		strbuf_printf(line, ",\"suppressed\":%u", suppressed);
	strbuf_append_str(line, "}\n");
}

/*
 * What a terminal would obey, or cannot show: C0, DEL, C1 (which is two bytes in UTF-8) and all
 * that is not UTF-8. A client's bytes must not forge or colour a line.
 */
static bool is_printable(const char *text, size_t len)
{
	if (len == 1)
		return *text >= 0x20 && *text != 0x7f;
	return len > 1 &&
	       !(len == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0);
}

static void format_text(struct strbuf *line, const char *time, enum log_level level,
			const char *message, uint32_t suppressed)
{
	struct slice rest = slice_from_str(message);

	strbuf_printf(line, "%s %-5s ", time, level_names[level]);
	while (rest.len > 0) {
		size_t len = utf8_length(rest.ptr, rest.len);

		if (is_printable(rest.ptr, len))
			strbuf_append(line, slice_of(rest.ptr, len));
		else
			strbuf_append_str(line, "?");
		rest = slice_skip(rest, len ? len : 1);
	}
	if (suppressed)
		strbuf_printf(line, " (%u like it were left out)", suppressed);
	strbuf_append_str(line, "\n");
}

/* Cuts @message, which has room for more than @len bytes, before the character at @len. */
static void cut(char *message, size_t len)
{
	static const char ellipsis[] = "…";

	len -= sizeof(ellipsis);
	while (len > 0 && ((unsigned char)message[len] & 0xc0) == 0x80)
		len--;
	memcpy(message + len, ellipsis, sizeof(ellipsis));
}

/* Escapes make six bytes of one in JSON; the message is halved until it is a line again. */
static void format_line(struct strbuf *line, enum log_level level, char *message,
			uint32_t suppressed)
{
	bool is_json = output_format == LOG_FORMAT_JSON;
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(clock_wall_us(), time);
	for (;;) {
		(is_json ? format_json : format_text)(line, time, level, message, suppressed);
		if (line->is_failed || line->len <= PIPE_BUF)
			return;
		cut(message, strlen(message) / 2);
		line->len = 0;
	}
}

static void write_line(const struct strbuf *line)
{
	if (!line->is_failed && sink_write(&sink, line->text, line->len) == (ssize_t)line->len)
		return;
	atomic_fetch_add(&lost, 1);
	atomic_fetch_add(&lost_untold, 1);
}

/* Before the first line that may go out again: the gap is there. */
static void tell_of_loss(void)
{
	uint32_t count = atomic_exchange(&lost_untold, 0);
	struct strbuf line = {};
	char message[64];

	if (!count)
		return;
	snprintf(message, sizeof(message), "lines of this log that are lost here: %u", count);
	format_line(&line, LOG_WARN, message, 0);
	if (line.is_failed || sink_write(&sink, line.text, line.len) < 0)
		atomic_fetch_add(&lost_untold, count);
	strbuf_done(&line);
}

uint32_t log_lost_lines(void)
{
	return lost;
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char message[MESSAGE_SIZE];
	struct strbuf line = {};
	int saved_errno = errno;
	uint32_t suppressed;
	va_list args;
	int len;

	if (!take_allowance(site, &suppressed))
		return;
	va_start(args, fmt);
	len = vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (len < 0)
		message[0] = '\0';
	else if ((size_t)len >= sizeof(message))
		cut(message, sizeof(message));
	tell_of_loss();
	format_line(&line, level, message, suppressed);
	write_line(&line);
	strbuf_done(&line);
	errno = saved_errno;
}

void log_lines(enum log_level level, const char *prefix, const char *text)
{
	const char *line = text ? text : "";

	while (*line) {
		size_t len = strcspn(line, "\n");

		log_at(level, "%s%.*s", prefix, (int)len, line);
		line += len + (line[len] == '\n');
	}
}
