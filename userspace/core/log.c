// SPDX-License-Identifier: Apache-2.0
/* The daemon's log: formats a line, keeps floods off it, writes it with one system call. */
#include "core/log.h"
#include "core/clock.h"
#include "core/json.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static _Atomic int output_fd = STDERR_FILENO;
static _Atomic int output_level = LOG_INFO;
static _Atomic int output_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {
#define X(name, text) [LOG_##name] = text,
	LOG_LEVELS(X)
#undef X
};

void log_configure(int fd, enum log_level level, enum log_format format)
{
	output_fd = fd;
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

/* Control characters are shown as '?': a client's bytes must not forge or colour a line. */
static void format_text(struct strbuf *line, const char *time, enum log_level level,
			char *message, uint32_t suppressed)
{
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	strbuf_printf(line, "%s %-5s %s", time, level_names[level], message);
	if (suppressed)
		strbuf_printf(line, " (%u like it were left out)", suppressed);
	strbuf_append_str(line, "\n");
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char message[LINE_MAX_BYTES], time[CLOCK_RFC3339_SIZE];
	struct strbuf line = {};
	uint32_t suppressed;
	va_list args;

	if (!take_allowance(site, &suppressed))
		return;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	clock_format_rfc3339(clock_wall_us(), time);
	if (output_format == LOG_FORMAT_JSON)
		format_json(&line, time, level, message, suppressed);
	else
		format_text(&line, time, level, message, suppressed);
	/* Nobody is left to tell if the log itself cannot be written. */
	if (!line.is_failed && write(output_fd, line.text, line.len) < 0)
		(void)0;
	strbuf_done(&line);
}
